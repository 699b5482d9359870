//! One attempt at a job, as its handler sees it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use docket_db::{Error, Tx};

use crate::{Job, JobLog, Jobs, store};

/// Why a handler stopped before its job was done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Whoever asked can mend it: the job fails with this code and this text as its last log line.
    #[error("{detail}")]
    Rejected {
        /// A code of `docs/problems.md`.
        code: &'static str,
        /// What failed and what to change.
        detail: String,
    },
    /// We, or a service we need, can mend it: the job is tried again later.
    #[error("{detail}")]
    Unavailable {
        /// What failed, for the job log; it must hold nothing of our insides.
        detail: String,
        /// The cause, for operators.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Somebody asked for the job to be cancelled, before it had any effect.
    #[error("cancelled by {by}")]
    Cancelled {
        /// Who, in words.
        by: String,
    },
    /// Another attempt has begun, or the server stops: nothing more may be written.
    #[error("the lease of this attempt is lost")]
    LeaseLost,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Unavailable {
            detail: "The database did not answer.".to_owned(),
            cause: Some(Box::new(error)),
        }
    }
}

/// One attempt at a job. Everything it writes is refused once another attempt has begun.
///
/// When the lease is lost, the job is cancelled or the server stops waiting, the handler's future is dropped, and its child processes end with it.
#[derive(Debug, Clone)]
pub struct Run {
    /// The job as it was claimed.
    pub job: Job,
    /// Its log.
    pub log: JobLog,
    pub(crate) jobs: Jobs,
    /// Set when effects may have been committed: from then on the job is not cancelled.
    pub(crate) effective: Arc<AtomicBool>,
}

impl Run {
    /// Begins the transaction of the job's effects. While it is open no other attempt of the job can begin.
    ///
    /// This is the last point at which a job can be cancelled: once the transaction is committed, the job ends by itself.
    ///
    /// # Errors
    /// [`Failure::LeaseLost`] when another attempt has begun, [`Failure::Cancelled`] when somebody asked for that.
    pub async fn begin(&self) -> Result<Tx, Failure> {
        let mut tx = self.jobs.db().write().await?;
        let now = self.jobs.clock().now();
        if store::lease::begin_effects(&mut tx, &self.job, now).await? {
            self.effective.store(true, Ordering::SeqCst);
            return Ok(tx);
        }
        match store::lease::cancelled_by(&mut tx, &self.job).await? {
            Some(by) => Err(Failure::Cancelled { by }),
            None => Err(Failure::LeaseLost),
        }
    }

    /// The queue, for follow-up jobs.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }
}
