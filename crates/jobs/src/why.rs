//! Why a job does not run: the one thing that it waits for, who has it, its place in line, and how long that usually takes.

use std::{fmt, time::Duration};

use docket_core::time::Timestamp;
use docket_db::Error;

use crate::{Job, JobId, JobState, Jobs, store, worker::Lane};

/// What keeps a job, as a sentence ([`fmt::Display`]) and in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// What it waits for.
    pub wait: Wait,
    /// How long until it starts, if things go as usual: from the newest jobs of the kinds ahead of it.
    pub expected: Option<Duration>,
    /// Who asked for its cancellation, while it goes on.
    pub cancel_by: Option<String>,
    now: Timestamp,
}

/// The one thing that a job waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// Nothing: it has ended.
    Over(JobState),
    /// Nothing: it runs.
    Running {
        /// The worker that has it.
        worker: Option<String>,
        /// Since when.
        since: Option<Timestamp>,
        /// Which attempt this is.
        attempt: i64,
    },
    /// Its next attempt, or the time for which it was asked for.
    Time {
        /// When that is.
        at: Timestamp,
        /// How many attempts found a service unavailable.
        retries: i64,
    },
    /// A lock.
    Lock {
        /// Its name, such as `package/prelude`.
        name: String,
        /// The job that has it, if one has.
        holder: Option<Holder>,
        /// How many others come before it in the line.
        ahead: i64,
    },
    /// Its kind is paused.
    Paused {
        /// The kind.
        kind: String,
        /// Since when.
        since: Timestamp,
        /// Who paused it.
        by: Option<String>,
    },
    /// As many of its kind run as may.
    Limit {
        /// The kind.
        kind: String,
        /// How many may.
        max_running: i64,
    },
    /// A free worker.
    Slot {
        /// How many others come before it.
        ahead: i64,
        /// How many jobs of its lane run.
        running: i64,
    },
}

/// The job that has a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub job: JobId,
    /// Its kind, and the package it is about.
    pub what: String,
    /// Since when it runs.
    pub since: Option<Timestamp>,
}

impl Jobs {
    /// Says why a job does not run. `None` when there is no such job.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn why(&self, id: JobId) -> Result<Option<Why>, Error> {
        let mut tx = self.db().read().await?;
        let found = self.why_in(&mut tx, id).await?;
        Ok(found.map(|(_, why)| why))
    }

    /// The same, with the job, in a transaction of the caller's.
    pub(crate) async fn why_in(
        &self,
        tx: &mut docket_db::Tx,
        id: JobId,
    ) -> Result<Option<(Job, Why)>, Error> {
        let now = self.clock().now();
        let Some(job) = store::jobs::find(tx, id).await? else {
            return Ok(None);
        };
        let (wait, expected_millis) = wait(tx, &job, now).await?;
        let why = Why {
            wait,
            expected: expected_millis.map(|millis| Duration::from_millis(millis.max(0).unsigned_abs())),
            cancel_by: job.cancel_by.clone().filter(|_| job.state == JobState::Running),
            now,
        };
        Ok(Some((job, why)))
    }
}

/// What `job` waits for, and how many milliseconds that will take.
async fn wait(tx: &mut docket_db::Tx, job: &Job, now: Timestamp) -> Result<(Wait, Option<i64>), Error> {
    match job.state {
        JobState::Queued => {}
        JobState::Running => {
            let running = Wait::Running {
                worker: job.lease_by.clone(),
                since: job.started_at,
                attempt: job.attempt,
            };
            return Ok((running, None));
        }
        over => return Ok((Wait::Over(over), None)),
    }
    if job.run_after > now && job.run_after > job.created_at {
        let time = Wait::Time {
            at: job.run_after,
            retries: job.retries,
        };
        return Ok((time, Some(job.run_after.millis() - now.millis())));
    }
    let lane = Lane::of(job.priority);
    let (running, of_kind) = store::why::count_running(tx, lane, &job.kind).await?;
    let usual = store::why::usual_millis(tx, &job.kind).await?;
    let settings = store::kinds::list(tx).await?;
    if let Some(setting) = settings.into_iter().find(|setting| setting.kind == job.kind) {
        if let Some(since) = setting.paused_at {
            let (kind, by) = (setting.kind, setting.paused_by);
            return Ok((Wait::Paused { kind, since, by }, None));
        }
        if let Some(max_running) = setting.max_running.filter(|most| of_kind >= *most) {
            let kind = setting.kind;
            return Ok((Wait::Limit { kind, max_running }, usual));
        }
    }
    for name in store::why::list_locks(tx, job).await? {
        let holder = store::why::find_holder(tx, &name).await?;
        let ahead = store::why::count_ahead_for_lock(tx, &name, job).await?;
        if holder.is_none() && ahead == 0 {
            continue;
        }
        let rest = match &holder {
            Some(holder) => rest_of(tx, holder, now).await?,
            None => Some(0),
        };
        let expected = rest.zip(usual).map(|(rest, usual)| rest + ahead * usual);
        let holder = holder.map(|holder| Holder {
            job: holder.id,
            what: what(&holder),
            since: holder.started_at,
        });
        return Ok((Wait::Lock { name, holder, ahead }, expected));
    }
    let ahead = store::why::count_ahead(tx, lane, job).await?;
    let expected = usual.map(|usual| usual * (ahead + 1) / running.max(1));
    let expected = if running == 0 { None } else { expected };
    Ok((Wait::Slot { ahead, running }, expected))
}

/// How many milliseconds a running job will need, if it takes as long as others of its kind.
async fn rest_of(tx: &mut docket_db::Tx, running: &Job, now: Timestamp) -> Result<Option<i64>, Error> {
    let usual = store::why::usual_millis(tx, &running.kind).await?;
    let since = running.started_at.unwrap_or(now);
    Ok(usual.map(|usual| (usual - (now.millis() - since.millis())).max(0)))
}

fn what(job: &Job) -> String {
    what_of(
        &job.kind,
        job.package_name.as_deref(),
        job.package_version.as_deref(),
    )
}

/// What a job does, in words.
pub(crate) fn what_of(kind: &str, name: Option<&str>, version: Option<&str>) -> String {
    match (name, version) {
        (Some(name), Some(version)) => format!("{kind} of {name}@{version}"),
        (Some(name), None) => format!("{kind} of {name}"),
        _ => kind.to_owned(),
    }
}

/// One sentence, or two when something can be said about how long it will take.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ago = |since: &Timestamp| Length(self.now.millis() - since.millis());
        match &self.wait {
            Wait::Over(JobState::Succeeded) => f.write_str("It has ended well.")?,
            Wait::Over(state) => write!(f, "It has ended: {}.", state.as_str())?,
            Wait::Running {
                worker,
                since,
                attempt,
            } => {
                write!(f, "It runs")?;
                if let Some(since) = since {
                    write!(f, " for {}", ago(since))?;
                }
                if let Some(worker) = worker {
                    write!(f, " at worker {worker}")?;
                }
                write!(f, ", attempt {attempt}.")?;
                if let Some(by) = &self.cancel_by {
                    write!(
                        f,
                        " {by} asked for its cancellation: it ends at the next safe point."
                    )?;
                }
            }
            Wait::Time { at, retries: 0 } => write!(f, "It is not to start before {at}.")?,
            Wait::Time { at, retries } => write!(
                f,
                "It was tried {retries} {} and something on our side did not answer; the next attempt begins at {at}.",
                if *retries == 1 { "time" } else { "times" }
            )?,
            Wait::Lock { name, holder, ahead } => {
                write!(f, "It waits for the lock {name}")?;
                if let Some(holder) = holder {
                    write!(f, ", which {} (job {}) has", holder.what, holder.job)?;
                    if let Some(since) = &holder.since {
                        write!(f, " for {}", ago(since))?;
                    }
                }
                match ahead {
                    0 => write!(f, "; it is next in line.")?,
                    1 => write!(f, "; 1 job is ahead of it in the line.")?,
                    _ => write!(f, "; {ahead} jobs are ahead of it in the line.")?,
                }
            }
            Wait::Paused { kind, since, by } => {
                write!(f, "Jobs of kind {kind} are paused since {since}")?;
                if let Some(by) = by {
                    write!(f, " by {by}")?;
                }
                write!(f, ".")?;
            }
            Wait::Limit { kind, max_running } => write!(
                f,
                "It waits because {max_running} {} of kind {kind} {} already, which is the limit.",
                if *max_running == 1 { "job" } else { "jobs" },
                if *max_running == 1 { "runs" } else { "run" },
            )?,
            Wait::Slot { ahead: 0, running: 0 } => {
                write!(
                    f,
                    "It waits for a worker; none runs anything of its sort at the moment."
                )?;
            }
            Wait::Slot { ahead, running } => write!(
                f,
                "It waits for a free worker; {running} jobs run and {ahead} are ahead of it."
            )?,
        }
        match (&self.wait, self.expected) {
            (Wait::Lock { .. } | Wait::Limit { .. } | Wait::Slot { .. }, Some(expected)) => {
                let millis = i64::try_from(expected.as_millis()).unwrap_or(i64::MAX);
                write!(f, " If things go as usual it starts in about {}.", Length(millis))
            }
            _ => Ok(()),
        }
    }
}

/// A length of time for people, in milliseconds: `3 s`, `2 min`, `1 h 5 min`.
struct Length(i64);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = (self.0.max(0) + 500) / 1000;
        match secs {
            0 => f.write_str("less than a second"),
            1..60 => write!(f, "{secs} s"),
            60..3600 => write!(f, "{} min", secs / 60),
            _ => write!(f, "{} h {} min", secs / 3600, secs % 3600 / 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_said_in_its_largest_units() {
        let said: Vec<_> = [0, 499, 500, 59_499, 59_500, 3_599_000, 3_600_000, 9_000_000]
            .map(|millis| Length(millis).to_string())
            .into();
        assert_eq!(
            said,
            [
                "less than a second",
                "less than a second",
                "1 s",
                "59 s",
                "1 min",
                "59 min",
                "1 h 0 min",
                "2 h 30 min"
            ]
        );
    }
}
