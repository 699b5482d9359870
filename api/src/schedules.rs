//! The timetables: reading them, and running a task now.

use std::sync::Arc;

use axum::{Json, extract::State, http::HeaderMap};
use docket_core::time::Timestamp;
use docket_http::Problem;
use docket_jobs::{Jobs, Schedule};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{ApiState, authority::Authority, error::ApiError, extract::Path, openapi::Refused};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(run))
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ScheduleObject {
    task: &'static str,
    every: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    last_tick: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_job_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    next_tick: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Running {
    job_id: String,
}

/// Lists what the server does by itself, and when.
#[utoipa::path(
    get,
    path = "/api/v1/schedules",
    tag = "server",
    responses((status = 200, description = "The timetables.", body = [ScheduleObject]))
)]
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

/// Does a task of the timetable now.
#[utoipa::path(
    post,
    path = "/api/v1/schedules/{task}/run",
    tag = "trustees",
    params(("task" = String, Path)),
    security(("trustee" = [])),
    responses((status = 200, description = "The job that does it.", body = Running), Refused<404>, Refused<401>, Refused<403>)
)]
async fn run(
    State(jobs): State<Jobs>,
    State(schedules): State<Arc<[Schedule]>>,
    State(authority): State<Authority>,
    Path(task): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Running>, ApiError> {
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
    Ok(Json(Running {
        job_id: enqueued.job.to_string(),
    }))
}
