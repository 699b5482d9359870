//! A worker whose jobs do nothing but call a closure.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use docket_jobs::{
    Jobs, Run,
    worker::{self, Config, Handler},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A worker that runs.
pub(crate) struct Worker {
    done: Arc<Notify>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Worker {
    /// Starts a worker that calls `work` for each job; [`Worker::done`] hears when `expected` jobs have run.
    pub(crate) fn start<F>(
        jobs: &Jobs,
        slots: usize,
        expected: usize,
        work: impl Fn(Run) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let done = Arc::new(Notify::new());
        let told = done.clone();
        let count = Arc::new(AtomicUsize::new(0));
        let handler = Handler::new("publish", 600, 3, move |run| {
            let (count, told, work) = (count.clone(), told.clone(), work(run));
            async move {
                work.await;
                if count.fetch_add(1, Ordering::SeqCst) + 1 == expected {
                    told.notify_one();
                }
                Ok(())
            }
        });
        let config = Config {
            concurrency: slots,
            background_concurrency: slots,
            lease_secs: 60,
            drain_secs: 30,
            retry_millis: 1000,
            name: "bench".to_owned(),
            progress: Default::default(),
        };
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(worker::run(jobs.clone(), config, vec![handler], shutdown.clone()));
        Self { done, shutdown, task }
    }

    /// Waits until the expected number of jobs has run.
    pub(crate) async fn done(&self) {
        self.done.notified().await;
    }

    /// Stops the worker once the ends of its jobs are stored.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        let _ = self.task.await;
    }
}
