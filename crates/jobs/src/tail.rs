//! Following a log: "lines after `seq`", and waiting for more. All transports share it, and all watchers of a job share one [`feed`].

pub(crate) mod feed;

use std::{collections::VecDeque, sync::Arc};

use docket_db::Error;
use tokio::sync::watch;

use crate::{JobId, Jobs, Level, LogLine, store::lines::LineFilter};
use feed::{Feed, State};

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

/// Follows the log of one job. It holds no lines: a watcher that is slow finds them in storage.
#[derive(Debug)]
pub struct Tail {
    jobs: Jobs,
    job: JobId,
    after_seq: i64,
    level: Level,
    states: watch::Receiver<State>,
    /// Ends with its last watcher.
    _feed: Arc<Feed>,
}

impl Tail {
    pub(crate) fn new(jobs: Jobs, job: JobId, after_seq: i64, level: Level) -> Self {
        let feed = jobs.feeds.join(&jobs, job);
        Self {
            jobs,
            job,
            after_seq,
            level,
            states: feed.watch(),
            _feed: feed,
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
            let state = self.states.borrow_and_update().clone();
            match state {
                State::Unread => {}
                State::NoJob => return Ok(None),
                State::Read {
                    seq,
                    recent,
                    finished,
                } => {
                    let page = self.page(seq, &recent, finished).await?;
                    if !page.lines.is_empty() || page.finished.is_some() {
                        return Ok(Some(page));
                    }
                    // A page that only skipped what the level hides, and is not the last: there may be more in storage.
                    if self.after_seq < seq {
                        continue;
                    }
                }
            }
            // The sender lives in the feed that this watcher holds.
            let _ = self.states.changed().await;
        }
    }

    /// Returns what lies between this watcher and `seq`: from the feed when it is only a little, from storage otherwise.
    async fn page(
        &mut self,
        seq: i64,
        recent: &VecDeque<Arc<[LogLine]>>,
        finished: Option<bool>,
    ) -> Result<TailPage, Error> {
        let after = self.after_seq;
        if after >= seq {
            let lines = Vec::new();
            return Ok(TailPage { lines, finished });
        }
        let first = recent.front().and_then(|lines| lines.first());
        if first.is_some_and(|first| first.seq <= after + 1) {
            let seen = |lines: &Arc<[LogLine]>| lines.last().is_none_or(|last| last.seq <= after);
            let unseen = recent.iter().skip(recent.partition_point(seen));
            let new = unseen.flat_map(|lines| lines.iter());
            let new = new.filter(|line| line.seq > after && line.level >= self.level);
            let lines = new.cloned().collect();
            self.after_seq = seq;
            return Ok(TailPage { lines, finished });
        }
        let filter = LineFilter::after(after, self.level, PAGE_LINES);
        let mut tx = self.jobs.db().read().await?;
        let lines = self.jobs.lines(&mut tx, self.job, &filter).await?;
        drop(tx);
        let last_page = lines.len() < PAGE_LINES;
        self.after_seq = lines.last().map_or(after, |line| line.seq);
        if last_page {
            // What lies behind the last line shown is hidden by the level: it is not read again each time.
            self.after_seq = self.after_seq.max(seq);
        }
        let finished = finished.filter(|_| last_page);
        Ok(TailPage { lines, finished })
    }
}
