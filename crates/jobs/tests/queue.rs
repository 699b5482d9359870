//! What the queue promises, on both databases.
//!
//! Each test runs a real worker with small handlers, and waits for conditions, never for a duration.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "queue/fixture.rs"]
mod fixture;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use docket_core::time::Timestamp;
use docket_jobs::{
    Clock, Failure, JobState, Jobs, Level, NewJob,
    worker::{self, Config, Handler},
};
use docket_test_support::on_both_databases;
use fixture::{DEADLINE, Worker, enqueue, find, finished, job, lines, open};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

on_both_databases! {
    /// A job runs, its lines are dense and in order, and it ends well.
    async fn a_job_runs_and_its_log_is_dense(db: TestDb) {
        let jobs = open(&db).await;
        let _worker = Worker::start(&jobs, "w", |run| async move {
            for number in 1..=250 {
                run.log.info(format!("line {number}"));
            }
            Ok(())
        });
        let id = enqueue(&jobs, &job("a", &[])).await;
        let job = finished(&jobs, id).await;
        assert_eq!(job.state, JobState::Succeeded);
        let lines = lines(&jobs, id).await;
        assert_eq!(lines.len(), 250);
        for (line, number) in lines.iter().zip(1..) {
            assert_eq!((line.seq, line.message.as_str()), (number, format!("line {number}").as_str()));
        }
        assert!(lines.windows(2).all(|pair| pair[0].at < pair[1].at), "times increase strictly");
    }

    /// While a job of an operation is active the same operation gets that job; afterwards a new one.
    async fn an_active_job_is_not_doubled(db: TestDb) {
        let jobs = open(&db).await;
        let first = enqueue(&jobs, &job("same", &[])).await;
        assert_eq!(enqueue(&jobs, &job("same", &[])).await, first);
        let worker = Worker::start(&jobs, "w", |_| async { Ok(()) });
        finished(&jobs, first).await;
        worker.stop().await;
        assert_ne!(enqueue(&jobs, &job("same", &[])).await, first);
    }

    /// The first job of an operation can be stored by itself, with its locks, while there is room for it. What is not the first, or finds no room, stores nothing; nor
    /// does SQLite, where it would save nothing.
    async fn a_job_is_stored_by_itself_only_as_the_first_of_its_operation(db: TestDb) {
        const MOST: i64 = 2;
        let jobs = open(&db).await;
        let first = NewJob { package_name: Some("p".parse().unwrap()), ..job("first", &["package/p"]) };
        let stored = jobs.enqueue_first(&first, MOST).await.unwrap();
        if !db.db.is_postgres() {
            assert_eq!(stored, None);
            let mut tx = db.db.read().await.unwrap();
            assert!(jobs.list(&mut tx, &Default::default()).await.unwrap().is_empty());
            return;
        }
        let id = stored.expect("nobody has asked before");
        assert_eq!(enqueue(&jobs, &first).await, id, "it is the active job of the operation");
        assert_eq!(jobs.enqueue_first(&first, MOST).await.unwrap(), None, "it is active");
        let second = NewJob { dedup_key: "second".to_owned(), ..first.clone() };
        assert!(jobs.enqueue_first(&second, MOST).await.unwrap().is_some(), "there is room for two");
        let third = NewJob { dedup_key: "third".to_owned(), ..first.clone() };
        assert_eq!(jobs.enqueue_first(&third, MOST).await.unwrap(), None, "two are active");
        let _worker = Worker::start(&jobs, "w", |_| async { Ok(()) });
        finished(&jobs, id).await;
        assert_eq!(jobs.enqueue_first(&first, MOST).await.unwrap(), None, "it has ended");
        let held: i64 = docket_db::sqlx::query_scalar("SELECT count(*) FROM job_lock WHERE name = 'package/p'")
            .fetch_one(&docket_db::sqlx::PgPool::connect(&db.url).await.unwrap())
            .await
            .unwrap();
        assert_eq!(held, 2, "each has its lock");
    }

    /// With many slots one transaction ends jobs while another one claims. Whoever waits for a lock that is freed meanwhile is let go, long before
    /// anybody looks for forgotten jobs.
    async fn a_lock_that_is_freed_while_others_claim_keeps_nobody_waiting(db: TestDb) {
        const LOCKS: usize = 200;
        const IN_LINE: usize = 5;
        let jobs = open(&db).await;
        let mut tx = jobs.db().write().await.unwrap();
        for number in 0..LOCKS * IN_LINE {
            let lock = format!("lock {}", number % LOCKS);
            jobs.enqueue(&mut tx, &job(&format!("job {number}"), &[&lock])).await.unwrap();
        }
        tx.commit().await.unwrap();
        let left = Arc::new(Semaphore::new(0));
        let workers = ["one", "another"].map(|name| {
            let left = left.clone();
            let handler = Handler::new("publish", 60, 3, move |_| {
                left.add_permits(1);
                async { Ok(()) }
            });
            Worker::start_as(&jobs, Config { concurrency: 150, lease_secs: 60, ..fixture::config(name) }, handler)
        });
        let all = left.acquire_many((LOCKS * IN_LINE) as u32);
        let _all = tokio::time::timeout(DEADLINE / 2, all).await.expect("every job begins").unwrap();
        for worker in workers {
            worker.stop().await;
        }
        let mut tx = jobs.db().read().await.unwrap();
        assert_eq!(jobs.count_active(&mut tx).await.unwrap(), []);
    }

    /// Jobs that share a lock never run at once, and run in the order they came.
    async fn jobs_that_share_a_lock_follow_one_another(db: TestDb) {
        let jobs = open(&db).await;
        let running = Arc::new(AtomicI64::new(0));
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut ids = Vec::new();
        for number in 0..6 {
            ids.push(enqueue(&jobs, &job(&format!("job {number}"), &["package/prelude"])).await);
        }
        let seen = order.clone();
        let _worker = Worker::start(&jobs, "w", move |run| {
            let (running, seen) = (running.clone(), seen.clone());
            async move {
                assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "two holders of one lock");
                seen.lock().unwrap().push(run.job.id);
                run.log.info("inside");
                run.log.flush().await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        });
        for id in &ids {
            assert_eq!(finished(&jobs, *id).await.state, JobState::Succeeded);
        }
        assert_eq!(*order.lock().unwrap(), ids);
    }

    /// What the author can mend fails at once, with its code, and the reason is the last line of the log.
    async fn a_rejection_is_the_last_line_of_the_log(db: TestDb) {
        let jobs = open(&db).await;
        let _worker = Worker::start(&jobs, "w", |run| async move {
            run.log.info("looking");
            Err(Failure::Rejected { code: "wrong", detail: "Change it.".to_owned() })
        });
        let id = enqueue(&jobs, &job("a", &[])).await;
        let job = finished(&jobs, id).await;
        assert_eq!((job.state, job.error_code.as_deref()), (JobState::Failed, Some("wrong")));
        let last = lines(&jobs, id).await.pop().unwrap();
        assert_eq!((last.level, last.message.as_str()), (Level::Error, "Change it."));
    }

    /// What we can mend is tried again, at most as often as the handler says.
    async fn an_unavailable_service_is_tried_again_and_then_given_up(db: TestDb) {
        let jobs = open(&db).await;
        let _worker = Worker::start(&jobs, "w", |_| async {
            Err(Failure::Unavailable { detail: "GitHub did not answer.".to_owned(), cause: None })
        });
        let id = enqueue(&jobs, &job("a", &[])).await;
        let job = finished(&jobs, id).await;
        assert_eq!((job.attempt, job.state), (3, JobState::Failed));
        assert_eq!(job.error_code.as_deref(), Some("unavailable"));
    }

    /// A handler that panics takes nothing down with it: its job is tried again.
    async fn a_panic_is_one_failed_attempt(db: TestDb) {
        let jobs = open(&db).await;
        let _worker = Worker::start(&jobs, "w", |run| async move {
            assert!(run.job.attempt > 1, "planted");
            Ok(())
        });
        let id = enqueue(&jobs, &job("a", &[])).await;
        let job = finished(&jobs, id).await;
        assert_eq!((job.attempt, job.state), (2, JobState::Succeeded));
    }

    /// When a worker dies without a word, another attempt finishes the job; the dead one can write nothing any more.
    async fn a_lapsed_lease_is_taken_over_and_fenced(db: TestDb) {
        let jobs = open(&db).await;
        let id = enqueue(&jobs, &job("a", &["lock"])).await;
        let (entered, mut first_run) = tokio::sync::mpsc::unbounded_channel();
        // A worker whose clock stands still believes that its lease never ends, but renews it to a time long past.
        let stuck = Jobs::new(db.db.clone(), Clock::from_fn(|| Timestamp::from_millis(1_000_000_000_000)));
        let frozen = Timestamp::from_millis(900_000_000_000);
        let mut tx = db.db.write().await.unwrap();
        docket_db::execute!(&mut tx, docket_db::sqlx::query("UPDATE job SET run_after = $1").bind(frozen.millis())).unwrap();
        tx.commit().await.unwrap();
        let stuck_worker = Worker::start(&stuck, "stuck", move |run| {
            entered.send(run.clone()).unwrap();
            async move {
                std::future::pending().await
            }
        });
        let first = tokio::time::timeout(DEADLINE, first_run.recv()).await.unwrap().unwrap();
        first.log.info("from the first attempt");
        first.log.flush().await;
        let _worker = Worker::start(&jobs, "healthy", |run| async move {
            run.log.info("from the second attempt");
            Ok(())
        });
        let job = finished(&jobs, id).await;
        assert_eq!((job.attempt, job.resets, job.state), (2, 1, JobState::Succeeded));
        assert!(matches!(first.begin().await, Err(Failure::LeaseLost)), "effects of a lost attempt are refused");
        first.log.info("too late");
        first.log.flush().await;
        let messages: Vec<_> = lines(&jobs, id).await.into_iter().map(|line| line.message).collect();
        assert!(messages.iter().any(|message| message == "from the first attempt"));
        assert!(messages.iter().any(|message| message == "from the second attempt"));
        assert!(!messages.iter().any(|message| message == "too late"));
        stuck_worker.stop().await;
    }

    /// A stop gives running jobs back at once, without counting it as a failure.
    async fn a_stopped_worker_gives_its_leases_back(db: TestDb) {
        let jobs = open(&db).await;
        let id = enqueue(&jobs, &job("a", &[])).await;
        let (entered, mut started) = tokio::sync::mpsc::unbounded_channel();
        let handler = Handler::new("publish", 60, 3, move |_| {
            entered.send(()).unwrap();
            std::future::pending()
        });
        let config = Config { concurrency: 1, background_concurrency: 0, lease_secs: 60, drain_secs: 0, retry_millis: 1, name: "w".to_owned(), progress: Default::default() };
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(worker::run(jobs.clone(), config, vec![handler], shutdown.clone()));
        tokio::time::timeout(DEADLINE, started.recv()).await.unwrap().unwrap();
        shutdown.cancel();
        tokio::time::timeout(DEADLINE, task).await.expect("the worker stops").unwrap();
        let job = find(&jobs, id).await;
        assert_eq!((job.state, job.resets), (JobState::Queued, 0));
    }

    /// A watcher that comes late, or again, gets exactly the lines after the one it names.
    async fn a_tail_continues_after_the_line_it_is_given(db: TestDb) {
        let jobs = open(&db).await;
        let _worker = Worker::start(&jobs, "w", |run| async move {
            for number in 1..=2500 {
                run.log.info(format!("line {number}"));
            }
            Ok(())
        });
        let id = enqueue(&jobs, &job("a", &[])).await;
        finished(&jobs, id).await;
        let mut tail = jobs.tail(id, 1200, Level::Info);
        let mut seen = Vec::new();
        loop {
            let page = tail.next().await.unwrap().unwrap();
            seen.extend(page.lines.iter().map(|line| line.seq));
            if page.finished.is_some() {
                break;
            }
        }
        assert_eq!(seen, (1201..=2500).collect::<Vec<_>>());
    }
}
