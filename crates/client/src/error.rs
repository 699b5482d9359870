//! What can go wrong between us and a registry, in words for the person at the keyboard.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::job::JobId;

/// Bodies of refusals are for people: what goes beyond this is not read.
const REFUSAL_LIMIT_BYTES: usize = 16 * 1024;

/// Why a call did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the server cannot be used.
    #[error("\"{}\" is not the address of a registry: {reason}", .server.escape_debug())]
    Address {
        /// As it was given.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The token cannot be sent.
    #[error("the token has characters that a token cannot have")]
    Token,
    /// The login of a trustee cannot be sent.
    #[error("the login has characters that a login cannot have")]
    Login,
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Setup(#[source] reqwest::Error),
    /// No answer came.
    #[error("{server} did not answer")]
    Unreachable {
        /// The server asked.
        server: String,
        /// What the network said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no such job.
    #[error("{server} knows no job {job}")]
    NoSuchJob {
        /// The server asked.
        server: String,
        /// The job asked for.
        job: JobId,
    },
    /// There is no such package, version or package set.
    #[error("{server} knows no {what}")]
    NotFound {
        /// The server asked.
        server: String,
        /// What was asked for, such as `demo@1.0.0`.
        what: String,
    },
    /// The server answered that it will not, or cannot.
    #[error("the registry answered {status}{}", refusal_text(.message))]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// The code of `docs/problems.md`, if the server gives one.
        code: Option<String>,
        /// What the body says, if it says something.
        message: Option<String>,
    },
    /// The server answered something that this client does not understand.
    #[error("the answer of {server} is not understood; is it a registry, and is this program recent enough?")]
    Undecodable {
        /// The server asked.
        server: String,
        /// What did not fit.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log could not be reached for so long that following it ended.
    #[error("the log of job {job} could not be reached for {} s; the job itself goes on", .silence.as_secs())]
    GaveUp {
        /// The job followed.
        job: JobId,
        /// How long nothing came.
        silence: Duration,
        /// The last thing that failed.
        #[source]
        cause: Box<Error>,
    },
}

fn refusal_text(message: &Option<String>) -> String {
    message
        .as_ref()
        .map(|text| format!(": {text}"))
        .unwrap_or_default()
}

impl Error {
    /// Returns whether the same call may go well a little later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Error::Unreachable { .. } => true,
            Error::Refused { status, .. } => {
                status.is_server_error()
                    || *status == StatusCode::TOO_MANY_REQUESTS
                    || *status == StatusCode::REQUEST_TIMEOUT
            }
            _ => false,
        }
    }

    /// Reads a refusal: plain text (the v1 routes), problem+json (all others), or whatever a proxy in between made up.
    pub(crate) async fn refused(mut response: reqwest::Response) -> Self {
        let status = response.status();
        let kind = response
            .headers()
            .get(reqwest::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_ascii_lowercase();
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= REFUSAL_LIMIT_BYTES {
                body.truncate(REFUSAL_LIMIT_BYTES);
                break;
            }
        }
        let body = String::from_utf8_lossy(&body);
        Error::Refused {
            status,
            code: refusal_code(&kind, &body),
            message: refusal_message(&kind, &body),
        }
    }
}

/// Finds the code in the body of a refusal: the end of its `type`, such as `/docs/problems#not-found`.
fn refusal_code(content_type: &str, body: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Problem {
        #[serde(rename = "type")]
        kind: String,
    }

    if !content_type.contains("json") {
        return None;
    }
    let problem: Problem = serde_json::from_str(body).ok()?;
    let (_, code) = problem.kind.rsplit_once('#')?;
    let fits = (1..=100).contains(&code.len())
        && code
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    fits.then(|| code.to_owned())
}

/// Finds the sentence for people in the body of a refusal.
fn refusal_message(content_type: &str, body: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Problem {
        title: Option<String>,
        detail: Option<String>,
    }

    if content_type.contains("json")
        && let Ok(problem) = serde_json::from_str::<Problem>(body)
    {
        return match (problem.title, problem.detail) {
            (Some(title), Some(detail)) => Some(format!("{title}: {detail}")),
            (title, detail) => title.or(detail),
        };
    }
    // A page of a proxy tells a terminal nothing that the status does not.
    let body = body.trim();
    if body.is_empty() || content_type.contains("html") {
        None
    } else {
        Some(body.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_document_is_shown_as_a_sentence() {
        let body = r#"{"type":"about:blank","title":"Invalid package name","status":400,"detail":"Demo has a capital"}"#;
        assert_eq!(
            refusal_message("application/problem+json", body).as_deref(),
            Some("Invalid package name: Demo has a capital")
        );
    }

    #[test]
    fn the_code_of_a_problem_document_is_at_the_end_of_its_type() {
        let code = |kind: &str| {
            refusal_code("application/problem+json", &format!(r#"{{"type":"{kind}"}}"#)).unwrap_or_default()
        };
        assert_eq!(code("/docs/problems#not-found"), "not-found");
        for kind in ["about:blank", "/docs/problems#", "/x#Not found", "/x#a;b"] {
            assert_eq!(code(kind), "", "{kind}");
        }
        assert_eq!(refusal_code("text/plain", r#"{"type":"/x#a"}"#), None);
    }

    #[test]
    fn a_plain_text_refusal_is_shown_as_it_is() {
        assert_eq!(
            refusal_message("text/plain; charset=utf-8", "name: no capitals\n").as_deref(),
            Some("name: no capitals")
        );
    }

    #[test]
    fn the_page_of_a_proxy_is_not_printed() {
        assert_eq!(refusal_message("text/html", "<html>502</html>"), None);
        assert_eq!(refusal_message("", ""), None);
    }
}
