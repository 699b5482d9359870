//! Following a log: "lines after `seq`", and waiting for more. All transports share it, and all watchers of a job share one [`feed`].

pub(crate) mod feed;

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::watch;

use crate::{JobId, Jobs, Level, LineFilter, LogError, LogLine, Search};
use feed::{Feed, State};

/// About how many lines a page from storage holds.
const PAGE_LINES: usize = 1000;

/// One page of a log that is being followed.
#[derive(Debug, Clone)]
pub struct TailPage {
    /// Lines not seen before, oldest first.
    pub lines: Vec<LogLine>,
    /// Set with the last page: whether the job ended well.
    pub finished: Option<bool>,
    /// Set when the watcher was too slow for the lines that are kept in memory: how many lines, from the first of these on, were stored then. They
    /// come from storage. Set once each time it falls behind.
    pub behind: Option<i64>,
}

impl TailPage {
    fn new(lines: Vec<LogLine>, finished: Option<bool>) -> Self {
        Self {
            lines,
            finished,
            behind: None,
        }
    }
}

/// Follows the log of one job. It holds no lines: a watcher that is slow finds them in storage.
#[derive(Debug)]
pub struct Tail {
    jobs: Jobs,
    job: JobId,
    /// What is wanted, and behind which line.
    filter: LineFilter,
    states: watch::Receiver<State>,
    /// It had all there was and waits: what comes now does not make it slow, however much it is.
    is_waiting: bool,
    /// Lines up to this `seq` may come from storage without it having been slow.
    excused_seq: i64,
    /// What [`TailPage::behind`] will say with the next line.
    behind: Option<i64>,
    /// Ends with its last watcher.
    _feed: Arc<Feed>,
}

impl Tail {
    pub(crate) fn new(jobs: Jobs, job: JobId, after_seq: i64, level: Level) -> Self {
        let feed = jobs.feeds.join(&jobs, job);
        Self {
            jobs,
            job,
            filter: LineFilter {
                whole_rows: true,
                ..LineFilter::after(after_seq, level, PAGE_LINES)
            },
            states: feed.watch(),
            // Whoever comes later than the lines is not slow.
            is_waiting: true,
            excused_seq: 0,
            behind: None,
            _feed: feed,
        }
    }

    /// Follows only the lines that hold a text.
    #[must_use]
    pub fn searching(mut self, search: Option<Search>) -> Self {
        self.filter.search = search;
        self
    }

    /// Returns the next lines as soon as there are any, or the end of the job. `None` when there is no such job.
    ///
    /// Dropping the future loses nothing; calling again after the end returns an empty last page.
    ///
    /// # Errors
    /// When the database or the storage fails; calling again goes on where it stopped.
    pub async fn next(&mut self) -> Result<Option<TailPage>, LogError> {
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
                    if std::mem::take(&mut self.is_waiting) {
                        self.excused_seq = seq;
                    }
                    let mut page = self.page(seq, &recent, finished).await?;
                    if !page.lines.is_empty() {
                        page.behind = self.behind.take();
                    }
                    if !page.lines.is_empty() || page.finished.is_some() {
                        return Ok(Some(page));
                    }
                    // A page that only skipped what is not wanted, and is not the last: there may be more in storage.
                    if self.filter.after_seq < seq {
                        continue;
                    }
                }
            }
            self.is_waiting = true;
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
    ) -> Result<TailPage, LogError> {
        let after = self.filter.after_seq;
        if after >= seq {
            return Ok(TailPage::new(Vec::new(), finished));
        }
        let first = recent.front().and_then(|lines| lines.first());
        if first.is_some_and(|first| first.seq <= after + 1) {
            let seen = |lines: &Arc<[LogLine]>| lines.last().is_none_or(|last| last.seq <= after);
            let unseen = recent.iter().skip(recent.partition_point(seen));
            let new = unseen.flat_map(|lines| lines.iter());
            let new = new.filter(|line| line.seq > after && self.filter.wants(line));
            let lines = new.cloned().collect();
            self.filter.after_seq = seq;
            return Ok(TailPage::new(lines, finished));
        }
        // Few watchers ever wait for storage: its future has memory of its own, so that the others are small.
        let page = Box::pin(self.jobs.read_log(self.job, &self.filter)).await?;
        if after >= self.excused_seq {
            self.behind = Some(seq - after);
            self.excused_seq = seq;
        }
        self.filter.after_seq = page.seq;
        if page.is_last {
            // What lies behind the last line shown is not wanted: it is not read again each time.
            self.filter.after_seq = page.seq.max(seq);
        }
        let finished = finished.filter(|_| page.is_last);
        Ok(TailPage::new(page.lines, finished))
    }
}
