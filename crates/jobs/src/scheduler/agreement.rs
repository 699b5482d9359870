//! Both databases do what the model does: the same operations from a seed, and after each of them the same tables.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use docket_core::time::Timestamp;
use docket_db::{Tx, on};
use docket_test_support::on_both_databases;

use super::{Request, cycle, model::Model, reap};
use crate::{
    Clock, JobId, JobState, Jobs, Level, LogLine, NewJob, TABLES,
    decide::Ending,
    log, store,
    store::{claim::Taking, ends::End, lease::Held, lines::Append},
    worker::Lane,
};

const SEEDS: u64 = 12;
const STEPS: usize = 120;
const KINDS: [&str; 2] = ["publish", "matrix"];
const LANES: [Lane; 2] = [Lane::Foreground, Lane::Background];

struct Pair {
    rng: fastrand::Rng,
    jobs: Jobs,
    model: Model,
    now: Arc<AtomicI64>,
    /// What stands for a job in a failure's text: its number, because ids differ from run to run.
    numbers: BTreeMap<JobId, usize>,
}

impl Pair {
    async fn new(db: &docket_test_support::TestDb, seed: u64) -> Self {
        db.migrate(&[TABLES]).await;
        let now = Arc::new(AtomicI64::new(1_800_000_000_000));
        let clock = now.clone();
        let clock = Clock::from_fn(move || Timestamp::from_millis(clock.load(Ordering::SeqCst)));
        Self {
            rng: fastrand::Rng::with_seed(seed),
            jobs: Jobs::new(db.db.clone(), clock),
            model: Model::default(),
            now,
            numbers: BTreeMap::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.jobs.clock().now()
    }

    /// One operation on both. Returns what it was.
    async fn step(&mut self) -> String {
        match self.rng.u8(..20) {
            0..4 => self.enqueue().await,
            4..6 => {
                let millis = self.rng.i64(1..5000);
                self.now.fetch_add(millis, Ordering::SeqCst);
                format!("{millis} ms pass")
            }
            6..12 => self.cycle().await,
            12..14 => self.append().await,
            14 => self.renew().await,
            15 => self.begin_effects().await,
            16 => self.reap().await,
            _ => self.operate().await,
        }
    }

    async fn enqueue(&mut self) -> String {
        let number = self.rng.usize(..30);
        let locks = ["a", "b", "c"].iter().filter(|_| self.rng.u8(..3) == 0);
        let locks: Vec<String> = locks.map(ToString::to_string).collect();
        let later = self.rng.u8(..5) == 0;
        let new = NewJob {
            priority: self.rng.i64(-1..2),
            locks,
            run_after: later.then(|| self.now().plus_millis(3000)),
            ..NewJob::new(
                KINDS[self.rng.usize(..KINDS.len())],
                "{}".to_owned(),
                format!("operation {number}"),
            )
        };
        let mut tx = self.jobs.db().write().await.unwrap();
        let stored = self.jobs.enqueue(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        let now = self.now();
        let modelled = self.model.enqueue(stored.job, &new, now);
        assert_eq!(stored, modelled);
        let next = self.numbers.len();
        self.numbers.entry(stored.job).or_insert(next);
        format!("enqueue {new:?}")
    }

    /// Some attempts: those that run, and now and then one that does not any more.
    fn some_attempts(&mut self) -> Vec<Held> {
        let mut some = Vec::new();
        for job in self.model.jobs.values() {
            let stale = self.rng.u8(..8) == 0;
            if (job.job.state == JobState::Running && self.rng.bool()) || (stale && job.job.attempt > 0) {
                some.push(Held {
                    id: job.job.id,
                    attempt: job.job.attempt - i64::from(stale && job.job.attempt > 1),
                });
            }
        }
        some
    }

    async fn cycle(&mut self) -> String {
        let now = self.now();
        let mut ends = Vec::new();
        for Held { id, attempt } in self.some_attempts() {
            let (code, detail) = ("wrong".to_owned(), "No.".to_owned());
            let ending = match self.rng.u8(..6) {
                0 => Ending::Failed { code, detail },
                1 => Ending::Cancelled { detail },
                2 => Ending::Retry {
                    run_after: now.plus_millis(1000),
                },
                3 => Ending::GivenBack,
                _ => Ending::Succeeded,
            };
            ends.push(End {
                id,
                attempt,
                ending,
                lines: if self.rng.bool() {
                    vec![self.line(id, now)]
                } else {
                    Vec::new()
                },
            });
        }
        let wanted = LANES.map(|lane| (lane, self.rng.usize(..3)));
        let known = HashSet::new();
        let in_doubt = (self.rng.u8(..10) == 0).then_some(&known);
        let worker = format!("worker {}", self.rng.u8(..3));
        let request = Request {
            ends: &ends,
            wanted: &wanted,
            kinds: &KINDS,
            taking: Taking {
                worker: &worker,
                now,
                lease_until: now.plus_millis(10_000),
            },
            in_doubt,
        };
        let mut tx = self.jobs.db().write().await.unwrap();
        let stored = cycle(&mut tx, &request).await.unwrap();
        tx.commit().await.unwrap();
        let modelled = cycle(&mut self.model, &request).await.unwrap();
        let claims = |cycle: &super::Cycle| -> Vec<Vec<(JobId, i64)>> {
            let lanes = cycle.claimed.iter();
            lanes
                .map(|lane| lane.iter().map(|job| (job.id, job.attempt)).collect())
                .collect()
        };
        let told = format!("{worker}: {request:?}");
        assert_eq!(claims(&stored), claims(&modelled), "{told}");
        assert_eq!(stored.next_due, modelled.next_due, "{told}");
        assert_eq!(stored.unparked, modelled.unparked, "{told}");
        told
    }

    /// The next line of a log; now and then the last one again, as after a lost answer.
    fn line(&mut self, id: JobId, now: Timestamp) -> LogLine {
        let job = &self.model.jobs[&id].job;
        let mut line = log::closing_line(job, Level::Info, "line".to_owned(), now);
        if self.rng.u8(..6) == 0 && job.log_seq > 0 {
            line.seq = job.log_seq;
        }
        line
    }

    async fn append(&mut self) -> String {
        let now = self.now();
        let mut appends = Vec::new();
        for Held { id, attempt } in self.some_attempts() {
            let lines = vec![self.line(id, now)];
            appends.push(Append { id, attempt, lines });
        }
        let mut tx = self.jobs.db().write().await.unwrap();
        let mut stored = store::lines::append(&mut tx, &appends).await.unwrap();
        tx.commit().await.unwrap();
        let mut modelled = self.model.append(&appends);
        stored.sort_unstable();
        modelled.sort_unstable();
        assert_eq!(stored, modelled, "{appends:?}");
        format!("{appends:?}")
    }

    async fn renew(&mut self) -> String {
        let held = self.some_attempts();
        let until = self.now().plus_millis(10_000);
        let mut tx = self.jobs.db().write().await.unwrap();
        let stored = store::lease::renew(&mut tx, &held, until).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(stored, self.model.renew(&held, until), "{held:?}");
        format!("renew {held:?}")
    }

    async fn begin_effects(&mut self) -> String {
        let now = self.now();
        for Held { id, attempt } in self.some_attempts() {
            let job = crate::Job {
                attempt,
                ..self.model.jobs[&id].job.clone()
            };
            let mut tx = self.jobs.db().write().await.unwrap();
            let stored = store::lease::begin_effects(&mut tx, &job, now).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(
                stored,
                self.model.begin_effects(id, attempt, now),
                "effects of {job:?}"
            );
        }
        "effects".to_owned()
    }

    async fn reap(&mut self) -> String {
        let now = self.now();
        let mut tx = self.jobs.db().write().await.unwrap();
        let stored = reap(&mut tx, now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(stored, reap(&mut self.model, now).await.unwrap());
        "reap".to_owned()
    }

    async fn operate(&mut self) -> String {
        let now = self.now();
        let kind = KINDS[self.rng.usize(..KINDS.len())];
        let ids: Vec<JobId> = self.model.jobs.keys().copied().collect();
        let Some(id) = self.rng.choice(ids) else {
            return "nothing".to_owned();
        };
        match self.rng.u8(..8) {
            0 => {
                let stored = self.jobs.cancel(id, "operator").await.unwrap();
                assert_eq!(stored, self.model.cancel(id, "operator", now));
                format!("cancel {id}")
            }
            1 | 2 => {
                let stored = self.jobs.retry(id, "operator").await.unwrap();
                assert_eq!(stored, self.model.retry(id, now));
                format!("retry {id}")
            }
            3 => {
                let priority = self.rng.i64(-1..3);
                let stored = self.jobs.set_priority(id, priority).await.unwrap();
                assert_eq!(stored, self.model.set_priority(id, priority));
                format!("priority {priority} for {id}")
            }
            4 => {
                self.jobs.pause_kind(kind, "operator").await.unwrap();
                self.model.set_kind(kind, |rule| rule.paused = true);
                format!("pause {kind}")
            }
            5 | 6 => {
                self.jobs.resume_kind(kind).await.unwrap();
                self.model.set_kind(kind, |rule| rule.paused = false);
                format!("resume {kind}")
            }
            _ => {
                let most = (self.rng.bool()).then(|| self.rng.u32(0..3));
                self.jobs.limit_kind(kind, most).await.unwrap();
                self.model
                    .set_kind(kind, |rule| rule.max_running = most.map(i64::from));
                format!("limit {kind} to {most:?}")
            }
        }
    }

    /// Everything that decides, a line per job.
    fn modelled(&self) -> String {
        let mut text = String::new();
        for job in self.model.jobs.values() {
            let parked_on = job.parked_on.as_ref().filter(|_| job.is_queued());
            let reserved: Vec<&str> = job.reserved.iter().map(String::as_str).collect();
            writeln!(
                text,
                "{} {} attempt {} resets {} retries {} priority {} after {} lease {} parked {} reserved {} lines {} at {} effects {} cancel {}",
                self.numbers[&job.job.id],
                job.job.state.as_str(),
                job.job.attempt,
                job.job.resets,
                job.job.retries,
                job.job.priority,
                job.job.run_after.millis(),
                job.job.lease_by.as_deref().unwrap_or("-"),
                parked_on.map_or("-".to_owned(), |on| on.to_stored()),
                reserved.join(","),
                job.job.log_seq,
                job.job.log_at.millis(),
                job.effects_at.is_some(),
                job.job.cancel_by.as_deref().unwrap_or("-"),
            )
            .expect("a string takes text");
        }
        text
    }

    async fn stored(&self) -> String {
        const JOBS: &str = "
            SELECT id, state, attempt, resets, retries, priority, run_after, coalesce(lease_by, '-'),
                   CASE WHEN state = 'queued' THEN coalesce(parked_on, '-') ELSE '-' END,
                   log_seq, log_at, CASE WHEN effects_at IS NULL THEN 0 ELSE 1 END, coalesce(cancel_by, '-')
            FROM job ORDER BY id";
        const RESERVED: &str = "SELECT name FROM job_lock WHERE job_id = $1 AND reserved = 1 ORDER BY name";
        type Row = (
            String,
            String,
            i64,
            i64,
            i64,
            i64,
            i64,
            String,
            String,
            i64,
            i64,
            i32,
            String,
        );
        let mut tx: Tx = self.jobs.db().read().await.unwrap();
        let rows: Vec<Row> = on!(&mut tx, conn => sqlx::query_as(JOBS).fetch_all(conn)).unwrap();
        let mut text = String::new();
        for (id, state, attempt, resets, retries, priority, after, lease, parked, seq, at, effects, cancel) in
            rows
        {
            let reserved: Vec<String> =
                on!(&mut tx, conn => sqlx::query_scalar(RESERVED).bind(&id).fetch_all(conn)).unwrap();
            let number = self.numbers[&id.parse::<JobId>().unwrap()];
            writeln!(
                text,
                "{number} {state} attempt {attempt} resets {resets} retries {retries} priority {priority} after {after} lease {lease} parked {parked} reserved {} lines {seq} at {at} effects {} cancel {cancel}",
                reserved.join(","),
                effects == 1,
            )
            .expect("a string takes text");
        }
        text
    }
}

on_both_databases! {
    /// The same operations, and after each of them the same tables.
    async fn the_database_agrees_with_the_model(db: TestDb) {
        let base = Pair::new(&db, 0).await;
        for seed in 0..SEEDS {
            let mut pair = Pair { rng: fastrand::Rng::with_seed(seed), jobs: base.jobs.clone(), model: Model::default(), now: base.now.clone(), numbers: BTreeMap::new() };
            let mut tx = pair.jobs.db().write().await.unwrap();
            for table in ["DELETE FROM job_log", "DELETE FROM job_lock", "DELETE FROM job", "DELETE FROM job_kind"] {
                docket_db::execute!(&mut tx, sqlx::query(table)).unwrap();
            }
            tx.commit().await.unwrap();
            let mut told = Vec::new();
            for step in 0..STEPS {
                told.push(pair.step().await);
                let (stored, modelled) = (pair.stored().await, pair.modelled());
                assert_eq!(stored, modelled, "seed {seed}, step {step}, after:\n{}", told.join("\n"));
            }
        }
    }
}
