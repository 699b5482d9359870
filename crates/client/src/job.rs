//! Jobs, as the v1 routes show them (registry spec, 1.7–1.10).

use std::fmt;
use std::str::FromStr;

use docket_core::name::PackageName;
use docket_core::time::Timestamp;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::log::Level;

/// Names a job. The server chose it; to a client it is a word that fits into an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

/// A text that cannot name a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not a job id; `docket job list` shows the ids", .0.escape_debug())]
pub struct JobIdError(String);

impl JobId {
    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JobId {
    type Err = JobIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Wider than a UUID on purpose, but never a path segment with a meaning of its own.
        let fits = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(JobIdError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for JobId {
    type Error = JobIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A job, with the lines that were asked for (none in a list).
///
/// Reads more than it must know: kinds of jobs and fields that are newer than this client are kept as they came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its name.
    pub job_id: JobId,
    /// `publish`, `unpublish`, `transfer`, `matrix` or `packageset`.
    pub job_type: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When a worker took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Whether it ended well; `false` until then.
    pub success: bool,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`; not every server says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The package it is about, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_name: Option<String>,
    /// The version it is about, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_version: Option<String>,
    /// The compiler a matrix job tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiler_version: Option<String>,
    /// Who asked for it, where not everybody may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
    /// What was asked for.
    pub payload: Value,
    /// Lines of its log; at most 100 by this route.
    pub logs: Vec<JobLogLine>,
    /// Fields newer than this client.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// The code of `docs/problems.md`.
    pub code: String,
    /// What it means in this case, for people.
    pub message: String,
}

/// Who asked for a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// In which capacity: `owner`, `trustee`, `bot`, `schedule`.
    pub role: String,
    /// A name for people.
    pub name: String,
    /// Fields newer than this client, and those it does not show.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.name)
    }
}

/// A line of a log inside a [`Job`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobLogLine {
    /// How much it matters.
    pub level: Level,
    /// The text; other people's, see [`crate::LogLine`].
    pub message: String,
    /// When it was written.
    pub timestamp: Timestamp,
}

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

impl Order {
    /// Returns the order as the API writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Order::Ascending => "ASC",
            Order::Descending => "DESC",
        }
    }
}

/// Which jobs a list holds; at most 100 by this route.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Created at this time or later.
    pub since: Option<Timestamp>,
    /// Created before this time.
    pub until: Option<Timestamp>,
    /// Which come first, and so which are cut off.
    pub order: Order,
    /// Jobs that have ended, too.
    pub include_completed: bool,
    /// Of this kind only, whatever it is; otherwise of the kinds that the registry spec knows.
    pub kind: Option<String>,
    /// In this state only: `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    pub state: Option<String>,
    /// About this package only.
    pub package: Option<PackageName>,
    /// Asked for by this job only.
    pub parent: Option<JobId>,
    /// Asked for by somebody of this name only.
    pub who: Option<String>,
    /// Failed with this code only.
    pub code: Option<String>,
}

/// Up to 100 jobs of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct JobPage {
    /// The jobs, without their logs.
    pub jobs: Vec<Job>,
    /// Where the list goes on, unless it ends here.
    pub next: Option<String>,
}

impl JobFilter {
    /// Returns the filter as query parameters.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = times(self.since, self.until);
        query.push(("order", self.order.as_str().to_owned()));
        query.push(("include_completed", self.include_completed.to_string()));
        let newer = [
            ("kind", self.kind.clone()),
            ("state", self.state.clone()),
            ("package", self.package.as_ref().map(ToString::to_string)),
            ("parent", self.parent.as_ref().map(ToString::to_string)),
            ("who", self.who.clone()),
            ("code", self.code.clone()),
        ];
        query.extend(newer.into_iter().filter_map(|(name, value)| Some((name, value?))));
        query
    }
}

/// Returns the cursor in the `Link` header of an answer from `url`: `<?…&cursor=…>; rel="next"`.
pub(crate) fn next_cursor(url: &Url, link: &str) -> Option<String> {
    let mut rest = link;
    while let Some((target, after)) = rest
        .split_once('<')
        .and_then(|(_, target)| target.split_once('>'))
    {
        let (attributes, _) = after.split_once('<').unwrap_or((after, ""));
        if attributes.contains("rel=\"next\"") || attributes.contains("rel=next") {
            let target = url.join(target).ok()?;
            let mut parameters = target.query_pairs();
            return parameters
                .find(|(name, _)| name == "cursor")
                .map(|(_, cursor)| cursor.into_owned());
        }
        rest = after;
    }
    None
}

/// Which lines come with a job.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// The lowest level.
    pub level: Level,
    /// Written at this time or later.
    pub since: Option<Timestamp>,
    /// Written before this time.
    pub until: Option<Timestamp>,
    /// Which come first, and so which are cut off.
    pub order: Order,
}

impl LogFilter {
    /// Returns the filter as query parameters.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = times(self.since, self.until);
        query.push(("order", self.order.as_str().to_owned()));
        query.push(("level", self.level.to_string()));
        query
    }
}

fn times(since: Option<Timestamp>, until: Option<Timestamp>) -> Vec<(&'static str, String)> {
    let since = since.map(|time| ("since", time.to_string()));
    let until = until.map(|time| ("until", time.to_string()));
    since.into_iter().chain(until).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_id_cannot_leave_its_place_in_an_address() {
        for text in ["", ".", "..", "a/b", "a?b", "a b", "é"] {
            assert!(text.parse::<JobId>().is_err(), "{text}");
        }
        assert!("9607c6e5-a040-41c4-a015-cee4a838d32d".parse::<JobId>().is_ok());
    }

    #[test]
    fn a_job_keeps_fields_that_are_newer_than_the_client() {
        let text = concat!(
            r#"{"createdAt":"2026-08-18T07:02:11.004Z","disposition":"published","jobId":"a","jobType":"publish","#,
            r#""logs":[],"payload":{},"success":true}"#
        );
        let job: Job = serde_json::from_str(text).unwrap();
        assert_eq!(job.more["disposition"], "published");
        assert!(
            serde_json::to_string(&job)
                .unwrap()
                .contains(r#""disposition":"published""#)
        );
        assert!(
            !serde_json::to_string(&job).unwrap().contains("null"),
            "absent stays absent"
        );
    }
}
