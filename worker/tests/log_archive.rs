//! The task that moves old logs to the storage and removes those that are not kept, with a folder and with a bucket.

#![allow(clippy::unwrap_used, reason = "clippy sees tests only inside test functions")]
#![allow(dead_code, reason = "the registry is shared with the tests of publishing")]

#[path = "publish/registry.rs"]
mod registry;

use std::sync::Arc;

use docket_db::{execute, sqlx};
use docket_index::blobs;
use docket_jobs::worker::Handler;
use docket_jobs::{JobId, Level, LineFilter, LogLine, NewJob, Run, archive_storage};
use docket_storage::Listed;
use docket_test_support::{S3Server, TestDb, on_both_databases};
use docket_worker::chores;
use docket_worker::chores::Retention;
use registry::{Ended, Registry};

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// How many lines the jobs of these tests write.
const LINES: usize = 9_000;

/// A registry that runs the tasks of the timetable, and jobs that only write.
async fn start(db: &TestDb, server: Option<&S3Server>, retention: Retention) -> Registry {
    let mut registry = Registry::new(db).await;
    registry.state.retention = retention;
    if let Some(server) = server {
        registry.use_bucket(server);
    }
    let pings: chores::Pings = Arc::new(|_| None);
    let mut handlers = chores::handlers(&registry.state, &pings, None);
    handlers.push(Handler::new("writer", 600, 1, |run: Run| async move {
        for number in 1..=LINES {
            run.log.info(format!("line {number} of {}", run.job.payload));
        }
        Ok(())
    }));
    registry.work_with_all(handlers);
    registry
}

/// A job that ended so many days ago, and a bit.
async fn old_job(registry: &Registry, name: &str, days: i64) -> JobId {
    let new = NewJob::new("writer", format!("\"{name}\""), name.to_owned());
    let id = registry.run(&new).await.assert_succeeded().job.id;
    let at = registry
        .jobs
        .clock()
        .now()
        .plus_millis(-days * DAY_MILLIS - 1_000)
        .millis();
    let mut tx = registry.jobs.db().write().await.unwrap();
    let sql = "UPDATE job SET finished_at = $1 WHERE id = $2";
    execute!(&mut tx, sqlx::query(sql).bind(at).bind(id.to_string())).unwrap();
    tx.commit().await.unwrap();
    id
}

async fn run(registry: &Registry, task: &'static str) -> Ended {
    let now = registry.jobs.clock().now();
    let new = NewJob::new(task, "{}".to_owned(), format!("{task}/{now}"));
    registry.run(&new).await
}

async fn lines(registry: &Registry, id: JobId) -> Vec<LogLine> {
    let all = LineFilter::after(0, Level::Debug, usize::MAX);
    registry.jobs.lines(id, &all).await.unwrap()
}

async fn archived(registry: &Registry) -> Vec<Listed> {
    archive_storage(&registry.state.storage)
        .list(None, 1000)
        .await
        .unwrap()
}

async fn assert_sound(registry: &Registry) {
    assert_eq!(registry.jobs.audit().await.unwrap(), Vec::<String>::new());
    assert_eq!(
        registry
            .jobs
            .audit_archive(&registry.state.storage)
            .await
            .unwrap(),
        None
    );
}

/// Makes the blobs of the archive look as if they had been stored two days ago.
async fn age(registry: &Registry) {
    for blob in archived(registry).await {
        registry.age("logs", blob.digest, 48);
    }
}

/// Lets what the archive held back be removed, as a day does.
async fn let_go(registry: &Registry) {
    let mut tx = registry.jobs.db().write().await.unwrap();
    let later = registry.jobs.clock().now().plus_millis(2 * DAY_MILLIS);
    blobs::prune(&mut tx, later).await.unwrap();
    tx.commit().await.unwrap();
}

on_both_databases! {
    /// The logs of jobs that ended long enough ago move to the folder of the archive, and read as before; a second run finds nothing to do.
    async fn old_logs_are_archived_and_read_as_before(db: TestDb) {
        let registry = start(&db, None, Retention::default()).await;
        let (old, young) = (old_job(&registry, "old", 30).await, old_job(&registry, "young", 29).await);
        let before = (lines(&registry, old).await, lines(&registry, young).await);
        let ended = run(&registry, "archive-logs").await;
        assert!(ended.assert_succeeded().log().contains("Archived 1 logs: 9000 lines in "), "{}", ended.log());
        assert!((lines(&registry, old).await, lines(&registry, young).await) == before);
        assert_eq!(archived(&registry).await.len(), 2);
        let ended = run(&registry, "archive-logs").await;
        assert!(ended.log().contains("Archived 0 logs: 0 lines in 0 bytes."), "{}", ended.log());
        assert_sound(&registry).await;
    }

    /// In a bucket as in a folder. While the bucket is away nothing moves, nothing is lost, and the task is tried again.
    async fn logs_are_archived_in_a_bucket(db: TestDb) {
        let mut server = S3Server::start();
        let registry = start(&db, Some(&server), Retention::default()).await;
        let old = old_job(&registry, "old", 31).await;
        let before = lines(&registry, old).await;
        server.stop();
        let ended = run(&registry, "archive-logs").await;
        assert_eq!(ended.code(), Some("unavailable"), "{}", ended.log());
        assert!(lines(&registry, old).await == before);
        server.resume();
        run(&registry, "archive-logs").await.assert_succeeded();
        assert!(lines(&registry, old).await == before);
        let blobs = archived(&registry).await;
        assert_eq!(blobs.len(), 2);
        let hex = blobs[0].digest.hex();
        assert!(registry.state.storage.list(None, 10).await.unwrap().is_empty(), "they are not among the tarballs");
        assert!(server.object(&format!("logs/{}/{}/{hex}", &hex[0..2], &hex[2..4])).is_some());
        assert_sound(&registry).await;
        server.stop();
        let error = registry.jobs.lines(old, &LineFilter::after(0, Level::Debug, 1)).await.unwrap_err();
        assert!(error.is_temporary(), "{error}");
    }

    /// Where it is switched off, logs stay in the database.
    async fn logs_that_are_not_to_be_archived_stay(db: TestDb) {
        let off = Retention { archive_after_days: None, remove_after_days: None };
        let registry = start(&db, None, off).await;
        let old = old_job(&registry, "old", 5_000).await;
        let ended = run(&registry, "archive-logs").await;
        assert!(ended.assert_succeeded().log().contains("Logs stay in the database"), "{}", ended.log());
        assert_eq!((lines(&registry, old).await.len(), archived(&registry).await.len()), (LINES, 0));
    }

    /// The clean-up leaves what logs name alone, however old it is, and takes what was removed from the archive; that goes after so many days, or
    /// never unless told otherwise.
    async fn archived_logs_are_removed_when_they_need_not_be_kept(db: TestDb) {
        let keep = Retention { archive_after_days: Some(1), remove_after_days: Some(100) };
        let registry = start(&db, None, keep).await;
        let (old, young) = (old_job(&registry, "old", 100).await, old_job(&registry, "young", 99).await);
        let before = lines(&registry, young).await;
        run(&registry, "archive-logs").await.assert_succeeded();
        assert_eq!(archived(&registry).await.len(), 4);
        age(&registry).await;
        let_go(&registry).await;
        let ended = run(&registry, "clean-up").await;
        // Of the old job nothing is named any more: it went in the same run.
        assert!(ended.assert_succeeded().log().contains("Removed 2 blobs of the archive that no log names"), "{}", ended.log());
        assert_eq!((lines(&registry, old).await, archived(&registry).await.len()), (vec![], 2));
        assert!(lines(&registry, young).await == before);
        assert_sound(&registry).await;
        let ended = run(&registry, "archive-logs").await;
        assert!(ended.log().contains("Removed 0 archived lines of jobs that ended more than 100 days ago."), "{}", ended.log());
    }

    /// A blob that a move has just stored, and that nothing names yet, is not taken by a clean-up, however old it is: it is held.
    async fn a_blob_that_is_about_to_be_named_stays(db: TestDb) {
        let registry = start(&db, None, Retention::default()).await;
        let (first, second) = (old_job(&registry, "first", 31).await, old_job(&registry, "second", 29).await);
        run(&registry, "archive-logs").await.assert_succeeded();
        let part = registry.jobs.next_part(second).await.unwrap().unwrap();
        let mut tx = registry.jobs.db().write().await.unwrap();
        let digest = docket_core::digest::Sha256::of(part.blob());
        assert!(blobs::hold(&mut tx, digest, registry.jobs.clock().now()).await.unwrap());
        tx.commit().await.unwrap();
        archive_storage(&registry.state.storage).put(part.blob().clone()).await.unwrap();
        age(&registry).await;
        let ended = run(&registry, "clean-up").await;
        assert!(ended.log().contains("Removed 0 blobs of the archive"), "{}", ended.log());
        assert_eq!(archived(&registry).await.len(), 3);
        let_go(&registry).await;
        run(&registry, "clean-up").await.assert_succeeded();
        assert_eq!(archived(&registry).await.len(), 2, "nothing came of it in a day");
        assert_eq!((lines(&registry, first).await.len(), lines(&registry, second).await.len()), (LINES, LINES));
    }

    /// While the blob of a part is being removed as garbage the part does not move; the next run moves it.
    async fn a_part_whose_blob_is_being_removed_waits(db: TestDb) {
        let registry = start(&db, None, Retention::default()).await;
        let old = old_job(&registry, "old", 31).await;
        let part = registry.jobs.next_part(old).await.unwrap().unwrap();
        let (digest, now) = (docket_core::digest::Sha256::of(part.blob()), registry.jobs.clock().now());
        let mut tx = registry.jobs.db().write().await.unwrap();
        assert!(blobs::condemn(&mut tx, digest, now).await.unwrap());
        tx.commit().await.unwrap();
        let ended = run(&registry, "archive-logs").await;
        assert!(ended.assert_succeeded().log().contains("is left for the next run."), "{}", ended.log());
        assert_eq!((archived(&registry).await.len(), lines(&registry, old).await.len()), (0, LINES));
        let mut tx = registry.jobs.db().write().await.unwrap();
        blobs::release(&mut tx, digest, now).await.unwrap();
        tx.commit().await.unwrap();
        run(&registry, "archive-logs").await.assert_succeeded();
        assert_eq!((archived(&registry).await.len(), lines(&registry, old).await.len()), (2, LINES));
    }
}
