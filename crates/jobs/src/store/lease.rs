//! Holding jobs while they run: every statement is fenced by the attempt number.

use std::collections::HashMap;

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute, on};
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::{over_list, to_list};
use crate::{Job, JobId};

/// An attempt whose lease is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Held {
    pub(crate) id: JobId,
    pub(crate) attempt: i64,
}

/// Prolongs leases. Returns the attempts that are still current, and who asked for their cancellation, if anybody did.
///
/// One that is in the middle of a transaction is left alone, for nobody else can take it meanwhile.
pub(crate) async fn renew(
    tx: &mut Tx,
    held: &[Held],
    lease_until: Timestamp,
) -> Result<HashMap<JobId, Option<String>>, Error> {
    let list = to_list(held);
    // SQLite has one writer: nobody is in the middle of a transaction.
    let skip_locked = if tx.is_postgres() {
        " ORDER BY job.id FOR UPDATE OF job SKIP LOCKED)"
    } else {
        ")"
    };
    let renew = over_list!(
        tx,
        "UPDATE job SET lease_until = $2 WHERE id IN (SELECT job.id FROM",
        (id TEXT, attempt BIGINT),
        "JOIN job ON job.id = list.id AND job.attempt = list.attempt WHERE coalesce(job.state = 'running', FALSE)"
    );
    execute!(
        &mut *tx,
        sqlx::query(AssertSqlSafe([renew, skip_locked].concat()))
            .bind(&list)
            .bind(lease_until.millis())
    )?;
    let current = over_list!(
        tx,
        "SELECT job.id, job.cancel_by FROM",
        (id TEXT, attempt BIGINT),
        "JOIN job ON job.id = list.id AND job.attempt = list.attempt WHERE coalesce(job.state = 'running', FALSE)"
    );
    let rows: Vec<(String, Option<String>)> =
        on!(tx, conn => sqlx::query_as(current).bind(&list).fetch_all(conn))?;
    rows.into_iter()
        .map(|(id, cancel_by)| Ok((id.parse().map_err(Error::corrupt("job", "id", &id))?, cancel_by)))
        .collect()
}

/// Locks the job's row until the transaction ends, so that no other attempt can begin before, and notes that it has effects: from their commit
/// on the job cannot be cancelled. False when another attempt has begun, or somebody asked for
/// the job's cancellation.
pub(crate) async fn begin_effects(tx: &mut Tx, job: &Job, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE job SET effects_at = $3
        WHERE id = $1 AND attempt = $2 AND state = 'running' AND (cancel_at IS NULL OR effects_at IS NOT NULL)";
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(job.id.to_string())
            .bind(job.attempt)
            .bind(now.millis())
    )?;
    Ok(touched == 1)
}

/// Who asked for the cancellation of this attempt's job; `None` also when another attempt has begun.
pub(crate) async fn cancelled_by(tx: &mut Tx, job: &Job) -> Result<Option<String>, Error> {
    const SQL: &str = "SELECT cancel_by FROM job WHERE id = $1 AND attempt = $2 AND state = 'running'";
    let by: Option<Option<String>> = on!(tx, conn => sqlx::query_scalar(SQL)
        .bind(job.id.to_string())
        .bind(job.attempt)
        .fetch_optional(conn))?;
    Ok(by.flatten())
}
