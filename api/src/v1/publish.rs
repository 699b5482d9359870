//! `POST /api/v1/publish`, and its dry run.

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use docket_core::operation::Publish;
use docket_jobs::{JobState, NewJob};

use super::{
    V1Error,
    body::Expected,
    submit::{Accepted, Earlier, accept, submit},
};
use crate::{
    ApiState,
    error::ApiError,
    openapi::{Refused, V1Refused, registry},
};

const EXPECTED: Expected = Expected {
    what: "a publish operation",
    fields: "name, version, ref, and optionally location, compiler, resolutions",
};

/// Asks for a version to be published.
#[utoipa::path(
    post,
    path = "/api/v1/publish",
    tag = "operations",
    request_body(content = registry::Publish),
    responses(
        (status = 200, description = "The job that does it; the same one when the request was sent before.", body = Accepted),
        V1Refused<400>, V1Refused<413>,
    )
)]
pub(super) async fn publish(
    State(ApiState { jobs, limits, .. }): State<ApiState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Accepted>, V1Error> {
    let operation: Publish = EXPECTED.take(&headers, body).await?;
    let Publish { name, version, .. } = &operation;
    let new = NewJob::publish(&operation);
    submit(&jobs, &limits, &headers, &new, async |tx, earlier| {
        if earlier.state != JobState::Succeeded {
            return Ok(Earlier::Ignored);
        }
        let metadata = docket_index::find_metadata(tx, name).await?;
        let published = metadata.is_some_and(|metadata| metadata.published.contains_key(version));
        // Published, but perhaps not documented: that is worth another job (registry.md §3.11).
        let key = NewJob::documentation_key(name, *version);
        let documentation = jobs.find_earlier(&mut *tx, &key, earlier.id).await?;
        let undocumented = documentation.is_some_and(|job| job.state == JobState::Failed);
        Ok(if published && !undocumented {
            Earlier::Answers
        } else {
            Earlier::Ignored
        })
    })
    .await
}

/// Asks for the dry run of a publish: a job that does everything but publish.
///
/// What it finds is kept for a while, so that publishing the same commit is done at once. It runs behind all that changes the registry.
#[utoipa::path(
    post,
    path = "/api/v1/publish/check",
    tag = "operations",
    request_body(content = registry::Publish),
    responses(
        (status = 200, description = "The job that does it; the same one while one is active.", body = Accepted),
        Refused<400>, Refused<413>,
    )
)]
pub(super) async fn check(
    State(ApiState { jobs, limits, .. }): State<ApiState>,
    body: Body,
) -> Result<Json<Accepted>, ApiError> {
    let operation: Publish = EXPECTED.read(body).await?;
    let new = NewJob::publish_check(&operation);
    Ok(accept(&jobs, &limits, &new, async |_, _| Ok(Earlier::Ignored)).await?)
}
