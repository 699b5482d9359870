//! Jobs: stored, locked work; the leases that run it; and the log that everyone can follow.
//!
//! A client's operation is [`Jobs::enqueue`]d inside the transaction that makes it necessary. A [`worker`] claims ready
//! jobs, holds a lease on each while its handler runs, and ends them. Everything a run writes carries its attempt number
//! and is refused once another attempt has begun (fencing). See ARCHITECTURE.md, "Jobs" and "Logs".

mod actor;
mod archive;
mod audit;
mod clock;
mod control;
mod decide;
mod job;
mod kind;
mod log;
mod operations;
mod prune;
mod reading;
mod run;
mod schedule;
mod scheduler;
mod search;
mod signal;
mod statistics;
mod step;
mod store;
mod tail;
mod why;
pub mod worker;

use std::sync::Arc;

use docket_core::{redact::Redactor, time::Timestamp};
use docket_db::{Db, Error, Product, Tx};

pub use actor::{Actor, Role};
pub use archive::{LogError, Part, archive_storage};
pub use audit::AuditError;
pub use clock::Clock;
pub use control::{Cancel, Retry};
pub use job::{Enqueued, Job, JobId, JobState, NewJob};
pub use kind::KindSetting;
pub use log::{JobLog, Level, LogLine};
pub use operations::PUBLISH_CHECK;
pub use prune::EndedJob;
pub use reading::{LineFilter, LinePage};
pub use run::{Failure, Run};
pub use schedule::{Every, LastTick, Schedule};
pub use search::{Search, SearchError};
pub use statistics::{Day, Durations, Ended, HeldLock, STEPS, Service};
pub use step::Step;
pub use store::jobs::{JobFilter, Order};
pub use tail::{Tail, TailPage};
pub use why::{Holder, Wait, Why};

/// The tables of this crate.
pub const TABLES: Product = docket_db::product!(
    "jobs",
    "docket_jobs_migration",
    [
        "0001_jobs",
        "0002_actor",
        "0003_schedule",
        "0004_scheduler",
        "0005_job_filters",
        "0006_fewer_indexes",
        "0007_log_levels",
        "0008_log_archive",
        "0009_steps",
        "0010_fewer_checks",
        "0011_locks_of_a_job",
    ]
);

/// The job queue of one database: a handle that is cheap to clone.
#[derive(Debug, Clone)]
pub struct Jobs {
    db: Db,
    clock: Clock,
    signals: signal::Signals,
    feeds: tail::feed::Feeds,
    /// Where archived lines are; absent where nobody reads them.
    archive: Option<archive::Archive>,
    /// Keeps secrets out of logs.
    redactor: Arc<Redactor>,
}

impl Jobs {
    /// Opens the queue. On PostgreSQL this also begins to hear what other processes enqueue and log, and sets `clock` by the server's.
    pub fn new(db: Db, clock: Clock) -> Self {
        let signals = signal::Signals::start(&db, &clock);
        let feeds = tail::feed::Feeds::default();
        Self {
            db,
            clock,
            signals,
            feeds,
            archive: None,
            redactor: Arc::default(),
        }
    }

    /// The same queue, in whose logs the secrets that `redactor` knows never stand. What has the shape of a secret never does.
    #[must_use]
    pub fn with_redactor(self, redactor: Redactor) -> Self {
        Self {
            redactor: Arc::new(redactor),
            ..self
        }
    }

    /// What keeps secrets out of logs, and of whatever else shows texts of others.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// The database the queue lives in.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The time as the queue sees it.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the time that the database's server tells; `None` on SQLite, whose time is this machine's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn server_time(&self) -> Result<Option<Timestamp>, Error> {
        let mut tx = self.db.read().await?;
        store::server::time(&mut tx).await
    }

    /// Stores `new` in `tx`, unless an active job of the same operation exists: then that one is returned.
    ///
    /// Call [`Jobs::wake_workers`] after the commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue(&self, tx: &mut Tx, new: &NewJob) -> Result<Enqueued, Error> {
        store::insert::insert(tx, new, self.clock.now()).await
    }

    /// Stores `new` in a transaction of its own, if nobody has asked for its operation before and fewer than `most` jobs of its kind are active for its package.
    /// Otherwise `None`, and nothing is stored: then, and on SQLite, it is for [`Jobs::enqueue`], which tells what there is.
    ///
    /// Call [`Jobs::wake_workers`] afterwards.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue_first(&self, new: &NewJob, most: i64) -> Result<Option<JobId>, Error> {
        store::insert::insert_first(&self.db, new, most, self.clock.now()).await
    }

    /// Tells the workers, of this process and of others, that a job may be ready.
    pub fn wake_workers(&self) {
        self.signals.job_ready();
    }

    /// Returns the newest job of the same operation, whatever its state, except `other_than`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_earlier(
        &self,
        tx: &mut Tx,
        dedup_key: &str,
        other_than: JobId,
    ) -> Result<Option<Job>, Error> {
        store::jobs::find_earlier(tx, dedup_key, other_than).await
    }

    /// Returns one job.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(&self, tx: &mut Tx, id: JobId) -> Result<Option<Job>, Error> {
        store::jobs::find(tx, id).await
    }

    /// Returns the jobs that pass `filter`, in its order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, tx: &mut Tx, filter: &JobFilter) -> Result<Vec<Job>, Error> {
        store::jobs::list(tx, filter).await
    }

    /// Counts the jobs of `kind` about `package` that have not ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_active_of(
        &self,
        tx: &mut Tx,
        kind: &str,
        package: &docket_core::name::PackageName,
    ) -> Result<i64, Error> {
        store::jobs::count_active_of(tx, kind, package).await
    }

    /// Counts the jobs that have not ended, by kind and state.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_active(&self, tx: &mut Tx) -> Result<Vec<(String, JobState, i64)>, Error> {
        store::jobs::count_active(tx).await
    }

    /// Follows the log of `job` from the line after `after_seq`.
    pub fn tail(&self, job: JobId, after_seq: i64, level: Level) -> Tail {
        Tail::new(self.clone(), job, after_seq, level)
    }
}
