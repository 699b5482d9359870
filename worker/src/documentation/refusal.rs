//! Why a version has no documentation.
//!
//! The codes are listed with their remedies in `docs/problems.md`; a test keeps the two together.

use docket_core::version::Version;
use docket_jobs::Failure;

use crate::outcome::JobError;
use docket_package::codes;

/// Why documentation was not published. The version is: nothing of this touches it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentationRefusal {
    /// `purs publish` ended with an error.
    #[error(
        "purs {compiler} could not make the documentation: publish a new version that it can document. It said:\n{said}"
    )]
    Failed {
        /// The compiler.
        compiler: Version,
        /// What it printed.
        said: String,
    },
    /// Pursuit answered with a status that will not change by itself.
    #[error("Pursuit did not take the documentation; it answered {status}: {answer}")]
    Refused {
        /// The status.
        status: u16,
        /// The beginning of the answer.
        answer: String,
    },
    /// Pursuit does not know our token.
    #[error(
        "Pursuit did not take the registry's token (it answered {0}): an operator has to put a valid one into [documentation] token_file"
    )]
    TokenRefused(u16),
}

codes! { DocumentationRefusal:
    Failed => "documentation-failed",
    Refused => "documentation-refused",
    TokenRefused => "documentation-token-refused",
}

impl From<DocumentationRefusal> for JobError {
    fn from(refusal: DocumentationRefusal) -> Self {
        Self::Stopped(Failure::Rejected {
            code: refusal.code(),
            detail: refusal.to_string(),
        })
    }
}
