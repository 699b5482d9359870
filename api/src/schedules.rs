//! The timetables: reading them, and running a task now.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::HeaderMap,
    routing::{get, post},
};
use docket_core::time::Timestamp;
use docket_http::Problem;
use docket_jobs::{Jobs, Schedule};
use serde::Serialize;

use crate::{ApiState, authority::Authority, error::ApiError, extract::Path};

pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/schedules", get(list))
        .route("/api/v1/schedules/{task}/run", post(run))
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ScheduleObject {
    task: &'static str,
    every: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_tick: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_job_id: Option<String>,
    next_tick: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    job_id: String,
}

/// `GET /api/v1/schedules`
async fn list(
    State(jobs): State<Jobs>,
    State(schedules): State<Arc<[Schedule]>>,
) -> Result<Json<Vec<ScheduleObject>>, ApiError> {
    let now = jobs.clock().now();
    let mut objects = Vec::new();
    for schedule in schedules.iter() {
        let last = jobs.last_tick(schedule.task).await?;
        objects.push(ScheduleObject {
            task: schedule.task,
            every: schedule.every.to_string(),
            last_tick: last.map(|last| last.tick),
            last_job_id: last.and_then(|last| last.job).map(|job| job.to_string()),
            next_tick: schedule.every.next(now),
        });
    }
    Ok(Json(objects))
}

/// `POST /api/v1/schedules/{task}/run`, for trustees.
async fn run(
    State(jobs): State<Jobs>,
    State(schedules): State<Arc<[Schedule]>>,
    State(authority): State<Authority>,
    Path(task): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Accepted>, ApiError> {
    let trustee = authority.trustee(&headers, "run a scheduled task").await?;
    let Some(schedule) = schedules.iter().find(|schedule| schedule.task == task) else {
        let tasks: Vec<_> = schedules.iter().map(|schedule| schedule.task).collect();
        let detail = format!(
            "There is no scheduled task {task:?} here. There are: {}.",
            tasks.join(", ")
        );
        return Err(Problem::not_found(detail).into());
    };
    let enqueued = jobs.run_task(schedule.task, trustee).await?;
    Ok(Json(Accepted {
        job_id: enqueued.job.to_string(),
    }))
}
