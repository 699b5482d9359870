//! A text in the codings that clients take, each made once.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use docket_http::{Coding, Effort};
use tokio::sync::OnceCell;

/// A text that is sent more than once.
#[derive(Debug)]
pub(crate) struct Coded {
    text: Bytes,
    effort: Effort,
    /// In the order of [`Coding::ALL`].
    compressed: [OnceCell<Bytes>; Coding::ALL.len()],
}

impl Coded {
    pub(crate) fn new(text: Bytes, effort: Effort) -> Self {
        Self {
            text,
            effort,
            compressed: Default::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &Bytes {
        &self.text
    }

    /// Answers with the text in the best coding that a client takes; what it is must be added.
    pub(crate) async fn answer(&self, asked: &HeaderMap) -> Response {
        let coding = Coding::accepted(asked);
        let bytes = match coding {
            Some(coding) => self.compressed(coding).await,
            None => self.text.clone(),
        };
        let mut answer = ([(header::VARY, "accept-encoding")], bytes).into_response();
        if let Some(coding) = coding {
            let name = HeaderValue::from_static(coding.as_str());
            answer.headers_mut().insert(header::CONTENT_ENCODING, name);
        }
        answer
    }

    async fn compressed(&self, coding: Coding) -> Bytes {
        let place = Coding::ALL.iter().position(|one| *one == coding);
        let place = place.expect("all codings are among all codings");
        let done = self.compressed[place].get_or_init(|| coding.compress(self.text.clone(), self.effort));
        done.await.clone()
    }
}
