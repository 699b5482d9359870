//! Styles and scripts of the pages, embedded in the program.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, header},
    routing::get,
};

use super::fixed::{Content, Fixed};
use crate::ApiState;

/// A file of `web/`.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! asset {
    ($path:literal, $content_type:expr) => {
        Asset {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../web", $path)),
        }
    };
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Every file that a page names; its path here is its path in `web/`.
static ASSETS: &[Asset] = &[
    asset!("/styles/docket.css", CSS),
    asset!("/images/icon.svg", SVG),
    asset!("/scripts/copy.js", JS),
    asset!("/scripts/live.js", JS),
    asset!("/scripts/search.js", JS),
    asset!("/styles/log.css", CSS),
    asset!("/scripts/log/page.js", JS),
    asset!("/scripts/log/follow.js", JS),
    asset!("/scripts/log/found.js", JS),
    asset!("/scripts/log/keys.js", JS),
    asset!("/scripts/log/lines.js", JS),
    asset!("/scripts/log/range.js", JS),
    asset!("/scripts/log/row.js", JS),
    asset!("/scripts/log/times.js", JS),
    asset!("/scripts/log/view.js", JS),
    asset!("/styles/reference.css", CSS),
    asset!("/styles/book.css", CSS),
];

pub(super) fn routes() -> Router<ApiState> {
    ASSETS.iter().fold(Router::new(), |router, asset| {
        let fixed = Arc::new(Fixed::new(|| Content {
            headers: vec![
                (header::CONTENT_TYPE, asset.content_type),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ],
            bytes: Bytes::from_static(asset.bytes),
        }));
        router.route(
            asset.path,
            get(async move |headers: HeaderMap| fixed.answer(&headers).await),
        )
    })
}
