//! The steps of a job and how long things took, as the page tells them.

use docket_core::time::Timestamp;
use docket_jobs::{Job, Step};

use crate::pages::format::length;

/// A length that may still grow.
#[derive(Debug)]
pub(super) struct Duration {
    /// For people; the scripts of the page say it alike (`times.js`).
    pub(super) length: String,
    /// Since when it grows, in milliseconds; absent when it does not.
    pub(super) since: Option<i64>,
}

impl Duration {
    fn new(from: Timestamp, to: Option<Timestamp>, now: Timestamp) -> Self {
        Self {
            length: length(to.unwrap_or(now).millis() - from.millis()),
            since: to.is_none().then(|| from.millis()),
        }
    }

    /// How long `job` waited for its (newest) attempt, or waits. Before an attempt that is not the first it also ran.
    pub(super) fn waiting(job: &Job, now: Timestamp) -> Self {
        Self::new(job.created_at, job.started_at.or(job.finished_at), now)
    }

    /// How long its (newest) attempt ran, or runs.
    pub(super) fn running(job: &Job, now: Timestamp) -> Option<Self> {
        Some(Self::new(job.started_at?, job.finished_at, now))
    }

    /// How long a step took, or takes.
    pub(super) fn of_step(step: &Step, now: Timestamp) -> Self {
        Self::new(step.started_at, step.ended_at, now)
    }
}
