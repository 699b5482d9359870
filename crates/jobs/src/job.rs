//! What a job is.

use std::{fmt, str::FromStr, sync::Mutex};

use docket_core::{name::PackageName, time::Timestamp, version::Version};
use serde::Serialize;
use uuid::{ContextV7, Uuid};

use crate::Actor;

/// Names one job. UUID v7: ids sort by the time of their creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    /// Makes a new id. Ids sort by `now`, and in one process by the order in which they were made.
    pub fn new(now: Timestamp) -> Self {
        static ORDER: Mutex<ContextV7> = Mutex::new(ContextV7::new());
        let millis = u64::try_from(now.millis()).unwrap_or_default();
        let nanos = u32::try_from(millis % 1000).unwrap_or_default() * 1_000_000;
        Self(Uuid::new_v7(uuid::Timestamp::from_unix(
            &ORDER,
            millis / 1000,
            nanos,
        )))
    }

    /// The id before all those that are made at `time` or later.
    pub(crate) fn before(time: Timestamp) -> Self {
        // All times of ours fit.
        const TIME_BITS: u32 = 48;
        let millis = u128::try_from(time.millis()).unwrap_or_default();
        Self(Uuid::from_u128(millis << (u128::BITS - TIME_BITS)))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Waits for a worker, a lock or its next attempt.
    Queued,
    /// A worker holds its lease.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with an error code.
    Failed,
    /// Ended because somebody said so.
    Cancelled,
}

impl JobState {
    /// The word used in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// True when nothing will happen to the job any more.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// A state word that no version of this program wrote.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a job state")]
pub struct UnknownState(String);

impl FromStr for JobState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        [
            Self::Queued,
            Self::Running,
            Self::Succeeded,
            Self::Failed,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// Work to be stored.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Which handler runs it: `publish`, …
    pub kind: &'static str,
    /// Higher runs first; 0 is usual. Below 0 it is background work, which workers run beside the rest (see [`Lane`](crate::worker::Lane)).
    pub priority: i64,
    /// What the handler needs: JSON text.
    pub payload: String,
    /// The package it is about.
    pub package_name: Option<PackageName>,
    /// The version it is about.
    pub package_version: Option<Version>,
    /// The compiler it is about.
    pub compiler: Option<Version>,
    /// Equal keys are the same operation: while one is active no second one is stored.
    pub dedup_key: String,
    /// The locks it needs, such as `package/prelude`: no two jobs that share one run at once.
    pub locks: Vec<String>,
    /// The job that asked for it.
    pub parent: Option<JobId>,
    /// Who asked for it, where not everybody may.
    pub actor: Option<Actor>,
    /// Not run before this time; at once when absent.
    pub run_after: Option<Timestamp>,
}

impl NewJob {
    /// A job of usual priority that is about no package, needs no locks and runs at once.
    pub fn new(kind: &'static str, payload: String, dedup_key: String) -> Self {
        Self {
            kind,
            priority: 0,
            payload,
            package_name: None,
            package_version: None,
            compiler: None,
            dedup_key,
            locks: Vec::new(),
            parent: None,
            actor: None,
            run_after: None,
        }
    }
}

/// What became of an [`Jobs::enqueue`](crate::Jobs::enqueue).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enqueued {
    /// The job that does the work.
    pub job: JobId,
    /// False when that job existed already.
    pub created: bool,
}

/// A stored job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// Which handler runs it.
    pub kind: String,
    /// Where it is in its life.
    pub state: JobState,
    /// What the handler needs: JSON text.
    pub payload: String,
    /// The package it is about.
    pub package_name: Option<String>,
    /// The version it is about.
    pub package_version: Option<String>,
    /// The compiler it is about.
    pub compiler: Option<String>,
    /// Who asked for it.
    pub actor: Option<Actor>,
    /// The job that asked for it.
    pub parent: Option<JobId>,
    /// How often a worker has taken it.
    pub attempt: i64,
    /// How many of these attempts ended with a lapsed lease.
    pub resets: i64,
    /// How many of these attempts ended with a service of ours unavailable.
    pub retries: i64,
    /// Not run before this time.
    pub run_after: Timestamp,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When the current or last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it failed: a code of `docs/problems.md`.
    pub error_code: Option<String>,
    /// The same for people.
    pub error_detail: Option<String>,
    /// How many lines its log has.
    pub log_seq: i64,
    /// When the last of them was written.
    pub log_at: Timestamp,
    /// Higher runs first.
    pub priority: i64,
    /// The worker that has it.
    pub lease_by: Option<String>,
    /// Who asked for it to be cancelled, in words.
    pub cancel_by: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lie_behind_the_bound_of_their_time_and_before_that_of_the_next() {
        let at = Timestamp::from_millis;
        let id = JobId::new(at(1_800_000_000_123));
        assert!(JobId::before(at(1_800_000_000_123)) < id);
        assert!(id < JobId::before(at(1_800_000_000_124)));
    }

    #[test]
    fn times_before_and_behind_all_ids_have_bounds_too() {
        let at = Timestamp::from_millis;
        assert!(JobId::new(at(1_800_000_000_123)) < JobId::before(Timestamp::MAX));
        assert_eq!(JobId::before(at(-1)), JobId(Uuid::nil()));
    }
}
