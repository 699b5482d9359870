//! How a publish can stop, told apart by whose turn it is.

use std::error::Error;

use docket_jobs::Failure;

use crate::rejection::Rejection;

/// A cause of any kind, kept for the operator.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Why a publish job stopped.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The author's turn: the job fails and shows [`Rejection::code`].
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Our turn: the job goes back to the queue.
    #[error("{service} did not answer")]
    Unavailable {
        /// What did not answer, such as `the source host`.
        service: &'static str,
        /// What it said instead.
        #[source]
        cause: BoxError,
    },
    /// Our turn: this machine could not do its part (disk full, a program missing); the job goes back to the queue.
    #[error("the worker could not {doing}")]
    Local {
        /// What it was about, such as `unpack the dependencies`.
        doing: &'static str,
        /// What went wrong.
        #[source]
        cause: BoxError,
    },
    /// The run itself cannot go on: its lease is lost, or the database did not answer.
    #[error(transparent)]
    Stopped(#[from] Failure),
}

impl PublishError {
    /// Makes [`PublishError::Local`], for use with `map_err`.
    pub(crate) fn local<E: Into<BoxError>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |cause| Self::Local {
            doing,
            cause: cause.into(),
        }
    }

    /// Makes [`PublishError::Unavailable`], for use with `map_err`.
    pub(crate) fn unavailable<E: Into<BoxError>>(service: &'static str) -> impl FnOnce(E) -> Self {
        move |cause| Self::Unavailable {
            service,
            cause: cause.into(),
        }
    }
}

impl From<docket_db::Error> for PublishError {
    fn from(err: docket_db::Error) -> Self {
        Self::Stopped(err.into())
    }
}

impl From<PublishError> for Failure {
    /// The texts go to the job log: they name what failed and keep our insides to the operator.
    fn from(err: PublishError) -> Self {
        match err {
            PublishError::Rejected(rejection) => Self::Rejected {
                code: rejection.code(),
                detail: rejection.to_string(),
            },
            PublishError::Unavailable { service, cause } => Self::Unavailable {
                detail: sentence(&format!("{service} did not answer.")),
                cause: Some(cause),
            },
            PublishError::Local { doing, cause } => Self::Unavailable {
                detail: format!("The worker could not {doing}."),
                cause: Some(cause),
            },
            PublishError::Stopped(failure) => failure,
        }
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
