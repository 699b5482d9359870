//! Conditional requests: who says what they have is told when it is still the same, and is not sent it again.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use docket_core::digest::Sha256;

/// The tag of `content`. It is weak, because the same text goes out in several codings.
pub(crate) fn etag_of(content: &[u8]) -> String {
    format!("W/\"{}\"", Sha256::of(content).hex())
}

/// True when the client already has what `etag` names: whether it is weak does not matter for this (RFC 9110, 13.1.2).
pub(crate) fn matches_etag(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let strong = |tag: &'_ str| tag.trim_start_matches("W/").to_owned();
    known
        .split(',')
        .map(str::trim)
        .any(|candidate| candidate == "*" || strong(candidate) == strong(etag))
}

/// What is said with a text that has a tag. It is asked for again at each use, because a change must be seen at once.
pub(crate) fn caching(etag: String) -> [(HeaderName, String); 3] {
    [
        (header::ETAG, etag),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::VARY, "accept-encoding".to_owned()),
    ]
}

/// Answers with a text under a tag of its content: asked again with the tag, what has not changed is not sent again.
pub(crate) fn revalidated(
    headers: &HeaderMap,
    content_type: &'static str,
    text: impl Into<Bytes>,
) -> Response {
    let text = text.into();
    let etag = etag_of(&text);
    if matches_etag(headers, &etag) {
        return (StatusCode::NOT_MODIFIED, caching(etag)).into_response();
    }
    (caching(etag), [(header::CONTENT_TYPE, content_type)], text).into_response()
}
