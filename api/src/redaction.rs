//! Errors may repeat what somebody sent, which may be a secret in the wrong place.

use std::borrow::Cow;

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use docket_jobs::Jobs;

/// How long an answer to a request that failed may be; ours are far shorter.
const MAX_BYTES: usize = 4 << 20;

/// Takes secrets out of the bodies of errors, whichever route gave them.
pub(crate) async fn in_errors(State(jobs): State<Jobs>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_BYTES).await else {
        return status.into_response();
    };
    let redacted = std::str::from_utf8(&bytes).map(|text| jobs.redactor().redact(text));
    let body = match redacted {
        Ok(Cow::Owned(text)) => {
            parts.headers.remove(header::CONTENT_LENGTH);
            Body::from(text)
        }
        _ => Body::from(bytes),
    };
    Response::from_parts(parts, body)
}
