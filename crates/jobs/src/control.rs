//! What operators do to single jobs: cancel one, queue one again, let one go first.

use docket_db::{Error, Tx};

use crate::{
    Job, JobId, JobState, Jobs, Level, log, store,
    store::{control::Asked, lines::Append},
};

/// What became of a wish to cancel a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancel {
    /// It waited, and has ended.
    Ended,
    /// It runs, and ends at the next point at which nothing is half done.
    Asked,
    /// It has taken effect already and ends by itself.
    TooLate,
    /// It had ended before, in this state.
    WasOver(JobState),
    /// There is no such job.
    Unknown,
}

/// What became of a wish to run a job again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It is queued again.
    Queued,
    /// It waits or runs, or has ended well.
    NotFailed(JobState),
    /// The same operation was asked for again since, and that job is active.
    Superseded(JobId),
    /// There is no such job.
    Unknown,
}

impl Jobs {
    /// Cancels a job for `by`, who is named in its log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel(&self, id: JobId, by: &str) -> Result<Cancel, Error> {
        loop {
            let now = self.clock().now();
            let mut tx = self.db().write().await?;
            match store::control::ask_to_cancel(&mut tx, id, by, now).await? {
                Asked::Yes => {
                    tx.commit().await?;
                    self.signals.look_at_leases();
                    return Ok(Cancel::Asked);
                }
                Asked::TooLate => return Ok(Cancel::TooLate),
                Asked::NotRunning => store::claim::serialise(&mut tx).await?,
            }
            let Some(job) = store::jobs::find(&mut tx, id).await? else {
                return Ok(Cancel::Unknown);
            };
            match job.state {
                JobState::Queued => {}
                // It began meanwhile.
                JobState::Running => continue,
                over => return Ok(Cancel::WasOver(over)),
            }
            let detail = format!("Cancelled by {by}.");
            self.add_line(&mut tx, &job, Level::Warn, detail.clone()).await?;
            if !store::control::cancel_queued(&mut tx, &job, by, &detail, now).await? {
                // The line goes with the transaction.
                return Ok(Cancel::TooLate);
            }
            store::park::unpark_after(&mut tx, &[id]).await?;
            tx.commit().await?;
            self.signals.log_grew(id);
            self.wake_workers();
            return Ok(Cancel::Ended);
        }
    }

    /// Queues a job again that failed or was cancelled, for `by`, who is named in its log. It keeps its id, its log and its place by age.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry(&self, id: JobId, by: &str) -> Result<Retry, Error> {
        let mut tx = self.db().write().await?;
        let done = self.retry_in(&mut tx, id, by).await?;
        tx.commit().await?;
        if done == Retry::Queued {
            self.signals.log_grew(id);
            self.wake_workers();
        }
        Ok(done)
    }

    /// Queues every job again that failed with `code` (of `kind` only, if one is given), at most `limit`, and returns them. For `by`.
    ///
    /// # Errors
    /// When the database fails; then none is queued.
    pub async fn retry_failed(
        &self,
        code: &str,
        kind: Option<&str>,
        limit: u32,
        by: &str,
    ) -> Result<Vec<JobId>, Error> {
        let mut tx = self.db().write().await?;
        let failed = store::control::list_failed(&mut tx, code, kind, i64::from(limit)).await?;
        let mut queued = Vec::new();
        for id in failed {
            if self.retry_in(&mut tx, id, by).await? == Retry::Queued {
                queued.push(id);
            }
        }
        tx.commit().await?;
        for id in &queued {
            self.signals.log_grew(*id);
        }
        self.wake_workers();
        Ok(queued)
    }

    async fn retry_in(&self, tx: &mut Tx, id: JobId, by: &str) -> Result<Retry, Error> {
        store::claim::serialise(tx).await?;
        let Some(job) = store::jobs::find(tx, id).await? else {
            return Ok(Retry::Unknown);
        };
        if !matches!(job.state, JobState::Failed | JobState::Cancelled) {
            return Ok(Retry::NotFailed(job.state));
        }
        if let Some(twin) = store::control::find_active_twin(tx, &job).await? {
            return Ok(Retry::Superseded(twin));
        }
        store::control::retry(tx, &job, self.clock().now()).await?;
        let job = Job {
            state: JobState::Queued,
            ..job
        };
        self.add_line(tx, &job, Level::Notice, format!("Queued again by {by}."))
            .await?;
        Ok(Retry::Queued)
    }

    /// Gives a waiting job another priority (see [`NewJob::priority`](crate::NewJob::priority)). False when it does not wait.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_priority(&self, id: JobId, priority: i64) -> Result<bool, Error> {
        let mut tx = self.db().write().await?;
        store::claim::serialise(&mut tx).await?;
        let done = store::control::set_priority(&mut tx, id, priority).await?;
        // Somebody else may be first in line now.
        store::park::unpark_after(&mut tx, &[id]).await?;
        tx.commit().await?;
        self.wake_workers();
        Ok(done)
    }

    /// Adds a line to the log of a job that nobody runs.
    async fn add_line(&self, tx: &mut Tx, job: &Job, level: Level, message: String) -> Result<(), Error> {
        let line = log::closing_line(job, level, message, self.clock().now());
        let append = Append {
            id: job.id,
            attempt: job.attempt,
            lines: vec![line],
        };
        store::lines::append_in(tx, job.state, &[append]).await?;
        Ok(())
    }
}
