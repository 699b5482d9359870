//! `GET /api/v1/changes`: what happened to the registry, one change after the other, with the exact text of each file.
//!
//! The git repositories are made of the same changes, so whoever plays them has the same files.

use axum::{extract::State, http::HeaderMap, response::Response};
use docket_core::time::Timestamp;
use docket_index::Change;
use docket_jobs::Jobs;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{error::ApiError, extract::Query, openapi::Refused, packages::revalidated};

/// How many changes one page holds at most, and unless told otherwise.
const MAX_LIMIT: usize = 100;
const DEFAULT_LIMIT: usize = 20;

/// A page ends with the change that brings its files to this size.
const FULL_BYTES: usize = 1024 * 1024;

/// Something that happened to the registry: one commit in one of the repositories.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ChangeObject {
    /// Its place among all changes: 1, 2, 3, …
    seq: i64,
    #[schema(value_type = String, example = "registry-index")]
    repository: &'static str,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[schema(example = "pacchettibotti <pacchettibotti@purescript.org>")]
    author: String,
    /// The message of the commit.
    message: String,
    /// The job that did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    job_id: Option<String>,
    files: Vec<FileObject>,
    /// The tags of the commit, if it has any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    tags: Vec<String>,
}

/// A file that was changed.
#[derive(Debug, Serialize, ToSchema)]
struct FileObject {
    #[schema(example = "metadata/prelude.json")]
    path: String,
    /// Its whole text from now on; absent when it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    content: Option<String>,
}

/// Some changes.
#[derive(Debug, Serialize, ToSchema)]
struct ChangesObject {
    changes: Vec<ChangeObject>,
    /// The `after` of the next page, and of the next look when there is none yet.
    next: i64,
    /// There are more already.
    more: bool,
}

impl From<Change> for ChangeObject {
    fn from(change: Change) -> Self {
        let Change { seq, change, tags } = change;
        let files = change.files.into_iter().map(|file| FileObject {
            path: file.path,
            content: file.content,
        });
        Self {
            seq,
            repository: change.repository.as_str(),
            at: change.at,
            author: change.author,
            message: change.message,
            job_id: change.job_id,
            files: files.collect(),
            tags,
        }
    }
}

/// Which changes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangesQuery {
    /// Those behind this one.
    #[serde(default)]
    #[param(required = false, example = 0)]
    after: i64,
    /// How many, up to 100. There are fewer when their files are large.
    #[param(minimum = 1)]
    limit: Option<usize>,
}

/// Lists what happened to the registry, oldest first. What was imported happened elsewhere, and is in the repositories only.
#[utoipa::path(
    get,
    path = "/api/v1/changes",
    tag = "packages",
    params(ChangesQuery),
    responses(
        (status = 200, description = "Some changes.", body = ChangesObject),
        (status = 304, description = "They have the `ETag` of `If-None-Match` still: nothing happened."),
        Refused<400>
    )
)]
pub(crate) async fn list(
    State(jobs): State<Jobs>,
    Query(query): Query<ChangesQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let mut tx = jobs.db().read().await?;
    let (mut changes, mut next, mut bytes) = (Vec::new(), query.after.max(0), 0);
    // One by one: nobody knows how large the files of the next one are.
    while changes.len() < limit && bytes < FULL_BYTES {
        let Some(change) = docket_index::list_changes(&mut tx, None, next, 1).await?.pop() else {
            break;
        };
        let texts = change
            .change
            .files
            .iter()
            .filter_map(|file| file.content.as_ref());
        bytes += texts.map(String::len).sum::<usize>();
        next = change.seq;
        changes.push(ChangeObject::from(change));
    }
    let more = docket_index::last_seq(&mut tx).await? > next;
    Ok(revalidated(&headers, &ChangesObject { changes, next, more }))
}
