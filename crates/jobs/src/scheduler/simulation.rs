//! The scheduler in a world that goes wrong, from a seed: workers that die, stop for longer than their lease and come back, clocks that jump, answers
//! that are lost, operators who cancel, pause and retry. After every step the invariants of docs/jobs.md hold; in the end everything has ended.
//!
//! A failing seed is printed. Run it alone with `DOCKET_SEED=N cargo test --workspace --lib simulation`.

use std::collections::{BTreeMap, HashSet};

use docket_core::time::Timestamp;
use futures_util::FutureExt;

use super::{Request, cycle, invariants, model::Model, model::ModelJob, reap};
use crate::{
    Job, JobId, Level, LogLine, NewJob,
    decide::{self, Ending},
    log,
    store::{claim::Taking, ends::End, lease::Held, lines::Append},
    worker::Lane,
};

const SEEDS: u64 = 10_000;
const STEPS: usize = 150;
const JOBS: usize = 9;
const LEASE_MILLIS: i64 = 10_000;
const KINDS: [&str; 3] = ["publish", "transfer", "matrix"];
const LANES: [Lane; 2] = [Lane::Foreground, Lane::Background];
const SLOTS: usize = 2;

/// What is left of a worker's attempt in its memory.
#[derive(Debug, Clone)]
struct Attempt {
    job: Job,
    /// Lines that were sent and not acknowledged.
    unacknowledged: Option<Append>,
    /// It saw its effects in place.
    effective: bool,
    lost: bool,
    /// It has ended, and the end is not stored yet.
    ended: Option<(Ending, Vec<LogLine>)>,
}

#[derive(Debug, Default)]
struct Worker {
    name: String,
    /// What its clock shows beyond the true time, in milliseconds.
    skew: i64,
    stopped: bool,
    in_doubt: bool,
    attempts: BTreeMap<JobId, Attempt>,
}

/// How a transaction comes to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Committed,
    /// It never happened.
    Failed,
    /// It happened, and nobody was told.
    AnswerLost,
}

struct World {
    rng: fastrand::Rng,
    model: Model,
    now: Timestamp,
    workers: Vec<Worker>,
    names: usize,
    accepted: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            rng: fastrand::Rng::with_seed(seed),
            model: Model::default(),
            now: Timestamp::from_millis(1_800_000_000_000),
            workers: Vec::new(),
            names: 0,
            accepted: 0,
        };
        for _ in 0..3 {
            let worker = world.new_worker();
            world.workers.push(worker);
        }
        world
    }

    fn new_worker(&mut self) -> Worker {
        self.names += 1;
        Worker {
            name: format!("worker {}", self.names),
            ..Worker::default()
        }
    }

    fn fate(&mut self) -> Fate {
        match self.rng.u8(..10) {
            0 => Fate::Failed,
            1 => Fate::AnswerLost,
            _ => Fate::Committed,
        }
    }

    fn step(&mut self) {
        match self.rng.u8(..40) {
            0..5 => self.enqueue(),
            5..8 => self.now = self.now.plus_millis(self.rng.i64(1..4000)),
            8..17 => self.schedule(),
            17..21 => self.write_a_line(),
            21..25 => self.have_effects(),
            25..31 => self.end_an_attempt(),
            31..33 => self.renew(),
            33 => self.reap(),
            34 => self.kill(),
            35 => self.stop_or_continue(),
            36 => {
                let skew = self.rng.i64(-300_000..300_000);
                self.some_worker().skew = skew;
            }
            _ => self.operate(),
        }
    }

    fn some_worker(&mut self) -> &mut Worker {
        let number = self.rng.usize(..self.workers.len());
        &mut self.workers[number]
    }

    fn enqueue(&mut self) {
        if self.model.jobs.len() >= JOBS {
            return;
        }
        let number = self.rng.usize(..JOBS * 2);
        let mut locks: Vec<String> = ["a", "b", "c"]
            .iter()
            .filter(|_| self.rng.u8(..3) == 0)
            .map(ToString::to_string)
            .collect();
        self.rng.shuffle(&mut locks);
        let later = self.rng.u8(..6) == 0;
        let new = NewJob {
            priority: self.rng.i64(-1..2),
            locks,
            run_after: later.then(|| self.now.plus_millis(3000)),
            ..NewJob::new(
                KINDS[self.rng.usize(..KINDS.len())],
                String::new(),
                format!("operation {number}"),
            )
        };
        let enqueued = self.model.enqueue(JobId::new(self.now), &new, self.now);
        self.accepted += usize::from(enqueued.created);
    }

    /// One transaction of a worker's dispatcher.
    fn schedule(&mut self) {
        let (fate, number) = (self.fate(), self.rng.usize(..self.workers.len()));
        if self.workers[number].stopped {
            return;
        }
        self.schedule_with(number, fate);
    }

    fn schedule_with(&mut self, number: usize, fate: Fate) {
        let worker = &mut self.workers[number];
        let now = self.now.plus_millis(worker.skew);
        let over = |attempt: &Attempt| attempt.ended.is_some() || attempt.lost;
        let mut wanted = LANES.map(|lane| (lane, SLOTS));
        let mut ends = Vec::new();
        for (id, attempt) in &worker.attempts {
            if let Some((ending, lines)) = &attempt.ended {
                ends.push(End {
                    id: *id,
                    attempt: attempt.job.attempt,
                    ending: ending.clone(),
                    lines: lines.clone(),
                });
            }
            if !over(attempt) {
                let lane = Lane::of(attempt.job.priority);
                let (_, wanted) = wanted
                    .iter_mut()
                    .find(|(other, _)| *other == lane)
                    .expect("a lane");
                *wanted -= 1;
            }
        }
        let known: HashSet<JobId> = worker.attempts.keys().copied().collect();
        let request = Request {
            ends: &ends,
            wanted: &wanted,
            kinds: &KINDS,
            taking: Taking {
                worker: &worker.name,
                now,
                lease_until: now.plus_millis(LEASE_MILLIS),
            },
            in_doubt: worker.in_doubt.then_some(&known),
        };
        let mut tx = self.model.clone();
        let brought = cycle(&mut tx, &request)
            .now_or_never()
            .expect("a model does not wait")
            .expect("a model does not fail");
        if fate != Fate::Failed {
            invariants::check_claims(&tx, brought.claimed.iter().flatten(), now);
            self.model = tx;
        }
        if fate != Fate::Committed {
            worker.in_doubt = true;
            return;
        }
        worker.in_doubt = false;
        worker.attempts.retain(|_, attempt| !over(attempt));
        for job in brought.claimed.into_iter().flatten() {
            let attempt = Attempt {
                job: job.clone(),
                unacknowledged: None,
                effective: false,
                lost: false,
                ended: cancelled(job.cancel_by.as_deref()),
            };
            worker.attempts.insert(job.id, attempt);
        }
    }

    /// One attempt that goes on, of a worker that is not stopped: also one whose lease has lapsed without its knowledge.
    fn some_attempt(&mut self) -> Option<(usize, JobId)> {
        let number = self.rng.usize(..self.workers.len());
        let worker = &self.workers[number];
        let going = worker
            .attempts
            .iter()
            .filter(|(_, attempt)| !worker.stopped && !attempt.lost && attempt.ended.is_none());
        let going: Vec<JobId> = going.map(|(id, _)| *id).collect();
        self.rng.choice(going).map(|id| (number, id))
    }

    fn write_a_line(&mut self) {
        let fate = self.fate();
        let Some((number, id)) = self.some_attempt() else {
            return;
        };
        let worker = &mut self.workers[number];
        let now = self.now.plus_millis(worker.skew);
        let attempt = worker.attempts.get_mut(&id).expect("it goes on");
        // What was not acknowledged is sent again before anything else.
        let append = attempt.unacknowledged.clone().unwrap_or_else(|| Append {
            id,
            attempt: attempt.job.attempt,
            lines: vec![log::closing_line(
                &attempt.job,
                Level::Info,
                "line".to_owned(),
                now,
            )],
        });
        let mut tx = self.model.clone();
        let lost = tx.append(std::slice::from_ref(&append));
        if fate != Fate::Failed {
            self.model = tx;
        }
        if fate == Fate::Committed {
            attempt.lost |= !lost.is_empty();
            let last = append.lines.last().expect("one line");
            (attempt.job.log_seq, attempt.job.log_at) = (last.seq, last.at);
            attempt.unacknowledged = None;
        } else {
            attempt.unacknowledged = Some(append);
        }
    }

    /// The effects of a job, as every handler has them: fenced, and not a second time when they are in place.
    fn have_effects(&mut self) {
        let fate = self.fate();
        let Some((number, id)) = self.some_attempt() else {
            return;
        };
        let attempt = self.workers[number].attempts.get_mut(&id).expect("it goes on");
        let mut tx = self.model.clone();
        if !tx.begin_effects(id, attempt.job.attempt, self.now) {
            match &self.model.jobs[&id].job.cancel_by {
                by @ Some(_) if self.model.jobs[&id].job.attempt == attempt.job.attempt => {
                    attempt.ended = cancelled(by.as_deref());
                }
                _ => attempt.lost = true,
            }
            return;
        }
        let job = tx.jobs.get_mut(&id).expect("it is there");
        if job.effects == 0 {
            job.effects += 1;
        }
        if fate != Fate::Failed {
            self.model = tx;
        }
        attempt.effective = fate == Fate::Committed;
        if fate != Fate::Committed {
            self.fail(number, id);
        }
    }

    /// Something on our side did not answer.
    fn fail(&mut self, number: usize, id: JobId) {
        let worker = &mut self.workers[number];
        let now = self.now.plus_millis(worker.skew);
        let attempt = worker.attempts.get_mut(&id).expect("it goes on");
        let ending = match decide::retry_millis(attempt.job.retries + 1, 4, 1000) {
            Some(millis) => Ending::Retry {
                run_after: now.plus_millis(millis),
            },
            None => Ending::Failed {
                code: "unavailable".to_owned(),
                detail: String::new(),
            },
        };
        attempt.ended = Some((ending, Vec::new()));
    }

    fn end_an_attempt(&mut self) {
        let Some((number, id)) = self.some_attempt() else {
            return;
        };
        let rejected = self.rng.u8(..8) == 0;
        let attempt = self.workers[number].attempts.get_mut(&id).expect("it goes on");
        if attempt.unacknowledged.is_some() {
            return;
        }
        if attempt.effective {
            let line = log::closing_line(&attempt.job, Level::Info, "done".to_owned(), self.now);
            attempt.ended = Some((Ending::Succeeded, vec![line]));
        } else if rejected && self.model.jobs[&id].effects == 0 {
            let (code, detail) = ("wrong".to_owned(), String::new());
            attempt.ended = Some((Ending::Failed { code, detail }, Vec::new()));
        } else if self.rng.bool() {
            self.fail(number, id);
        }
    }

    fn renew(&mut self) {
        let (fate, number) = (self.fate(), self.rng.usize(..self.workers.len()));
        let worker = &mut self.workers[number];
        if worker.stopped {
            return;
        }
        let held: Vec<Held> = worker
            .attempts
            .values()
            .map(|attempt| Held {
                id: attempt.job.id,
                attempt: attempt.job.attempt,
            })
            .collect();
        let mut tx = self.model.clone();
        let current = tx.renew(&held, self.now.plus_millis(worker.skew + LEASE_MILLIS));
        if fate != Fate::Failed {
            self.model = tx;
        }
        if fate != Fate::Committed {
            return;
        }
        for (id, attempt) in &mut worker.attempts {
            match current.get(id) {
                None => attempt.lost = true,
                Some(by) if !attempt.effective && attempt.ended.is_none() => {
                    attempt.ended = cancelled(by.as_deref());
                }
                Some(_) => {}
            }
        }
    }

    fn reap(&mut self) {
        let worker = self.some_worker();
        let now = worker.skew;
        let now = self.now.plus_millis(now);
        let mut tx = self.model.clone();
        reap(&mut tx, now)
            .now_or_never()
            .expect("a model does not wait")
            .expect("a model does not fail");
        if self.fate() != Fate::Failed {
            self.model = tx;
        }
    }

    fn kill(&mut self) {
        let new = self.new_worker();
        *self.some_worker() = new;
    }

    fn stop_or_continue(&mut self) {
        let worker = self.some_worker();
        worker.stopped = !worker.stopped;
        self.now = self.now.plus_millis(self.rng.i64(0..2 * LEASE_MILLIS));
    }

    fn operate(&mut self) {
        let now = self.now;
        let kind = KINDS[self.rng.usize(..KINDS.len())];
        let jobs: Vec<JobId> = self.model.jobs.keys().copied().collect();
        let Some(id) = self.rng.choice(jobs) else { return };
        match self.rng.u8(..8) {
            0 => drop(self.model.cancel(id, "operator", now)),
            1 => drop(self.model.retry(id, now)),
            2 => {
                let priority = self.rng.i64(-1..3);
                self.model.set_priority(id, priority);
            }
            3 => self.model.set_kind(kind, |rule| rule.paused = true),
            4 | 5 => self.model.set_kind(kind, |rule| rule.paused = false),
            6 => {
                let most = self.rng.i64(0..3);
                self.model.set_kind(kind, |rule| rule.max_running = Some(most));
            }
            _ => self.model.set_kind(kind, |rule| rule.max_running = None),
        }
    }

    /// Nothing goes wrong any more: everything that was accepted ends.
    fn settle(&mut self) {
        for kind in KINDS {
            self.model
                .set_kind(kind, |rule| *rule = decide::KindRule::default());
        }
        let healthy = self.new_worker();
        self.workers = vec![healthy];
        for _ in 0..JOBS * 20 {
            self.now = self.now.plus_millis(400_000);
            let mut tx = self.model.clone();
            reap(&mut tx, self.now)
                .now_or_never()
                .expect("a model does not wait")
                .expect("a model does not fail");
            self.model = tx;
            self.schedule_with(0, Fate::Committed);
            let going = self.workers[0].attempts.iter();
            let going = going.filter(|(_, attempt)| attempt.ended.is_none());
            for id in going.map(|(id, _)| *id).collect::<Vec<_>>() {
                let number = self.workers[0].attempts[&id].job.attempt;
                let mut tx = self.model.clone();
                let open = tx.begin_effects(id, number, self.now);
                if let Some(job) = tx.jobs.get_mut(&id).filter(|job| open && job.effects == 0) {
                    job.effects += 1;
                }
                self.model = tx;
                let attempt = self.workers[0].attempts.get_mut(&id).expect("it runs");
                attempt.ended = Some((Ending::Succeeded, Vec::new()));
            }
            invariants::check(&self.model, self.accepted);
            if self.model.jobs.values().all(|job| job.job.state.is_finished()) {
                return;
            }
        }
        let stuck = self
            .model
            .jobs
            .values()
            .filter(|job| !job.job.state.is_finished());
        panic!("these never end: {:#?}", stuck.collect::<Vec<_>>());
    }

    /// Prints what there is after a step, a line per job, for whoever replays a seed.
    fn tell(&self, step: usize) {
        eprintln!("step {step} at {}", self.now);
        for (number, job) in self.model.jobs.values().enumerate() {
            let ModelJob {
                job,
                locks,
                reserved,
                parked_on,
                effects,
                ..
            } = job;
            eprintln!(
                "  {number} {} {} priority {} attempt {} of {:?}, locks {locks:?}, parked on {parked_on:?}, reserved {reserved:?}, effects {effects}",
                job.kind,
                job.state.as_str(),
                job.priority,
                job.attempt,
                job.lease_by,
            );
        }
    }
}

/// How an attempt ends that hears of a cancellation, if it does.
fn cancelled(by: Option<&str>) -> Option<(Ending, Vec<LogLine>)> {
    let detail = format!("Cancelled by {}.", by?);
    Some((Ending::Cancelled { detail }, Vec::new()))
}

fn run(seed: u64, told: bool) {
    let mut world = World::new(seed);
    for step in 0..STEPS {
        world.step();
        if told {
            world.tell(step);
        }
        invariants::check(&world.model, world.accepted);
    }
    world.settle();
}

#[test]
fn the_contract_holds_for_ten_thousand_seeds() {
    let one = std::env::var("DOCKET_SEED").ok();
    let seeds = match one {
        Some(seed) => {
            let seed: u64 = seed.parse().expect("DOCKET_SEED is a number");
            seed..seed + 1
        }
        None => 0..SEEDS,
    };
    let told = seeds.end - seeds.start == 1;
    for seed in seeds {
        if std::panic::catch_unwind(|| run(seed, told)).is_err() {
            panic!(
                "seed {seed} breaks the contract: DOCKET_SEED={seed} cargo test --workspace --lib simulation"
            );
        }
    }
}
