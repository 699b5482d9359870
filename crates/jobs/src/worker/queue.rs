//! What the dispatcher claims, as an apalis backend.

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
use tokio::sync::{Mutex, mpsc};

use super::{ClaimTask, slot::Claim};

/// apalis asks for a heartbeat interval; our leases are renewed by [`super::heartbeat`], so this one only ticks.
const IDLE_HEARTBEAT: Duration = Duration::from_secs(3600);

/// How many claims apalis takes at once.
const FETCH: usize = 256;

/// Hands claims to apalis.
#[derive(Debug, Clone)]
pub(crate) struct Source(Arc<Mutex<mpsc::UnboundedReceiver<Claim>>>);

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

    /// Waits for claims; empty only when the dispatcher has ended. Dropping the future loses none.
    async fn fetch_next(&mut self, _: &WorkerContext) -> Result<Vec<ClaimTask>, Self::Error> {
        let mut claims = Vec::new();
        self.0.lock().await.recv_many(&mut claims, FETCH).await;
        Ok(claims.into_iter().map(Task::new).collect())
    }

    /// Claimed but not begun when the worker stops: dropped slots give their jobs back.
    async fn reenqueue_abandoned(
        &mut self,
        tasks: Vec<ClaimTask>,
        _: &WorkerContext,
    ) -> Result<u64, Self::Error> {
        Ok(tasks.len() as u64)
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
pub(crate) struct Queue(Persisted<Source>);

impl Queue {
    pub(super) fn new(claims: mpsc::UnboundedReceiver<Claim>) -> Self {
        Self(Persisted::new(Source(Arc::new(Mutex::new(claims)))))
    }
}

impl Backend for Queue {
    type Task = ClaimTask;
    type Error = std::convert::Infallible;

    fn poll_ready(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx, worker, IDLE_HEARTBEAT)
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Self::Error>>> {
        self.0.poll_next(cx, worker)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), Self::Error>> {
        self.0.poll_close(cx, worker)
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
