//! Why no package set was released, in words for whoever asked.
//!
//! The codes are listed with their remedies in `docs/problems.md`; a test keeps the two together.

use docket_core::name::PackageName;
use docket_core::package_set::checks::UpdateError;
use docket_core::version::Version;
use docket_jobs::Failure;

use crate::outcome::JobError;
use crate::rejection::join;
use docket_package::codes;

/// Why an update of the package set was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetRefusal {
    /// The compiler would go back.
    #[error("{0}")]
    CompilerLower(UpdateError),
    /// Packages would go back.
    #[error("{0}")]
    Downgrade(UpdateError),
    /// The latest set is broken.
    #[error("{0}")]
    NotSelfContained(UpdateError),
    /// Candidates that cannot be in a set.
    #[error("{0}")]
    CandidatesRejected(UpdateError),
    /// Nothing to do.
    #[error("{0}")]
    UpdateEmpty(UpdateError),
    /// The set does not compile even without the update.
    #[error(
        "The starting package set must compile, but {set} does not with purs {compiler}. If the update raises the compiler, \
         packages of the set need new versions that work with it first; otherwise an operator has to look at this:\n{report}"
    )]
    StartDoesNotCompile {
        /// The set.
        set: Version,
        /// The compiler of the update.
        compiler: Version,
        /// The compiler's errors.
        report: String,
    },
    /// Not one of the candidates is left.
    #[error("No packages could be added to, updated in or removed from the package set:\n{0}")]
    NothingKept(String),
    /// Another set was released meanwhile.
    #[error(
        "The package set {latest} was released while this update was built on another: send the update again"
    )]
    SetMoved {
        /// The set that is the latest now.
        latest: Version,
    },
    /// Members were unpublished meanwhile.
    #[error(
        "{} unpublished while this update was built: send the update again without it",
        are(.0)
    )]
    MembersGone(Vec<(PackageName, Version)>),
}

fn are(members: &[(PackageName, Version)]) -> String {
    let verb = if members.len() == 1 { "was" } else { "were" };
    format!(
        "{} {verb}",
        join(members.iter().map(|(name, version)| format!("{name}@{version}")))
    )
}

codes! { SetRefusal:
    CompilerLower => "set-compiler-lower",
    Downgrade => "set-downgrade",
    NotSelfContained => "set-not-self-contained",
    CandidatesRejected => "set-candidates-rejected",
    UpdateEmpty => "set-update-empty",
    StartDoesNotCompile => "set-start-does-not-compile",
    NothingKept => "set-nothing-kept",
    SetMoved => "set-moved",
    MembersGone => "set-members-gone",
}

impl From<UpdateError> for SetRefusal {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::CompilerLower { .. } => Self::CompilerLower(error),
            UpdateError::Downgrades { .. } => Self::Downgrade(error),
            UpdateError::NotSelfContained { .. } => Self::NotSelfContained(error),
            UpdateError::Rejected(_) => Self::CandidatesRejected(error),
            UpdateError::Nothing { .. } => Self::UpdateEmpty(error),
        }
    }
}

impl From<SetRefusal> for JobError {
    fn from(refusal: SetRefusal) -> Self {
        Self::Stopped(Failure::Rejected {
            code: refusal.code(),
            detail: refusal.to_string(),
        })
    }
}
