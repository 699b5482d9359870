//! Health: `live` says that the process answers, `ready` that it can do its work.

use std::{pin::Pin, sync::Arc};

use axum::{Router, http::StatusCode, routing::get};

/// Asks whether the process can do its work; an error says what is missing, for operators.
pub type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// The routes `/healthz/live` and `/healthz/ready`.
pub fn health_routes(ready: Check) -> Router {
    Router::new()
        .route("/healthz/live", get(|| async { "alive\n" }))
        .route(
            "/healthz/ready",
            get(move || {
                let ready = ready.clone();
                async move {
                    match ready().await {
                        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
                        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
                    }
                }
            }),
        )
}
