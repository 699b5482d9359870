//! Why a command did not do what was asked: what failed, why, and what to do about it.

use std::path::PathBuf;
use std::process::ExitCode;

use docket_client::{Error, JobId};

/// The end of a command that went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The registry could not be asked, or refused.
    #[error(transparent)]
    Registry(#[from] Error),
    /// There is no manifest where we looked.
    #[error("there is no purs.json and no spago.yaml in {}", .dir.display())]
    NoManifest {
        /// Where we looked.
        dir: PathBuf,
    },
    /// The package is described only in a way that does not say enough.
    #[error("{} does not say which version to publish", .file.display())]
    BowerOnly {
        /// What was found.
        file: PathBuf,
    },
    /// The manifest cannot be read.
    #[error("{} cannot be read", .file.display())]
    Unreadable {
        /// The manifest.
        file: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The manifest says something that cannot be published.
    #[error("{} cannot be published as it is", .file.display())]
    Manifest {
        /// The manifest.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The job ended without success.
    #[error("job {job} failed; the log above says why")]
    JobFailed {
        /// The job.
        job: JobId,
    },
    /// Someone pressed Ctrl-C while a job was being followed.
    #[error("interrupted; job {job} goes on")]
    Interrupted {
        /// The job.
        job: JobId,
    },
    /// Standard output does not take what we write.
    #[error("standard output cannot be written")]
    Output(#[from] std::io::Error),
}

impl Failure {
    /// Returns what ends the process: see the help text of `docket`.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Registry(Error::Address { .. }) => ExitCode::from(2),
            Failure::Interrupted { .. } => ExitCode::from(130),
            _ => ExitCode::FAILURE,
        }
    }

    /// Returns what the person at the keyboard can do, where we know it.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Failure::Registry(Error::Unreachable { .. }) => {
                Some("Is the address right? Set it with --server URL or DOCKET_URL.".to_owned())
            }
            Failure::Registry(Error::NoSuchJob { .. }) => {
                Some("`docket job list` shows the jobs this registry knows.".to_owned())
            }
            Failure::Registry(Error::GaveUp { job, .. }) | Failure::Interrupted { job } => {
                Some(format!("Go on watching with `docket job logs {job} --follow`."))
            }
            Failure::NoManifest { .. } => Some(
                "Run this in the directory of the package, or name it: docket publish DIR. A new package needs a purs.json \
                 or a spago.yaml with a publish section."
                    .to_owned(),
            ),
            Failure::BowerOnly { .. } => {
                Some("Add a purs.json or a spago.yaml; they hold name, version and location.".to_owned())
            }
            Failure::Manifest { .. } => Some("Change it, commit, tag and push, then publish again.".to_owned()),
            Failure::JobFailed { .. } => {
                Some("Change what it names, push the tag again, and publish again: a failed version is not taken.".to_owned())
            }
            _ => None,
        }
    }
}
