//! Holding a job while it runs, and ending it: every statement is fenced by the attempt number.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute};

use crate::{Job, JobState};

/// Prolongs the lease. False when the attempt is no longer current.
pub(crate) async fn renew(tx: &mut Tx, job: &Job, lease_until: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "UPDATE job SET lease_until = $3 WHERE id = $1 AND attempt = $2 AND state = 'running'";
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(job.id.to_string())
            .bind(job.attempt)
            .bind(lease_until.millis())
    )?;
    Ok(touched == 1)
}

/// Locks the job's row until the transaction ends, so that no other attempt can begin before. False when one has.
pub(crate) async fn fence(tx: &mut Tx, job: &Job) -> Result<bool, Error> {
    const SQL: &str = "UPDATE job SET attempt = attempt WHERE id = $1 AND attempt = $2 AND state = 'running'";
    let touched = execute!(tx, sqlx::query(SQL).bind(job.id.to_string()).bind(job.attempt))?;
    Ok(touched == 1)
}

/// Ends the job. False when the attempt is no longer current.
pub(crate) async fn finish(
    tx: &mut Tx,
    job: &Job,
    state: JobState,
    error: Option<(&str, &str)>,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE job
        SET state = $3, error_code = $4, error_detail = $5, finished_at = $6, lease_by = NULL, lease_until = NULL
        WHERE id = $1 AND attempt = $2 AND state = 'running'";
    // PostgreSQL refuses NUL in text, and programs print anything. The log stores JSON, where it is escaped.
    let detail = error.map(|(_, detail)| detail.replace('\0', "\u{2400}"));
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(job.id.to_string())
            .bind(job.attempt)
            .bind(state.as_str())
            .bind(error.map(|(code, _)| code))
            .bind(&detail)
            .bind(now.millis())
    )?;
    Ok(touched == 1)
}
