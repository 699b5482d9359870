//! A job as released clients decode it (registry.md §1.10): what has no value is left out, never null.

use docket_core::time::Timestamp;
use docket_jobs::{Actor, Job, JobState, Jobs, LogLine};
use serde::Serialize;
use utoipa::ToSchema;

/// A job, with keys in alphabetical order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobObject {
    /// Who asked for it, where not everybody may. Not in registry.md, as are `error` and `state`: clients ignore what they do not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false)]
    actor: Option<Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    compiler_version: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<ErrorObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    finished_at: Option<String>,
    job_id: String,
    job_type: String,
    logs: Vec<LineObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    package_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    package_version: Option<String>,
    /// What was asked for.
    #[schema(value_type = Object)]
    payload: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    started_at: Option<String>,
    state: &'static str,
    success: bool,
}

/// Why it failed (registry.md §1.12).
#[derive(Debug, Serialize, ToSchema)]
struct ErrorObject {
    code: String,
    message: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LineObject {
    job_id: String,
    level: &'static str,
    message: String,
    timestamp: String,
}

impl JobObject {
    /// Shows `job` with `lines`. Without `last_page` it looks unfinished, because clients stop reading once they see `finishedAt`.
    ///
    /// What was asked for may hold a secret that somebody has put in the wrong place.
    pub(super) fn new(jobs: &Jobs, job: Job, lines: Vec<LogLine>, last_page: bool) -> Self {
        let mut payload = serde_json::from_str(&job.payload).unwrap_or_default();
        jobs.redactor().redact_json(&mut payload);
        let job_id = job.id.to_string();
        let time = |at: Timestamp| at.to_string();
        let logs = lines
            .into_iter()
            .map(|line| LineObject {
                job_id: job_id.clone(),
                level: line.level.as_str(),
                message: line.message,
                timestamp: line.at.to_string(),
            })
            .collect();
        let error = job
            .error_code
            .zip(job.error_detail)
            .filter(|_| last_page)
            .map(|(code, message)| ErrorObject { code, message });
        Self {
            actor: job.actor,
            compiler_version: job.compiler,
            created_at: time(job.created_at),
            error,
            finished_at: job.finished_at.filter(|_| last_page).map(time),
            job_type: job.kind,
            logs,
            package_name: job.package_name,
            package_version: job.package_version,
            payload,
            started_at: job.started_at.map(time),
            state: if last_page || !job.state.is_finished() {
                job.state.as_str()
            } else {
                JobState::Running.as_str()
            },
            success: last_page && job.state == JobState::Succeeded,
            job_id,
        }
    }
}
