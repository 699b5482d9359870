//! The job log: what authors read while their job runs and years later.
//!
//! Lines get a dense `seq` and a strictly increasing millisecond timestamp when they are written; a writer task appends what has
//! gathered in one commit, without waiting for more (a fixed window was measured to be slower, design/measurements.md).

use std::{
    str::FromStr,
    sync::{Arc, Mutex},
    time::Duration,
};

use docket_core::time::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{Job, JobId, Jobs, store};

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
    const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warn, Self::Notice, Self::Error];

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
}

/// How many lines, and about how many bytes, one append holds at most.
const APPEND_LINES: usize = 1000;
const APPEND_BYTES: usize = 64 * 1024;

/// How long to wait before trying again when the database did not take an append.
const APPEND_RETRY: Duration = Duration::from_millis(500);

enum Message {
    Line(LogLine),
    Flush(oneshot::Sender<()>),
}

/// Writes the log of one run. Clones write to the same log.
#[derive(Debug, Clone)]
pub struct JobLog {
    head: Arc<Mutex<Head>>,
    jobs: Jobs,
}

#[derive(Debug)]
struct Head {
    seq: i64,
    at: Timestamp,
    queue: mpsc::UnboundedSender<Message>,
}

impl JobLog {
    /// Continues the log of `job` and starts its writer. `lost` is cancelled when the lease turns out to be gone.
    pub(crate) async fn open(
        jobs: &Jobs,
        job: &Job,
        lost: CancellationToken,
    ) -> Result<Self, docket_db::Error> {
        let mut tx = jobs.db().read().await?;
        let (seq, at) = store::lines::head(&mut tx, job.id).await?;
        drop(tx);
        let (queue, inbox) = mpsc::unbounded_channel();
        tokio::spawn(write_lines(jobs.clone(), job.clone(), inbox, lost));
        Ok(Self {
            head: Arc::new(Mutex::new(Head { seq, at, queue })),
            jobs: jobs.clone(),
        })
    }

    /// Writes a line. It is stored within milliseconds; [`JobLog::flush`] waits for that.
    pub fn write(&self, level: Level, message: impl Into<String>) {
        let mut head = self
            .head
            .lock()
            .expect("nothing panics while it holds the head of a log");
        head.seq += 1;
        head.at = self.jobs.clock().now().max(head.at.next_millisecond());
        let line = LogLine {
            seq: head.seq,
            at: head.at,
            level,
            message: message.into(),
        };
        // The writer is gone only when the lease is lost, and then nobody may write.
        let _ = head.queue.send(Message::Line(line));
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
        let (done, stored) = oneshot::channel();
        let sent = {
            let head = self
                .head
                .lock()
                .expect("nothing panics while it holds the head of a log");
            head.queue.send(Message::Flush(done))
        };
        if sent.is_ok() {
            // An error means that the writer stopped because the lease is lost.
            let _ = stored.await;
        }
    }
}

/// Stores lines as they come, until all writers are gone or the lease is lost.
async fn write_lines(
    jobs: Jobs,
    job: Job,
    mut inbox: mpsc::UnboundedReceiver<Message>,
    lost: CancellationToken,
) {
    let mut messages = Vec::new();
    while inbox.recv_many(&mut messages, APPEND_LINES).await > 0 {
        let mut lines = Vec::new();
        let mut bytes = 0;
        let mut flushed = Vec::new();
        for message in messages.drain(..) {
            match message {
                Message::Flush(done) => flushed.push(done),
                Message::Line(line) => {
                    if bytes >= APPEND_BYTES {
                        if !append(&jobs, &job, &lines, &lost).await {
                            return;
                        }
                        lines.clear();
                        bytes = 0;
                    }
                    bytes += line.message.len();
                    lines.push(line);
                }
            }
        }
        if !append(&jobs, &job, &lines, &lost).await {
            return;
        }
        for done in flushed {
            // The caller may have stopped waiting.
            let _ = done.send(());
        }
    }
}

/// Appends `lines`, again and again while the database does not answer. False when the lease is lost.
async fn append(jobs: &Jobs, job: &Job, lines: &[LogLine], lost: &CancellationToken) -> bool {
    if lines.is_empty() {
        return !lost.is_cancelled();
    }
    loop {
        match try_append(jobs, job, lines).await {
            Ok(true) => {
                jobs.signals.log_grew(job.id);
                return true;
            }
            Ok(false) => {
                lost.cancel();
                return false;
            }
            Err(error) => {
                warn!(job.id = %job.id, error = &error as &dyn std::error::Error, "the job log could not be written; trying again");
                tokio::select! {
                    () = tokio::time::sleep(APPEND_RETRY) => {}
                    () = lost.cancelled() => return false,
                }
            }
        }
    }
}

async fn try_append(jobs: &Jobs, job: &Job, lines: &[LogLine]) -> Result<bool, docket_db::Error> {
    let mut tx = jobs.db().write().await?;
    let current = store::lines::append(&mut tx, job, lines).await?;
    tx.commit().await?;
    Ok(current)
}

/// Adds one line in `tx` to the log of a job that no run is writing to any more. The attempt in `job` must still be current.
pub(crate) async fn append_closing_line(
    tx: &mut docket_db::Tx,
    job: &Job,
    level: Level,
    message: String,
    now: Timestamp,
) -> Result<bool, docket_db::Error> {
    let (seq, at) = store::lines::head(tx, job.id).await?;
    let line = LogLine {
        seq: seq + 1,
        at: now.max(at.next_millisecond()),
        level,
        message,
    };
    store::lines::append(tx, job, &[line]).await
}

/// The id is what a log signal carries.
pub(crate) fn announce(jobs: &Jobs, job: JobId) {
    jobs.signals.log_grew(job);
}
