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

use axum::{Json, Router, extract::State, middleware::from_fn, routing::get};
use docket_http::Problem;
use docket_jobs::{Job, JobId, JobState, Jobs, LineFilter};

use crate::{
    ApiState,
    error::ApiError,
    extract::{Path, Query},
    v1::{cors, no_such_method},
};
use query::LogQuery;
use render::{StepObject, line_value};

/// How many lines one JSON page holds at most, and unless told otherwise.
const MAX_LIMIT: usize = 10_000;
const DEFAULT_LIMIT: usize = 1_000;

pub(crate) fn routes() -> Router<ApiState> {
    let beside_jobs = Router::new()
        .route("/api/v1/jobs/{id}/logs", get(log_page).fallback(no_such_method))
        .route(
            "/api/v1/jobs/{id}/logs/ws",
            get(websocket::follow).fallback(no_such_method),
        )
        .route(
            "/api/v1/jobs/{id}/logs/events",
            get(events::follow).fallback(no_such_method),
        )
        .route(
            "/api/v1/jobs/{id}/logs/download",
            get(download::send).fallback(no_such_method),
        )
        .layer(from_fn(cors));
    Router::new()
        .route("/logs/{id}", get(page::show))
        .route("/logs/{id}/head", get(view::head))
        .merge(beside_jobs)
}

/// `GET …/logs?after=SEQ&level=L&search=TEXT&limit=N`
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
