//! Parts of a request, with refusals as problem documents instead of axum's plain texts.

use axum::{
    extract::{
        FromRequestParts,
        rejection::{PathRejection, QueryRejection},
        ws::rejection::WebSocketUpgradeRejection,
    },
    http::StatusCode,
};
use docket_http::Problem;

use crate::error::ApiError;

/// The variable segments of the path.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub(crate) struct Path<T>(pub(crate) T);

/// The query parameters.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub(crate) struct Query<T>(pub(crate) T);

impl From<PathRejection> for ApiError {
    /// A segment that is no text names nothing that could be here.
    fn from(rejection: PathRejection) -> Self {
        Self(Problem::not_found(rejection.body_text()))
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid-query", "Invalid query");
        Self(problem.detail(rejection.body_text()))
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
