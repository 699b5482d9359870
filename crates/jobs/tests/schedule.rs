//! What timetables promise, on both databases, under a clock that the test holds.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use docket_core::time::Timestamp;
use docket_jobs::{Actor, Clock, Every, JobFilter, Jobs, Role, Schedule, TABLES};
use docket_test_support::{TestDb, on_both_databases};

const DAILY: Schedule = Schedule {
    task: "tidy",
    every: Every::Day { minute: 7 * 60 },
};

/// A queue whose clock shows what `time` holds.
async fn open(db: &TestDb, time: &Arc<AtomicI64>) -> Jobs {
    db.migrate(&[TABLES]).await;
    let time = time.clone();
    let clock = Clock::from_fn(move || Timestamp::from_millis(time.load(Ordering::SeqCst)));
    Jobs::new(db.db.clone(), clock)
}

fn at(time: &Arc<AtomicI64>, text: &str) {
    time.store(text.parse::<Timestamp>().unwrap().millis(), Ordering::SeqCst);
}

async fn count(jobs: &Jobs) -> usize {
    let filter = JobFilter {
        include_finished: true,
        kinds: vec!["tidy"],
        ..JobFilter::default()
    };
    let mut tx = jobs.db().read().await.unwrap();
    jobs.list(&mut tx, &filter).await.unwrap().len()
}

on_both_databases! {
    /// Any number of processes that see a tick make one job of it.
    async fn each_tick_is_one_job(db: TestDb) {
        let time = Arc::default();
        at(&time, "2026-08-17T12:00:00.000Z");
        let processes = [open(&db, &time).await, open(&db, &time).await, open(&db, &time).await];
        for process in &processes {
            assert_eq!(process.tick(DAILY).await.unwrap(), None, "the first look only starts the count");
        }
        at(&time, "2026-08-18T07:00:00.000Z");
        let ticks = processes.iter().map(|process| process.tick(DAILY));
        let made = futures_util::future::join_all(ticks).await;
        let made: Vec<_> = made.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(made.len(), 1);
        assert_eq!(processes[0].tick(DAILY).await.unwrap(), None);
        assert_eq!(count(&processes[0]).await, 1);
        let last = processes[1].last_tick("tidy").await.unwrap().unwrap();
        assert_eq!((last.tick.to_string().as_str(), last.job), ("2026-08-18T07:00:00.000Z", Some(made[0])));
    }

    /// Three missed days are caught up by one job.
    async fn missed_ticks_are_caught_up_once(db: TestDb) {
        let time = Arc::default();
        at(&time, "2026-08-17T12:00:00.000Z");
        let jobs = open(&db, &time).await;
        jobs.tick(DAILY).await.unwrap();
        at(&time, "2026-08-20T15:30:00.000Z");
        assert!(jobs.tick(DAILY).await.unwrap().is_some());
        assert_eq!(jobs.tick(DAILY).await.unwrap(), None);
        assert_eq!(count(&jobs).await, 1);
    }

    /// A task can be run beside its timetable; asked for twice, it runs once.
    async fn a_task_can_be_run_now(db: TestDb) {
        let time = Arc::default();
        at(&time, "2026-08-17T12:00:00.000Z");
        let jobs = open(&db, &time).await;
        let actor = Actor { role: Role::Trustee, name: "somebody".to_owned(), key: None };
        let first = jobs.run_task("tidy", actor.clone()).await.unwrap();
        let second = jobs.run_task("tidy", actor).await.unwrap();
        assert!(first.created && !second.created);
        assert_eq!(first.job, second.job);
        assert_eq!(jobs.last_tick("tidy").await.unwrap(), None, "the timetable is not touched");
    }

    /// Old ticks go, the newest of each task stays, so that nothing is caught up again.
    async fn pruning_keeps_the_newest_tick(db: TestDb) {
        let time = Arc::default();
        at(&time, "2026-08-17T12:00:00.000Z");
        let jobs = open(&db, &time).await;
        for day in ["2026-08-17T12:00:00.000Z", "2026-08-18T12:00:00.000Z", "2026-08-19T12:00:00.000Z"] {
            at(&time, day);
            jobs.tick(DAILY).await.unwrap();
        }
        at(&time, "2027-08-19T12:00:00.000Z");
        assert_eq!(jobs.prune_ticks(jobs.clock().now()).await.unwrap(), 2);
        assert_eq!(jobs.last_tick("tidy").await.unwrap().unwrap().tick.to_string(), "2026-08-19T07:00:00.000Z");
    }
}
