//! A model of the job tables in memory: what the statements of `store` mean, in as few words as Rust allows.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use docket_core::time::Timestamp;
use docket_db::Error;

use super::Store;
use crate::{
    Cancel, Enqueued, Job, JobId, JobState, LogLine, NewJob, Retry,
    decide::{Candidate, Ending, KindRule, ParkedOn, Reserved, Scene},
    store::{claim::Taking, ends::End, lease::Held, lines::Append},
    worker::Lane,
};

/// A job and everything that decides about it.
#[derive(Debug, Clone)]
pub(super) struct ModelJob {
    pub(super) job: Job,
    pub(super) locks: Vec<String>,
    pub(super) reserved: BTreeSet<String>,
    pub(super) dedup_key: String,
    pub(super) parked_on: Option<ParkedOn>,
    pub(super) lease_until: Timestamp,
    pub(super) effects_at: Option<Timestamp>,
    /// Seq and time of its lines.
    pub(super) log: Vec<(i64, Timestamp)>,
    /// How often its effects were committed: never more than once.
    pub(super) effects: u32,
}

impl ModelJob {
    /// Its place in the queue: highest priority first, then oldest first.
    pub(super) fn order(&self) -> (Reverse<i64>, JobId) {
        (Reverse(self.job.priority), self.job.id)
    }

    pub(super) fn is_queued(&self) -> bool {
        self.job.state == JobState::Queued
    }

    fn waits_for_time(&self) -> bool {
        self.is_queued() && self.parked_on == Some(ParkedOn::Time)
    }

    fn runs(&self, attempt: i64) -> bool {
        self.job.state == JobState::Running && self.job.attempt == attempt
    }

    fn add_lines(&mut self, lines: &[LogLine]) {
        for line in lines {
            (self.job.log_seq, self.job.log_at) = (line.seq, line.at);
            self.log.push((line.seq, line.at));
        }
    }

    fn add_line(&mut self, at: Timestamp) {
        self.job.log_seq += 1;
        self.job.log_at = at.max(self.job.log_at.next_millisecond());
        self.log.push((self.job.log_seq, self.job.log_at));
    }
}

/// The tables. A clone is a transaction: what is not put back did not happen.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) jobs: BTreeMap<JobId, ModelJob>,
    pub(super) kinds: BTreeMap<String, KindRule>,
}

impl Model {
    /// Stores a job under `id`, unless one of the same operation is active.
    pub(super) fn enqueue(&mut self, id: JobId, new: &NewJob, now: Timestamp) -> Enqueued {
        let active = |job: &&ModelJob| !job.job.state.is_finished() && job.dedup_key == new.dedup_key;
        if let Some(active) = self.jobs.values().find(active) {
            let job = active.job.id;
            return Enqueued { job, created: false };
        }
        let run_after = new.run_after.unwrap_or(now);
        let job = Job {
            id,
            kind: new.kind.to_owned(),
            state: JobState::Queued,
            payload: new.payload.clone(),
            package_name: None,
            package_version: None,
            compiler: None,
            actor: None,
            parent: None,
            attempt: 0,
            resets: 0,
            retries: 0,
            run_after,
            created_at: now,
            started_at: None,
            finished_at: None,
            error_code: None,
            error_detail: None,
            log_seq: 0,
            log_at: Timestamp::from_millis(0),
            priority: new.priority,
            lease_by: None,
            cancel_by: None,
        };
        let mut locks = new.locks.clone();
        locks.sort_unstable();
        self.jobs.insert(
            id,
            ModelJob {
                job,
                locks,
                reserved: BTreeSet::new(),
                dedup_key: new.dedup_key.clone(),
                parked_on: (run_after > now).then_some(ParkedOn::Time),
                lease_until: now,
                effects_at: None,
                log: Vec::new(),
                effects: 0,
            },
        );
        Enqueued {
            job: id,
            created: true,
        }
    }

    /// Renews leases, and says which attempts are current and who wants them cancelled.
    pub(super) fn renew(&mut self, held: &[Held], until: Timestamp) -> HashMap<JobId, Option<String>> {
        let mut current = HashMap::new();
        for held in held {
            if let Some(job) = self.jobs.get_mut(&held.id).filter(|job| job.runs(held.attempt)) {
                job.lease_until = until;
                current.insert(held.id, job.job.cancel_by.clone());
            }
        }
        current
    }

    /// Appends to the logs of running jobs, and says whose attempt is no longer current.
    pub(super) fn append(&mut self, appends: &[Append]) -> Vec<JobId> {
        let mut lost = Vec::new();
        for append in appends {
            let (Some(first), Some(last)) = (append.lines.first(), append.lines.last()) else {
                continue;
            };
            let job = self.jobs.get_mut(&append.id);
            match job.filter(|job| job.runs(append.attempt)) {
                Some(job) if job.job.log_seq == first.seq - 1 => job.add_lines(&append.lines),
                Some(job) if job.job.log_seq == last.seq => {}
                _ => lost.push(append.id),
            }
        }
        lost
    }

    /// Opens the fence for effects.
    pub(super) fn begin_effects(&mut self, id: JobId, attempt: i64, now: Timestamp) -> bool {
        let open = |job: &&mut ModelJob| {
            job.runs(attempt) && (job.job.cancel_by.is_none() || job.effects_at.is_some())
        };
        match self.jobs.get_mut(&id).filter(open) {
            Some(job) => {
                job.effects_at = Some(now);
                true
            }
            None => false,
        }
    }

    pub(super) fn cancel(&mut self, id: JobId, by: &str, now: Timestamp) -> Cancel {
        let Some(job) = self.jobs.get_mut(&id) else {
            return Cancel::Unknown;
        };
        match job.job.state {
            JobState::Queued if job.effects_at.is_none() => {
                job.add_line(now);
                job.job.state = JobState::Cancelled;
                job.job.cancel_by = Some(by.to_owned());
                job.job.finished_at = Some(now);
                job.reserved.clear();
                self.unpark_lines(&[id]);
                Cancel::Ended
            }
            JobState::Running if job.effects_at.is_none() => {
                job.job.cancel_by = Some(by.to_owned());
                Cancel::Asked
            }
            JobState::Queued | JobState::Running => Cancel::TooLate,
            over => Cancel::WasOver(over),
        }
    }

    pub(super) fn retry(&mut self, id: JobId, now: Timestamp) -> Retry {
        let Some(job) = self.jobs.get(&id) else {
            return Retry::Unknown;
        };
        if !matches!(job.job.state, JobState::Failed | JobState::Cancelled) {
            return Retry::NotFailed(job.job.state);
        }
        let twin = |other: &&ModelJob| !other.job.state.is_finished() && other.dedup_key == job.dedup_key;
        if let Some(twin) = self.jobs.values().find(twin) {
            return Retry::Superseded(twin.job.id);
        }
        let job = self.jobs.get_mut(&id).expect("it was there");
        job.job.state = JobState::Queued;
        job.job.run_after = now;
        (job.job.resets, job.job.retries) = (0, 0);
        (job.job.started_at, job.job.finished_at, job.job.cancel_by) = (None, None, None);
        job.parked_on = None;
        job.add_line(now);
        Retry::Queued
    }

    pub(super) fn set_priority(&mut self, id: JobId, priority: i64) -> bool {
        let Some(job) = self.jobs.get_mut(&id) else {
            return false;
        };
        let queued = job.is_queued();
        if queued {
            job.job.priority = priority;
        }
        self.unpark_lines(&[id]);
        queued
    }

    /// Pauses, resumes or limits a kind.
    pub(super) fn set_kind(&mut self, kind: &str, change: impl FnOnce(&mut KindRule)) {
        let rule = self.kinds.entry(kind.to_owned()).or_default();
        change(rule);
        if !rule.paused {
            self.unpark_first(&ParkedOn::Kind(kind.to_owned()), None, usize::MAX);
        }
    }

    /// Puts the first `places` jobs of a line, in one lane or in all, back among those that are looked at.
    fn unpark_first(&mut self, line: &ParkedOn, lane: Option<Lane>, places: usize) -> u64 {
        let mut waiting: Vec<&mut ModelJob> = self
            .jobs
            .values_mut()
            .filter(|job| job.is_queued() && job.parked_on.as_ref() == Some(line))
            .filter(|job| lane.is_none_or(|lane| lane.priorities().contains(&job.job.priority)))
            .collect();
        waiting.sort_by_key(|job| job.order());
        waiting
            .into_iter()
            .take(places)
            .map(|job| job.parked_on = None)
            .count() as u64
    }

    /// Puts whoever is first back among those that are looked at, for each lock of jobs that left its line.
    fn unpark_lines(&mut self, left: &[JobId]) -> u64 {
        let freed: BTreeSet<String> = left.iter().flat_map(|id| self.jobs[id].locks.clone()).collect();
        let lines = freed
            .into_iter()
            .flat_map(|lock| [Lane::Foreground, Lane::Background].map(|lane| (lock.clone(), lane)));
        lines
            .map(|(lock, lane)| self.unpark_first(&ParkedOn::Lock(lock), Some(lane), 1))
            .sum()
    }
}

impl Store for Model {
    async fn serialise(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn apply_ends(&mut self, ends: &[End], now: Timestamp) -> Result<Vec<JobId>, Error> {
        let mut left = Vec::new();
        for end in ends {
            let current = |job: &&mut ModelJob| {
                job.runs(end.attempt)
                    && (end.ending.state() != JobState::Cancelled || job.effects_at.is_none())
                    && (end.lines.first()).is_none_or(|first| first.seq == job.job.log_seq + 1)
            };
            let Some(job) = self.jobs.get_mut(&end.id).filter(current) else {
                continue;
            };
            job.add_lines(&end.lines);
            let run_after = match end.ending {
                Ending::Retry { run_after } => Some(run_after),
                Ending::Lapsed | Ending::GivenBack => Some(now),
                _ => None,
            };
            job.job.state = end.ending.state();
            job.parked_on = run_after.filter(|at| *at > now).map(|_| ParkedOn::Time);
            match run_after {
                Some(at) => (job.job.run_after, job.job.started_at) = (at, None),
                None => job.job.finished_at = Some(now),
            }
            job.job.resets += i64::from(end.ending == Ending::Lapsed);
            job.job.retries += i64::from(matches!(end.ending, Ending::Retry { .. }));
            job.job.lease_by = None;
            left.push(end.id);
        }
        Ok(left)
    }

    async fn unpark_due(&mut self, now: Timestamp) -> Result<(), Error> {
        for job in self.jobs.values_mut() {
            if job.waits_for_time() && job.job.run_after <= now {
                job.parked_on = None;
            }
        }
        Ok(())
    }

    async fn unpark_kind(&mut self, kind: &str, places: i64) -> Result<(), Error> {
        let places = usize::try_from(places).unwrap_or_default();
        self.unpark_first(&ParkedOn::Kind(kind.to_owned()), None, places);
        Ok(())
    }

    async fn scene(&mut self) -> Result<Scene, Error> {
        let in_line = |job: &&ModelJob| {
            job.is_queued() && !matches!(job.parked_on, Some(ParkedOn::Time | ParkedOn::Kind(_)))
        };
        let mut scene = Scene::default();
        for job in self.jobs.values().filter(in_line) {
            for lock in &job.reserved {
                scene.reserves(Reserved {
                    lock: lock.clone(),
                    id: job.job.id,
                    priority: job.job.priority,
                });
            }
        }
        for (kind, rule) in &self.kinds {
            scene.rules(kind.clone(), *rule);
        }
        let due = self.jobs.values().filter(|job| job.waits_for_time());
        scene.next_due = due.map(|job| job.job.run_after).min();
        for job in self
            .jobs
            .values()
            .filter(|job| job.job.state == JobState::Running)
        {
            scene.run(job.job.kind.clone(), 1, job.locks.iter().cloned());
        }
        Ok(scene)
    }

    async fn candidates(
        &mut self,
        lane: Lane,
        kinds: &[&str],
        limit: usize,
    ) -> Result<Vec<Candidate>, Error> {
        let ready = |job: &&ModelJob| {
            job.is_queued()
                && job.parked_on.is_none()
                && lane.priorities().contains(&job.job.priority)
                && kinds.contains(&job.job.kind.as_str())
        };
        let mut jobs: Vec<&ModelJob> = self.jobs.values().filter(ready).collect();
        jobs.sort_by_key(|job| job.order());
        let candidates = jobs.into_iter().take(limit).map(|job| Candidate {
            id: job.job.id,
            kind: job.job.kind.clone(),
            priority: job.job.priority,
            run_after: Some(job.job.run_after)
                .filter(|at| *at > job.job.created_at)
                .unwrap_or(Timestamp::from_millis(0)),
            locks: job.locks.clone(),
        });
        Ok(candidates.collect())
    }

    async fn park(&mut self, parked: &[(JobId, ParkedOn)]) -> Result<(), Error> {
        for (id, on) in parked {
            let Some(job) = self.jobs.get_mut(id).filter(|job| job.is_queued()) else {
                continue;
            };
            job.parked_on = Some(on.clone());
            if let ParkedOn::Lock(name) = on {
                let others = job.locks.iter().filter(|lock| *lock != name);
                job.reserved.extend(others.cloned());
            }
        }
        Ok(())
    }

    async fn unpark_after(&mut self, left: &[JobId]) -> Result<u64, Error> {
        Ok(self.unpark_lines(left))
    }

    async fn unreserve(&mut self, ids: &[JobId]) -> Result<(), Error> {
        for id in ids {
            if let Some(job) = self.jobs.get_mut(id) {
                job.reserved.clear();
            }
        }
        Ok(())
    }

    async fn take(&mut self, ids: &[JobId], taking: Taking<'_>) -> Result<Vec<Job>, Error> {
        let mut taken = Vec::new();
        for id in ids {
            let Some(job) = self.jobs.get_mut(id).filter(|job| job.is_queued()) else {
                continue;
            };
            job.job.state = JobState::Running;
            job.job.attempt += 1;
            job.job.started_at = Some(taking.now.max(job.job.created_at));
            job.job.lease_by = Some(taking.worker.to_owned());
            job.lease_until = taking.lease_until;
            taken.push(job.job.clone());
        }
        Ok(taken)
    }

    async fn held_by(&mut self, worker: &str) -> Result<Vec<(JobId, i64)>, Error> {
        let held = |job: &&ModelJob| {
            job.job.state == JobState::Running && job.job.lease_by.as_deref() == Some(worker)
        };
        let held = self.jobs.values().filter(held);
        Ok(held.map(|job| (job.job.id, job.job.attempt)).collect())
    }

    async fn lapsed(&mut self, now: Timestamp) -> Result<Vec<Job>, Error> {
        let lapsed = |job: &&ModelJob| job.job.state == JobState::Running && job.lease_until < now;
        Ok(self
            .jobs
            .values()
            .filter(lapsed)
            .map(|job| job.job.clone())
            .collect())
    }
}
