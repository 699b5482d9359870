//! What is promised of logs that were moved to the archive.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "queue/fixture.rs"]
#[allow(dead_code, reason = "shared with `queue`, which needs more of it")]
mod fixture;

use docket_core::time::Timestamp;
use docket_db::{
    execute,
    rows::{self, Row, Table, Value},
    sqlx,
};
use docket_jobs::{
    Failure, JobId, Jobs, Level, LineFilter, LogError, LogLine, Order, Retry, Run, TABLES, archive_storage,
    worker::Handler,
};
use docket_storage::Storage;
use docket_test_support::{TestDb, on_both_databases};
use fixture::{Worker, enqueue, find, finished, job, lines, open};

/// How many lines are one part at most.
const PART: i64 = 8_000;

struct World {
    jobs: Jobs,
    storage: Storage,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start(db: &TestDb) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::local(folder.path().join("blobs")).unwrap();
        Self {
            jobs: open(db).await.with_storage(&storage),
            storage,
            _folder: folder,
        }
    }

    /// A job that wrote so many lines of all levels, and failed.
    async fn job(&self, count: i64) -> JobId {
        let worker = self.worker(count);
        let id = enqueue(&self.jobs, &job(&format!("{count} lines"), &[])).await;
        finished(&self.jobs, id).await;
        worker.stop().await;
        id
    }

    fn worker(&self, count: i64) -> Worker {
        let handler = Handler::new("publish", 600, 1, move |run: Run| async move {
            for number in 1..count {
                let level = if number % 1_000 == 7 {
                    Level::Error
                } else {
                    Level::Debug
                };
                run.log
                    .write(level, format!("Line {number} of attempt {}", run.job.attempt));
            }
            Err(Failure::Rejected {
                code: "wrong",
                detail: "No.".to_owned(),
            })
        });
        Worker::start_leasing(&self.jobs, "writer", 60, handler)
    }

    /// Moves the next part, as the task does, and returns whether there was one.
    async fn archive_part(&self, id: JobId) -> bool {
        let Some(part) = self.jobs.next_part(id).await.unwrap() else {
            return false;
        };
        let archive = archive_storage(&self.storage);
        let digest = archive.put(part.blob().clone()).await.unwrap();
        let blob = archive.find(digest).await.unwrap().unwrap();
        self.jobs.verify_part(&part, blob).await.unwrap();
        let mut tx = self.jobs.db().write().await.unwrap();
        assert!(self.jobs.archive(&mut tx, id, &part, digest).await.unwrap());
        tx.commit().await.unwrap();
        true
    }

    async fn archive(&self, id: JobId) -> usize {
        let mut parts = 0;
        while self.archive_part(id).await {
            parts += 1;
        }
        parts
    }

    async fn assert_sound(&self) {
        assert_eq!(self.jobs.audit().await.unwrap(), Vec::<String>::new());
        assert_eq!(self.jobs.audit_archive(&self.storage).await.unwrap(), None);
    }

    /// The lines in the database, not in the archive.
    async fn rows(&self, id: JobId) -> i64 {
        let mut tx = self.jobs.db().read().await.unwrap();
        let sql = "SELECT CAST(coalesce(sum(last_seq - first_seq + 1), 0) AS BIGINT) FROM job_log WHERE job_id = $1";
        docket_db::on!(&mut tx, conn => sqlx::query_scalar(sql).bind(id.to_string()).fetch_one(conn)).unwrap()
    }
}

/// All that a watcher from behind `after` gets.
async fn watch(jobs: &Jobs, id: JobId, after: i64) -> Vec<LogLine> {
    let mut tail = jobs.tail(id, after, Level::Debug);
    let mut lines = Vec::new();
    loop {
        let page = tail.next().await.unwrap().unwrap();
        assert_eq!(page.behind, None, "who reads an old log is not slow");
        lines.extend(page.lines);
        if page.finished.is_some() {
            return lines;
        }
    }
}

/// What every kind of reading gives.
async fn readings(jobs: &Jobs, id: JobId) -> Vec<Vec<LogLine>> {
    let all = lines(jobs, id).await;
    let time = |line: usize| all[line - 1].at;
    let after = |after| LineFilter::after(after, Level::Debug, 100);
    let mut readings = Vec::new();
    for filter in [
        after(0),
        after(7_950),
        after(8_000),
        after(19_990),
        LineFilter {
            whole_rows: true,
            limit: usize::MAX,
            ..after(12_345)
        },
        LineFilter {
            level: Level::Error,
            ..after(0)
        },
        LineFilter {
            level: Level::Error,
            order: Order::Descending,
            limit: 1,
            ..after(0)
        },
        LineFilter {
            order: Order::Descending,
            ..after(0)
        },
        LineFilter {
            order: Order::Descending,
            limit: 9_000,
            ..after(5_000)
        },
        LineFilter {
            search: Some("line 1500".parse().unwrap()),
            ..after(0)
        },
        LineFilter {
            search: Some("nothing".parse().unwrap()),
            ..after(0)
        },
        LineFilter {
            since: time(9_000),
            until: time(9_010),
            ..after(0)
        },
        LineFilter {
            since: time(7_999),
            order: Order::Descending,
            limit: 20_000,
            ..after(0)
        },
        LineFilter {
            up_to_seq: 8_010,
            ..after(7_990)
        },
    ] {
        readings.push(jobs.lines(id, &filter).await.unwrap());
    }
    for after in [0, 8_000, 15_999, 20_000] {
        readings.push(watch(jobs, id, after).await);
    }
    readings.push(all);
    readings
}

/// How many rows of all tables name the job.
async fn rows_of(jobs: &Jobs, id: JobId) -> usize {
    let mut tx = jobs.db().read().await.unwrap();
    let mut count = 0;
    for name in TABLES.tables(TABLES.newest()) {
        let table = Table::find(&mut tx, name).await.unwrap().unwrap();
        let add = |row: Row| {
            count += usize::from(row.contains(&Some(Value::Text(id.to_string()))));
            Ok::<_, docket_db::Error>(())
        };
        rows::read_rows(&mut tx, &table, add).await.unwrap();
    }
    count
}

on_both_databases! {
    /// A job that has ended goes with everything that is its own; one that has not, or is of another kind, or ended later, stays.
    async fn a_job_that_is_removed_leaves_nothing(db: TestDb) {
        let world = World::start(&db).await;
        let (removed, kept) = (world.job(10_000).await, world.job(3).await);
        assert!(world.archive_part(removed).await, "one part is archived, the rest is not");
        let queued = enqueue(&world.jobs, &job("queued", &["package/a"])).await;
        let before = rows_of(&world.jobs, kept).await;
        assert!(rows_of(&world.jobs, removed).await > before);

        let mut tx = world.jobs.db().write().await.unwrap();
        let (jobs, end) = (&world.jobs, Timestamp::MAX);
        let began = find(jobs, removed).await.created_at;
        let listed = jobs.list_ended(&mut tx, &["push", "publish"], end, None, 10).await.unwrap();
        assert_eq!(listed.iter().map(|job| job.id).collect::<Vec<_>>(), [removed, kept]);
        assert_eq!(listed[0].lines, find(jobs, removed).await.log_seq);
        let after = jobs.list_ended(&mut tx, &["publish"], end, Some(removed), 1).await.unwrap();
        assert_eq!(after[0].id, kept);
        for (kinds, before) in [(&["publish-x", "pub"][..], end), (&["publish"], began)] {
            assert!(jobs.list_ended(&mut tx, kinds, before, None, 10).await.unwrap().is_empty());
        }
        let (parts, lines) = jobs.count_archived(&mut tx, end).await.unwrap();
        assert!(parts == 1 && (PART..10_000).contains(&lines), "{parts} {lines}");
        assert_eq!(jobs.count_archived(&mut tx, began).await.unwrap(), (0, 0));
        assert_eq!(jobs.remove_ended(&mut tx, &[removed, queued]).await.unwrap(), 1);
        tx.commit().await.unwrap();

        assert_eq!(rows_of(jobs, removed).await, 0);
        assert_eq!(rows_of(jobs, kept).await, before);
        assert_eq!(rows_of(jobs, queued).await, 2);
        world.assert_sound().await;
    }

    /// Whatever is read of a log is the same before it is archived, after a part of it was, and after all of it was.
    async fn an_archived_log_reads_as_before(db: TestDb) {
        let world = World::start(&db).await;
        let id = world.job(20_000).await;
        let before = readings(&world.jobs, id).await;
        assert_eq!(before.last().unwrap().len(), 20_000);
        assert!(world.archive_part(id).await);
        assert!((PART..PART + 1_000).contains(&(20_000 - world.rows(id).await)));
        assert!(readings(&world.jobs, id).await == before, "a part is archived");
        world.assert_sound().await;
        assert!(world.archive(id).await > 1);
        assert_eq!(world.rows(id).await, 0);
        assert!(readings(&world.jobs, id).await == before, "all is archived");
        world.assert_sound().await;
    }

    /// A job that is queued again after its log was archived continues it, and both are read as one; then all of it can be archived again.
    async fn a_retried_job_continues_its_archived_log(db: TestDb) {
        let world = World::start(&db).await;
        let id = world.job(9_000).await;
        let first = lines(&world.jobs, id).await;
        world.archive(id).await;
        assert_eq!(world.jobs.retry(id, "ann").await.unwrap(), Retry::Queued);
        let worker = world.worker(9_000);
        finished(&world.jobs, id).await;
        worker.stop().await;
        let both = lines(&world.jobs, id).await;
        assert!(both[..9_000] == first);
        assert_eq!(both.len(), 18_002, "{:?}", both.last());
        assert!(both.iter().map(|line| line.seq).eq(1..=18_002));
        assert!(both.windows(2).all(|two| two[0].at < two[1].at));
        assert_eq!(both[9_000].message, "Queued again by ann.");
        assert!(watch(&world.jobs, id, 8_990).await == both[8_990..]);
        world.assert_sound().await;
        world.archive(id).await;
        assert_eq!((lines(&world.jobs, id).await == both, world.rows(id).await), (true, 0));
        world.assert_sound().await;
    }

    /// A move that was killed after it had stored the blob, or that two made at once, loses and doubles nothing.
    async fn a_move_that_is_interrupted_loses_and_doubles_nothing(db: TestDb) {
        let world = World::start(&db).await;
        let id = world.job(10_000).await;
        let before = lines(&world.jobs, id).await;
        let part = world.jobs.next_part(id).await.unwrap().unwrap();
        let digest = archive_storage(&world.storage).put(part.blob().clone()).await.unwrap();
        // Killed here, before the transaction or within it.
        let mut tx = world.jobs.db().write().await.unwrap();
        assert!(world.jobs.archive(&mut tx, id, &part, digest).await.unwrap());
        drop(tx);
        assert!(lines(&world.jobs, id).await == before);
        world.assert_sound().await;
        assert!(world.archive_part(id).await, "the next run does it again");
        // An attempt that was overtaken comes late with the same part.
        let mut tx = world.jobs.db().write().await.unwrap();
        assert!(!world.jobs.archive(&mut tx, id, &part, digest).await.unwrap());
        drop(tx);
        assert!(lines(&world.jobs, id).await == before);
        world.archive(id).await;
        assert!(lines(&world.jobs, id).await == before);
        world.assert_sound().await;
    }

    /// Only logs of jobs that ended before the given time are offered, and one of a job that was queued again meanwhile is not moved.
    async fn only_old_logs_are_moved(db: TestDb) {
        let world = World::start(&db).await;
        let (old, queued_again) = (world.job(10).await, world.job(11).await);
        let waiting = enqueue(&world.jobs, &job("waits", &[])).await;
        let ended = find(&world.jobs, old).await.finished_at.unwrap();
        let part = world.jobs.next_part(queued_again).await.unwrap().unwrap();
        assert_eq!(part.lines(), 11);
        world.jobs.retry(queued_again, "ann").await.unwrap();
        let offered = |after, before, limit| world.jobs.list_logged(after, before, limit);
        let all = offered(None, ended.next_millisecond(), 10).await.unwrap();
        assert_eq!(all, [(old, true), (queued_again, false)], "{waiting} has no log");
        assert_eq!(offered(None, ended, 10).await.unwrap(), [(old, false), (queued_again, false)]);
        assert_eq!(offered(None, Timestamp::MAX, 1).await.unwrap(), [(old, true)]);
        assert_eq!(offered(Some(old), Timestamp::MAX, 1).await.unwrap(), [(queued_again, false)]);
        let digest = archive_storage(&world.storage).put(part.blob().clone()).await.unwrap();
        let mut tx = world.jobs.db().write().await.unwrap();
        assert!(!world.jobs.archive(&mut tx, queued_again, &part, digest).await.unwrap());
        drop(tx);
        world.archive(old).await;
        assert_eq!(offered(None, Timestamp::MAX, 10).await.unwrap(), [(queued_again, false)]);
    }

    /// Lines that were removed for good are missing and nothing else is; who reads them is told, and nothing is damaged.
    async fn removed_lines_leave_the_rest(db: TestDb) {
        let world = World::start(&db).await;
        let (old, other) = (world.job(9_000).await, world.job(5).await);
        world.archive(old).await;
        world.archive(other).await;
        let mut tx = world.jobs.db().write().await.unwrap();
        execute!(&mut tx, sqlx::query("UPDATE job SET finished_at = 1000 WHERE id = $1").bind(old.to_string())).unwrap();
        tx.commit().await.unwrap();
        let at = Timestamp::from_millis;
        assert_eq!(world.jobs.remove_archived(at(1_000), 100).await.unwrap(), (0, 0));
        let (lines_removed, parts) = world.jobs.remove_archived(at(1_001), 1).await.unwrap();
        assert_eq!(parts, 1);
        let page = world.jobs.read_log(old, &LineFilter::after(0, Level::Debug, 10)).await.unwrap();
        assert!(page.removed_seq.is_some() && page.is_last == (lines_removed == 9_000));
        while world.jobs.remove_archived(at(1_001), 1).await.unwrap().1 > 0 {}
        let all = LineFilter::after(0, Level::Error, 10);
        let page = world.jobs.read_log(old, &all).await.unwrap();
        assert_eq!((page.lines.len(), page.removed_seq, page.is_last), (0, Some(9_000), true));
        let behind = world.jobs.read_log(old, &LineFilter::after(9_000, Level::Debug, 10)).await.unwrap();
        assert_eq!((behind.lines.len(), behind.removed_seq), (0, None));
        assert_eq!(watch(&world.jobs, old, 0).await, []);
        assert_eq!(lines(&world.jobs, other).await.len(), 5);
        world.assert_sound().await;
        world.jobs.retry(old, "ann").await.unwrap();
        let rest = lines(&world.jobs, old).await;
        assert_eq!((rest.len(), rest[0].seq), (1, 9_001), "it goes on where it was");
        world.assert_sound().await;
    }

    /// An archived part whose blob is missing or was changed is an error that names it, never a log with a hole; and the audit names it.
    async fn a_lost_part_is_an_error_and_not_a_gap(db: TestDb) {
        let world = World::start(&db).await;
        let id = world.job(20_000).await;
        world.archive(id).await;
        let archive = archive_storage(&world.storage);
        let blob = archive.list(None, 1).await.unwrap()[0].digest;
        archive.remove(blob).await.unwrap();
        let all = LineFilter { whole_rows: true, ..LineFilter::after(0, Level::Debug, usize::MAX) };
        let error = world.jobs.read_log(id, &all).await.unwrap_err();
        assert!(matches!(error, LogError::Lost { .. }) && !error.is_temporary(), "{error}");
        assert!(error.to_string().contains(&format!("of the log of job {id} are lost")), "{error}");
        let mut tail = world.jobs.tail(id, 0, Level::Debug);
        let error = loop {
            match tail.next().await {
                Ok(page) => assert!(page.unwrap().finished.is_none(), "half a log has no end"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, LogError::Lost { .. }));
        let found = world.jobs.audit_archive(&world.storage).await.unwrap().unwrap();
        assert!(found.starts_with(&format!("1 parts of archived logs have no blob: {id} lines ")), "{found}");
        let without_storage = open(&db).await;
        assert!(matches!(without_storage.read_log(id, &all).await, Err(LogError::Lost { .. })));
    }

    /// An archive is the lines as a download has them, compressed: other programs can read it.
    async fn an_archived_blob_is_json_lines(db: TestDb) {
        let world = World::start(&db).await;
        let id = world.job(3).await;
        let part = world.jobs.next_part(id).await.unwrap().unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&part.blob()[..]), &mut text).unwrap();
        let line = &lines(&world.jobs, id).await[2];
        let expected = format!(r#"{{"seq":3,"timestamp":"{}","level":"ERROR","message":"No."}}"#, line.at);
        assert_eq!((text.lines().count(), text.lines().last()), (3, Some(expected.as_str())));
    }
}
