//! Parts of a request, with refusals as problem documents instead of axum's plain texts.

use axum::{
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{BytesRejection, PathRejection, QueryRejection},
        ws::rejection::WebSocketUpgradeRejection,
    },
    http::{HeaderMap, StatusCode, header},
};
use docket_http::Problem;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// The variable segments of the path.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub(crate) struct Path<T>(pub(crate) T);

/// The query parameters.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub(crate) struct Query<T>(pub(crate) T);

/// The body, as JSON, whatever its media type says: `curl -d` calls it a form.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| invalid_body(error).into())
    }
}

/// Whether the `Accept` header names this form. Browsers name `text/html`, and most programs nothing of the kind.
pub(crate) fn accepts(headers: &HeaderMap, form: &str) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains(form))
}

/// The query is not what this address takes.
pub(crate) fn invalid_query(reason: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid-query", "Invalid query").detail(reason)
}

/// The body is not what this address takes.
pub(crate) fn invalid_body(reason: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid-body", "Invalid body")
        .detail(format!("The body does not fit: {reason}."))
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        Self(match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "Body too large")
            }
            _ => invalid_body(rejection.body_text()),
        })
    }
}

impl From<PathRejection> for ApiError {
    /// A segment that is no text names nothing that could be here.
    fn from(rejection: PathRejection) -> Self {
        Self(Problem::not_found(rejection.body_text()))
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self(invalid_query(rejection.body_text()))
    }
}

impl From<WebSocketUpgradeRejection> for ApiError {
    fn from(rejection: WebSocketUpgradeRejection) -> Self {
        let problem = Problem::new(
            StatusCode::BAD_REQUEST,
            "websocket-expected",
            "Websocket expected",
        );
        Self(problem.detail(rejection.body_text()))
    }
}
