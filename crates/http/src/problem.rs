//! The one shape of an error: `application/problem+json` (RFC 9457).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// An error that a client meets. Clients branch on its `type`; `detail` is for people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Where the error is explained, relative to the server; stable.
    #[serde(rename = "type")]
    #[schema(example = "/docs/problems#not-found")]
    kind: String,
    /// The error in few words.
    #[schema(example = "Not found")]
    title: &'static str,
    /// The status of the answer.
    #[schema(example = 404)]
    status: u16,
    /// What failed in this case, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "There is no job with this id.", nullable = false)]
    detail: Option<String>,
    /// When to try again; stands in the header `Retry-After`.
    #[serde(skip)]
    retry_after_secs: Option<u64>,
}

impl Problem {
    /// An error with a stable `code`, which becomes the `type`, and a short title.
    pub fn new(status: StatusCode, code: &str, title: &'static str) -> Self {
        Self {
            kind: format!("/docs/problems#{code}"),
            title,
            status: status.as_u16(),
            detail: None,
            retry_after_secs: None,
        }
    }

    /// Says after how many seconds the same may go well.
    #[must_use]
    pub fn retry_after_secs(mut self, seconds: u64) -> Self {
        self.retry_after_secs = Some(seconds);
        self
    }

    /// Says what failed in this case and what to do.
    #[must_use]
    pub fn detail(mut self, detail: impl ToString) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// The same error under another status, for a route whose statuses are fixed.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self {
            status: status.as_u16(),
            ..self
        }
    }

    /// There is nothing at this address.
    pub fn not_found(detail: impl ToString) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found").detail(detail)
    }

    /// Something of ours failed: it is logged here, once, with its causes, and the client learns nothing of our insides.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        log(error);
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal server error",
        )
        .detail("The server could not answer this request; its operator can see why in the server's log.")
    }

    /// What was asked for cannot be had from us any more: logged like [`Problem::internal`].
    pub fn damaged(code: &str, title: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        log(error);
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, title)
    }

    /// A server behind us failed: logged like [`Problem::internal`].
    pub fn bad_gateway(code: &str, title: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        log(error);
        Self::new(StatusCode::BAD_GATEWAY, code, title)
    }

    /// A store of ours is away for a while: logged like [`Problem::internal`].
    pub fn unavailable(code: &str, title: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        log(error);
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, title)
    }

    /// What a person should read: the detail, or else the title.
    pub fn text(&self) -> &str {
        self.detail.as_deref().unwrap_or(self.title)
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

fn log(error: &(dyn std::error::Error + 'static)) {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    tracing::error!(causes = causes.join(": "), "a request failed: {error}");
}

impl Problem {
    /// The error as plain text, for clients that print what they get.
    #[must_use]
    pub fn into_text(self) -> Response {
        let mut response = (self.status(), self.text().to_owned()).into_response();
        self.write_retry_after(&mut response);
        response
    }

    fn write_retry_after(&self, response: &mut Response) {
        if let Some(seconds) = self.retry_after_secs {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let problem = self.clone();
        let mut response = (status, Json(self)).into_response();
        problem.write_retry_after(&mut response);
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        response
    }
}
