//! Serving a router until shutdown, with what every request gets.

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, Response},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::{
    catch_panic::CatchPanicLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, SetRequestIdLayer},
    timeout::RequestBodyTimeoutLayer,
    trace::{DefaultOnResponse, OnResponse, TraceLayer},
};
use tracing::Span;

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

/// What the log and traces say of a request, in the words of OpenTelemetry's semantic conventions.
fn span(request: &Request) -> Span {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default();
    tracing::debug_span!(
        "request",
        http.request.method = %request.method(),
        // The path alone: a query may hold what should not be kept.
        url.path = request.uri().path(),
        http.response.status_code = tracing::field::Empty,
        request.id = id
    )
}

/// Adds request ids, tracing, compression, an answer in place of a panic, and an end to bodies that never come.
pub fn with_common_layers(router: Router) -> Router {
    let trace = TraceLayer::new_for_http().make_span_with(span).on_response(
        |response: &Response<_>, latency: Duration, span: &Span| {
            // Signed, since traces hold an unsigned number as text.
            span.record("http.response.status_code", i64::from(response.status().as_u16()));
            DefaultOnResponse::default().on_response(response, latency, span);
        },
    );
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

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use tower::ServiceExt;
    use tracing_subscriber::{filter::LevelFilter, fmt::format::FmtSpan};

    use super::*;

    #[tokio::test]
    async fn the_span_of_a_request_has_its_path_without_the_query_and_the_status_of_its_answer() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::DEBUG)
            .with_span_events(FmtSpan::CLOSE)
            .with_ansi(false)
            .with_writer(Arc::new(file.reopen().unwrap()))
            .finish();
        let listening = tracing::subscriber::set_default(subscriber);
        let request = Request::get("/nowhere?token=geheim")
            .body(axum::body::Body::empty())
            .unwrap();
        let answer = with_common_layers(Router::new()).oneshot(request).await.unwrap();
        // With the body ends what the span tells of.
        drop(answer);
        drop(listening);
        let log = fs::read_to_string(file.path()).unwrap();
        let closed = log.lines().find(|line| line.contains("close")).unwrap();
        for told in [
            "http.request.method=GET",
            "url.path=\"/nowhere\"",
            "http.response.status_code=404",
        ] {
            assert!(closed.contains(told), "{told}: {closed}");
        }
        assert!(!log.contains("geheim"), "{log}");
    }
}
