//! The job log: what authors read while their job runs and years later.
//!
//! Lines get a dense `seq` and a strictly increasing millisecond timestamp when they are written; the [`writer`] of a worker appends what has
//! gathered in all its logs in one commit, without waiting for more (a fixed window was measured to be slower, design/measurements.md).

pub(crate) mod writer;

use std::{
    borrow::Cow,
    collections::VecDeque,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard},
};

use docket_core::{
    redact::{self, Redactor},
    time::Timestamp,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Clock, Job, JobId, Jobs, step::StepStart};
use writer::Dirty;

/// How much a line matters. Stored as numbers with gaps (registry.md §1.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever hunts a bug.
    Debug,
    /// The story of the job.
    Info,
    /// Worth a look.
    Warn,
    /// A milestone, shown on issues.
    Notice,
    /// Why the job failed.
    Error,
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warn, Self::Notice, Self::Error];

    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Notice => "NOTICE",
            Self::Error => "ERROR",
        }
    }

    /// The number that is stored.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Debug => 0,
            Self::Info => 10,
            Self::Warn => 20,
            Self::Notice => 25,
            Self::Error => 30,
        }
    }

    /// The highest known level not above `number`: a later version may store levels in between.
    pub(crate) fn from_number(number: i64) -> Self {
        Self::ALL
            .into_iter()
            .rev()
            .find(|level| level.number() <= number)
            .unwrap_or(Self::Debug)
    }
}

/// A word that is not a level.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a log level: use DEBUG, INFO, WARN, NOTICE or ERROR")]
pub struct UnknownLevel(String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

/// One line of a job's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its position in the job's log: 1, 2, 3, …
    pub seq: i64,
    /// When it was written; strictly greater than the line before.
    pub at: Timestamp,
    /// How much it matters.
    pub level: Level,
    /// What it says; may hold newlines.
    pub message: String,
    /// The step that begins with it. Known while it is written only: steps are stored beside the lines (see [`crate::step`]).
    pub(crate) begins: Option<StepStart>,
}

/// How many lines, and about how many bytes, one row of the log holds at most.
const ROW_LINES: usize = 1000;
const ROW_BYTES: usize = 64 * 1024;

/// The line of a step in which nothing was said.
const NOTHING_SAID: &str = "There was nothing to say.";

/// Writes the log of one attempt. Clones write to the same log.
#[derive(Debug, Clone)]
pub struct JobLog {
    shared: Arc<Shared>,
}

/// What a log and its writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    id: JobId,
    attempt: i64,
    clock: Clock,
    head: Mutex<Head>,
    dirty: Dirty,
    /// The last `seq` that is stored.
    stored: watch::Sender<i64>,
    /// Cancelled when the lease turns out to be gone: then nobody may write.
    lost: CancellationToken,
}

#[derive(Debug)]
struct Head {
    /// Every line passes here: no secret is stored.
    redactor: Arc<Redactor>,
    redacted: redact::Lines,
    /// Of the last line.
    seq: i64,
    at: Timestamp,
    /// Of the last line before this attempt.
    before_at: Timestamp,
    /// Lines that the writer has not taken yet.
    waiting: VecDeque<LogLine>,
    /// A step that begins with the next line.
    step: Option<StepStart>,
    /// The writer knows that lines wait.
    queued: bool,
    /// The writer is storing lines.
    storing: bool,
    /// The attempt is over; what is written now is dropped.
    closed: bool,
}

impl JobLog {
    /// Continues the log of `job`. `lost` is cancelled when the lease turns out to be gone.
    pub(crate) fn open(jobs: &Jobs, job: &Job, dirty: Dirty, lost: CancellationToken) -> Self {
        let head = Head {
            redactor: jobs.redactor.clone(),
            redacted: redact::Lines::default(),
            seq: job.log_seq,
            at: job.log_at,
            before_at: job.log_at,
            waiting: VecDeque::new(),
            step: None,
            queued: false,
            storing: false,
            closed: false,
        };
        Self {
            shared: Arc::new(Shared {
                id: job.id,
                attempt: job.attempt,
                clock: jobs.clock().clone(),
                head: Mutex::new(head),
                dirty,
                stored: watch::channel(job.log_seq).0,
                lost,
            }),
        }
    }

    /// Writes a line. It is stored within milliseconds; [`JobLog::flush`] waits for that.
    pub fn write(&self, level: Level, message: impl Into<String>) {
        let queue = {
            let mut head = self.shared.head();
            if head.closed {
                return;
            }
            head.push(self.shared.clock.now(), level, message.into());
            !std::mem::replace(&mut head.queued, true)
        };
        if queue {
            self.shared.queue_again();
        }
    }

    /// Begins a step of the job, such as `Compile`: the lines from the next one on are its own, until another step begins. One that had nothing to say
    /// says so, because a step is stored with its first line.
    pub fn step(&self, name: &'static str) {
        if self.shared.head().step.is_some() {
            self.debug(NOTHING_SAID);
        }
        let now = self.shared.clock.now();
        let mut head = self.shared.head();
        head.step = Some(StepStart {
            name,
            started_at: now.max(head.at),
            before_at: head.before_at,
        });
    }

    /// Writes a DEBUG line.
    pub fn debug(&self, message: impl Into<String>) {
        self.write(Level::Debug, message);
    }

    /// Writes an INFO line.
    pub fn info(&self, message: impl Into<String>) {
        self.write(Level::Info, message);
    }

    /// Writes a WARN line.
    pub fn warn(&self, message: impl Into<String>) {
        self.write(Level::Warn, message);
    }

    /// Writes a NOTICE line.
    pub fn notice(&self, message: impl Into<String>) {
        self.write(Level::Notice, message);
    }

    /// Writes an ERROR line.
    pub fn error(&self, message: impl Into<String>) {
        self.write(Level::Error, message);
    }

    /// Waits until every line written so far is stored, or the lease is lost.
    pub async fn flush(&self) {
        let seq = self.shared.head().seq;
        let mut stored = self.shared.stored.subscribe();
        tokio::select! {
            _ = stored.wait_for(|stored| *stored >= seq) => {}
            () = self.shared.lost.cancelled() => {}
        }
    }

    /// Ends the log, with a last line if there is one, and returns the lines that are not stored yet: they are stored with the end of the
    /// attempt, in one transaction.
    pub(crate) async fn close(&self, last: Option<(Level, String)>) -> Vec<LogLine> {
        let mut stored = self.shared.stored.subscribe();
        let mut last = last;
        loop {
            {
                let mut head = self.shared.head();
                let last_step = head
                    .step
                    .is_some()
                    .then(|| (Level::Debug, NOTHING_SAID.to_owned()));
                if let Some((level, message)) = last.take().or(last_step) {
                    head.push(self.shared.clock.now(), level, message);
                }
                head.closed = true;
                if !head.storing && head.fits_a_row() {
                    return head.waiting.drain(..).collect();
                }
                if !head.storing && !std::mem::replace(&mut head.queued, true) {
                    self.shared.queue_again();
                }
                stored.mark_unchanged();
            }
            tokio::select! {
                _ = stored.changed() => {}
                () = self.shared.lost.cancelled() => return Vec::new(),
            }
        }
    }
}

impl Shared {
    fn head(&self) -> MutexGuard<'_, Head> {
        self.head
            .lock()
            .expect("nothing panics while it holds the head of a log")
    }

    /// Tells the writer that lines wait.
    fn queue_again(self: &Arc<Self>) {
        // The writer is gone only when its worker is.
        let _ = self.dirty.send(self.clone());
    }

    /// Hands as many lines as one row holds to the writer, with their size in bytes. `None` when none wait.
    fn take_chunk(&self) -> Option<(Vec<LogLine>, usize)> {
        let mut head = self.head();
        head.queued = false;
        // One chunk at a time: what waits is queued again when the one under way is stored.
        if head.waiting.is_empty() || head.storing {
            return None;
        }
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while let Some(line) = head.waiting.pop_front() {
            bytes += line.message.len();
            lines.push(line);
            if lines.len() >= ROW_LINES || bytes >= ROW_BYTES {
                break;
            }
        }
        head.storing = true;
        Some((lines, bytes))
    }

    /// Says that the lines up to `seq` are stored.
    fn stored(self: &Arc<Self>, seq: i64) {
        let mut head = self.head();
        head.storing = false;
        head.queued = !head.waiting.is_empty();
        if head.queued {
            self.queue_again();
        }
        drop(head);
        self.stored.send_replace(seq);
    }
}

impl Head {
    fn push(&mut self, now: Timestamp, level: Level, message: String) {
        let message = match self.redacted.redact(&self.redactor, &message) {
            Cow::Owned(redacted) => redacted,
            Cow::Borrowed(_) => message,
        };
        self.seq += 1;
        self.at = now.max(self.at.next_millisecond());
        self.waiting.push_back(LogLine {
            seq: self.seq,
            at: self.at,
            level,
            message,
            begins: self.step.take(),
        });
    }

    fn fits_a_row(&self) -> bool {
        let bytes: usize = self.waiting.iter().map(|line| line.message.len()).sum();
        self.waiting.len() <= ROW_LINES && bytes <= ROW_BYTES
    }
}

/// The line that follows the stored ones of `job`, for a job that no attempt writes to any more.
pub(crate) fn closing_line(job: &Job, level: Level, message: String, now: Timestamp) -> LogLine {
    LogLine {
        seq: job.log_seq + 1,
        at: now.max(job.log_at.next_millisecond()),
        level,
        message,
        begins: None,
    }
}
