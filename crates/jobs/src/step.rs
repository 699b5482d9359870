//! The steps of a job, such as fetching and compiling: the outline of its log, each with the time it took.
//!
//! A handler says [`JobLog::step`](crate::JobLog::step), and the next line is the first of the step. The mark is stored in the transaction of that line,
//! under the same fence, in a table of its own: the lines are stored, archived and read as if there were no steps, and a process that knows none
//! misses nothing.

use docket_core::time::Timestamp;
use docket_db::Error;

use crate::{Job, Jobs, store};

/// The beginning of a step, while its first line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StepStart {
    pub(crate) name: &'static str,
    pub(crate) started_at: Timestamp,
    /// When the last line before its attempt was written.
    pub(crate) before_at: Timestamp,
}

/// The same as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredStep {
    pub(crate) first_seq: i64,
    pub(crate) attempt: i64,
    pub(crate) name: String,
    pub(crate) started_at: Timestamp,
    pub(crate) before_at: Timestamp,
}

/// A step of a job: the lines from its first one on, up to the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is done, for people.
    pub name: String,
    /// Its first line.
    pub first_seq: i64,
    /// Which attempt at the job it is part of.
    pub attempt: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; absent while it goes on.
    pub ended_at: Option<Timestamp>,
}

impl Jobs {
    /// Returns the steps of `job`, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn steps(&self, job: &Job) -> Result<Vec<Step>, Error> {
        let mut tx = self.db().read().await?;
        let stored = store::steps::list(&mut tx, job.id).await?;
        Ok(outline(stored, job))
    }
}

/// Gives each step its end: the beginning of the next one in the same attempt, else the last line of the attempt.
fn outline(stored: Vec<StoredStep>, job: &Job) -> Vec<Step> {
    let next = stored.iter().skip(1).map(Some).chain([None]);
    let ends: Vec<_> = stored
        .iter()
        .zip(next)
        .map(|(step, next)| match next {
            Some(next) if next.attempt == step.attempt => Some(next.started_at),
            Some(next) => Some(next.before_at.max(step.started_at)),
            // A later attempt that has come to no step yet, or none at all.
            None if job.state == crate::JobState::Running && job.attempt == step.attempt => None,
            None => Some(job.finished_at.unwrap_or(job.log_at).max(step.started_at)),
        })
        .collect();
    stored
        .into_iter()
        .zip(ends)
        .map(|(step, ended_at)| Step {
            name: step.name,
            first_seq: step.first_seq,
            attempt: step.attempt,
            started_at: step.started_at,
            ended_at,
        })
        .collect()
}
