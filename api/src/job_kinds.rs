//! Kinds of jobs: what waits and runs of each, and what trustees say about them: pause one, or let only so many run.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use axum::{
    Json,
    extract::{DefaultBodyLimit, FromRef, State},
    http::HeaderMap,
    middleware::from_fn,
};
use docket_core::time::Timestamp;
use docket_db::Error;
use docket_http::Problem;
use docket_jobs::{JobState, Jobs, KindSetting};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiState,
    authority::Authority,
    error::ApiError,
    extract::{JsonBody, Path},
    openapi::Refused,
    v1::{MAX_BODY_BYTES, cors, exact},
};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    let readable = OpenApiRouter::new()
        .routes(exact(routes!(list)))
        .layer(from_fn(cors));
    OpenApiRouter::new()
        .routes(exact(routes!(pause)))
        .routes(exact(routes!(resume)))
        .routes(exact(routes!(limit)))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .merge(readable)
}

/// The kinds of jobs that there are.
#[derive(Debug, Clone)]
pub(crate) struct Kinds(Arc<[&'static str]>);

impl FromRef<ApiState> for Kinds {
    fn from_ref(state: &ApiState) -> Self {
        Self(state.kinds.clone())
    }
}

impl Kinds {
    /// Returns the kind of this name, or a sentence, without a full stop, that says which there are.
    pub(crate) fn find(&self, name: &str) -> Result<&'static str, String> {
        let found = self.0.iter().find(|kind| **kind == name).copied();
        found.ok_or_else(|| {
            format!(
                "there are no jobs of the kind {name:?}; there are {}",
                self.0.join(", ")
            )
        })
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KindObject {
    kind: String,
    queued: i64,
    running: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    paused_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    paused_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    max_running: Option<i64>,
}

impl KindObject {
    fn new(setting: KindSetting, (queued, running): (i64, i64)) -> Self {
        Self {
            kind: setting.kind,
            queued,
            running,
            paused_since: setting.paused_at,
            paused_by: setting.paused_by,
            max_running: setting.max_running,
        }
    }
}

/// How many jobs wait and run, by kind.
async fn counts(jobs: &Jobs) -> Result<BTreeMap<String, (i64, i64)>, Error> {
    let mut tx = jobs.db().read().await?;
    let mut counts: BTreeMap<_, (i64, i64)> = BTreeMap::new();
    for (kind, state, count) in jobs.count_active(&mut tx).await? {
        let (queued, running) = counts.entry(kind).or_default();
        match state {
            JobState::Running => *running += count,
            _ => *queued += count,
        }
    }
    Ok(counts)
}

/// Lists the kinds of which jobs wait or run, and those about which a trustee said something.
#[utoipa::path(
    get,
    path = "/api/v1/job-kinds",
    tag = "jobs",
    responses((status = 200, description = "The kinds.", body = [KindObject]))
)]
async fn list(State(jobs): State<Jobs>) -> Result<Json<Vec<KindObject>>, ApiError> {
    let mut counts = counts(&jobs).await?;
    let mut objects = BTreeMap::new();
    for setting in jobs.kind_settings().await? {
        let count = counts.remove(&setting.kind);
        if setting.paused_at.is_none() && setting.max_running.is_none() && count.is_none() {
            continue;
        }
        let object = KindObject::new(setting, count.unwrap_or_default());
        objects.insert(object.kind.clone(), object);
    }
    for (kind, count) in counts {
        let setting = KindSetting {
            kind: kind.clone(),
            paused_at: None,
            paused_by: None,
            max_running: None,
        };
        objects.insert(kind, KindObject::new(setting, count));
    }
    Ok(Json(objects.into_values().collect()))
}

/// Lets no more jobs of a kind start.
#[utoipa::path(
    post,
    path = "/api/v1/job-kinds/{kind}/pause",
    tag = "trustees",
    params(("kind" = String, Path, example = "publish")),
    security(("trustee" = [])),
    responses((status = 200, description = "The kind is paused.", body = KindObject), Refused<404>, Refused<401>, Refused<403>)
)]
async fn pause(
    State(jobs): State<Jobs>,
    State(authority): State<Authority>,
    State(kinds): State<Kinds>,
    Path(kind): Path<String>,
    headers: HeaderMap,
) -> Result<Json<KindObject>, ApiError> {
    let trustee = authority.trustee(&headers, "pause a kind of jobs").await?;
    let kind = find(&kinds, &kind)?;
    let setting = jobs.pause_kind(kind, &trustee.to_string()).await?;
    info!(kind, "{trustee} paused the jobs of kind {kind}");
    answer(&jobs, setting).await
}

/// Lets jobs of a kind start again.
#[utoipa::path(
    post,
    path = "/api/v1/job-kinds/{kind}/resume",
    tag = "trustees",
    params(("kind" = String, Path, example = "publish")),
    security(("trustee" = [])),
    responses((status = 200, description = "The kind is not paused.", body = KindObject), Refused<404>, Refused<401>, Refused<403>)
)]
async fn resume(
    State(jobs): State<Jobs>,
    State(authority): State<Authority>,
    State(kinds): State<Kinds>,
    Path(kind): Path<String>,
    headers: HeaderMap,
) -> Result<Json<KindObject>, ApiError> {
    let trustee = authority
        .trustee(&headers, "let a kind of jobs start again")
        .await?;
    let kind = find(&kinds, &kind)?;
    let setting = jobs.resume_kind(kind).await?;
    info!(kind, "{trustee} lets the jobs of kind {kind} start again");
    answer(&jobs, setting).await
}

/// How many jobs of a kind may run. To let none run, it is paused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Limit {
    /// `null` takes the limit away; it must be said, so that a slip of the pen does not.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<u32>, minimum = 1, required)]
    max_running: Option<NonZeroU32>,
}

/// Lets only so many jobs of a kind run at once.
#[utoipa::path(
    post,
    path = "/api/v1/job-kinds/{kind}/limit",
    tag = "trustees",
    params(("kind" = String, Path, example = "publish")),
    request_body(content = Limit),
    security(("trustee" = [])),
    responses((status = 200, description = "The kind has this limit.", body = KindObject), Refused<400>, Refused<404>, Refused<413>, Refused<401>, Refused<403>)
)]
async fn limit(
    State(jobs): State<Jobs>,
    State(authority): State<Authority>,
    State(kinds): State<Kinds>,
    Path(kind): Path<String>,
    headers: HeaderMap,
    JsonBody(Limit { max_running }): JsonBody<Limit>,
) -> Result<Json<KindObject>, ApiError> {
    let trustee = authority.trustee(&headers, "limit a kind of jobs").await?;
    let kind = find(&kinds, &kind)?;
    let max_running = max_running.map(NonZeroU32::get);
    let setting = jobs.limit_kind(kind, max_running).await?;
    info!(
        kind,
        max_running, "{trustee} set how many jobs of kind {kind} run"
    );
    answer(&jobs, setting).await
}

fn find(kinds: &Kinds, name: &str) -> Result<&'static str, Problem> {
    kinds
        .find(name)
        .map_err(|reason| Problem::not_found(format!("Nothing was done: {reason}.")))
}

async fn answer(jobs: &Jobs, setting: KindSetting) -> Result<Json<KindObject>, ApiError> {
    let count = counts(jobs).await?.remove(&setting.kind).unwrap_or_default();
    Ok(Json(KindObject::new(setting, count)))
}
