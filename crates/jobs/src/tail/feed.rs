//! The end of a job's log, read once for everybody who watches it: a line costs one read, not one per watcher.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};
use tracing::warn;

use crate::{JobId, JobState, Jobs, Level, LineFilter, LogError, LogLine};

/// How long a feed waits for a signal before it looks for itself.
const POLL: Duration = Duration::from_secs(2);

/// How long a feed waits when the database does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// How many lines, and about how many bytes, are kept for watchers that are a little behind. Others read from storage.
const RECENT_LINES: usize = 1000;
const RECENT_BYTES: usize = 256 * 1024;

/// The feeds of one process, by job. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Feeds(Arc<Mutex<HashMap<JobId, Weak<Feed>>>>);

/// One feed; it ends with its last watcher.
#[derive(Debug)]
pub(super) struct Feed {
    job: JobId,
    state: watch::Sender<State>,
    feeds: Feeds,
}

/// What is known of a log.
#[derive(Debug, Clone, Default)]
pub(super) enum State {
    /// Nothing yet.
    #[default]
    Unread,
    /// There is no such job.
    NoJob,
    /// The log as it was read last.
    Read {
        /// The last line that is stored.
        seq: i64,
        /// The newest lines, dense, up to `seq`.
        recent: Arc<VecDeque<Arc<[LogLine]>>>,
        /// Whether the job ended well, once it has ended.
        finished: Option<bool>,
    },
}

impl Feeds {
    /// Joins the feed of `job`, and starts it for the first watcher.
    pub(super) fn join(&self, jobs: &Jobs, job: JobId) -> Arc<Feed> {
        let mut feeds = self.lock();
        let feed = feeds.get(&job).and_then(Weak::upgrade);
        // A job that ended may run again: whoever comes then starts anew.
        if let Some(feed) = feed.filter(|feed| !feed.is_over()) {
            return feed;
        }
        let feed = Arc::new(Feed {
            job,
            state: watch::channel(State::Unread).0,
            feeds: self.clone(),
        });
        feeds.insert(job, Arc::downgrade(&feed));
        drop(feeds);
        // Listening begins before the first look, so nothing can fall between the two.
        let signals = jobs.signals.watch_logs();
        tokio::spawn(run(jobs.clone(), Arc::downgrade(&feed), signals));
        feed
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Weak<Feed>>> {
        self.0.lock().expect("nothing panics while it holds the feeds")
    }
}

impl Feed {
    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    fn is_over(&self) -> bool {
        matches!(
            *self.state.borrow(),
            State::NoJob
                | State::Read {
                    finished: Some(_),
                    ..
                }
        )
    }

    /// Reads what is new. True when nothing more will come.
    async fn read(&self, jobs: &Jobs) -> Result<bool, LogError> {
        let mut tx = jobs.db().read().await?;
        // The job first: a line stored after this look cannot belong to a job seen as finished.
        let Some(job) = jobs.find(&mut tx, self.job).await? else {
            self.state.send_replace(State::NoJob);
            return Ok(true);
        };
        let ended = job
            .state
            .is_finished()
            .then_some(job.state == JobState::Succeeded);
        let after = match &*self.state.borrow() {
            State::Read { seq, .. } => *seq,
            // Older lines are for those who want them to read from storage.
            State::Unread | State::NoJob => job.log_seq,
        };
        drop(tx);
        let seq = job.log_seq.max(after);
        // When there are more than are kept, everybody reads them from storage.
        let fits = seq - after <= RECENT_LINES as i64;
        let lines = if seq > after && fits {
            let filter = LineFilter {
                up_to_seq: seq,
                ..LineFilter::after(after, Level::Debug, RECENT_LINES)
            };
            jobs.lines(self.job, &filter).await?
        } else {
            Vec::new()
        };
        self.state.send_if_modified(|state| {
            let (mut recent, before) = match std::mem::take(state) {
                State::Read { recent, finished, .. } => (Arc::unwrap_or_clone(recent), Some(finished)),
                State::Unread | State::NoJob => (VecDeque::new(), None),
            };
            let news = seq > after || before != Some(ended);
            if !fits {
                recent.clear();
            } else if !lines.is_empty() {
                recent.push_back(lines.into());
                shorten(&mut recent);
            }
            *state = State::Read {
                seq,
                recent: recent.into(),
                finished: ended,
            };
            news
        });
        Ok(ended.is_some())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut feeds = self.feeds.lock();
        // Another one may have taken its place.
        if feeds.get(&self.job).is_some_and(|feed| feed.strong_count() == 0) {
            feeds.remove(&self.job);
        }
    }
}

/// Drops the oldest lines beyond what is kept.
fn shorten(recent: &mut VecDeque<Arc<[LogLine]>>) {
    let bytes = |lines: &Arc<[LogLine]>| lines.iter().map(|line| line.message.len()).sum::<usize>();
    let (mut lines_kept, mut bytes_kept) = (0, 0);
    let keep = recent.iter().rev().take_while(|lines| {
        lines_kept += lines.len();
        bytes_kept += bytes(lines);
        lines_kept <= RECENT_LINES && bytes_kept <= RECENT_BYTES
    });
    let keep = keep.count();
    recent.drain(..recent.len() - keep);
}

/// Reads the log again whenever it may have grown, for as long as somebody watches.
async fn run(jobs: Jobs, feed: Weak<Feed>, mut signals: broadcast::Receiver<JobId>) {
    loop {
        let Some(watched) = feed.upgrade() else { return };
        let job = watched.job;
        match watched.read(&jobs).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => {
                warn!(job.id = %job, error = &error as &dyn std::error::Error, "a job log could not be read; trying again");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        }
        drop(watched);
        // The time-out is the net under a signal that was lost with a connection.
        let _ = tokio::time::timeout(POLL, grew(job, &mut signals)).await;
    }
}

/// Waits until the log of `job` may have grown.
async fn grew(job: JobId, signals: &mut broadcast::Receiver<JobId>) {
    loop {
        match signals.recv().await {
            Ok(grown) if grown == job => return,
            Ok(_) => {}
            // Too many signals to keep: one of them may have been ours.
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use docket_core::time::Timestamp;

    use super::*;

    fn lines(count: usize, bytes: usize) -> Arc<[LogLine]> {
        let line = LogLine {
            seq: 1,
            at: Timestamp::from_millis(1),
            level: Level::Info,
            message: "x".repeat(bytes),
            begins: None,
        };
        vec![line; count].into()
    }

    #[test]
    fn so_many_lines_are_kept_and_no_more() {
        let mut recent = VecDeque::from([
            lines(1, 1),
            lines(RECENT_LINES / 2, 1),
            lines(RECENT_LINES / 2, 1),
        ]);
        shorten(&mut recent);
        assert_eq!(recent.len(), 2);
        let mut recent = VecDeque::from([lines(1, 1), lines(1, RECENT_BYTES)]);
        shorten(&mut recent);
        assert_eq!(recent.len(), 1);
        let mut recent = VecDeque::from([lines(1, RECENT_BYTES + 1)]);
        shorten(&mut recent);
        assert!(
            recent.is_empty(),
            "one that is too long for all is read from storage"
        );
    }
}
