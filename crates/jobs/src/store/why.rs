//! Why a job waits: the facts, at the moment of the question.

use docket_db::{Error, Tx, on};

use super::jobs::{JobRow, job_columns};
use crate::{Job, worker::Lane};

/// How many of the newest jobs of a kind tell how long one takes.
const SAMPLE: i64 = 25;

/// Returns the names of the locks that `job` needs.
pub(crate) async fn list_locks(tx: &mut Tx, job: &Job) -> Result<Vec<String>, Error> {
    const SQL: &str = "SELECT name FROM job_lock WHERE job_id = $1 ORDER BY name";
    on!(tx, conn => sqlx::query_scalar(SQL).bind(job.id.to_string()).fetch_all(conn))
}

/// Returns the running job that has `lock`.
pub(crate) async fn find_holder(tx: &mut Tx, lock: &str) -> Result<Option<Job>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        job_columns!(),
        " FROM job WHERE state = 'running' AND id IN (SELECT job_id FROM job_lock WHERE name = $1)"
    );
    let row: Option<JobRow> = on!(tx, conn => sqlx::query_as(SQL).bind(lock).fetch_optional(conn))?;
    row.map(JobRow::into_job).transpose()
}

/// Counts the jobs that stand in the line of `lock` ahead of `job`.
pub(crate) async fn count_ahead_for_lock(tx: &mut Tx, lock: &str, job: &Job) -> Result<i64, Error> {
    const SQL: &str = "
        SELECT count(*)
        FROM job JOIN job_lock ON job_lock.job_id = job.id
        WHERE job_lock.name = $1 AND job.state = 'queued' AND (job.parked_on IS NULL OR job.parked_on LIKE 'lock/%')
          AND (job.priority > $2 OR (job.priority = $2 AND job.id < $3))";
    on!(tx, conn => sqlx::query_scalar(SQL)
        .bind(lock)
        .bind(job.priority)
        .bind(job.id.to_string())
        .fetch_one(conn))
}

/// Counts the jobs that may run ahead of `job` in its lane.
pub(crate) async fn count_ahead(tx: &mut Tx, lane: Lane, job: &Job) -> Result<i64, Error> {
    const SQL: &str = "
        SELECT count(*)
        FROM job
        WHERE state = 'queued' AND parked_on IS NULL AND priority <= $4
          AND (priority > $1 OR (priority = $1 AND id < $2)) AND priority >= $3";
    on!(tx, conn => sqlx::query_scalar(SQL)
        .bind(job.priority)
        .bind(job.id.to_string())
        .bind(lane.priorities().start())
        .bind(lane.priorities().end())
        .fetch_one(conn))
}

/// Counts the jobs that run: those of `lane`, and those of `kind`.
pub(crate) async fn count_running(tx: &mut Tx, lane: Lane, kind: &str) -> Result<(i64, i64), Error> {
    const SQL: &str = "
        SELECT coalesce(sum(CASE WHEN priority BETWEEN $1 AND $2 THEN 1 ELSE 0 END), 0),
               coalesce(sum(CASE WHEN kind = $3 THEN 1 ELSE 0 END), 0)
        FROM job WHERE state = 'running'";
    on!(tx, conn => sqlx::query_as(SQL)
        .bind(lane.priorities().start())
        .bind(lane.priorities().end())
        .bind(kind)
        .fetch_one(conn))
}

/// Returns how long jobs of `kind` run, in milliseconds: the median of the newest that ended well.
pub(crate) async fn usual_millis(tx: &mut Tx, kind: &str) -> Result<Option<i64>, Error> {
    const SQL: &str = "
        SELECT finished_at - started_at FROM job
        WHERE state = 'succeeded' AND kind = $1 AND started_at IS NOT NULL
        ORDER BY finished_at DESC LIMIT $2";
    let mut millis: Vec<i64> =
        on!(tx, conn => sqlx::query_scalar(SQL).bind(kind).bind(SAMPLE).fetch_all(conn))?;
    millis.sort_unstable();
    Ok(millis.get(millis.len() / 2).copied())
}
