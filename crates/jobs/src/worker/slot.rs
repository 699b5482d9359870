//! A slot of a worker and the job in it. However the attempt comes to its end, the dispatcher hears of it, once.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{mpsc, oneshot};

use super::Lane;
use crate::{Job, Level, LogLine, decide::Ending, log, store::ends::End};

/// A claimed job in its slot, as it goes through apalis.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(super) job: Job,
    pub(super) slot: Arc<Slot>,
}

/// What left a slot.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) lane: Lane,
    pub(super) job: Job,
    /// How the attempt ended; absent when nothing may be written for it any more.
    pub(super) ending: Option<Ending>,
    /// Lines that are stored with the end.
    pub(super) lines: Vec<LogLine>,
    stored: Option<oneshot::Sender<()>>,
}

impl Left {
    pub(super) fn end(&self) -> Option<End> {
        Some(End {
            id: self.job.id,
            attempt: self.job.attempt,
            ending: self.ending.clone()?,
            lines: self.lines.clone(),
        })
    }

    /// Tells whoever waits that the end is stored.
    pub(super) fn say_stored(self) {
        if let Some(stored) = self.stored {
            // Nobody has to wait.
            let _ = stored.send(());
        }
    }
}

/// A slot that holds a job. Dropping it frees the slot: a job that was never begun goes back in the queue, and the lease of one that was begun
/// and never ended lapses.
#[derive(Debug)]
pub(super) struct Slot {
    lane: Lane,
    job: Mutex<Option<Job>>,
    begun: AtomicBool,
    left: mpsc::UnboundedSender<Left>,
}

impl Slot {
    pub(super) fn new(lane: Lane, job: Job, left: mpsc::UnboundedSender<Left>) -> Arc<Self> {
        Arc::new(Self {
            lane,
            job: Mutex::new(Some(job)),
            begun: AtomicBool::new(false),
            left,
        })
    }

    /// From now on the attempt may have written something.
    pub(super) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
    }

    /// Ends the attempt, with the lines of its log that are not stored yet, and waits until that is stored.
    pub(super) async fn end(&self, ending: Option<Ending>, lines: Vec<LogLine>) {
        let (stored, wait) = oneshot::channel();
        self.leave(ending, lines, Some(stored));
        // An error means that the dispatcher has given up.
        let _ = wait.await;
    }

    fn leave(&self, ending: Option<Ending>, lines: Vec<LogLine>, stored: Option<oneshot::Sender<()>>) {
        let job = self
            .job
            .lock()
            .expect("nothing panics while it holds a job")
            .take();
        if let Some(job) = job {
            // The dispatcher is gone only when it has given up.
            let _ = self.left.send(Left {
                lane: self.lane,
                job,
                ending,
                lines,
                stored,
            });
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let job = self
            .job
            .lock()
            .expect("nothing panics while it holds a job")
            .clone();
        let Some(job) = job else { return };
        if self.begun.load(Ordering::SeqCst) {
            self.leave(None, Vec::new(), None);
        } else {
            let text = super::given_back_line(job.attempt);
            let line = log::closing_line(&job, Level::Warn, text, job.log_at);
            self.leave(Some(Ending::GivenBack), vec![line], None);
        }
    }
}
