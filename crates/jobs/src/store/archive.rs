//! Which lines are in which blob of the archive.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute, on};
use sqlx::AssertSqlSafe;

use super::jobs::Order;
use crate::{JobId, reading::LineFilter};

/// How many parts one query lists.
const PARTS_PER_QUERY: i64 = 16;

/// Consecutive lines of a log that are in one blob.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct PartRow {
    pub(crate) first_seq: i64,
    pub(crate) last_seq: i64,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) max_level: i64,
    /// Absent once the lines were removed.
    pub(crate) digest: Option<String>,
}

/// Returns the next parts of `job` that may hold lines which pass `filter`, or that were removed: behind `edge`, or before it when the order is
/// descending. They are few (see [`crate::archive`]), so the order of the key serves every filter.
pub(crate) async fn list(
    tx: &mut Tx,
    job: JobId,
    filter: &LineFilter,
    edge: i64,
) -> Result<Vec<PartRow>, Error> {
    const COLUMNS: &str = "
        SELECT first_seq, last_seq, first_at, last_at, max_level, digest
        FROM job_log_archive
        WHERE job_id = $1 AND (digest IS NULL OR (last_at >= $3 AND first_at < $4 AND max_level >= $5))";
    let sql = match filter.order {
        Order::Ascending => [
            COLUMNS,
            " AND last_seq > $2 AND first_seq <= $6 ORDER BY last_seq LIMIT $7",
        ],
        Order::Descending => [
            COLUMNS,
            " AND first_seq < $2 AND last_seq > $6 ORDER BY last_seq DESC LIMIT $7",
        ],
    };
    let end = match filter.order {
        Order::Ascending => filter.up_to_seq,
        Order::Descending => filter.after_seq,
    };
    on!(tx, conn => sqlx::query_as(AssertSqlSafe(sql.concat()))
        .bind(job.to_string())
        .bind(edge)
        .bind(filter.since.millis())
        .bind(filter.until.millis())
        .bind(filter.level.number())
        .bind(end)
        .bind(PARTS_PER_QUERY)
        .fetch_all(conn))
}

/// Returns the jobs behind `after` that have rows in the log, and whether each ended before `before`.
pub(crate) async fn list_logged(
    tx: &mut Tx,
    after: Option<JobId>,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<(JobId, bool)>, Error> {
    // By the rows and not by the jobs: most jobs have none, once this has run for a while.
    const SQL: &str = "
        SELECT job.id, job.finished_at
        FROM (SELECT DISTINCT job_id FROM job_log WHERE job_id > $1 ORDER BY job_id LIMIT $2) AS logged
        JOIN job ON job.id = logged.job_id
        ORDER BY job.id";
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let rows: Vec<(String, Option<i64>)> =
        on!(tx, conn => sqlx::query_as(SQL).bind(after).bind(limit).fetch_all(conn))?;
    rows.into_iter()
        .map(|(id, finished_at)| {
            let job = id.parse().map_err(Error::corrupt("job", "id", &id))?;
            Ok((job, finished_at.is_some_and(|at| at < before.millis())))
        })
        .collect()
}

/// Puts the row of a part in the place of the rows of its `lines`. False when these are not all there, or the job has not ended.
pub(crate) async fn replace_rows(tx: &mut Tx, job: JobId, part: &PartRow, lines: i64) -> Result<bool, Error> {
    // A worker of PostgreSQL that deletes the same rows waits here for the other, and finds none.
    const DELETE: &str = "
        DELETE FROM job_log
        WHERE job_id = $1 AND first_seq >= $2 AND last_seq <= $3
          AND EXISTS (SELECT 1 FROM job WHERE id = $1 AND finished_at IS NOT NULL)
        RETURNING last_seq - first_seq + 1";
    const INSERT: &str = "
        INSERT INTO job_log_archive (job_id, first_seq, last_seq, first_at, last_at, max_level, digest)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let deleted: Vec<i64> = on!(&mut *tx, conn => sqlx::query_scalar(DELETE)
        .bind(job.to_string())
        .bind(part.first_seq)
        .bind(part.last_seq)
        .fetch_all(conn))?;
    if deleted.iter().sum::<i64>() != lines {
        return Ok(false);
    }
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(job.to_string())
            .bind(part.first_seq)
            .bind(part.last_seq)
            .bind(part.first_at)
            .bind(part.last_at)
            .bind(part.max_level)
            .bind(&part.digest)
    )?;
    Ok(true)
}

/// Takes the blobs from parts of jobs that ended before `before`, and returns how many lines each had.
pub(crate) async fn remove(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<Vec<i64>, Error> {
    const SQL: &str = "
        UPDATE job_log_archive SET digest = NULL
        WHERE (job_id, last_seq) IN (
            SELECT part.job_id, part.last_seq
            FROM job_log_archive part JOIN job ON job.id = part.job_id
            WHERE part.digest IS NOT NULL AND job.finished_at < $1
            ORDER BY part.job_id, part.last_seq
            LIMIT $2)
        RETURNING last_seq - first_seq + 1";
    on!(tx, conn => sqlx::query_scalar(SQL).bind(before.millis()).bind(limit).fetch_all(conn))
}

/// True when a part names this blob.
pub(crate) async fn is_named(tx: &mut Tx, digest: &str) -> Result<bool, Error> {
    const SQL: &str =
        "SELECT count(*) FROM (SELECT 1 AS one FROM job_log_archive WHERE digest = $1 LIMIT 1) AS found";
    let found: i64 = on!(tx, conn => sqlx::query_scalar(SQL).bind(digest).fetch_one(conn))?;
    Ok(found > 0)
}

/// True when there is any part.
pub(crate) async fn has_rows(tx: &mut Tx) -> Result<bool, Error> {
    const SQL: &str = "SELECT count(*) FROM (SELECT 1 AS one FROM job_log_archive LIMIT 1) AS found";
    let found: i64 = on!(tx, conn => sqlx::query_scalar(SQL).fetch_one(conn))?;
    Ok(found > 0)
}

/// Returns the blobs of all parts, each with the part in words.
pub(crate) async fn list_named(tx: &mut Tx) -> Result<Vec<(String, String)>, Error> {
    const SQL: &str = "
        SELECT digest, job_id || ' lines ' || first_seq || ' to ' || last_seq
        FROM job_log_archive WHERE digest IS NOT NULL
        ORDER BY job_id, last_seq";
    on!(tx, conn => sqlx::query_as(SQL).fetch_all(conn))
}
