//! Running jobs: apalis drives the workers over our own tables.
//!
//! apalis polls for work, runs each job as a task of its own, catches panics and stops gracefully; what is claimed, leased, retried and ended
//! is decided here, in our transactions. Its SQL back ends are not used (architecture.md §5).

mod dispatch;
mod heartbeat;
mod outcome;
mod progress;
mod queue;
mod reap;
mod slot;
mod turn;

use std::{collections::BTreeMap, ops::RangeInclusive, sync::Arc, time::Duration};

use apalis::layers::WorkerBuilderExt;
use apalis_core::{
    error::{BoxDynError, WorkerError},
    task::Task,
    worker::{builder::WorkerBuilder, ext::parallelize::ParallelizeExt},
};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{Failure, Jobs, Run, log::writer};
use dispatch::Dispatcher;
use heartbeat::Heartbeats;
pub use progress::Progress;
use queue::Queue;
use slot::Claim;

/// What runs the jobs of one kind.
#[derive(Clone)]
pub struct Handler {
    /// The kind, such as `publish`.
    pub kind: &'static str,
    /// How long one attempt may take, in seconds.
    pub timeout_secs: u64,
    /// How many attempts end with a service of ours unavailable before the job fails.
    pub max_attempts: i64,
    /// Runs one attempt. It is dropped where it waits when its lease is lost, the job is cancelled or the server waits no longer.
    pub run: Arc<dyn Fn(Run) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>,
}

impl Handler {
    /// Runs the jobs of `kind` with `run`.
    pub fn new<F, R>(kind: &'static str, timeout_secs: u64, max_attempts: i64, run: F) -> Self
    where
        F: Fn(Run) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        Self {
            kind,
            timeout_secs,
            max_attempts,
            run: Arc::new(move |attempt| Box::pin(run(attempt))),
        }
    }
}

/// Work that people wait for, and work that nobody does. Each has slots of its own, so that the second, however much of it there
/// is, never keeps the first waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Priority 0 and above.
    Foreground,
    /// Priority below 0: matrix builds, chores.
    Background,
}

impl Lane {
    /// The lane of jobs of this priority.
    pub(crate) fn of(priority: i64) -> Self {
        if priority >= 0 {
            Self::Foreground
        } else {
            Self::Background
        }
    }

    /// The priorities of its jobs.
    pub(crate) fn priorities(self) -> RangeInclusive<i64> {
        match self {
            Self::Foreground => 0..=i64::MAX,
            Self::Background => i64::MIN..=-1,
        }
    }
}

/// How jobs are run.
#[derive(Debug, Clone)]
pub struct Config {
    /// How many foreground jobs at once.
    pub concurrency: usize,
    /// How many background jobs at once, beside the others; with 0 this worker takes none.
    pub background_concurrency: usize,
    /// Seconds without a heartbeat after which another worker may take the job.
    pub lease_secs: u64,
    /// Seconds that running jobs get to end when the server stops.
    pub drain_secs: u64,
    /// How long the first retry waits, in milliseconds; each further one waits twice as long, up to five minutes.
    pub retry_millis: i64,
    /// Names this worker in leases; unique among processes.
    pub name: String,
    /// Grows while the worker gets anywhere.
    pub progress: Progress,
}

/// The handlers by kind.
#[derive(Clone)]
pub(crate) struct Handlers(Arc<BTreeMap<&'static str, Handler>>);

/// Runs jobs until `shutdown`, then gives running ones [`Config::drain_secs`] and gives their leases back.
///
/// A lost database stops nothing: the worker tries again until it is back.
pub async fn run(jobs: Jobs, config: Config, handlers: Vec<Handler>, shutdown: CancellationToken) {
    let handlers = Handlers(Arc::new(
        handlers
            .into_iter()
            .map(|handler| (handler.kind, handler))
            .collect(),
    ));
    let abort = CancellationToken::new();
    let over = CancellationToken::new();
    let heartbeats = Heartbeats::default();
    let mut dispatcher = Dispatcher::new(jobs.clone(), config.clone(), handlers.0.keys().copied().collect());
    let lanes = [
        (Lane::Foreground, config.concurrency),
        (Lane::Background, config.background_concurrency),
    ]
    .map(|(lane, slots)| dispatcher.open(lane, slots));
    let attempts = Attempts {
        jobs: jobs.clone(),
        config: config.clone(),
        handlers,
        heartbeats: heartbeats.clone(),
        logs: writer::start(jobs.clone()),
        abort: abort.clone(),
    };
    let reaper = tokio::spawn(reap::reap(jobs.clone(), shutdown.clone()));
    let keeper =
        tokio::spawn(heartbeats.keep(jobs, config.lease_secs, config.progress.clone(), over.clone()));
    let drain = tokio::spawn(drain(shutdown.clone(), abort, config.drain_secs));
    let lanes = lanes.map(|claims| tokio::spawn(run_lane(attempts.clone(), claims, shutdown.clone())));
    // It ends when every attempt is over: ended, or given back after the drain.
    dispatcher.run(shutdown).await;
    for lane in lanes {
        let _ = lane.await;
    }
    over.cancel();
    drain.abort();
    let _ = keeper.await;
    let _ = reaper.await;
}

/// Lets apalis run the jobs that the dispatcher claims for one lane, until `shutdown`.
async fn run_lane(attempts: Attempts, claims: mpsc::UnboundedReceiver<Claim>, shutdown: CancellationToken) {
    let queue = Queue::new(claims);
    while !shutdown.is_cancelled() {
        // A fetch error kills an apalis backend for good, so it is built again (architecture.md §5).
        if let Err(error) = drive(queue.clone(), attempts.clone(), shutdown.clone()).await
            && !shutdown.is_cancelled()
        {
            error!(
                error = &error as &dyn std::error::Error,
                "the worker stopped; starting it again"
            );
        }
    }
}

/// Lets running jobs end for a while after `shutdown`, then tells them to give their leases back.
async fn drain(shutdown: CancellationToken, abort: CancellationToken, drain_secs: u64) {
    shutdown.cancelled().await;
    tokio::time::sleep(Duration::from_secs(drain_secs)).await;
    info!("what still runs after {drain_secs} s is given back to the queue");
    abort.cancel();
}

/// The last line of an attempt that is given back.
fn given_back_line(attempt: i64) -> String {
    format!("The server stops; attempt {attempt} is given back and another worker will take it.")
}

/// What every attempt needs.
#[derive(Clone)]
pub(crate) struct Attempts {
    jobs: Jobs,
    config: Config,
    handlers: Handlers,
    heartbeats: Heartbeats,
    logs: writer::Dirty,
    /// Cancelled when the server no longer waits for what runs.
    abort: CancellationToken,
}

/// Builds an apalis worker over `queue` and runs it until `shutdown`. Boxed, because the type of the future is too deep for its caller.
fn drive(
    queue: Queue,
    attempts: Attempts,
    shutdown: CancellationToken,
) -> BoxFuture<'static, Result<(), WorkerError>> {
    let worker = WorkerBuilder::new(attempts.config.name.clone())
        .backend(queue)
        .parallelize(tokio::spawn)
        .catch_panic()
        .build(move |claim: Claim| {
            // On the heap, once: each layer of apalis would move it.
            let attempt = Box::pin(outcome::attempt(attempts.clone(), claim));
            async move {
                attempt.await;
                // How it ended is stored already: an error here would stop the whole worker.
                Ok::<(), BoxDynError>(())
            }
        });
    Box::pin(worker.run_until(async move {
        shutdown.cancelled().await;
        Ok::<(), std::io::Error>(())
    }))
}

/// What apalis hands to the service.
pub(crate) type ClaimTask = Task<Claim>;
