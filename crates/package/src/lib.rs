//! What a package must fulfil, whoever asks: the worker before it publishes one, and `docket` before it asks for that.
//!
//! Looks at files and at nothing else: no network, no database. What only the registry knows is checked by the worker.

pub mod files;
pub mod license;
pub mod manifest;
pub mod modules;
pub mod rejection;
pub mod request;
pub mod tree;

pub use rejection::Rejection;

/// Why a check gave no good answer.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The author's turn.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// This machine could not do its part.
    #[error("this machine could not {doing}")]
    Local {
        /// What it was about, such as `read the source`.
        doing: &'static str,
        /// What went wrong.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CheckError {
    /// Makes [`CheckError::Local`], for use with `map_err`.
    fn local<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        doing: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |cause| Self::Local {
            doing,
            cause: cause.into(),
        }
    }
}

/// Gives an enum of refusals its `code()` and the catalogue of all its codes, from one list of variants. `docs/problems.md` explains them all, in this
/// order.
#[macro_export]
macro_rules! codes {
    ($refusal:ident: $($variant:ident => $code:literal,)*) => {
        impl $refusal {
            /// Every code there is, in the order of `docs/problems.md`.
            pub const CATALOGUE: &[&str] = &[$($code),*];

            /// The stable code that `docs/problems.md` explains.
            #[must_use]
            pub fn code(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $code,)*
                }
            }
        }
    };
}
