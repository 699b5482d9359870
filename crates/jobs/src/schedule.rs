//! Timetables: each tick of a task becomes one job, whatever the number of processes.
//!
//! A tick is a row, unique by task and time, stored in the transaction that enqueues its job. Ticks that were missed while nothing ran
//! are caught up by one job, not by one each.

use std::{fmt, time::Duration};

use docket_core::time::Timestamp;
use docket_db::Error;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{Actor, Enqueued, JobId, Jobs, NewJob, Role, store};

const MINUTE_MILLIS: i64 = 60_000;
const DAY_MILLIS: i64 = 24 * 60 * MINUTE_MILLIS;

/// How long the timetable is not looked at, at most: clocks are set, and machines sleep.
const LOOK: Duration = Duration::from_secs(30);

/// Chores come before builds, and behind what people wait for.
const PRIORITY: i64 = -3;

/// When a task is due, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// Once a day, so many minutes after midnight.
    Day {
        /// 0 to 1439.
        minute: u16,
    },
    /// Every so many minutes since 1970.
    Minutes(u16),
}

impl Every {
    fn period(self) -> (i64, i64) {
        match self {
            Self::Day { minute } => (DAY_MILLIS, i64::from(minute) * MINUTE_MILLIS),
            Self::Minutes(minutes) => (i64::from(minutes.max(1)) * MINUTE_MILLIS, 0),
        }
    }

    /// The newest tick that is not after `now`.
    pub fn last(self, now: Timestamp) -> Timestamp {
        let (length, offset) = self.period();
        let into = (now.millis() - offset).rem_euclid(length);
        Timestamp::from_millis(now.millis() - into)
    }

    /// The first tick after `now`.
    pub fn next(self, now: Timestamp) -> Timestamp {
        self.last(now).plus_millis(self.period().0)
    }
}

/// For people: `every day at 07:00 UTC`.
impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day { minute } => write!(f, "every day at {:02}:{:02} UTC", minute / 60, minute % 60),
            Self::Minutes(1) => f.write_str("every minute"),
            Self::Minutes(minutes) => write!(f, "every {minutes} minutes"),
        }
    }
}

/// A task and when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// The task: the kind of its jobs.
    pub task: &'static str,
    /// When.
    pub every: Every,
}

/// The newest tick of a task that became a job, or started the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastTick {
    /// When it was due.
    pub tick: Timestamp,
    /// Its job.
    pub job: Option<JobId>,
}

impl Jobs {
    /// Returns the newest tick of `task`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_tick(&self, task: &str) -> Result<Option<LastTick>, Error> {
        let mut tx = self.db().read().await?;
        store::schedules::last(&mut tx, task).await
    }

    /// Runs `task` now, beside its timetable, for `actor`; a run that was asked for and has not ended is returned instead.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_task(&self, task: &'static str, actor: Actor) -> Result<Enqueued, Error> {
        let mut tx = self.db().write().await?;
        let enqueued = self.enqueue(&mut tx, &job(task, "asked-for", actor)).await?;
        tx.commit().await?;
        self.wake_workers();
        Ok(enqueued)
    }

    /// Turns the newest due tick of `schedule` into a job, unless that has been done. The first tick ever seen only starts the count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tick(&self, schedule: Schedule) -> Result<Option<JobId>, Error> {
        let Schedule { task, every } = schedule;
        let due = every.last(self.clock().now());
        let last = self.last_tick(task).await?;
        if last.is_some_and(|last| last.tick >= due) {
            return Ok(None);
        }
        let mut tx = self.db().write().await?;
        if !store::schedules::insert(&mut tx, task, due).await? {
            return Ok(None);
        }
        if last.is_none() {
            tx.commit().await?;
            return Ok(None);
        }
        let actor = Actor {
            role: Role::Schedule,
            name: task.to_owned(),
            key: None,
        };
        let enqueued = self
            .enqueue(&mut tx, &job(task, &due.millis().to_string(), actor))
            .await?;
        store::schedules::set_job(&mut tx, task, due, enqueued.job).await?;
        tx.commit().await?;
        self.wake_workers();
        Ok(Some(enqueued.job))
    }

    /// Removes ticks before `before`, but never the newest of a task, and returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_ticks(&self, before: Timestamp) -> Result<u64, Error> {
        let mut tx = self.db().write().await?;
        let removed = store::schedules::prune(&mut tx, before).await?;
        tx.commit().await?;
        Ok(removed)
    }

    /// Watches the timetables until `shutdown`.
    pub async fn keep_schedules(self, schedules: Vec<Schedule>, shutdown: CancellationToken) {
        loop {
            for schedule in &schedules {
                if let Err(error) = self.tick(*schedule).await {
                    warn!(
                        task = schedule.task,
                        error = &error as &dyn std::error::Error,
                        "a tick could not be stored; trying again"
                    );
                }
            }
            let now = self.clock().now();
            let until_next = schedules
                .iter()
                .map(|schedule| schedule.every.next(now).millis() - now.millis())
                .min()
                .map_or(LOOK, |millis| Duration::from_millis(millis.unsigned_abs()));
            tokio::select! {
                () = tokio::time::sleep(until_next.min(LOOK)) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }
}

fn job(task: &'static str, occasion: &str, actor: Actor) -> NewJob {
    NewJob {
        priority: PRIORITY,
        locks: vec![format!("schedule/{task}")],
        actor: Some(actor),
        ..NewJob::new(task, "{}".to_owned(), format!("{task}/{occasion}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_daily_task_is_due_at_its_minute() {
        let every = Every::Day { minute: 7 * 60 };
        assert_eq!(every.to_string(), "every day at 07:00 UTC");
        assert_eq!(
            every.last(at("2026-08-18T06:59:59.999Z")),
            at("2026-08-17T07:00:00.000Z")
        );
        assert_eq!(
            every.last(at("2026-08-18T07:00:00.000Z")),
            at("2026-08-18T07:00:00.000Z")
        );
        assert_eq!(
            every.next(at("2026-08-18T07:00:00.000Z")),
            at("2026-08-19T07:00:00.000Z")
        );
    }

    #[test]
    fn a_task_of_minutes_is_due_at_their_multiples() {
        let every = Every::Minutes(15);
        assert_eq!(
            every.last(at("2026-08-18T07:14:59.999Z")),
            at("2026-08-18T07:00:00.000Z")
        );
        assert_eq!(
            every.next(at("2026-08-18T07:15:00.000Z")),
            at("2026-08-18T07:30:00.000Z")
        );
    }
}
