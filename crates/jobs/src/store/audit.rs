//! What must never be found: the promises of docs/jobs.md, as questions to the tables.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, on};

/// Returns the locks that two running jobs have, which must not be.
pub(crate) async fn list_shared_locks(tx: &mut Tx) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        SELECT job_lock.name
        FROM job JOIN job_lock ON job_lock.job_id = job.id
        WHERE job.state = 'running'
        GROUP BY job_lock.name HAVING count(*) > 1
        ORDER BY job_lock.name";
    on!(tx, conn => sqlx::query_scalar(SQL).fetch_all(conn))
}

/// Returns the jobs whose log has a gap, an end that is not the job's, or no beginning.
pub(crate) async fn list_torn_logs(tx: &mut Tx) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        SELECT job.id
        FROM job
        LEFT JOIN (SELECT job_id, min(first_seq) AS first_seq, max(last_seq) AS last_seq,
                          CAST(sum(last_seq - first_seq + 1) AS BIGINT) AS line_count
                   FROM (SELECT job_id, first_seq, last_seq FROM job_log
                         UNION ALL SELECT job_id, first_seq, last_seq FROM job_log_archive) AS part
                   GROUP BY job_id) AS log ON log.job_id = job.id
        WHERE coalesce(log.first_seq, 1) <> 1 OR coalesce(log.last_seq, 0) <> job.log_seq
           OR coalesce(log.line_count, 0) <> job.log_seq
        ORDER BY job.id";
    on!(tx, conn => sqlx::query_scalar(SQL).fetch_all(conn))
}

/// Returns the running jobs whose lease lapsed before `before`: no worker looks for them.
pub(crate) async fn list_abandoned(tx: &mut Tx, before: Timestamp) -> Result<Vec<String>, Error> {
    const SQL: &str = "SELECT id FROM job WHERE state = 'running' AND lease_until < $1 ORDER BY id";
    on!(tx, conn => sqlx::query_scalar(SQL).bind(before.millis()).fetch_all(conn))
}

/// Returns the jobs that have ended and do not say when, or say why they failed and have not.
pub(crate) async fn list_half_ended(tx: &mut Tx) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        SELECT id FROM job
        WHERE (state IN ('succeeded', 'failed', 'cancelled')) <> (finished_at IS NOT NULL)
           OR (state = 'failed' AND error_code IS NULL)
           OR (state <> 'running' AND lease_until IS NOT NULL)
        ORDER BY id";
    on!(tx, conn => sqlx::query_scalar(SQL).fetch_all(conn))
}

/// Counts the lines of jobs for a lock that nobody has: nobody will wake them, or a moment ago a process of an older version ended the holder.
pub(crate) async fn list_forgotten_lines(tx: &mut Tx) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        SELECT DISTINCT waiting.parked_on
        FROM job waiting
        WHERE waiting.state = 'queued' AND waiting.parked_on LIKE 'lock/%'
          AND NOT EXISTS (SELECT 1
                          FROM job_lock JOIN job ahead ON ahead.id = job_lock.job_id
                          WHERE 'lock/' || job_lock.name = waiting.parked_on AND ahead.id <> waiting.id
                            AND (ahead.state = 'running'
                                 OR (ahead.state = 'queued' AND coalesce(ahead.parked_on, '') <> waiting.parked_on)))
        ORDER BY waiting.parked_on";
    on!(tx, conn => sqlx::query_scalar(SQL).fetch_all(conn))
}
