//! Styles and scripts of the pages, embedded in the program.

use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use docket_core::digest::Sha256;

use crate::{ApiState, tarballs::matches_etag};

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
        let etag = format!("\"{}\"", Sha256::of(asset.bytes).hex());
        router.route(
            asset.path,
            get(async move |headers: HeaderMap| asset.answer(&headers, etag)),
        )
    })
}

impl Asset {
    /// Browsers ask again each time, because the next version of the program has other bytes under the same path; they get them only when they changed.
    fn answer(&self, headers: &HeaderMap, etag: String) -> Response {
        let cached = [
            (header::ETAG, etag.clone()),
            (header::CACHE_CONTROL, "no-cache".to_owned()),
        ];
        if matches_etag(headers, &etag) {
            return (StatusCode::NOT_MODIFIED, cached).into_response();
        }
        let typed = [
            (header::CONTENT_TYPE, self.content_type),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (cached, typed, self.bytes).into_response()
    }
}
