//! Why a request to the bucket came to nothing, without the URL of the request: it carries a signature.

use std::io;

use reqwest::{Response, StatusCode};

/// How much of an error document is read.
const ERROR_BYTES: usize = 64 << 10;

/// Why a request to the bucket came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum S3Failure {
    /// No answer, or not all of it.
    #[error("the server did not answer")]
    NoAnswer(#[source] reqwest::Error),
    /// The answer did not come in time.
    #[error("the server did not answer in time")]
    TooSlow,
    /// The server said no.
    #[error("the server said {status}{code}{}", hint(.status, .code))]
    Status {
        /// The HTTP status.
        status: StatusCode,
        /// A space and the code of the error document, such as ` NoSuchBucket`; empty when there was none.
        code: String,
    },
    /// The server's answer is none that S3 gives.
    #[error("the server's answer is not one of S3: {0}")]
    NotS3(&'static str),
    /// More came than belongs into memory.
    #[error("the object is too large to be held in memory")]
    TooLarge,
    /// What came could not be kept.
    #[error("the bytes could not be written here")]
    File(#[source] io::Error),
}

impl From<reqwest::Error> for S3Failure {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::TooSlow
        } else {
            Self::NoAnswer(error.without_url())
        }
    }
}

impl S3Failure {
    /// True when the same request may well succeed a little later.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::TooSlow => true,
            // 501 is how a server says that it will never do this.
            Self::Status { status, .. } => {
                (status.is_server_error() && *status != StatusCode::NOT_IMPLEMENTED)
                    || matches!(
                        *status,
                        StatusCode::TOO_MANY_REQUESTS
                            | StatusCode::REQUEST_TIMEOUT
                            // What was in the way of a conditional write is not there any more.
                            | StatusCode::CONFLICT
                            | StatusCode::PRECONDITION_FAILED
                    )
            }
            Self::NotS3(_) | Self::TooLarge | Self::File(_) => false,
        }
    }

    /// True when the server says that this is not there.
    pub(super) fn is_missing_key(&self) -> bool {
        // HEAD is answered without a document.
        matches!(self, Self::Status { status, code } if *status == StatusCode::NOT_FOUND && code != " NoSuchBucket")
    }

    /// True when the server did not write over what is there.
    pub(super) fn is_there_already(&self) -> bool {
        matches!(
            self,
            Self::Status {
                status: StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT,
                ..
            }
        )
    }

    /// What an answer that is no success says.
    pub(super) async fn of(mut response: Response) -> Self {
        let status = response.status();
        let mut document = Vec::new();
        while document.len() < ERROR_BYTES
            && let Ok(Some(chunk)) = response.chunk().await
        {
            document.extend_from_slice(&chunk);
        }
        let code =
            code(&String::from_utf8_lossy(&document)).map_or_else(String::new, |code| format!(" {code}"));
        Self::Status { status, code }
    }
}

/// The code in an error document. Only that: its message may repeat what was signed.
fn code(document: &str) -> Option<&str> {
    let (code, _) = document.split_once("<Code>")?.1.split_once("</Code>")?;
    let fits = (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then_some(code)
}

/// What to do about it, where that is known.
fn hint(status: &StatusCode, code: &str) -> &'static str {
    match (*status, code.trim_start()) {
        (_, "NoSuchBucket") => "; create the bucket, or correct storage.bucket",
        (_, "RequestTimeTooSkewed") => "; set the clock of this machine",
        (_, "InvalidAccessKeyId" | "NotSignedUp") => "; check storage.access_key_id",
        (_, "SignatureDoesNotMatch") => "; check storage.secret_access_key_file and storage.region",
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
            "; the access key must be allowed to list, read, write and delete in the bucket"
        }
        (status, _) if status.is_redirection() => "; check storage.endpoint and storage.region",
        (StatusCode::NOT_IMPLEMENTED, _) => "; the server must know conditional writes (If-None-Match)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code is taken from the document, and nothing that could hide behind it.
    #[test]
    fn only_the_code_of_an_error_document_is_repeated() {
        let document =
            "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>what was signed</Message></Error>";
        assert_eq!(code(document), Some("NoSuchKey"));
        for other in [
            "",
            "<Code></Code>",
            "<Code>a b</Code>",
            "<Code>NoSuchKey",
            "<html>",
        ] {
            assert_eq!(code(other), None, "{other}");
        }
    }

    /// What passes by itself is tried again; what somebody has to repair is not.
    #[test]
    fn only_what_passes_is_tried_again() {
        let temporary = |status| {
            let code = String::new();
            S3Failure::Status { status, code }.is_temporary()
        };
        for status in [500, 503, 429, 409, 412] {
            assert!(temporary(StatusCode::from_u16(status).unwrap()), "{status}");
        }
        for status in [301, 400, 403, 404, 501] {
            assert!(!temporary(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }
}
