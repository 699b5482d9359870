//! What stays the same for as long as the program runs: made when somebody first asks for it, and compressed once in each way.

use std::sync::LazyLock;

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use docket_http::Coding;
use tokio::sync::OnceCell;

use crate::conditional::{caching, etag_of, matches_etag};

/// Bytes, and what is said with them.
pub(crate) struct Content {
    pub(crate) headers: Vec<(HeaderName, &'static str)>,
    pub(crate) bytes: Bytes,
}

/// An answer that never changes.
pub(crate) struct Fixed {
    made: LazyLock<Made, Box<dyn FnOnce() -> Made + Send>>,
    /// In the order of [`Coding::ALL`].
    compressed: [OnceCell<Bytes>; Coding::ALL.len()],
}

struct Made {
    content: Content,
    etag: String,
}

impl Fixed {
    /// `make` runs at the first request.
    pub(crate) fn new(make: impl FnOnce() -> Content + Send + 'static) -> Self {
        let make = move || {
            let content = make();
            let etag = etag_of(&content.bytes);
            Made { content, etag }
        };
        Self {
            made: LazyLock::new(Box::new(make)),
            compressed: Default::default(),
        }
    }

    /// Browsers ask again each time, because the next version of the program has other bytes under the same path; they get them only when they changed.
    pub(crate) async fn answer(&self, asked: &HeaderMap) -> Response {
        let Made { content, etag } = &*self.made;
        if matches_etag(asked, etag) {
            return (StatusCode::NOT_MODIFIED, caching(etag.clone())).into_response();
        }
        let coding = Coding::accepted(asked);
        let bytes = match coding {
            Some(coding) => self.compressed(coding, &content.bytes).await,
            None => content.bytes.clone(),
        };
        let mut answer = (caching(etag.clone()), bytes).into_response();
        let headers = answer.headers_mut();
        for (name, value) in &content.headers {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(coding) = coding {
            headers.insert(
                header::CONTENT_ENCODING,
                HeaderValue::from_static(coding.as_str()),
            );
        }
        answer
    }

    async fn compressed(&self, coding: Coding, bytes: &Bytes) -> Bytes {
        let place = Coding::ALL.iter().position(|one| *one == coding);
        let place = place.expect("all codings are among all codings");
        let done = self.compressed[place].get_or_init(|| coding.compress(bytes.clone()));
        done.await.clone()
    }
}
