//! Bodies of operations: read within a limit, decoded, and refused with a text that helps (clients print it).

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode},
};
use docket_core::json;
use docket_http::Problem;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::{MAX_BODY_BYTES, V1Error};

/// How much of a body that is too large is read before the connection is closed.
const MAX_DISCARDED_BYTES: usize = 16 * MAX_BODY_BYTES;

/// What a body should be, for the text of a refusal.
pub(super) struct Expected {
    /// With its article: `a publish operation`.
    pub(super) what: &'static str,
    /// Its fields.
    pub(super) fields: &'static str,
}

impl Expected {
    /// Reads a body and decodes it, for released clients.
    pub(super) async fn take<T: DeserializeOwned>(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<T, V1Error> {
        let taken = self.read(body).await;
        taken.map_err(|problem| V1Error::new(headers, problem))
    }

    /// Reads a body and decodes it.
    pub(super) async fn read<T: DeserializeOwned>(&self, body: Body) -> Result<T, Problem> {
        let bytes = read(body).await?;
        decode(&bytes).map_err(|reason| self.undecodable(&reason))
    }

    /// Why a text is not what was expected.
    pub(super) fn undecodable(&self, reason: &str) -> Problem {
        let Self { what, fields } = self;
        let detail = format!("The body is not {what}: {reason}. Expected JSON with {fields}.");
        Problem::new(
            StatusCode::BAD_REQUEST,
            "undecodable-operation",
            "Undecodable operation",
        )
        .detail(detail)
    }
}

/// Reads the body. One that is too large is read on for a while and thrown away: a client that is still sending when the
/// connection closes sees only that, never the answer.
async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    let mut stream = body.into_data_stream();
    let (mut kept, mut length) = (Vec::new(), 0);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::new(StatusCode::BAD_REQUEST, "bad-request", "Bad request")
                .detail("The body could not be read to its end.")
        })?;
        length += chunk.len();
        if length <= MAX_BODY_BYTES {
            kept.extend_from_slice(&chunk);
        } else {
            kept = Vec::new();
        }
        if length > MAX_DISCARDED_BYTES {
            break;
        }
    }
    if length > MAX_BODY_BYTES {
        let detail = format!("The body is larger than {MAX_BODY_BYTES} bytes.");
        return Err(
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "Body too large").detail(detail),
        );
    }
    Ok(kept)
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let text = str::from_utf8(body).map_err(|error| format!("not UTF-8 ({error})"))?;
    json::decode(text).map_err(|error| error.to_string())
}
