//! Following a log: "lines after `seq`", and waiting for more. All transports share it.

use std::time::Duration;

use docket_db::Error;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{JobId, Jobs, Level, LogLine, store::lines::LineFilter};

/// How long a watcher waits for a signal before it looks for itself.
const POLL: Duration = Duration::from_secs(2);

/// How many lines a page holds at most.
const PAGE_LINES: usize = 1000;

/// One page of a log that is being followed.
#[derive(Debug, Clone)]
pub struct TailPage {
    /// Lines not seen before, oldest first.
    pub lines: Vec<LogLine>,
    /// Set with the last page: whether the job ended well.
    pub finished: Option<bool>,
}

/// Follows the log of one job.
#[derive(Debug)]
pub struct Tail {
    jobs: Jobs,
    job: JobId,
    after_seq: i64,
    level: Level,
    signals: broadcast::Receiver<JobId>,
}

impl Tail {
    pub(crate) fn new(jobs: Jobs, job: JobId, after_seq: i64, level: Level) -> Self {
        // Listening begins before the first look, so nothing can fall between the two.
        let signals = jobs.signals.watch_logs();
        Self {
            jobs,
            job,
            after_seq,
            level,
            signals,
        }
    }

    /// Returns the next lines as soon as there are any, or the end of the job. `None` when there is no such job.
    ///
    /// Dropping the future loses nothing; calling again after the end returns an empty last page.
    ///
    /// # Errors
    /// When the database fails; calling again goes on where it stopped.
    pub async fn next(&mut self) -> Result<Option<TailPage>, Error> {
        loop {
            let Some(page) = self.look().await? else {
                return Ok(None);
            };
            if !page.lines.is_empty() || page.finished.is_some() {
                return Ok(Some(page));
            }
            self.wait().await;
        }
    }

    /// Returns what is there now, without waiting. `None` when there is no such job.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look(&mut self) -> Result<Option<TailPage>, Error> {
        let mut tx = self.jobs.db().read().await?;
        // The job first: a line stored after this look cannot belong to a job seen as finished.
        let Some(job) = self.jobs.find(&mut tx, self.job).await? else {
            return Ok(None);
        };
        let filter = LineFilter::after(self.after_seq, self.level, PAGE_LINES);
        let lines = self.jobs.lines(&mut tx, self.job, &filter).await?;
        let last_page = lines.len() < PAGE_LINES;
        if let Some(last) = lines.last() {
            self.after_seq = last.seq;
        }
        if last_page {
            // What lies behind the last line shown is hidden by the level: it is not read again each time.
            self.after_seq = self.after_seq.max(job.log_seq);
        }
        let finished =
            (job.state.is_finished() && last_page).then_some(job.state == crate::JobState::Succeeded);
        Ok(Some(TailPage { lines, finished }))
    }

    /// Waits until the log may have grown.
    async fn wait(&mut self) {
        let signalled = async {
            loop {
                match self.signals.recv().await {
                    Ok(job) if job == self.job => return,
                    Ok(_) => {}
                    // Too many signals to keep: one of them may have been ours.
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        // The time-out is the net under a signal that was lost with a connection.
        let _ = tokio::time::timeout(POLL, signalled).await;
    }
}
