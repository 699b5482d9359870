//! Following a job's log: as JSON pages, over a websocket, as an event stream, as text and as JSON lines.
//!
//! All of them read the same tail (`docket_jobs::Tail`): lines after a `seq`. A transport only adds waiting.
//! A download and the page read what is stored, and end.

mod download;
mod events;
mod outline;
mod page;
mod query;
mod render;
mod spans;
mod stream;
mod view;
mod websocket;

use axum::{Json, extract::State, middleware::from_fn, routing::get};
use docket_http::Problem;
use docket_jobs::{Job, JobId, JobState, Jobs, LineFilter};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiState,
    error::ApiError,
    extract::{Path, Query},
    openapi::Refused,
    v1::{cors, exact},
};
use query::LogQuery;
use render::{StepObject, line_value};

/// How many lines one JSON page holds at most, and unless told otherwise.
const MAX_LIMIT: usize = 10_000;
const DEFAULT_LIMIT: usize = 1_000;

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    let beside_jobs = OpenApiRouter::new()
        .routes(exact(routes!(log_page)))
        .routes(exact(routes!(websocket::follow)))
        .routes(exact(routes!(events::follow)))
        .routes(exact(routes!(download::send)))
        .layer(from_fn(cors));
    OpenApiRouter::new()
        .routes(routes!(page::show))
        .route("/logs/{id}/head", get(view::head))
        .merge(beside_jobs)
}

/// A part of a log.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a description")]
struct LogPage {
    lines: Vec<render::LineShape>,
    /// The `after` of the next page.
    next: i64,
    /// The job is over, and these are its last lines.
    finished: bool,
    /// Whether it ended well; there when `finished` is true.
    #[schema(nullable = false)]
    success: Option<bool>,
    /// There are more lines already.
    #[schema(nullable = false)]
    more: Option<bool>,
    /// The lines up to this one were removed, because the job ended long ago.
    #[schema(nullable = false)]
    removed: Option<i64>,
    /// The steps of the whole job, if it has any.
    #[schema(nullable = false)]
    steps: Option<Vec<StepObject>>,
}

/// Returns a page of a log.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}/logs",
    tag = "logs",
    params(("id" = String, Path), LogQuery),
    responses((status = 200, description = "The page.", body = LogPage), Refused<400>, Refused<404>)
)]
async fn log_page(
    State(jobs): State<Jobs>,
    Path(id): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let filter = query.filter(query.level()?, limit)?;
    let job = find_job(&jobs, &id).await?;
    let page = jobs
        .read_log(
            job.id,
            &LineFilter {
                // What comes after we looked at the job is for the next page, which knows then how the job is.
                up_to_seq: job.log_seq,
                ..filter
            },
        )
        .await?;
    let next = if page.is_last {
        // Behind the lines that were not asked for, or they would be read again with each page.
        page.seq.max(job.log_seq)
    } else {
        page.seq
    };
    let finished = page.is_last && job.state.is_finished();
    let mut answer = serde_json::json!({
        "lines": page.lines.iter().map(|line| line_value(line, query.shown_chars())).collect::<Vec<_>>(),
        "next": next,
        "finished": finished,
    });
    if finished {
        answer["success"] = (job.state == JobState::Succeeded).into();
    }
    let steps = jobs.steps(&job).await?;
    if !steps.is_empty() {
        answer["steps"] = serde_json::json!(steps.iter().map(StepObject::from).collect::<Vec<_>>());
    }
    if !page.is_last {
        answer["more"] = true.into();
    }
    if let Some(removed) = page.removed_seq {
        answer["removed"] = removed.into();
    }
    Ok(Json(answer))
}

pub(crate) fn parse_id(text: &str) -> Result<JobId, Problem> {
    text.parse().map_err(|_| no_such_job())
}

pub(crate) fn no_such_job() -> Problem {
    Problem::not_found("There is no job with this id.")
}

/// Returns the job when it exists.
async fn find_job(jobs: &Jobs, id: &str) -> Result<Job, ApiError> {
    let id = parse_id(id)?;
    let mut tx = jobs.db().read().await?;
    Ok(jobs.find(&mut tx, id).await?.ok_or_else(no_such_job)?)
}
