//! Serving a router until shutdown, with what every request gets.

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::{
    catch_panic::CatchPanicLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, SetRequestIdLayer},
    timeout::RequestBodyTimeoutLayer,
    trace::TraceLayer,
};

use crate::{Door, Problem, compression};

/// How long a client has for each piece of a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives every request a name that stands in its response and in the log.
#[derive(Debug, Clone, Copy)]
pub struct RequestId;

impl MakeRequestId for RequestId {
    fn make_request_id<B>(
        &mut self,
        _: &axum::http::Request<B>,
    ) -> Option<tower_http::request_id::RequestId> {
        let id = uuid::Uuid::now_v7().to_string();
        HeaderValue::from_str(&id)
            .ok()
            .map(tower_http::request_id::RequestId::new)
    }
}

/// Adds request ids, tracing, compression, an answer in place of a panic, and an end to bodies that never come.
pub fn with_common_layers(router: Router) -> Router {
    let trace = TraceLayer::new_for_http().make_span_with(|request: &Request| {
        let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        // The path alone: a query may hold what should not be kept.
        tracing::debug_span!("request", http.method = %request.method(), http.path = request.uri().path(), request.id = id)
    });
    router
        .layer(compression::layer())
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(CatchPanicLayer::custom(
            |_panic: Box<dyn std::any::Any + Send>| {
                tracing::error!("a request handler panicked");
                let internal = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
                axum::response::IntoResponse::into_response(Problem::new(
                    internal,
                    "internal",
                    "Internal server error",
                ))
            },
        ))
        .layer(trace)
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, RequestId))
}

/// Answers requests on `listener` until `shutdown`, then lets the ones under way end.
pub async fn serve(listener: TcpListener, router: Router, door: Door, shutdown: CancellationToken) {
    door.keep(listener, with_common_layers(router), shutdown).await;
}
