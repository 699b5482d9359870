//! A job that writes lines at a pace; each line begins with the moment it was written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use docket_jobs::Jobs;

use crate::worker::Worker;

/// How many lines are written at once, how long until the next ones, and how many in all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) at_once: u32,
    pub(crate) pause: Duration,
    pub(crate) lines: u32,
}

impl Pace {
    /// Starts a worker whose job writes at this pace.
    pub(crate) fn start(self, jobs: &Jobs) -> Worker {
        Worker::start(jobs, 1, 1, move |run| async move {
            let mut ticks = tokio::time::interval(self.pause);
            for number in 0..self.lines {
                if number % self.at_once == 0 {
                    ticks.tick().await;
                }
                run.log
                    .info(format!("{} Compiling Data.Example.Module{number}", now_micros()));
            }
        })
    }
}

/// Microseconds since 1970: the one clock that two processes share.
pub(crate) fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}
