//! A queue, small jobs, and a worker that ends with the test.

use std::time::Duration;

use docket_jobs::{
    Clock, Failure, Job, JobId, Jobs, Level, LineFilter, LogLine, NewJob, Run, TABLES,
    worker::{self, Config, Handler},
};
use docket_test_support::TestDb;
use tokio_util::sync::CancellationToken;

/// How long a condition may take before the test fails; it is reached within milliseconds.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) async fn open(db: &TestDb) -> Jobs {
    db.migrate(&[TABLES]).await;
    Jobs::new(db.db.clone(), Clock::system())
}

pub(crate) fn job(dedup_key: &str, locks: &[&str]) -> NewJob {
    NewJob {
        locks: locks.iter().map(ToString::to_string).collect(),
        ..NewJob::new("publish", "{}".to_owned(), dedup_key.to_owned())
    }
}

pub(crate) async fn enqueue(jobs: &Jobs, new: &NewJob) -> JobId {
    let mut tx = jobs.db().write().await.unwrap();
    let enqueued = jobs.enqueue(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
    jobs.wake_workers();
    enqueued.job
}

pub(crate) async fn find(jobs: &Jobs, id: JobId) -> Job {
    let mut tx = jobs.db().read().await.unwrap();
    jobs.find(&mut tx, id).await.unwrap().expect("the job exists")
}

pub(crate) async fn lines(jobs: &Jobs, id: JobId) -> Vec<LogLine> {
    jobs.lines(id, &LineFilter::after(0, Level::Debug, usize::MAX))
        .await
        .unwrap()
}

/// Waits for the end of a job by following its log, and returns it.
pub(crate) async fn finished(jobs: &Jobs, id: JobId) -> Job {
    let mut tail = jobs.tail(id, 0, Level::Debug);
    let end = async {
        while tail
            .next()
            .await
            .unwrap()
            .expect("the job exists")
            .finished
            .is_none()
        {}
    };
    tokio::time::timeout(DEADLINE, end).await.expect("the job ends");
    find(jobs, id).await
}

/// Few slots, and a lease of a second.
pub(crate) fn config(name: &str) -> Config {
    Config {
        concurrency: 4,
        background_concurrency: 1,
        lease_secs: 1,
        drain_secs: 5,
        retry_millis: 1,
        name: name.to_owned(),
        progress: Default::default(),
    }
}

/// A worker that runs until it is dropped.
pub(crate) struct Worker {
    shutdown: CancellationToken,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Worker {
    pub(crate) fn start<F, R>(jobs: &Jobs, name: &str, run: F) -> Self
    where
        F: Fn(Run) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        Self::start_with(jobs, name, Handler::new("publish", 60, 3, run))
    }

    pub(crate) fn start_with(jobs: &Jobs, name: &str, handler: Handler) -> Self {
        Self::start_leasing(jobs, name, 1, handler)
    }

    /// With another lease than one second, which a busy machine may let lapse.
    pub(crate) fn start_leasing(jobs: &Jobs, name: &str, lease_secs: u64, handler: Handler) -> Self {
        let config = Config {
            lease_secs,
            ..config(name)
        };
        Self::start_as(jobs, config, handler)
    }

    pub(crate) fn start_as(jobs: &Jobs, config: Config, handler: Handler) -> Self {
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(worker::run(jobs.clone(), config, vec![handler], shutdown.clone()));
        Self {
            shutdown,
            task: Some(task),
        }
    }

    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        let task = self.task.take().expect("a worker is stopped once");
        tokio::time::timeout(DEADLINE, task)
            .await
            .expect("the worker stops")
            .unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
