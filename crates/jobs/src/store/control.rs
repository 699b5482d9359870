//! What operators do to single jobs.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute, on};

use crate::{Job, JobId, JobState};

/// Ends a job that waits. False when it does not wait any more, or an attempt before has committed its effects.
pub(crate) async fn cancel_queued(
    tx: &mut Tx,
    job: &Job,
    by: &str,
    detail: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    const CANCEL: &str = "
        UPDATE job
        SET state = 'cancelled', cancel_at = $2, cancel_by = $3, finished_at = $2, error_code = 'cancelled', error_detail = $4
        WHERE id = $1 AND state = 'queued' AND effects_at IS NULL";
    const UNRESERVE: &str = "UPDATE job_lock SET reserved = 0 WHERE job_id = $1 AND reserved = 1";
    let id = job.id.to_string();
    let touched = execute!(
        &mut *tx,
        sqlx::query(CANCEL)
            .bind(&id)
            .bind(now.millis())
            .bind(by)
            .bind(detail)
    )?;
    if touched == 1 {
        execute!(tx, sqlx::query(UNRESERVE).bind(&id))?;
    }
    Ok(touched == 1)
}

/// What became of asking a job to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Yes,
    /// Its effects are committed.
    TooLate,
    NotRunning,
}

/// Asks a running job to stop. Not after [`serialise`](super::claim::serialise): whoever ends the job has its row and waits for that lock.
pub(crate) async fn ask_to_cancel(tx: &mut Tx, id: JobId, by: &str, now: Timestamp) -> Result<Asked, Error> {
    const ASK: &str = "
        UPDATE job SET cancel_at = $2, cancel_by = $3
        WHERE id = $1 AND state = 'running' AND effects_at IS NULL";
    const IS_EFFECTIVE: &str =
        "SELECT count(*) FROM job WHERE id = $1 AND state = 'running' AND effects_at IS NOT NULL";
    let id = id.to_string();
    let touched = execute!(&mut *tx, sqlx::query(ASK).bind(&id).bind(now.millis()).bind(by))?;
    if touched == 1 {
        return Ok(Asked::Yes);
    }
    let effective: i64 = on!(tx, conn => sqlx::query_scalar(IS_EFFECTIVE).bind(&id).fetch_one(conn))?;
    Ok(if effective > 0 {
        Asked::TooLate
    } else {
        Asked::NotRunning
    })
}

/// Queues a job again that failed or was cancelled, as if it had not been tried before. False when it is in another state.
pub(crate) async fn retry(tx: &mut Tx, job: &Job, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE job
        SET state = 'queued', run_after = $2, parked_on = NULL, resets = 0, retries = 0, started_at = NULL, finished_at = NULL,
            error_code = NULL, error_detail = NULL, cancel_at = NULL, cancel_by = NULL
        WHERE id = $1 AND state IN ('failed', 'cancelled')";
    let touched = execute!(tx, sqlx::query(SQL).bind(job.id.to_string()).bind(now.millis()))?;
    Ok(touched == 1)
}

/// Returns the active job of the same operation as `job`, which is not active itself.
pub(crate) async fn find_active_twin(tx: &mut Tx, job: &Job) -> Result<Option<JobId>, Error> {
    const SQL: &str = "
        SELECT twin.id FROM job twin JOIN job ON job.dedup_key = twin.dedup_key
        WHERE job.id = $1 AND twin.state IN ('queued', 'running')";
    let twin: Option<String> =
        on!(tx, conn => sqlx::query_scalar(SQL).bind(job.id.to_string()).fetch_optional(conn))?;
    twin.map(|id| id.parse().map_err(Error::corrupt("job", "id", &id)))
        .transpose()
}

/// Returns the jobs that failed with `code`, of `kind` if one is given; oldest first.
pub(crate) async fn list_failed(
    tx: &mut Tx,
    code: &str,
    kind: Option<&str>,
    limit: i64,
) -> Result<Vec<JobId>, Error> {
    const SQL: &str = "
        SELECT id FROM job
        WHERE state = 'failed' AND error_code = $1 AND ($2 = '' OR kind = $2)
        ORDER BY id LIMIT $3";
    let ids: Vec<String> = on!(tx, conn => sqlx::query_scalar(SQL)
        .bind(code)
        .bind(kind.unwrap_or_default())
        .bind(limit)
        .fetch_all(conn))?;
    ids.into_iter()
        .map(|id| id.parse().map_err(Error::corrupt("job", "id", &id)))
        .collect()
}

/// Changes the priority of a job that waits. False when it does not wait any more.
pub(crate) async fn set_priority(tx: &mut Tx, id: JobId, priority: i64) -> Result<bool, Error> {
    const SQL: &str = "UPDATE job SET priority = $2 WHERE id = $1 AND state = $3";
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(id.to_string())
            .bind(priority)
            .bind(JobState::Queued.as_str())
    )?;
    Ok(touched == 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use docket_db::Db;
    use docket_test_support::on_both_databases;

    use super::*;
    use crate::{
        Cancel, Clock, Jobs, NewJob, TABLES,
        decide::Ending,
        store::{claim, claim::Taking, ends, ends::End},
    };

    on_both_databases! {
        /// Whoever ends a job has its row and then waits for its turn to schedule: a cancellation that waits for the row stands in nobody's way.
        async fn a_cancellation_waits_for_an_end_that_is_under_way(db: TestDb) {
            db.migrate(&[TABLES]).await;
            let jobs = Jobs::new(db.db.clone(), Clock::system());
            let now = jobs.clock().now();
            let mut tx = jobs.db().write().await.unwrap();
            let new = NewJob::new("publish", "{}".to_owned(), "a job".to_owned());
            let id = jobs.enqueue(&mut tx, &new).await.unwrap().job;
            let taking = Taking { worker: "w", now, lease_until: now.plus_millis(60_000) };
            claim::take(&mut tx, &[id], taking).await.unwrap();
            tx.commit().await.unwrap();

            let mut ending = jobs.db().write().await.unwrap();
            let end = End { id, attempt: 1, ending: Ending::Succeeded, lines: Vec::new() };
            assert_eq!(ends::apply(&mut ending, &[end], now).await.unwrap(), [id]);
            let cancelling = tokio::spawn({
                let jobs = jobs.clone();
                async move { jobs.cancel(id, "somebody").await }
            });
            let waits = tokio::time::timeout(Duration::from_secs(30), somebody_waits(jobs.db()));
            waits.await.expect("the cancellation waits for the row");
            claim::serialise(&mut ending).await.unwrap();
            ending.commit().await.unwrap();
            assert_eq!(cancelling.await.unwrap().unwrap(), Cancel::WasOver(JobState::Succeeded));
        }
    }

    /// Waits until PostgreSQL says that some connection waits for a lock. On SQLite there is one writer, and nothing to be seen.
    async fn somebody_waits(db: &Db) {
        const SQL: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while db.is_postgres() {
            let mut tx = db.read().await.unwrap();
            let waiting: i64 = on!(&mut tx, conn => sqlx::query_scalar(SQL).fetch_one(conn)).unwrap();
            if waiting > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
