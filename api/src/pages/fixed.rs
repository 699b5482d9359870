//! What stays the same for as long as the program runs: made when somebody first asks for it, and compressed once in each way.

use std::sync::LazyLock;

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use docket_http::Effort;

use super::coded::Coded;
use crate::conditional::{caching, etag_of, matches_etag};

/// Bytes, and what is said with them.
pub(crate) struct Content {
    pub(crate) headers: Vec<(HeaderName, &'static str)>,
    pub(crate) bytes: Bytes,
}

/// An answer that never changes.
pub(crate) struct Fixed(LazyLock<Made, Box<dyn FnOnce() -> Made + Send>>);

struct Made {
    headers: Vec<(HeaderName, &'static str)>,
    text: Coded,
    etag: String,
}

impl Fixed {
    /// `make` runs at the first request.
    pub(crate) fn new(make: impl FnOnce() -> Content + Send + 'static) -> Self {
        let make = move || {
            let Content { headers, bytes } = make();
            Made {
                headers,
                etag: etag_of(&bytes),
                text: Coded::new(bytes, Effort::Once),
            }
        };
        Self(LazyLock::new(Box::new(make)))
    }

    /// Browsers ask again each time, because the next version of the program has other bytes under the same path; they get them only when they changed.
    pub(crate) async fn answer(&self, asked: &HeaderMap) -> Response {
        let Made { headers, text, etag } = &*self.0;
        if matches_etag(asked, etag) {
            return (StatusCode::NOT_MODIFIED, caching(etag.clone())).into_response();
        }
        let mut answer = (caching(etag.clone()), text.answer(asked).await).into_response();
        for (name, value) in headers {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }
}
