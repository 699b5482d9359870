//! `POST /api/v1/publish`.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use docket_core::{digest::Sha256, json, operation::Publish};
use docket_http::Problem;
use docket_jobs::{Enqueued, Jobs, NewJob};
use futures_util::StreamExt;
use serde::Serialize;

use super::{MAX_BODY_BYTES, V1Error};

/// How much of a body that is too large is read before the connection is closed.
const MAX_DISCARDED_BYTES: usize = 16 * MAX_BODY_BYTES;

/// The reply to every accepted operation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Accepted {
    job_id: String,
}

pub(super) async fn publish(
    State(jobs): State<Jobs>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Accepted>, V1Error> {
    let body = read(body)
        .await
        .map_err(|problem| V1Error::new(&headers, problem))?;
    let operation = decode(&body).map_err(|reason| V1Error::new(&headers, undecodable(&reason)))?;
    let enqueued = enqueue(&jobs, &operation)
        .await
        .map_err(|error| V1Error::new(&headers, Problem::internal(&error)))?;
    jobs.wake_workers();
    Ok(Json(Accepted {
        job_id: enqueued.job.to_string(),
    }))
}

/// Stores the job, unless the same request is active or has succeeded: clients send a request again when they get no answer for two seconds.
async fn enqueue(jobs: &Jobs, operation: &Publish) -> Result<Enqueued, docket_db::Error> {
    let Publish { name, version, .. } = operation;
    let payload = json::to_compact(operation);
    let dedup_key = format!(
        "publish/{name}/{version}/{}",
        Sha256::of(payload.as_bytes()).hex()
    );
    let mut tx = jobs.db().write().await?;
    let new = NewJob {
        kind: "publish",
        priority: 0,
        payload,
        package_name: Some(name.clone()),
        package_version: Some(*version),
        dedup_key: dedup_key.clone(),
        locks: vec![format!("package/{name}")],
        parent: None,
    };
    let enqueued = jobs.enqueue(&mut tx, &new).await?;
    // Only now: the job that was active a moment ago may have succeeded just before the new one was stored.
    if enqueued.created
        && let Some(done) = jobs.find_succeeded(&mut tx, &dedup_key).await?
    {
        let metadata = docket_index::find_metadata(&mut tx, name).await?;
        if metadata.is_some_and(|metadata| metadata.published.contains_key(version)) {
            // The new job is rolled back.
            return Ok(Enqueued {
                job: done.id,
                created: false,
            });
        }
    }
    tx.commit().await?;
    Ok(enqueued)
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

fn decode(body: &[u8]) -> Result<Publish, String> {
    let text = str::from_utf8(body).map_err(|error| format!("not UTF-8 ({error})"))?;
    json::decode(text).map_err(|error| error.to_string())
}

fn undecodable(reason: &str) -> Problem {
    let detail = format!(
        "The body is not a publish operation: {reason}. Expected JSON with name, version, ref, and optionally location, compiler, resolutions."
    );
    Problem::new(
        StatusCode::BAD_REQUEST,
        "undecodable-operation",
        "Undecodable operation",
    )
    .detail(detail)
}
