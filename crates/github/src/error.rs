//! What can go wrong between us and GitHub, and whose turn it is.

use std::time::Duration;

use docket_core::time::Timestamp;
use http::StatusCode;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Messages of GitHub are shown to people: what goes beyond this is cut.
const MESSAGE_CHARS: usize = 300;

/// Why a call did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the API cannot be used.
    #[error("\"{}\" is not the address of GitHub's API: {reason}", .url.escape_debug())]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTP client for GitHub could not be set up")]
    Setup(#[source] reqwest::Error),
    /// GitHub wants no calls for a while, and gets none.
    #[error("GitHub takes no calls from us until {until}")]
    RateLimited {
        /// When to come back.
        until: Timestamp,
    },
    /// No answer came in time.
    #[error("GitHub did not answer within {} s", .after.as_secs_f32())]
    TimedOut {
        /// How long we waited.
        after: Duration,
    },
    /// No answer came.
    #[error("GitHub could not be reached")]
    Unreachable(#[source] BoxError),
    /// GitHub has trouble of its own.
    #[error("GitHub answered {status}")]
    Broken {
        /// The status, 500 or above.
        status: StatusCode,
    },
    /// GitHub does not know the token.
    #[error("GitHub does not accept the token: it is wrong, expired or withdrawn")]
    Unauthorized,
    /// There is no such thing, or the token does not show it.
    #[error("GitHub knows nothing there, or does not show it to us")]
    NotFound,
    /// GitHub will not.
    #[error("GitHub answered {status}: {message}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// What GitHub says about it.
        message: String,
    },
    /// The answer is longer than we take.
    #[error("the answer of GitHub is longer than {limit_bytes} bytes")]
    TooLarge {
        /// The most that is taken.
        limit_bytes: usize,
    },
    /// The list is longer than we take.
    #[error("GitHub lists more than {limit_pages} pages of {what}")]
    TooMany {
        /// What was listed.
        what: &'static str,
        /// The most pages that are taken.
        limit_pages: usize,
    },
    /// GitHub sends us to another server, where our token has no business.
    #[error("GitHub sends us to \"{}\", which is not its API", .address.escape_debug())]
    Elsewhere {
        /// Where to.
        address: String,
    },
    /// The answer makes no sense.
    #[error("the answer of GitHub is not understood")]
    Undecodable(#[source] BoxError),
    /// The operation needs something that the configuration does not name.
    #[error("{0} is not configured")]
    NotConfigured(&'static str),
}

impl Error {
    /// Returns whether the same call may go well later, without anybody changing anything.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. } | Self::TimedOut { .. } | Self::Unreachable(_) | Self::Broken { .. }
        )
    }

    /// Returns when to come back, if GitHub said so.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::RateLimited { until } => Some(*until),
            _ => None,
        }
    }
}

impl From<octocrab::Error> for Error {
    fn from(error: octocrab::Error) -> Self {
        match error {
            octocrab::Error::GitHub { source, .. } => refused(source.status_code, &source.message),
            // Whatever our own transport said comes back inside.
            octocrab::Error::Service { source, .. } => match source.downcast::<Error>() {
                Ok(error) => *error,
                Err(other) => Self::Unreachable(other),
            },
            // Only the innermost cause: octocrab's texts repeat it.
            octocrab::Error::Json { source, .. } => Self::Undecodable(source.into()),
            octocrab::Error::Serde { source, .. } => Self::Undecodable(source.into()),
            other => Self::Undecodable(other.into()),
        }
    }
}

fn refused(status: StatusCode, message: &str) -> Error {
    match status {
        StatusCode::UNAUTHORIZED => Error::Unauthorized,
        StatusCode::NOT_FOUND | StatusCode::GONE => Error::NotFound,
        status if status.is_server_error() => Error::Broken { status },
        status => Error::Refused {
            status,
            message: message.chars().take(MESSAGE_CHARS).collect(),
        },
    }
}
