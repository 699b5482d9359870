//! Why a job waits: the facts, at the moment of the question.

use std::collections::HashMap;

use docket_db::{Error, Tx, on};

use super::{
    jobs::{JobRow, job_columns},
    over_ids, to_id_list,
};
use crate::{Job, JobId, worker::Lane};

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

/// Counts the jobs that run, by priority and kind.
pub(crate) async fn count_running(tx: &mut Tx) -> Result<Vec<(i64, String, i64)>, Error> {
    const SQL: &str =
        "SELECT priority, kind, count(*) FROM job WHERE state = 'running' GROUP BY priority, kind";
    on!(tx, conn => sqlx::query_as(SQL).fetch_all(conn))
}

/// A job that waits, and on what it is parked.
pub(crate) struct Waiting {
    pub(crate) job: Job,
    pub(crate) parked_on: Option<String>,
}

impl Waiting {
    /// Whether it counts in the lines of its locks: it could run if those were free.
    pub(crate) fn is_in_line(&self) -> bool {
        let parked_on = self.parked_on.as_deref();
        parked_on.is_none_or(|thing| thing.starts_with("lock/"))
    }
}

/// Returns up to `limit` jobs that wait, in the order in which they would start.
pub(crate) async fn list_waiting(tx: &mut Tx, limit: i64) -> Result<Vec<Waiting>, Error> {
    // The first condition is that of an index.
    const SQL: &str = concat!(
        "SELECT ",
        job_columns!(),
        ", parked_on FROM job WHERE state IN ('queued', 'running') AND state = 'queued' ORDER BY priority DESC, id LIMIT $1"
    );
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        job: JobRow,
        parked_on: Option<String>,
    }
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(SQL).bind(limit).fetch_all(conn))?;
    rows.into_iter()
        .map(|row| {
            Ok(Waiting {
                job: row.job.into_job()?,
                parked_on: row.parked_on,
            })
        })
        .collect()
}

/// Returns the locks that each of these jobs needs, by job and name.
pub(crate) async fn list_locks_of(tx: &mut Tx, jobs: &[JobId]) -> Result<Vec<(JobId, String)>, Error> {
    let sql = over_ids!(
        tx,
        "SELECT l.job_id, l.name FROM",
        "JOIN job_lock l ON l.job_id = list.id ORDER BY l.job_id, l.name"
    );
    let list = to_id_list(tx, jobs);
    let rows: Vec<(String, String)> = on!(tx, conn => sqlx::query_as(sql).bind(list).fetch_all(conn))?;
    rows.into_iter()
        .map(|(id, name)| {
            Ok((
                id.parse().map_err(Error::corrupt("job_lock", "job_id", &id))?,
                name,
            ))
        })
        .collect()
}

/// Returns the jobs that have locks, by lock. They are few: no more than there are slots.
pub(crate) async fn list_holders(tx: &mut Tx) -> Result<HashMap<String, Job>, Error> {
    // SQLite keeps to this order of a cross join: those who run first, not all locks.
    const SQL: &str = concat!(
        "SELECT name, ",
        job_columns!(),
        " FROM job CROSS JOIN job_lock WHERE job.state = 'running' AND job_lock.job_id = job.id"
    );
    #[derive(sqlx::FromRow)]
    struct Row {
        name: String,
        #[sqlx(flatten)]
        job: JobRow,
    }
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(SQL).fetch_all(conn))?;
    rows.into_iter()
        .map(|row| Ok((row.name, row.job.into_job()?)))
        .collect()
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
