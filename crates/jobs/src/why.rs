//! Why a job does not run: the one thing that it waits for, who has it, its place in line, and how long that usually takes.

use std::{collections::HashMap, fmt, time::Duration};

use docket_core::time::{ForPeople, Timestamp};
use docket_db::{Error, Tx};

use crate::{Job, JobId, JobState, Jobs, KindSetting, store, store::why::Waiting, worker::Lane};

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

/// What the reason of a job that waits depends on, beside the job itself.
struct Around {
    queue: Queue,
    /// The locks that it needs, by name.
    locks: Vec<LockLine>,
    /// How many may run ahead of it in its lane.
    ahead: i64,
}

/// What holds for all that wait.
#[derive(Default)]
struct Queue {
    settings: Vec<KindSetting>,
    /// How many jobs run, by priority and kind.
    running: Vec<(i64, String, i64)>,
    /// How long jobs of a kind usually run, in milliseconds; absent where none has ended well.
    usual_millis: HashMap<String, i64>,
}

struct LockLine {
    name: String,
    holder: Option<Job>,
    ahead: i64,
}

impl Queue {
    async fn read(tx: &mut Tx) -> Result<Self, Error> {
        Ok(Self {
            settings: store::kinds::list(tx).await?,
            running: store::why::count_running(tx).await?,
            usual_millis: HashMap::new(),
        })
    }

    /// Makes `usual_millis` hold for `kind`.
    async fn learn(&mut self, tx: &mut Tx, kind: &str) -> Result<(), Error> {
        if !self.usual_millis.contains_key(kind)
            && let Some(millis) = store::why::usual_millis(tx, kind).await?
        {
            self.usual_millis.insert(kind.to_owned(), millis);
        }
        Ok(())
    }

    fn usual(&self, kind: &str) -> Option<i64> {
        self.usual_millis.get(kind).copied()
    }

    fn running(&self, counts: impl Fn(i64, &str) -> bool) -> i64 {
        let counted = self
            .running
            .iter()
            .filter(|(priority, kind, _)| counts(*priority, kind));
        counted.map(|(.., count)| count).sum()
    }
}

impl Jobs {
    /// Says why a job does not run. `None` when there is no such job.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn why(&self, id: JobId) -> Result<Option<Why>, Error> {
        let mut tx = self.db().read().await?;
        let now = self.clock().now();
        let Some(job) = store::jobs::find(&mut tx, id).await? else {
            return Ok(None);
        };
        if let Some(said) = without_looking_around(&job, now) {
            return Ok(Some(why(&job, said, now)));
        }
        let mut queue = Queue::read(&mut tx).await?;
        queue.learn(&mut tx, &job.kind).await?;
        let mut locks = Vec::new();
        for name in store::why::list_locks(&mut tx, &job).await? {
            let holder = store::why::find_holder(&mut tx, &name).await?;
            if let Some(holder) = &holder {
                queue.learn(&mut tx, &holder.kind).await?;
            }
            let ahead = store::why::count_ahead_for_lock(&mut tx, &name, &job).await?;
            locks.push(LockLine { name, holder, ahead });
        }
        let ahead = store::why::count_ahead(&mut tx, Lane::of(job.priority), &job).await?;
        let around = Around { queue, locks, ahead };
        Ok(Some(why(&job, wait(&job, &around, now), now)))
    }

    /// Returns the first `limit` of the jobs that wait, in the order in which they would start, each with the reason.
    ///
    /// Whoever is ahead of one of them is among them: so it costs a few queries, however many they are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting(&self, tx: &mut Tx, limit: i64) -> Result<Vec<(Job, Why)>, Error> {
        let now = self.clock().now();
        let waiting = store::why::list_waiting(tx, limit).await?;
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<JobId> = waiting.iter().map(|one| one.job.id).collect();
        let locks = store::why::list_locks_of(tx, &ids).await?;
        let holders = store::why::list_holders(tx).await?;
        let mut queue = Queue::read(tx).await?;
        let held = locks.iter().filter_map(|(_, name)| holders.get(name));
        for job in waiting.iter().map(|one| &one.job).chain(held) {
            queue.learn(tx, &job.kind).await?;
        }
        let needs = |job: &Job, name: &str| locks.iter().any(|(id, lock)| *id == job.id && lock == name);
        let mut around = Around {
            queue,
            locks: Vec::new(),
            ahead: 0,
        };
        let mut told = Vec::new();
        for (place, one) in waiting.iter().enumerate() {
            let before = &waiting[..place];
            let job = &one.job;
            let own = locks.iter().filter(|(id, _)| *id == job.id);
            around.locks = own
                .map(|(_, name)| LockLine {
                    name: name.clone(),
                    holder: holders.get(name).cloned(),
                    ahead: count(before, |other| other.is_in_line() && needs(&other.job, name)),
                })
                .collect();
            let lane = Lane::of(job.priority);
            around.ahead = count(before, |other| {
                other.parked_on.is_none() && Lane::of(other.job.priority) == lane
            });
            let said = without_looking_around(job, now).unwrap_or_else(|| wait(job, &around, now));
            told.push((job.clone(), why(job, said, now)));
        }
        Ok(told)
    }
}

fn count(waiting: &[Waiting], counts: impl Fn(&&Waiting) -> bool) -> i64 {
    waiting
        .iter()
        .filter(counts)
        .count()
        .try_into()
        .expect("a page of jobs has few")
}

/// What a job waits for, and how many milliseconds that will take.
type Said = (Wait, Option<i64>);

fn why(job: &Job, (wait, expected_millis): Said, now: Timestamp) -> Why {
    Why {
        wait,
        expected: expected_millis.map(|millis| Duration::from_millis(millis.max(0).unsigned_abs())),
        cancel_by: job.cancel_by.clone().filter(|_| job.state == JobState::Running),
        now,
    }
}

/// What can be told of the job alone.
fn without_looking_around(job: &Job, now: Timestamp) -> Option<Said> {
    match job.state {
        JobState::Queued => {}
        JobState::Running => {
            let running = Wait::Running {
                worker: job.lease_by.clone(),
                since: job.started_at,
                attempt: job.attempt,
            };
            return Some((running, None));
        }
        over => return Some((Wait::Over(over), None)),
    }
    if job.run_after > now && job.run_after > job.created_at {
        let time = Wait::Time {
            at: job.run_after,
            retries: job.retries,
        };
        return Some((time, Some(job.run_after.millis() - now.millis())));
    }
    None
}

fn wait(job: &Job, around: &Around, now: Timestamp) -> Said {
    let Around { queue, locks, ahead } = around;
    let usual = queue.usual(&job.kind);
    let setting = queue.settings.iter().find(|setting| setting.kind == job.kind);
    if let Some(setting) = setting {
        let kind = setting.kind.clone();
        if let Some(since) = setting.paused_at {
            let by = setting.paused_by.clone();
            return (Wait::Paused { kind, since, by }, None);
        }
        let of_kind = queue.running(|_, kind| kind == job.kind);
        if let Some(max_running) = setting.max_running.filter(|most| of_kind >= *most) {
            return (Wait::Limit { kind, max_running }, usual);
        }
    }
    let blocking = locks.iter().find(|lock| lock.holder.is_some() || lock.ahead > 0);
    if let Some(lock) = blocking {
        let rest = match &lock.holder {
            Some(holder) => rest_of(queue, holder, now),
            None => Some(0),
        };
        let expected = rest.zip(usual).map(|(rest, usual)| rest + lock.ahead * usual);
        let holder = lock.holder.as_ref().map(|holder| Holder {
            job: holder.id,
            what: what(holder),
            since: holder.started_at,
        });
        let (name, ahead) = (lock.name.clone(), lock.ahead);
        return (Wait::Lock { name, holder, ahead }, expected);
    }
    let (ahead, lane) = (*ahead, Lane::of(job.priority));
    let running = queue.running(|priority, _| Lane::of(priority) == lane);
    let expected = usual.map(|usual| usual * (ahead + 1) / running.max(1));
    let expected = if running == 0 { None } else { expected };
    (Wait::Slot { ahead, running }, expected)
}

/// How many milliseconds a running job will need, if it takes as long as others of its kind.
fn rest_of(queue: &Queue, running: &Job, now: Timestamp) -> Option<i64> {
    let since = running.started_at.unwrap_or(now);
    let usual = queue.usual(&running.kind)?;
    Some((usual - (now.millis() - since.millis())).max(0))
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
                match since {
                    Some(since) => write!(f, "It has run for {}", ago(since))?,
                    None => write!(f, "It runs")?,
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
            Wait::Time { at, retries: 0 } => write!(f, "It is not to start before {}.", ForPeople(*at))?,
            Wait::Time { at, retries } => write!(
                f,
                "It was tried {retries} {} and something on our side did not answer; the next attempt begins at {}.",
                if *retries == 1 { "time" } else { "times" },
                ForPeople(*at)
            )?,
            Wait::Lock { name, holder, ahead } => {
                write!(f, "It waits for the lock {name}")?;
                if let Some(holder) = holder {
                    match &holder.since {
                        Some(since) => write!(
                            f,
                            ", which {} (job {}) has had for {}",
                            holder.what,
                            holder.job,
                            ago(since)
                        )?,
                        None => write!(f, ", which {} (job {}) has", holder.what, holder.job)?,
                    }
                }
                match ahead {
                    0 => write!(f, "; it is next in line.")?,
                    1 => write!(f, "; 1 job is ahead of it in the line.")?,
                    _ => write!(f, "; {ahead} jobs are ahead of it in the line.")?,
                }
            }
            Wait::Paused { kind, since, by } => {
                write!(
                    f,
                    "Jobs of kind {kind} have been paused since {}",
                    ForPeople(*since)
                )?;
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
