//! One attempt at a job, as its handler sees it.

use docket_db::{Error, Tx};
use tokio_util::sync::CancellationToken;

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
#[derive(Debug, Clone)]
pub struct Run {
    /// The job as it was claimed.
    pub job: Job,
    /// Its log.
    pub log: JobLog,
    /// Cancelled when the lease is lost or the server stops waiting: stop, and end child processes.
    pub cancelled: CancellationToken,
    pub(crate) jobs: Jobs,
}

impl Run {
    /// Begins the transaction of the job's effects. While it is open no other attempt of the job can begin.
    ///
    /// # Errors
    /// [`Failure::LeaseLost`] when another attempt has begun.
    pub async fn begin(&self) -> Result<Tx, Failure> {
        let mut tx = self.jobs.db().write().await?;
        if store::lease::fence(&mut tx, &self.job).await? {
            Ok(tx)
        } else {
            Err(Failure::LeaseLost)
        }
    }

    /// The queue, for follow-up jobs.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }
}
