//! Our tables as an apalis backend.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::{
    backend::{
        Backend, BackendConfig,
        finalize::Ephemeral,
        persistence::{Persisted, Persistence, TaskEvent},
    },
    task::{Task, task_id::RandomId},
    worker::context::WorkerContext,
};
use docket_core::time::Timestamp;
use docket_db::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Attempts, ClaimTask, Config, Lane};
use crate::{Job, Jobs, store};

/// How long a worker waits for a signal before it looks for itself.
const POLL: Duration = Duration::from_secs(2);

/// How long a worker waits when the database does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// apalis asks for a heartbeat interval; our leases are renewed by [`super::lease`], so this one only ticks.
const IDLE_HEARTBEAT: Duration = Duration::from_secs(3600);

/// A claimed job and the slot it runs in.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(super) job: Job,
    /// Freed when the last clone is gone, which is when the attempt is over.
    pub(super) _slot: Arc<OwnedSemaphorePermit>,
}

/// Claims jobs for apalis.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    jobs: Jobs,
    config: Config,
    lane: Lane,
    kinds: Arc<[&'static str]>,
    slots: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl Source {
    /// Waits for a free slot and then for ready jobs, and claims as many as there are slots. Empty only at shutdown.
    async fn claim(&self) -> Vec<Claim> {
        let mut ready = self.jobs.signals.watch_jobs();
        loop {
            let first = tokio::select! {
                slot = self.slots.clone().acquire_owned() => slot.expect("the slots are never closed"),
                () = self.shutdown.cancelled() => return Vec::new(),
            };
            let mut slots = vec![first];
            while let Ok(slot) = self.slots.clone().try_acquire_owned() {
                slots.push(slot);
            }
            // What becomes ready while we look is looked at again.
            ready.mark_unchanged();
            let wait = match self.try_claim(slots.len()).await {
                Ok((claimed, _)) if !claimed.is_empty() => {
                    return claimed
                        .into_iter()
                        .zip(slots)
                        .map(|(job, slot)| Claim {
                            job,
                            _slot: Arc::new(slot),
                        })
                        .collect();
                }
                Ok((_, wait)) => wait,
                Err(error) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "no jobs could be claimed; trying again"
                    );
                    RETRY
                }
            };
            drop(slots);
            tokio::select! {
                _ = ready.changed() => {}
                () = tokio::time::sleep(wait) => {}
                () = self.shutdown.cancelled() => return Vec::new(),
            }
        }
    }

    /// Claims for `hand_over`. When nobody runs the jobs any more they go back in the queue, and the slots are free only then.
    async fn claim_for(self, hand_over: oneshot::Sender<Vec<Claim>>) {
        let claims = self.claim().await;
        let unwanted = if self.shutdown.is_cancelled() {
            claims
        } else {
            hand_over.send(claims).err().unwrap_or_default()
        };
        self.give_back(unwanted).await;
    }

    /// Puts claimed jobs that were not begun back in the queue, and says how many.
    async fn give_back(&self, claims: Vec<Claim>) -> u64 {
        let mut given_back = 0;
        for claim in claims {
            match super::lease::give_back(&self.jobs, &claim.job).await {
                Ok(()) => given_back += 1,
                Err(error) => {
                    warn!(job.id = %claim.job.id, error = &error as &dyn std::error::Error, "a lease could not be given back; it will lapse");
                }
            }
        }
        given_back
    }

    /// Claims up to `limit` jobs; without any, says how long to wait at most.
    async fn try_claim(&self, limit: usize) -> Result<(Vec<Job>, Duration), Error> {
        let now = self.jobs.clock().now();
        let lease_until = now.plus_millis(self.config.lease_secs as i64 * 1000);
        let mut tx = self.jobs.db().write().await?;
        let claimed = store::claim::claim(
            &mut tx,
            self.lane,
            &self.kinds,
            &self.config.name,
            now,
            lease_until,
            limit,
        )
        .await?;
        let next = if claimed.is_empty() {
            store::claim::next_ready_at(&mut tx, now).await?
        } else {
            None
        };
        tx.commit().await?;
        self.config.progress.made();
        Ok((claimed, next.map_or(POLL, |at| until(now, at).min(POLL))))
    }
}

fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::from_millis(at.millis().saturating_sub(now.millis()).max(1) as u64)
}

impl Persistence for Source {
    type Compact = Claim;
    type Response = ();
    type Error = std::convert::Infallible;

    async fn register(&mut self, _: &WorkerContext) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn heartbeat(&mut self, _: &WorkerContext) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn fetch_next(&mut self, _: &WorkerContext) -> Result<Vec<ClaimTask>, Self::Error> {
        let (hand_over, claims) = oneshot::channel();
        // A task of its own, because apalis drops this future when it stops, and a claim may be half committed then.
        tokio::spawn(self.clone().claim_for(hand_over));
        let claims = claims.await.unwrap_or_default();
        Ok(claims.into_iter().map(Task::new).collect())
    }

    /// Claimed but not begun when the worker stops: back in the queue at once.
    async fn reenqueue_abandoned(
        &mut self,
        tasks: Vec<ClaimTask>,
        _: &WorkerContext,
    ) -> Result<u64, Self::Error> {
        let claims = tasks.into_iter().map(|task| task.args).collect();
        Ok(self.give_back(claims).await)
    }

    /// Runs record their own end, fenced, so there is nothing to acknowledge.
    async fn handle_events(&mut self, _: Vec<TaskEvent<()>>, _: &WorkerContext) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn push_tasks(&mut self, _: Vec<ClaimTask>) -> Result<(), Self::Error> {
        unreachable!("jobs are enqueued in the transactions that make them necessary, never through apalis")
    }
}

/// The backend: [`Source`] driven by apalis.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    source: Persisted<Source>,
    slots: Arc<Semaphore>,
}

impl Queue {
    pub(super) fn new(
        attempts: &Attempts,
        lane: Lane,
        concurrency: usize,
        shutdown: CancellationToken,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(concurrency));
        let source = Source {
            jobs: attempts.jobs.clone(),
            config: attempts.config.clone(),
            lane,
            kinds: attempts.handlers.0.keys().copied().collect(),
            slots: slots.clone(),
            shutdown,
        };
        Self {
            source: Persisted::new(source),
            slots,
        }
    }

    /// The slots jobs run in: all free means that nothing runs.
    pub(super) fn slots(&self) -> Arc<Semaphore> {
        self.slots.clone()
    }
}

impl Backend for Queue {
    type Task = ClaimTask;
    type Error = std::convert::Infallible;

    fn poll_ready(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), Self::Error>> {
        self.source.poll_ready(cx, worker, IDLE_HEARTBEAT)
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Self::Error>>> {
        self.source.poll_next(cx, worker)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), Self::Error>> {
        self.source.poll_close(cx, worker)
    }
}

impl BackendConfig for Queue {
    type Args = Claim;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = tower_layer::Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        tower_layer::Identity::new()
    }
}
