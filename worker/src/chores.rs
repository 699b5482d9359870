//! What the registry does by itself, by timetable: each task is a kind of job of its own.

mod clean_up;

use std::future::Future;
use std::sync::Arc;

use docket_jobs::worker::Handler;
use docket_jobs::{Every, Failure, Run, Schedule};

use crate::ping::Ping;
use crate::state::WorkerState;

/// Seconds one attempt may take.
const TIMEOUT_SECS: u64 = 60 * 60;

/// Attempts before a task fails because of something on our side; the next tick comes anyway.
const MAX_ATTEMPTS: i64 = 3;

/// The timetable unless told otherwise.
#[must_use]
pub fn default_schedules() -> Vec<Schedule> {
    vec![Schedule {
        task: clean_up::TASK,
        every: Every::Day { minute: 4 * 60 },
    }]
}

/// Finds the check that hears of a task.
pub type Pings = Arc<dyn Fn(&str) -> Option<Ping> + Send + Sync>;

/// Returns what runs the tasks.
#[must_use]
pub fn handlers(state: &WorkerState, pings: &Pings) -> Vec<Handler> {
    vec![handler(state, pings, clean_up::TASK, |state, run| async move {
        clean_up::run(&state, &run).await
    })]
}

fn handler<F, R>(state: &WorkerState, pings: &Pings, task: &'static str, work: F) -> Handler
where
    F: Fn(WorkerState, Run) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let (state, pings) = (state.clone(), pings.clone());
    let work = Arc::new(work);
    Handler {
        kind: task,
        timeout_secs: TIMEOUT_SECS,
        max_attempts: MAX_ATTEMPTS,
        run: Arc::new(move |run| {
            let (state, ping, work) = (state.clone(), pings(task), work.clone());
            Box::pin(async move {
                let about = state.job_page(&run.job.id.to_string());
                if let Some(ping) = &ping {
                    ping.start();
                }
                let cancelled = run.cancelled.clone();
                let done = tokio::select! {
                    done = work(state, run) => done,
                    () = cancelled.cancelled() => return Err(Failure::LeaseLost),
                };
                if let Some(ping) = &ping {
                    match &done {
                        Ok(()) => ping.success(about),
                        Err(_) => ping.fail(about),
                    }
                }
                done
            })
        }),
    }
}
