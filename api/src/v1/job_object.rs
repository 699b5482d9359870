//! A job as released clients decode it (registry.md §1.10): what has no value is left out, never null.

use docket_core::time::Timestamp;
use docket_jobs::{Job, JobState, LogLine};
use serde::Serialize;

/// A job, with keys in alphabetical order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobObject {
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    job_id: String,
    job_type: String,
    logs: Vec<LineObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package_version: Option<String>,
    payload: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    success: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LineObject {
    job_id: String,
    level: &'static str,
    message: String,
    timestamp: String,
}

impl JobObject {
    /// Shows `job` with `lines`. Without `last_page` it looks unfinished, because clients stop reading once they see `finishedAt`.
    pub(super) fn new(job: Job, lines: Vec<LogLine>, last_page: bool) -> Self {
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
        Self {
            created_at: time(job.created_at),
            finished_at: job.finished_at.filter(|_| last_page).map(time),
            job_type: job.kind,
            logs,
            package_name: job.package_name,
            package_version: job.package_version,
            payload: serde_json::from_str(&job.payload).unwrap_or_default(),
            started_at: job.started_at.map(time),
            success: last_page && job.state == JobState::Succeeded,
            job_id,
        }
    }
}
