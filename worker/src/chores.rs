//! What the registry does by itself, by timetable: each task is a kind of job of its own.

mod archive_logs;
mod clean_up;
mod github;
mod import_tags;
mod package_set_update;
mod transfer_moved;

use std::future::Future;
use std::sync::Arc;

use docket_github::Client;
use docket_jobs::worker::Handler;
use docket_jobs::{Actor, Every, Failure, Role, Run, Schedule};

use crate::ping::Ping;
use crate::state::WorkerState;

pub use archive_logs::Retention;

/// Seconds one attempt may take.
const TIMEOUT_SECS: u64 = 60 * 60;

/// Attempts before a task fails because of something on our side; the next tick comes anyway.
const MAX_ATTEMPTS: i64 = 3;

/// The timetable, in the order and at the time of registry.md §5.6. What asks GitHub is in it only where GitHub can be asked.
#[must_use]
pub fn schedules(with_github: bool) -> Vec<Schedule> {
    let daily = |task, hour: u16, minute: u16| Schedule {
        task,
        every: Every::Day {
            minute: hour * 60 + minute,
        },
    };
    // What it removes from the archive is garbage for the clean-up.
    let mut schedules = vec![daily(archive_logs::TASK, 3, 30), daily(clean_up::TASK, 4, 0)];
    if with_github {
        schedules.push(daily(transfer_moved::TASK, 7, 0));
        schedules.push(daily(import_tags::TASK, 7, 10));
    }
    schedules.push(daily(package_set_update::TASK, 7, 30));
    schedules
}

/// Finds the check that hears of a task.
pub type Pings = Arc<dyn Fn(&str) -> Option<Ping> + Send + Sync>;

/// Returns what runs the tasks.
#[must_use]
pub fn handlers(state: &WorkerState, pings: &Pings, github: Option<Client>) -> Vec<Handler> {
    let mut handlers = vec![
        handler(state, pings, archive_logs::TASK, |state, run| async move {
            archive_logs::run(&state, &run).await
        }),
        handler(state, pings, clean_up::TASK, |state, run| async move {
            clean_up::run(&state, &run).await
        }),
        handler(state, pings, package_set_update::TASK, |_, run| async move {
            package_set_update::run(&run).await
        }),
    ];
    if let Some(github) = github {
        let (moved, tags) = (github.clone(), github);
        handlers.push(handler(state, pings, transfer_moved::TASK, move |_, run| {
            let github = moved.clone();
            async move { transfer_moved::run(&github, &run).await }
        }));
        handlers.push(handler(state, pings, import_tags::TASK, move |_, run| {
            let github = tags.clone();
            async move { import_tags::run(&github, &run).await }
        }));
    }
    handlers
}

/// Who asks for what a task enqueues.
fn actor(task: &str) -> Actor {
    Actor {
        role: Role::Schedule,
        name: task.to_owned(),
        key: None,
    }
}

fn handler<F, R>(state: &WorkerState, pings: &Pings, task: &'static str, work: F) -> Handler
where
    F: Fn(WorkerState, Run) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let (state, pings) = (state.clone(), pings.clone());
    let work = Arc::new(work);
    Handler::new(task, TIMEOUT_SECS, MAX_ATTEMPTS, move |run| {
        let (state, ping, work) = (state.clone(), pings(task), work.clone());
        async move {
            let about = state.job_page(&run.job.id.to_string());
            if let Some(ping) = &ping {
                ping.start();
            }
            let done = work(state, run).await;
            if let Some(ping) = &ping {
                match &done {
                    Ok(()) => ping.success(about),
                    Err(_) => ping.fail(about),
                }
            }
            done
        }
    })
}
