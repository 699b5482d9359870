//! Following a job's log: as JSON pages, over a websocket, as an event stream, as text and as JSON lines.
//!
//! All of them read the same tail (`docket_jobs::Tail`): lines after a `seq`. A transport only adds waiting.

mod events;
mod page;
mod stream;
mod websocket;

use std::str::FromStr;

use axum::{Json, Router, extract::State, http::StatusCode, middleware::from_fn, routing::get};
use docket_http::Problem;
use docket_jobs::{JobId, JobState, Jobs, Level, LineFilter, LogLine};
use serde::{Deserialize, Serialize};

use crate::{
    ApiState,
    error::ApiError,
    extract::{Path, Query},
    v1::{cors, no_such_method},
};

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
        .layer(from_fn(cors));
    Router::new()
        .route("/logs/{id}", get(page::show))
        .merge(beside_jobs)
}

/// What a watcher asks for.
#[derive(Debug, Default, Deserialize)]
struct LogQuery {
    /// The last line it has.
    #[serde(default)]
    after: i64,
    level: Option<String>,
    limit: Option<usize>,
}

impl LogQuery {
    fn level(&self) -> Result<Level, Problem> {
        let Some(text) = &self.level else {
            return Ok(Level::Info);
        };
        Level::from_str(&text.to_uppercase()).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid-level", "Invalid log level").detail(error)
        })
    }
}

/// A line as the newer routes show it.
#[derive(Debug, Serialize)]
struct LineObject<'a> {
    seq: i64,
    timestamp: String,
    level: &'static str,
    message: &'a str,
}

impl<'a> From<&'a LogLine> for LineObject<'a> {
    fn from(line: &'a LogLine) -> Self {
        Self {
            seq: line.seq,
            timestamp: line.at.to_string(),
            level: line.level.as_str(),
            message: &line.message,
        }
    }
}

/// What ends a stream of lines.
#[derive(Debug, Serialize)]
struct EndObject {
    finished: bool,
    success: bool,
}

/// `GET …/logs?after=SEQ&level=L&limit=N`
async fn log_page(
    State(jobs): State<Jobs>,
    Path(id): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let id = parse_id(&id)?;
    let level = query.level()?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let mut tx = jobs.db().read().await?;
    let job = jobs.find(&mut tx, id).await?.ok_or_else(no_such_job)?;
    let mut lines = jobs
        .lines(&mut tx, id, &LineFilter::after(query.after, level, limit + 1))
        .await?;
    let last_page = lines.len() <= limit;
    lines.truncate(limit);
    let mut next = lines.last().map_or(query.after, |line| line.seq);
    if last_page {
        // Behind the lines that the level hides, or they would be read again with each page.
        next = next.max(job.log_seq);
    }
    let finished = last_page && job.state.is_finished();
    let mut page = serde_json::json!({
        "lines": lines.iter().map(LineObject::from).collect::<Vec<_>>(),
        "next": next,
        "finished": finished,
    });
    if finished {
        page["success"] = (job.state == JobState::Succeeded).into();
    }
    Ok(Json(page))
}

pub(crate) fn parse_id(text: &str) -> Result<JobId, Problem> {
    text.parse().map_err(|_| no_such_job())
}

pub(crate) fn no_such_job() -> Problem {
    Problem::not_found("There is no job with this id.")
}

/// Returns the job's id when it exists.
async fn find_id(jobs: &Jobs, id: &str) -> Result<JobId, ApiError> {
    let id = parse_id(id)?;
    let mut tx = jobs.db().read().await?;
    jobs.find(&mut tx, id).await?.ok_or_else(no_such_job)?;
    Ok(id)
}
