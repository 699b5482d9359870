//! The steps of a job and how long things took, as the page tells them.

use std::fmt;

use docket_core::time::Timestamp;
use docket_jobs::{Job, Step};

/// A length of time for people, in milliseconds: `85 ms`, `3.2 s`, `2 min 5 s`, `1 h 5 min`. The scripts of the page say it alike (`times.js`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length(i64);

impl Length {
    /// From one moment to another; nothing where clocks say that it was negative.
    pub(super) fn between(from: Timestamp, to: Timestamp) -> Self {
        Self((to.millis() - from.millis()).max(0))
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0;
        let secs = millis / 1000;
        match millis {
            0..1000 => write!(f, "{millis} ms"),
            1000..60_000 => write!(f, "{secs}.{} s", millis % 1000 / 100),
            60_000..3_600_000 => write!(f, "{} min {} s", secs / 60, secs % 60),
            _ => write!(f, "{} h {} min", secs / 3600, secs % 3600 / 60),
        }
    }
}

/// A length that may still grow.
#[derive(Debug)]
pub(super) struct Duration {
    pub(super) length: Length,
    /// Since when it grows, in milliseconds; absent when it does not.
    pub(super) since: Option<i64>,
}

impl Duration {
    fn new(from: Timestamp, to: Option<Timestamp>, now: Timestamp) -> Self {
        Self {
            length: Length::between(from, to.unwrap_or(now)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_said_in_two_units_at_most() {
        let said =
            [0, 999, 1000, 59_999, 60_000, 3_599_999, 3_600_000].map(|millis| Length(millis).to_string());
        assert_eq!(
            said,
            [
                "0 ms",
                "999 ms",
                "1.0 s",
                "59.9 s",
                "1 min 0 s",
                "59 min 59 s",
                "1 h 0 min"
            ]
        );
        let at = Timestamp::from_millis;
        assert_eq!(Length::between(at(5), at(3)), Length(0));
    }
}
