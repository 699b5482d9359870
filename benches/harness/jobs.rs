//! Jobs that do nothing, and tables without any.

use docket_db::{execute, sqlx};
use docket_jobs::{JobId, Jobs, NewJob};

/// The name of their database, as people write it.
pub(crate) fn database(jobs: &Jobs) -> &'static str {
    if jobs.db().is_postgres() {
        "PostgreSQL"
    } else {
        "SQLite"
    }
}

/// The job of this number, under the lock of this number.
pub(crate) fn new_job(number: usize, lock: usize, priority: i64) -> NewJob {
    NewJob {
        priority,
        locks: vec![format!("package/p{lock}")],
        ..NewJob::new("publish", "{}".to_owned(), format!("job {number}"))
    }
}

/// Stores one job in a transaction of its own.
pub(crate) async fn enqueue(jobs: &Jobs, new: &NewJob) -> anyhow::Result<JobId> {
    let mut tx = jobs.db().write().await?;
    let enqueued = jobs.enqueue(&mut tx, new).await?;
    tx.commit().await?;
    jobs.wake_workers();
    Ok(enqueued.job)
}

/// Makes the tables as they are in a new database: PostgreSQL remembers how many rows a table had.
pub(crate) async fn clear(jobs: &Jobs) -> anyhow::Result<()> {
    let mut tx = jobs.db().write().await?;
    for table in ["job_log", "job_lock", "job"] {
        let clear = if tx.is_postgres() {
            format!("TRUNCATE {table} CASCADE")
        } else {
            format!("DELETE FROM {table}")
        };
        execute!(&mut tx, sqlx::query(sqlx::AssertSqlSafe(clear)))?;
    }
    tx.commit().await?;
    Ok(())
}
