//! Answers are compressed for those who take them so: texts, once they are large enough to gain by it.
//!
//! Tarballs are compressed already. A stream that goes on for as long as a job does is never compressed: an encoder would hold lines back. It is told by its
//! length, which nobody knows; what has no length but is all there is marked as [`Stored`].
//!
//! Compression tells a secret by its length where an attacker chooses what stands beside it (BREACH). No page holds one: there are no cookies and no form
//! tokens, and what only trustees may read is asked for with a bearer token, which no browser sends by itself.

use std::convert::Infallible;

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    http::{HeaderMap, HeaderValue, Request, Response, header},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::{
    CompressionLevel,
    compression::{CompressionLayer, Predicate},
};

/// Shorter answers go as they are: they fit into a packet or two anyway.
const MIN_BYTES: u64 = 1024;

/// How much is done to make a text small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// As little as helps, for what is sent once: a page is then a tenth of its size, and compressing it does not cost more than making it.
    EachTime,
    /// More, for what is compressed once and sent often. The hardest settings are several times slower for two or three percent.
    Once,
}

impl From<Effort> for CompressionLevel {
    fn from(effort: Effort) -> Self {
        match effort {
            Effort::EachTime => Self::Fastest,
            Effort::Once => Self::Precise(9),
        }
    }
}

/// Marks an answer whose length is not known beforehand but which waits for nothing, as an extension of the response.
#[derive(Debug, Clone, Copy)]
pub struct Stored;

/// Which answers are compressed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worthwhile;

impl Predicate for Worthwhile {
    fn should_compress<B: HttpBody>(&self, response: &Response<B>) -> bool {
        let is_large = match response.body().size_hint().exact() {
            Some(size) => size >= MIN_BYTES,
            None => response.extensions().get::<Stored>().is_some(),
        };
        is_large && is_text(response.headers())
    }
}

/// Compresses what is [`Worthwhile`].
pub(crate) fn layer() -> CompressionLayer<Worthwhile> {
    CompressionLayer::new()
        .quality(Effort::EachTime.into())
        .compress_when(Worthwhile)
}

fn is_text(headers: &HeaderMap) -> bool {
    let whole = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = whole
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || ["application/json", "application/x-ndjson"].contains(&kind)
}

/// A way to compress, as `Accept-Encoding` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `br`
    Brotli,
    /// `zstd`
    Zstd,
    /// `gzip`
    Gzip,
}

impl Coding {
    /// All of them, the best one for what is compressed once first.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// Its name in a header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// Returns the best one that a client names and does not refuse (RFC 9110, 12.5.3). How much it likes each is not heeded: all are the same to it.
    #[must_use]
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        let accepted: Vec<&str> = headers
            .get_all(header::ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|item| {
                let (name, weight) = item.split_once(';').unwrap_or((item, "q=1"));
                let weight = weight
                    .trim()
                    .trim_start_matches(['q', 'Q'])
                    .trim_start_matches('=');
                let is_refused = weight.parse::<f32>().is_ok_and(|weight| weight == 0.0);
                (!is_refused).then_some(name.trim())
            })
            .collect();
        Self::ALL.into_iter().find(|coding| {
            accepted
                .iter()
                .any(|name| name.eq_ignore_ascii_case(coding.as_str()))
        })
    }

    /// Compresses a text that will be sent more than once.
    ///
    /// # Panics
    /// Never: bytes in memory can be read.
    pub async fn compress(self, bytes: Bytes, effort: Effort) -> Bytes {
        let always = |_: axum::http::StatusCode,
                      _: axum::http::Version,
                      _: &HeaderMap,
                      _: &axum::http::Extensions| true;
        let compressor = CompressionLayer::new()
            .quality(effort.into())
            .compress_when(always)
            .layer(service_fn(|_: Request<()>| async {
                Ok::<_, Infallible>(Response::new(Body::from(bytes.clone())))
            }));
        let mut request = Request::new(());
        let name = HeaderValue::from_static(self.as_str());
        request.headers_mut().insert(header::ACCEPT_ENCODING, name);
        let answer = match compressor.oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let body = Body::new(answer.into_body());
        to_bytes(body, usize::MAX)
            .await
            .expect("bytes in memory can be read")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(text: &'static str) -> Option<Coding> {
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(text))]);
        Coding::accepted(&headers)
    }

    #[test]
    fn the_best_coding_that_a_client_takes_is_chosen() {
        assert_eq!(accepted("gzip, deflate, br, zstd"), Some(Coding::Brotli));
        assert_eq!(accepted("gzip;q=1.0, br;q=0, ZSTD; q=0.5"), Some(Coding::Zstd));
        assert_eq!(accepted("gzip;q=0.000"), None);
        assert_eq!(accepted("identity, *;q=0.5"), None);
        assert_eq!(Coding::accepted(&HeaderMap::new()), None);
    }

    #[test]
    fn texts_are_compressed_and_files_that_are_compressed_already_are_not() {
        let response = |kind: &'static str, body: Body| {
            let mut response = Response::new(body);
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            response
        };
        let large = || Body::from("a".repeat(MIN_BYTES as usize));
        for kind in [
            "text/html; charset=utf-8",
            "text/css",
            "application/json",
            "application/problem+json",
            "image/svg+xml",
            "application/atom+xml; charset=utf-8",
        ] {
            assert!(Worthwhile.should_compress(&response(kind, large())), "{kind}");
            assert!(
                !Worthwhile.should_compress(&response(kind, Body::from("short"))),
                "{kind}"
            );
        }
        for kind in [
            "application/gzip",
            "application/x-git-upload-pack-result",
            "image/png",
        ] {
            assert!(!Worthwhile.should_compress(&response(kind, large())), "{kind}");
        }
    }
}
