//! What the scheduler decides, as pure code: which of the jobs that wait may run, and what follows from how an attempt ended.
//!
//! The stores bring the facts and carry out the decisions, inside one transaction that no other scheduler's overlaps.

use std::collections::{BTreeMap, HashMap, HashSet};

use docket_core::time::Timestamp;

use crate::{JobId, JobState};

/// A queued job that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: JobId,
    pub(crate) kind: String,
    pub(crate) priority: i64,
    /// Not run before this time; long past for a job that was to run at once, whatever the clock of who asked for it.
    pub(crate) run_after: Timestamp,
    /// The locks it needs.
    pub(crate) locks: Vec<String>,
}

/// What a job waits for, when it is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ParkedOn {
    /// Its `run_after`.
    Time,
    /// A lock that another job holds, or stands in line for ahead of it.
    Lock(String),
    /// Its kind is paused, or as many of it run as may.
    Kind(String),
}

impl ParkedOn {
    /// As it is stored.
    pub(crate) fn to_stored(&self) -> String {
        match self {
            Self::Time => "time".to_owned(),
            Self::Lock(name) => format!("lock/{name}"),
            Self::Kind(kind) => format!("kind/{kind}"),
        }
    }
}

/// What operators said about a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct KindRule {
    pub(crate) paused: bool,
    /// How many may run in all processes together.
    pub(crate) max_running: Option<i64>,
}

/// A job that waits in the line of another lock and keeps its place in this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reserved {
    pub(crate) lock: String,
    pub(crate) id: JobId,
    pub(crate) priority: i64,
}

/// The facts that decide whether a job may run.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    held: HashSet<String>,
    running: HashMap<String, i64>,
    rules: BTreeMap<String, KindRule>,
    reserved: Vec<Reserved>,
    /// When the next job becomes ready that waits for time alone.
    pub(crate) next_due: Option<Timestamp>,
}

/// What becomes of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It runs.
    Claim,
    /// It is not looked at again before what it waits for is there.
    Park(ParkedOn),
}

impl Scene {
    /// Adds what operators said about a kind.
    pub(crate) fn rules(&mut self, kind: String, rule: KindRule) {
        self.rules.insert(kind, rule);
    }

    /// Adds a place that is kept in a line.
    pub(crate) fn reserves(&mut self, place: Reserved) {
        self.reserved.push(place);
    }

    /// True when places are kept for a job in the lines of some of its locks.
    pub(crate) fn keeps_places_of(&self, job: JobId) -> bool {
        self.reserved.iter().any(|place| place.id == job)
    }

    /// Adds `count` running jobs of `kind`, which hold these locks.
    pub(crate) fn run(&mut self, kind: String, count: i64, locks: impl IntoIterator<Item = String>) {
        *self.running.entry(kind).or_default() += count;
        self.held.extend(locks);
    }

    /// The kinds of which only so many may run, and how many places they have left.
    pub(crate) fn free_places(&self) -> Vec<(String, i64)> {
        let places = self.rules.iter().filter(|(_, rule)| !rule.paused);
        let places = places.filter_map(|(kind, rule)| {
            let running = self.running.get(kind).copied().unwrap_or_default();
            Some((kind.clone(), rule.max_running? - running))
        });
        places.filter(|(_, free)| *free > 0).collect()
    }

    /// Decides about the next candidate; they must come in the order of the queue: highest priority first, then oldest first.
    pub(crate) fn judge(&mut self, candidate: &Candidate, now: Timestamp) -> Verdict {
        if candidate.run_after > now {
            self.leaves_lines(candidate);
            return Verdict::Park(ParkedOn::Time);
        }
        let rule = self.rules.get(&candidate.kind).copied().unwrap_or_default();
        let running = self.running.get(&candidate.kind).copied().unwrap_or_default();
        if rule.paused || rule.max_running.is_some_and(|most| running >= most) {
            self.leaves_lines(candidate);
            return Verdict::Park(ParkedOn::Kind(candidate.kind.clone()));
        }
        if let Some(lock) = candidate.locks.iter().find(|lock| self.is_taken(lock, candidate)) {
            let others = candidate.locks.iter().filter(|other| *other != lock);
            self.reserved.extend(others.map(|other| Reserved {
                lock: other.clone(),
                id: candidate.id,
                priority: candidate.priority,
            }));
            return Verdict::Park(ParkedOn::Lock(lock.clone()));
        }
        self.run(candidate.kind.clone(), 1, candidate.locks.iter().cloned());
        Verdict::Claim
    }

    /// A job that waits for its time or its kind keeps no place in any line.
    fn leaves_lines(&mut self, candidate: &Candidate) {
        self.reserved.retain(|other| other.id != candidate.id);
    }

    fn is_taken(&self, lock: &str, candidate: &Candidate) -> bool {
        let is_ahead = |other: &Reserved| {
            other.id != candidate.id
                && (other.priority > candidate.priority
                    || (other.priority == candidate.priority && other.id < candidate.id))
        };
        self.held.contains(lock)
            || self
                .reserved
                .iter()
                .any(|other| other.lock == lock && is_ahead(other))
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The job ends well.
    Succeeded,
    /// The job ends with a code of `docs/problems.md`.
    Failed { code: String, detail: String },
    /// The job ends because somebody said so.
    Cancelled { detail: String },
    /// A service of ours was unavailable: the job is queued again, not to run before this time.
    Retry { run_after: Timestamp },
    /// Its worker fell silent: the job is queued again at once.
    Lapsed,
    /// Its server stops, which is nobody's failure: the job is queued again at once.
    GivenBack,
}

impl Ending {
    /// The state that follows.
    pub(crate) fn state(&self) -> JobState {
        match self {
            Self::Succeeded => JobState::Succeeded,
            Self::Failed { .. } => JobState::Failed,
            Self::Cancelled { .. } => JobState::Cancelled,
            Self::Retry { .. } | Self::Lapsed | Self::GivenBack => JobState::Queued,
        }
    }
}

/// After this many lapsed leases a job is given up: it takes its worker down each time (registry.md §6.2).
pub(crate) const MAX_RESETS: i64 = 3;

/// The longest wait between two attempts, in milliseconds.
const MAX_RETRY_MILLIS: i64 = 5 * 60 * 1000;

/// What follows when the lease of attempt number `attempt` lapsed, after `resets` before it: the ending, and what the log says of it.
pub(crate) fn after_lapse(attempt: i64, resets: i64) -> (Ending, String) {
    if resets + 1 < MAX_RESETS {
        let line = format!("Attempt {attempt} stopped without a word; the job is queued again.");
        return (Ending::Lapsed, line);
    }
    let detail = format!(
        "Attempt {attempt} stopped without a word, as {resets} before it did; the job is given up. An operator should look at the worker's log."
    );
    let code = "livelocked".to_owned();
    (
        Ending::Failed {
            code,
            detail: detail.clone(),
        },
        detail,
    )
}

/// For how long a job waits after its `tried`th attempt that found a service unavailable, in milliseconds; `None` when it was the last of
/// `max_attempts`. The first wait is `first_millis`, and each is twice as long as the one before, up to five minutes.
pub(crate) fn retry_millis(tried: i64, max_attempts: i64, first_millis: i64) -> Option<i64> {
    let doubled = first_millis.saturating_mul(1 << (tried - 1).clamp(0, 20));
    (tried < max_attempts).then_some(doubled.min(MAX_RETRY_MILLIS))
}
