//! The queue in numbers: the last day, the locks that are held, and who waits for what.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "queue/fixture.rs"]
#[allow(dead_code, reason = "shared with `queue`, which needs more of it")]
mod fixture;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use docket_core::time::Timestamp;
use docket_db::{execute, sqlx};
use docket_jobs::{Clock, JobId, JobState, Jobs, NewJob, STEPS, TABLES, Wait};
use docket_test_support::{TestDb, on_both_databases};
use fixture::{enqueue, job, open};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Noon of some day.
const NOON: i64 = 1_787_054_400_000;

/// A queue whose clock is set by the test.
async fn at(db: &TestDb, now: &Arc<AtomicI64>) -> Jobs {
    db.migrate(&[TABLES]).await;
    let now = now.clone();
    Jobs::new(
        db.db.clone(),
        Clock::from_fn(move || Timestamp::from_millis(now.load(Ordering::SeqCst))),
    )
}

async fn set(jobs: &Jobs, id: JobId, state: &str, started: i64, finished: Option<i64>) {
    const SQL: &str = "UPDATE job SET state = $2, started_at = $3, finished_at = $4 WHERE id = $1";
    let mut tx = jobs.db().write().await.unwrap();
    execute!(
        &mut tx,
        sqlx::query(SQL)
            .bind(id.to_string())
            .bind(state)
            .bind(started)
            .bind(finished)
    )
    .unwrap();
    tx.commit().await.unwrap();
}

/// Gives a job the id that it would have, had it been stored at `millis`: ids of one process never go back, whatever a test's clock says.
async fn date(jobs: &Jobs, id: JobId, millis: i64, place: usize) -> JobId {
    const SQL: &str = "UPDATE job SET id = $2 WHERE id = $1";
    let dated = format!(
        "{:08x}-{:04x}-7000-8000-{place:012x}",
        millis >> 16,
        millis & 0xffff
    );
    let mut tx = jobs.db().write().await.unwrap();
    execute!(&mut tx, sqlx::query(SQL).bind(id.to_string()).bind(&dated)).unwrap();
    tx.commit().await.unwrap();
    dated.parse().unwrap()
}

on_both_databases! {
    /// The depth counts who was there at the end of each half hour, and durations are those of the publishes that ended in it.
    async fn the_last_day_is_told_in_half_hours(db: TestDb) {
        let now = Arc::new(AtomicI64::new(0));
        let jobs = at(&db, &now).await;
        // Stored, begun and ended so long before noon; the last one still waits.
        let lives = [
            ("one", 30 * HOUR, Some((29 * HOUR, 20 * HOUR))),
            ("two", 10 * HOUR, Some((10 * HOUR - 10, 10 * HOUR - 1010))),
            ("three", 10 * HOUR, Some((10 * HOUR - 10, 10 * HOUR - 3010))),
            ("four", 9 * 24 * HOUR, None),
            ("five", HOUR, None),
        ];
        for (place, (key, stored, run)) in lives.into_iter().enumerate() {
            now.store(NOON - stored, Ordering::SeqCst);
            let id = enqueue(&jobs, &job(key, &[])).await;
            let id = date(&jobs, id, NOON - stored, place).await;
            if let Some((started, finished)) = run {
                set(&jobs, id, "succeeded", NOON - started, Some(NOON - finished)).await;
            }
        }
        now.store(NOON, Ordering::SeqCst);
        let mut tx = jobs.db().read().await.unwrap();
        let day = jobs.day(&mut tx).await.unwrap();
        assert_eq!(day.start, Timestamp::from_millis(NOON - 24 * HOUR));
        assert_eq!((day.depth.len(), day.publishes.len()), (STEPS, STEPS));
        // The one that has waited for nine days is among them all.
        assert_eq!((day.depth[0], day.depth[7], day.depth[8], day.depth[STEPS - 1]), (2, 2, 1, 2));
        let step = day.publishes[28].unwrap();
        assert_eq!((step.count, step.median_millis, step.max_millis), (2, 1000, 3000));
        assert_eq!(day.publishes.iter().flatten().count(), 2, "the first took nine hours");

        let service = jobs.service(&mut tx).await.unwrap();
        assert_eq!((service.published_today, service.waiting, service.running), (2, 2, 0));
        let week = service.publishes.unwrap();
        assert_eq!((week.count, week.median_millis), (3, 3000));
    }

    /// What ended in the last day is counted by its code, and what waits by how long; older jobs are not counted.
    async fn ends_and_waits_are_counted_by_kind(db: TestDb) {
        let now = Arc::new(AtomicI64::new(0));
        let jobs = at(&db, &now).await;
        for (place, (key, stored, state)) in [
            ("one", 30 * HOUR, "succeeded"),
            ("two", HOUR, "succeeded"),
            ("three", HOUR, "failed"),
            ("four", 40 * HOUR, "queued"),
            ("five", HOUR, "queued"),
        ]
        .into_iter()
        .enumerate()
        {
            now.store(NOON - stored, Ordering::SeqCst);
            let id = enqueue(&jobs, &job(key, &[])).await;
            let id = date(&jobs, id, NOON - stored, place).await;
            if state != "queued" {
                set(&jobs, id, state, NOON, Some(NOON)).await;
            }
        }
        let mut tx = jobs.db().write().await.unwrap();
        let code = "UPDATE job SET error_code = 'unavailable' WHERE state = 'failed'";
        execute!(&mut tx, sqlx::query(code)).unwrap();
        tx.commit().await.unwrap();
        now.store(NOON, Ordering::SeqCst);
        let mut tx = jobs.db().read().await.unwrap();
        let ended = jobs.ended_of_the_last_day(&mut tx).await.unwrap();
        let ended: Vec<_> = ended.iter().map(|one| (one.state, one.code.as_str(), one.count)).collect();
        assert_eq!(ended, [(JobState::Failed, "unavailable", 1), (JobState::Succeeded, "", 1)]);
        let waits = jobs.longest_waits(&mut tx).await.unwrap();
        assert_eq!(waits, [("publish".to_owned(), 40 * HOUR)]);
    }

    /// A lock that is held names who has it and how many wait; what waits comes in the order in which it starts.
    async fn holders_and_waiters_are_told(db: TestDb) {
        let jobs = open(&db).await;
        let first = enqueue(&jobs, &job("first", &["package/a", "package/b"])).await;
        let second = enqueue(&jobs, &job("second", &["package/a"])).await;
        let urgent = enqueue(&jobs, &NewJob { priority: 5, ..job("urgent", &[]) }).await;
        set(&jobs, first, "running", jobs.clock().now().millis(), None).await;
        let mut tx = jobs.db().read().await.unwrap();
        let held = jobs.held_locks(&mut tx, 10).await.unwrap();
        let told: Vec<_> = held.iter().map(|lock| (lock.name.as_str(), lock.holder.job, lock.waiting)).collect();
        assert_eq!(told, [("package/a", first, 1), ("package/b", first, 0)]);
        let waiting = jobs.waiting(&mut tx, 10).await.unwrap();
        let ids: Vec<JobId> = waiting.iter().map(|(job, _)| job.id).collect();
        assert_eq!(ids, [urgent, second]);
        assert!(matches!(&waiting[1].1.wait, Wait::Lock { name, ahead: 0, .. } if name == "package/a"));
        // What is said of many at once is what is said of each.
        for (job, why) in &waiting {
            assert_eq!(jobs.why(job.id).await.unwrap().unwrap().wait, why.wait);
        }
        assert_eq!(jobs.waiting(&mut tx, 1).await.unwrap().len(), 1);
    }
}
