//! How much there was to do lately, and how long it took.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, on};

use crate::JobId;

/// Counts the jobs that were stored behind `after`, by steps of `step` milliseconds since `start`.
pub(crate) async fn count_stored(
    tx: &mut Tx,
    after: JobId,
    start: Timestamp,
    step: i64,
) -> Result<Vec<(i64, i64)>, Error> {
    const SQL: &str = "SELECT (created_at - $2) / $3 AS step, count(*) FROM job WHERE id > $1 GROUP BY 1";
    on!(tx, conn => sqlx::query_as(SQL)
        .bind(after.to_string())
        .bind(start.millis())
        .bind(step)
        .fetch_all(conn))
}

/// Counts the jobs that ended since `start`, by steps of `step` milliseconds. Those that did not end well and were stored before `after` are left out: the index
/// of these is by the time they were stored.
pub(crate) async fn count_ended_since(
    tx: &mut Tx,
    after: JobId,
    start: Timestamp,
    step: i64,
) -> Result<Vec<(i64, i64)>, Error> {
    // The index of those that ended well is by kind and time: one look for each kind, instead of one at every job.
    const SQL: &str = "
        WITH RECURSIVE kinds (kind) AS (
            SELECT min(kind) FROM job WHERE state = 'succeeded'
            UNION ALL
            SELECT (SELECT min(kind) FROM job WHERE state = 'succeeded' AND job.kind > kinds.kind)
            FROM kinds WHERE kinds.kind IS NOT NULL)
        SELECT (finished_at - $2) / $3 AS step, count(*)
        FROM kinds CROSS JOIN job
        WHERE job.state = 'succeeded' AND job.kind = kinds.kind AND job.finished_at >= $2
        GROUP BY 1
        UNION ALL
        SELECT (finished_at - $2) / $3 AS step, count(*)
        FROM job
        WHERE state IN ('failed', 'cancelled') AND id > $1 AND finished_at >= $2
        GROUP BY 1";
    on!(tx, conn => sqlx::query_as(SQL)
        .bind(after.to_string())
        .bind(start.millis())
        .bind(step)
        .fetch_all(conn))
}

/// Returns the end and the length, in milliseconds, of up to `limit` jobs of `kind` that ended well since `since`, newest first.
pub(crate) async fn list_ends(
    tx: &mut Tx,
    kind: &str,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<(i64, i64)>, Error> {
    const SQL: &str = "
        SELECT finished_at, finished_at - started_at
        FROM job
        WHERE state = 'succeeded' AND kind = $1 AND finished_at >= $2 AND started_at IS NOT NULL
        ORDER BY finished_at DESC
        LIMIT $3";
    on!(tx, conn => sqlx::query_as(SQL)
        .bind(kind)
        .bind(since.millis())
        .bind(limit)
        .fetch_all(conn))
}

/// Counts the jobs of `kind` that ended well since `since`.
pub(crate) async fn count_ends(tx: &mut Tx, kind: &str, since: Timestamp) -> Result<i64, Error> {
    const SQL: &str =
        "SELECT count(*) FROM job WHERE state = 'succeeded' AND kind = $1 AND finished_at >= $2";
    on!(tx, conn => sqlx::query_scalar(SQL).bind(kind).bind(since.millis()).fetch_one(conn))
}

/// Counts the ended jobs that were stored behind `after`, by kind, state and code; the code is empty where there is none.
pub(crate) async fn count_ended(
    tx: &mut Tx,
    after: JobId,
) -> Result<Vec<(String, String, String, i64)>, Error> {
    const SQL: &str = "
        SELECT kind, state, coalesce(error_code, '') AS code, count(*)
        FROM job
        WHERE id > $1 AND state IN ('succeeded', 'failed', 'cancelled')
        GROUP BY 1, 2, 3
        ORDER BY 1, 2, 3";
    on!(tx, conn => sqlx::query_as(SQL).bind(after.to_string()).fetch_all(conn))
}

/// Returns when the oldest job that waits was stored, for each kind of which one waits.
pub(crate) async fn list_oldest_waiting(tx: &mut Tx) -> Result<Vec<(String, i64)>, Error> {
    const SQL: &str = "
        SELECT kind, min(created_at)
        FROM job
        WHERE state = 'queued'
        GROUP BY kind
        ORDER BY kind";
    on!(tx, conn => sqlx::query_as(SQL).fetch_all(conn))
}

#[derive(sqlx::FromRow)]
pub(crate) struct HeldRow {
    pub(crate) name: String,
    pub(crate) job_id: String,
    pub(crate) kind: String,
    pub(crate) package_name: Option<String>,
    pub(crate) package_version: Option<String>,
    pub(crate) started_at: Option<i64>,
    pub(crate) waiting: i64,
}

/// Returns up to `limit` locks that running jobs have, by name, and how many jobs wait in their lines.
pub(crate) async fn list_held(tx: &mut Tx, limit: i64) -> Result<Vec<HeldRow>, Error> {
    // SQLite keeps to this order of a cross join: those who run first, not all locks.
    const SQL: &str = "
        SELECT l.name, l.job_id, j.kind, j.package_name, j.package_version, j.started_at,
               (SELECT count(*) FROM job_lock w JOIN job q ON q.id = w.job_id
                WHERE w.name = l.name AND coalesce(q.state = 'queued', FALSE)) AS waiting
        FROM job j CROSS JOIN job_lock l
        WHERE j.state = 'running' AND l.job_id = j.id
        ORDER BY l.name
        LIMIT $1";
    on!(tx, conn => sqlx::query_as(SQL).bind(limit).fetch_all(conn))
}
