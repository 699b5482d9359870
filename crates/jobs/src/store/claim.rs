//! Claiming ready jobs.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute, on};

use super::jobs::{JobRow, job_columns};
use crate::{Job, worker::Lane};

/// Claims up to `limit` ready jobs of `kinds` in `lane` for `worker`: the oldest of the highest priority first, none of whose locks is
/// held by a running job, and none behind an older ready job that shares a lock (first in, first out within a lock).
///
/// A claim raises the attempt number, which is the fence of everything the run writes.
pub(crate) async fn claim(
    tx: &mut Tx,
    lane: Lane,
    kinds: &[&str],
    worker: &str,
    now: Timestamp,
    lease_until: Timestamp,
    limit: usize,
) -> Result<Vec<Job>, Error> {
    // Claims of different processes follow one another, or two could each see a lock free. SQLite has one writer anyway.
    if let Tx::Postgres(tx) = tx {
        const SERIALISE: &str = "SELECT pg_advisory_xact_lock(hashtext('docket_jobs claim'))";
        sqlx::query(SERIALISE).execute(&mut **tx).await?;
    }
    let mut claimed = Vec::new();
    while claimed.len() < limit {
        let Some(job) = claim_one(tx, lane, kinds, worker, now, lease_until).await? else {
            break;
        };
        claimed.push(job);
    }
    Ok(claimed)
}

async fn claim_one(
    tx: &mut Tx,
    lane: Lane,
    kinds: &[&str],
    worker: &str,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<Job>, Error> {
    const READY: &str = "
        SELECT id
        FROM job ready
        WHERE state = 'queued' AND run_after <= $1 AND priority BETWEEN $3 AND $4
          AND ',' || $2 || ',' LIKE '%,' || kind || ',%'
          AND NOT EXISTS (
              SELECT 1
              FROM job_lock needed
              JOIN job_lock other ON other.name = needed.name AND other.job_id <> needed.job_id
              JOIN job ahead ON ahead.id = other.job_id
              WHERE needed.job_id = ready.id
                AND (ahead.state = 'running'
                     OR (ahead.state = 'queued' AND ahead.run_after <= $1
                         AND (ahead.priority > ready.priority
                              OR (ahead.priority = ready.priority AND ahead.id < ready.id)))))
        ORDER BY priority DESC, id
        LIMIT 1";
    const TAKE: &str = concat!(
        "
        UPDATE job
        SET state = 'running', attempt = attempt + 1, started_at = $2, lease_by = $3, lease_until = $4
        WHERE id = $1
        RETURNING ",
        job_columns!()
    );
    let ready: Option<String> = on!(&mut *tx, conn => sqlx::query_scalar(READY)
        .bind(now.millis())
        .bind(kinds.join(","))
        .bind(lane.priorities().start())
        .bind(lane.priorities().end())
        .fetch_optional(conn))?;
    let Some(id) = ready else { return Ok(None) };
    let row: JobRow = on!(tx, conn => sqlx::query_as(TAKE)
        .bind(id)
        .bind(now.millis())
        .bind(worker)
        .bind(lease_until.millis())
        .fetch_one(conn))?;
    row.into_job().map(Some)
}

/// Returns the time at which the next waiting job becomes ready, if one waits for time alone.
pub(crate) async fn next_ready_at(tx: &mut Tx, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    const SQL: &str = "SELECT min(run_after) FROM job WHERE state = 'queued' AND run_after > $1";
    let at: Option<i64> = on!(tx, conn => sqlx::query_scalar(SQL).bind(now.millis()).fetch_one(conn))?;
    Ok(at.map(Timestamp::from_millis))
}

/// Returns the running jobs whose lease has lapsed. One that does not decode is left out: it must not keep the others waiting.
pub(crate) async fn list_lapsed(tx: &mut Tx, now: Timestamp) -> Result<Vec<Job>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        job_columns!(),
        " FROM job WHERE state = 'running' AND lease_until < $1 ORDER BY id"
    );
    let rows: Vec<JobRow> = on!(tx, conn => sqlx::query_as(SQL).bind(now.millis()).fetch_all(conn))?;
    let decoded = rows.into_iter().filter_map(|row| {
        row.into_job()
            .inspect_err(|error| {
                tracing::error!(error = error as &dyn std::error::Error, "a job cannot be read")
            })
            .ok()
    });
    Ok(decoded.collect())
}

/// Why a job goes back in the queue: what lapsed and what was unavailable is counted, each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requeue {
    /// Its worker fell silent.
    Lapsed,
    /// A service of ours was unavailable.
    Unavailable,
    /// The server stops; nobody's failure.
    GivenBack,
}

/// Puts a job of attempt `attempt` back in the queue, not to run before `run_after`. False when the attempt is no longer current.
pub(crate) async fn requeue(
    tx: &mut Tx,
    job: &Job,
    run_after: Timestamp,
    why: Requeue,
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE job
        SET state = 'queued', run_after = $3, resets = resets + $4, retries = retries + $5,
            started_at = NULL, lease_by = NULL, lease_until = NULL
        WHERE id = $1 AND attempt = $2 AND state = 'running'";
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(job.id.to_string())
            .bind(job.attempt)
            .bind(run_after.millis())
            .bind(i64::from(why == Requeue::Lapsed))
            .bind(i64::from(why == Requeue::Unavailable))
    )?;
    Ok(touched == 1)
}

/// True when this attempt is still current and its lease has lapsed. On PostgreSQL the row stays locked until `tx` ends.
pub(crate) async fn is_lapsed(tx: &mut Tx, job: &Job, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE job SET attempt = attempt
        WHERE id = $1 AND attempt = $2 AND state = 'running' AND lease_until < $3";
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(job.id.to_string())
            .bind(job.attempt)
            .bind(now.millis())
    )?;
    Ok(touched == 1)
}
