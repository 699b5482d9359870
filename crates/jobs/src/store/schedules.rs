//! The ticks that have become jobs.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute, on};

use crate::{JobId, schedule::LastTick};

/// Stores a tick. False when it is there already.
pub(crate) async fn insert(tx: &mut Tx, task: &str, tick: Timestamp) -> Result<bool, Error> {
    const SQL: &str =
        "INSERT INTO schedule_tick (task, tick) VALUES ($1, $2) ON CONFLICT (task, tick) DO NOTHING";
    let inserted = execute!(tx, sqlx::query(SQL).bind(task).bind(tick.millis()))?;
    Ok(inserted == 1)
}

/// Names the job that a tick became.
pub(crate) async fn set_job(tx: &mut Tx, task: &str, tick: Timestamp, job: JobId) -> Result<(), Error> {
    const SQL: &str = "UPDATE schedule_tick SET job_id = $3 WHERE task = $1 AND tick = $2";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(task)
            .bind(tick.millis())
            .bind(job.to_string())
    )?;
    Ok(())
}

/// Returns the newest tick of `task`.
pub(crate) async fn last(tx: &mut Tx, task: &str) -> Result<Option<LastTick>, Error> {
    const SQL: &str = "SELECT tick, job_id FROM schedule_tick WHERE task = $1 ORDER BY tick DESC LIMIT 1";
    let row: Option<(i64, Option<String>)> =
        on!(tx, conn => sqlx::query_as(SQL).bind(task).fetch_optional(conn))?;
    row.map(|(tick, job)| {
        let job = job.as_deref().map(str::parse).transpose();
        Ok(LastTick {
            tick: Timestamp::from_millis(tick),
            job: job.map_err(Error::corrupt("schedule_tick", "job_id", task))?,
        })
    })
    .transpose()
}

/// Removes ticks before `before`, but never the newest of a task.
pub(crate) async fn prune(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    const SQL: &str = "
        DELETE FROM schedule_tick
        WHERE tick < $1
          AND tick < (SELECT max(newest.tick) FROM schedule_tick newest WHERE newest.task = schedule_tick.task)";
    execute!(tx, sqlx::query(SQL).bind(before.millis()))
}
