//! What a watcher is promised that is slower than the job it watches.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "queue/fixture.rs"]
#[allow(dead_code, reason = "shared with `queue`, which needs more of it")]
mod fixture;

use docket_jobs::{JobId, Jobs, Level, Run, Tail, worker::Handler};
use docket_test_support::on_both_databases;
use fixture::{DEADLINE, Worker, enqueue, job, open};
use tokio::sync::watch;

/// How many lines are kept in memory for watchers, at most.
const KEPT: i64 = 1000;

/// Not told.
const NEVER: [i64; 0] = [];

/// A job that writes up to the line that it is told, and ends when that is `end`.
async fn start(jobs: &Jobs, until: watch::Receiver<i64>, end: i64) -> (Worker, JobId) {
    let handler = Handler::new("publish", 600, 1, move |run: Run| {
        let mut until = until.clone();
        async move {
            for number in 1..=end {
                until.wait_for(|until| *until >= number).await.unwrap();
                run.log.info(format!("line {number}."));
            }
            Ok(())
        }
    });
    let worker = Worker::start_leasing(jobs, "writer", 60, handler);
    (worker, enqueue(jobs, &job("watched", &[])).await)
}

/// Reads up to line `end`, or to the end of the job, and returns how often it was told that it was behind.
async fn read(tail: &mut Tail, seen: &mut Vec<i64>, end: i64) -> Vec<i64> {
    let mut told = Vec::new();
    let reading = async {
        while seen.last().is_none_or(|last| *last < end) {
            let page = tail.next().await.unwrap().unwrap();
            assert!(page.lines.len() < 2_000, "no page is long: {}", page.lines.len());
            if let Some(behind) = page.behind {
                assert!(!page.lines.is_empty());
                told.push(behind);
            }
            seen.extend(page.lines.iter().map(|line| line.seq));
        }
        told
    };
    tokio::time::timeout(DEADLINE, reading)
        .await
        .expect("the lines come")
}

on_both_databases! {
    /// Who does not read while many lines are written is told so once, and reads on from storage: every line once, in order.
    async fn a_slow_watcher_is_told_and_continues_from_storage(db: TestDb) {
        let jobs = open(&db).await;
        let (write, until) = watch::channel(10);
        let (_worker, id) = start(&jobs, until, 20_000).await;
        let (mut slow, mut slow_saw) = (jobs.tail(id, 0, Level::Debug), Vec::new());
        let (mut other, mut other_saw) = (jobs.tail(id, 0, Level::Debug), Vec::new());
        assert_eq!(read(&mut slow, &mut slow_saw, 10).await, NEVER);
        // The other reads up to where the slow one will find the log.
        write.send(8_000).unwrap();
        read(&mut other, &mut other_saw, 8_000).await;
        let told = read(&mut slow, &mut slow_saw, 8_000).await;
        assert_eq!(told, [8_000 - 10]);
        write.send(20_000).unwrap();
        read(&mut other, &mut other_saw, 20_000).await;
        let told = read(&mut slow, &mut slow_saw, 20_000).await;
        assert_eq!(told, [20_000 - 8_000], "it is told again when it falls behind again");
        for saw in [slow_saw, other_saw] {
            assert_eq!(saw, (1..=20_000).collect::<Vec<_>>());
        }
    }

    /// Who is only a little behind has missed nothing, and is not told anything: it reads what is kept in memory.
    async fn a_watcher_that_is_a_little_behind_is_not_told(db: TestDb) {
        let jobs = open(&db).await;
        let (write, until) = watch::channel(10);
        let (_worker, id) = start(&jobs, until, 10 + KEPT / 2).await;
        let (mut slow, mut saw) = (jobs.tail(id, 0, Level::Debug), Vec::new());
        read(&mut slow, &mut saw, 10).await;
        let mut other = jobs.tail(id, 0, Level::Debug);
        write.send(10 + KEPT / 2).unwrap();
        read(&mut other, &mut Vec::new(), 10 + KEPT / 2).await;
        assert_eq!(read(&mut slow, &mut saw, 10 + KEPT / 2).await, NEVER);
        assert_eq!(saw, (1..=10 + KEPT / 2).collect::<Vec<_>>());
    }

    /// Who comes when the job has written much already reads it from the start, and was not slow.
    async fn a_watcher_that_comes_late_is_not_told(db: TestDb) {
        let jobs = open(&db).await;
        let (_write, until) = watch::channel(5_000);
        let (_worker, id) = start(&jobs, until, 6_000).await;
        let mut first = jobs.tail(id, 0, Level::Debug);
        read(&mut first, &mut Vec::new(), 5_000).await;
        let (mut late, mut saw) = (jobs.tail(id, 0, Level::Debug), Vec::new());
        assert_eq!(read(&mut late, &mut saw, 5_000).await, NEVER);
        assert_eq!(saw, (1..=5_000).collect::<Vec<_>>());
    }

    /// What a search hides does not hide that the watcher was slow: it is told with the next line that it gets.
    async fn a_slow_watcher_with_a_search_is_told_with_its_next_line(db: TestDb) {
        let jobs = open(&db).await;
        let (write, until) = watch::channel(10);
        let (_worker, id) = start(&jobs, until, 9_000).await;
        let (mut slow, mut other) = (jobs.tail(id, 0, Level::Debug), jobs.tail(id, 0, Level::Debug));
        slow = slow.searching(Some("9.".parse().unwrap()));
        let mut saw = Vec::new();
        assert_eq!(read(&mut slow, &mut saw, 9).await, NEVER);
        write.send(8_000).unwrap();
        read(&mut other, &mut Vec::new(), 8_000).await;
        let told = read(&mut slow, &mut saw, 7_999).await;
        assert_eq!((told.len(), saw.len()), (1, 800));
        assert!((8_000 - 10..=8_000 - 9).contains(&told[0]), "{told:?}");
    }
}
