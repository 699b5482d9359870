//! `POST /api/v1/publish`.

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use docket_core::{digest::Sha256, json, operation::Publish};
use docket_jobs::{JobState, Jobs, NewJob};

use super::{
    V1Error,
    body::Expected,
    submit::{Accepted, Earlier, submit},
};

const EXPECTED: Expected = Expected {
    what: "a publish operation",
    fields: "name, version, ref, and optionally location, compiler, resolutions",
};

pub(super) async fn publish(
    State(jobs): State<Jobs>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Accepted>, V1Error> {
    let operation: Publish = EXPECTED.take(&headers, body).await?;
    let Publish { name, version, .. } = &operation;
    let payload = json::to_compact(&operation);
    let dedup_key = format!(
        "publish/{name}/{version}/{}",
        Sha256::of(payload.as_bytes()).hex()
    );
    let new = NewJob {
        package_name: Some(name.clone()),
        package_version: Some(*version),
        locks: vec![format!("package/{name}")],
        ..NewJob::new("publish", payload, dedup_key)
    };
    submit(&jobs, &headers, &new, async |tx, earlier| {
        if earlier.state != JobState::Succeeded {
            return Ok(Earlier::Ignored);
        }
        let metadata = docket_index::find_metadata(tx, name).await?;
        let published = metadata.is_some_and(|metadata| metadata.published.contains_key(version));
        Ok(if published {
            Earlier::Answers
        } else {
            Earlier::Ignored
        })
    })
    .await
}
