//! Why a job waits, and what trustees do to jobs: cancel one, queue it again, let it go first.

use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    middleware::from_fn,
    response::{IntoResponse, Response},
};
use docket_core::time::Timestamp;
use docket_http::Problem;
use docket_jobs::{Cancel, JobId, JobState, Jobs, Retry, Wait, Why};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiState,
    authority::Authority,
    error::ApiError,
    extract::{JsonBody, Path, invalid_body},
    job_kinds::Kinds,
    logs::{no_such_job, parse_id},
    openapi::Refused,
    v1::{MAX_BODY_BYTES, cors, exact},
};

/// How many jobs are queued again at once, at most, and unless told otherwise.
const MAX_RETRIED: u32 = 1_000;
const DEFAULT_RETRIED: u32 = 100;

/// The longest code of a failure, in bytes. Ours are half as long.
const MAX_CODE_BYTES: usize = 64;

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    let readable = OpenApiRouter::new()
        .routes(exact(routes!(why)))
        .layer(from_fn(cors));
    OpenApiRouter::new()
        .routes(exact(routes!(cancel)))
        .routes(exact(routes!(retry)))
        .routes(exact(routes!(set_priority)))
        .routes(exact(routes!(retry_failed)))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .merge(readable)
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WhyObject {
    job_id: String,
    state: &'static str,
    sentence: String,
    reason: ReasonObject,
    /// Seconds until it starts, if things go as usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expected_secs: Option<u64>,
}

/// The one thing that a job waits for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase", rename_all_fields = "camelCase")]
enum ReasonObject {
    Over,
    Running {
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        worker: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String, format = DateTime, nullable = false)]
        since: Option<Timestamp>,
        attempt: i64,
        /// Who asked for its cancellation.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        cancel_by: Option<String>,
    },
    Time {
        #[schema(value_type = String, format = DateTime)]
        at: Timestamp,
        retries: i64,
    },
    Lock {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        holder: Option<HolderObject>,
        ahead: i64,
    },
    Paused {
        job_kind: String,
        #[schema(value_type = String, format = DateTime)]
        since: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        by: Option<String>,
    },
    Limit {
        job_kind: String,
        max_running: i64,
    },
    Slot {
        ahead: i64,
        running: i64,
    },
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HolderObject {
    job_id: String,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    since: Option<Timestamp>,
}

impl WhyObject {
    fn new(id: JobId, why: Why) -> Self {
        let sentence = why.to_string();
        let state = match &why.wait {
            Wait::Over(state) => *state,
            Wait::Running { .. } => JobState::Running,
            _ => JobState::Queued,
        };
        let reason = match why.wait {
            Wait::Over(_) => ReasonObject::Over,
            Wait::Running {
                worker,
                since,
                attempt,
            } => ReasonObject::Running {
                worker,
                since,
                attempt,
                cancel_by: why.cancel_by,
            },
            Wait::Time { at, retries } => ReasonObject::Time { at, retries },
            Wait::Lock { name, holder, ahead } => ReasonObject::Lock {
                name,
                holder: holder.map(|holder| HolderObject {
                    job_id: holder.job.to_string(),
                    what: holder.what,
                    since: holder.since,
                }),
                ahead,
            },
            Wait::Paused { kind, since, by } => ReasonObject::Paused {
                job_kind: kind,
                since,
                by,
            },
            Wait::Limit { kind, max_running } => ReasonObject::Limit {
                job_kind: kind,
                max_running,
            },
            Wait::Slot { ahead, running } => ReasonObject::Slot { ahead, running },
        };
        Self {
            job_id: id.to_string(),
            state: state.as_str(),
            sentence,
            reason,
            expected_secs: why.expected.map(|expected| expected.as_secs()),
        }
    }
}

/// Says in one sentence why a job waits.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}/why",
    tag = "jobs",
    params(("id" = String, Path)),
    responses((status = 200, description = "Why.", body = WhyObject), Refused<404>)
)]
async fn why(State(jobs): State<Jobs>, Path(id): Path<String>) -> Result<Json<WhyObject>, ApiError> {
    let id = parse_id(&id)?;
    let why = jobs.why(id).await?.ok_or_else(no_such_job)?;
    Ok(Json(WhyObject::new(id, why)))
}

/// What became of a job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StateObject {
    job_id: String,
    state: &'static str,
}

fn state_object(id: JobId, state: JobState) -> Json<StateObject> {
    Json(StateObject {
        job_id: id.to_string(),
        state: state.as_str(),
    })
}

/// Cancels a job: at once when it waits, at its next safe point when it runs.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/cancel",
    tag = "trustees",
    params(("id" = String, Path)),
    security(("trustee" = [])),
    responses((status = 200, description = "The job has ended.", body = StateObject), (status = 202, description = "The job runs, and will end.", body = StateObject), Refused<404>, Refused<409>, Refused<401>, Refused<403>)
)]
async fn cancel(
    State(jobs): State<Jobs>,
    State(authority): State<Authority>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let trustee = authority.trustee(&headers, "cancel a job").await?;
    let id = parse_id(&id)?;
    match jobs.cancel(id, &trustee.to_string()).await? {
        Cancel::Ended => Ok(state_object(id, JobState::Cancelled).into_response()),
        Cancel::Asked => Ok((StatusCode::ACCEPTED, state_object(id, JobState::Running)).into_response()),
        Cancel::TooLate => {
            let problem = Problem::new(StatusCode::CONFLICT, "job-took-effect", "Job took effect");
            Err(problem
                .detail("The job has taken effect already and ends by itself; what it did stays.")
                .into())
        }
        Cancel::WasOver(state) => {
            let problem = Problem::new(StatusCode::CONFLICT, "job-over", "Job is over");
            Err(problem
                .detail(format!(
                    "The job has ended before ({}): there is nothing to cancel.",
                    state.as_str()
                ))
                .into())
        }
        Cancel::Unknown => Err(no_such_job().into()),
    }
}

/// Queues a job again that failed or was cancelled.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/retry",
    tag = "trustees",
    params(("id" = String, Path)),
    security(("trustee" = [])),
    responses((status = 200, description = "The job is queued.", body = StateObject), Refused<404>, Refused<409>, Refused<401>, Refused<403>)
)]
async fn retry(
    State(jobs): State<Jobs>,
    State(authority): State<Authority>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<StateObject>, ApiError> {
    let trustee = authority.trustee(&headers, "queue a job again").await?;
    let id = parse_id(&id)?;
    match jobs.retry(id, &trustee.to_string()).await? {
        Retry::Queued => Ok(state_object(id, JobState::Queued)),
        Retry::NotFailed(state) => {
            let problem = Problem::new(StatusCode::CONFLICT, "job-not-failed", "Job has not failed");
            Err(problem
                .detail(format!(
                    "The job is {}; only one that failed or was cancelled can be queued again.",
                    state.as_str()
                ))
                .into())
        }
        Retry::Superseded(twin) => {
            let problem = Problem::new(StatusCode::CONFLICT, "job-superseded", "Job is superseded");
            Err(problem
                .detail(format!(
                    "The same operation was asked for again since: job {twin} does it."
                ))
                .into())
        }
        Retry::Unknown => Err(no_such_job().into()),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Priority {
    priority: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PriorityObject {
    job_id: String,
    priority: i64,
}

/// Says whether a job that waits goes before others or after them.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/priority",
    tag = "trustees",
    params(("id" = String, Path)),
    request_body(content = Priority),
    security(("trustee" = [])),
    responses((status = 200, description = "The job has this priority.", body = PriorityObject), Refused<400>, Refused<404>, Refused<409>, Refused<413>, Refused<401>, Refused<403>)
)]
async fn set_priority(
    State(jobs): State<Jobs>,
    State(authority): State<Authority>,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(Priority { priority }): JsonBody<Priority>,
) -> Result<Json<PriorityObject>, ApiError> {
    let trustee = authority
        .trustee(&headers, "change the priority of a job")
        .await?;
    let id = parse_id(&id)?;
    if jobs.set_priority(id, priority).await? {
        info!(job.id = %id, priority, "{trustee} gave job {id} the priority {priority}");
        return Ok(Json(PriorityObject {
            job_id: id.to_string(),
            priority,
        }));
    }
    let mut tx = jobs.db().read().await?;
    let job = jobs.find(&mut tx, id).await?.ok_or_else(no_such_job)?;
    let problem = Problem::new(StatusCode::CONFLICT, "job-not-waiting", "Job does not wait");
    Err(problem
        .detail(format!(
            "The job is {}; a priority says only which of the jobs that wait goes first.",
            job.state.as_str()
        ))
        .into())
}

/// Which jobs to queue again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Failed {
    code: String,
    kind: Option<String>,
    limit: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RetriedObject {
    job_ids: Vec<String>,
}

/// Queues all jobs again that failed for one reason, oldest first.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/retry",
    tag = "trustees",
    request_body(content = Failed),
    security(("trustee" = [])),
    responses((status = 200, description = "These jobs are queued.", body = RetriedObject), Refused<400>, Refused<413>, Refused<401>, Refused<403>)
)]
async fn retry_failed(
    State(jobs): State<Jobs>,
    State(authority): State<Authority>,
    State(kinds): State<Kinds>,
    headers: HeaderMap,
    JsonBody(failed): JsonBody<Failed>,
) -> Result<Json<RetriedObject>, ApiError> {
    let trustee = authority.trustee(&headers, "queue jobs again").await?;
    if !is_code(&failed.code) {
        return Err(invalid_body("`code` is the code of a failure, such as `unavailable`").into());
    }
    let kind = match &failed.kind {
        Some(kind) => Some(kinds.find(kind).map_err(invalid_body)?),
        None => None,
    };
    let limit = failed.limit.unwrap_or(DEFAULT_RETRIED);
    if !(1..=MAX_RETRIED).contains(&limit) {
        return Err(invalid_body(format!("`limit` is 1 to {MAX_RETRIED}")).into());
    }
    let queued = jobs
        .retry_failed(&failed.code, kind, limit, &trustee.to_string())
        .await?;
    info!(
        code = failed.code,
        count = queued.len(),
        "{trustee} queued jobs again"
    );
    Ok(Json(RetriedObject {
        job_ids: queued.iter().map(ToString::to_string).collect(),
    }))
}

/// Whether a text could be the code of a failure.
pub(crate) fn is_code(text: &str) -> bool {
    (1..=MAX_CODE_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
