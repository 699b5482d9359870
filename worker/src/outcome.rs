//! How a job can stop, told apart by whose turn it is.

use std::error::Error;

use docket_jobs::Failure;
use docket_package::CheckError;

use crate::disk;
use crate::rejection::Rejection;

/// A cause of any kind, kept for the operator.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// The code of a job whose last attempt still found a disk of ours full.
const DISK_FULL: &str = "disk-full";

/// The codes of jobs that ended through no fault of whoever asked: the same may succeed on another day.
pub(crate) const OURS: [&str; 3] = [DISK_FULL, "livelocked", "unavailable"];

/// Why a job stopped.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
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

impl JobError {
    /// Makes [`JobError::Local`], for use with `map_err`.
    pub(crate) fn local<E: Into<BoxError>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |cause| Self::Local {
            doing,
            cause: cause.into(),
        }
    }

    /// Makes [`JobError::Unavailable`], for use with `map_err`.
    pub(crate) fn unavailable<E: Into<BoxError>>(service: &'static str) -> impl FnOnce(E) -> Self {
        move |cause| Self::Unavailable {
            service,
            cause: cause.into(),
        }
    }
}

impl From<CheckError> for JobError {
    fn from(err: CheckError) -> Self {
        match err {
            CheckError::Rejected(rejection) => Self::Rejected(rejection),
            CheckError::Local { doing, cause } => Self::Local { doing, cause },
        }
    }
}

impl From<docket_db::Error> for JobError {
    fn from(err: docket_db::Error) -> Self {
        Self::Stopped(err.into())
    }
}

impl JobError {
    /// Turns it into what the queue acts on; `last_attempt` is the number of this attempt when no other would follow.
    ///
    /// The texts go to the job log: they name what failed and keep our insides to the operator. Of these only a full
    /// disk is told to everyone, since nobody looks for it in a sentence like "did not answer"; and where it stays full
    /// the job ends with a code of its own.
    pub(crate) fn into_failure(self, last_attempt: Option<i64>) -> Failure {
        let is_full = self.is_full_disk();
        let (detail, cause) = match self {
            Self::Rejected(rejection) => {
                return Failure::Rejected {
                    code: rejection.code(),
                    detail: rejection.to_string(),
                };
            }
            Self::Stopped(failure) => return failure,
            Self::Unavailable { service, cause } if is_full => {
                (format!("{service} has no room: its disk is full."), cause)
            }
            Self::Unavailable { service, cause } => (format!("{service} did not answer."), cause),
            Self::Local { doing, cause } if is_full => {
                (format!("the worker could not {doing}: its disk is full."), cause)
            }
            Self::Local { doing, cause } => (format!("the worker could not {doing}."), cause),
        };
        let detail = sentence(&detail);
        if let Some(attempt) = last_attempt.filter(|_| is_full) {
            tracing::error!(
                error = &*cause as &dyn Error,
                "{detail} A job failed because of it."
            );
            return Failure::Rejected {
                code: DISK_FULL,
                detail: format!("{detail} This was attempt {attempt}, the last one."),
            };
        }
        Failure::Unavailable {
            detail,
            cause: Some(cause),
        }
    }

    fn is_full_disk(&self) -> bool {
        match self {
            Self::Unavailable { cause, .. } | Self::Local { cause, .. } => disk::is_full(&**cause),
            Self::Rejected(_) | Self::Stopped(_) => false,
        }
    }
}

impl From<JobError> for Failure {
    fn from(err: JobError) -> Self {
        err.into_failure(None)
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn full() -> io::Error {
        io::ErrorKind::StorageFull.into()
    }

    fn code_and_detail(failure: Failure) -> (Option<&'static str>, String) {
        match failure {
            Failure::Rejected { code, detail } => (Some(code), detail),
            Failure::Unavailable { detail, .. } => (None, detail),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_full_disk_is_named_and_tried_again_until_the_last_attempt() {
        let pack = || JobError::local("pack the package")(full());
        let store = || JobError::unavailable("the tarball store")(full());
        for (err, expected) in [
            (
                pack as fn() -> _,
                "The worker could not pack the package: its disk is full.",
            ),
            (store, "The tarball store has no room: its disk is full."),
        ] {
            let (code, detail) = code_and_detail(err().into_failure(None));
            assert_eq!((code, detail.as_str()), (None, expected));
            let (code, detail) = code_and_detail(err().into_failure(Some(5)));
            assert_eq!(code, Some("disk-full"));
            assert_eq!(detail, format!("{expected} This was attempt 5, the last one."));
        }
    }

    #[test]
    fn another_failure_of_ours_keeps_its_cause_to_the_operator_and_its_end_to_the_queue() {
        let other = JobError::local("pack the package")(io::Error::other("secret insides"));
        let (code, detail) = code_and_detail(other.into_failure(Some(5)));
        assert_eq!(
            (code, detail.as_str()),
            (None, "The worker could not pack the package.")
        );
    }
}
