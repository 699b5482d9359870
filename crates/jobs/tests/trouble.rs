//! What the queue promises when something around it goes wrong.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "queue/fixture.rs"]
#[allow(dead_code, reason = "shared with `queue`, which needs more of it")]
mod fixture;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use docket_db::sqlx;
use docket_jobs::{
    Failure, JobState, Level,
    worker::{self, Config, Handler},
};
use docket_test_support::on_both_databases;
use fixture::{DEADLINE, Worker, enqueue, find, finished, job, lines, open};
use tokio_util::sync::CancellationToken;

/// While the workers idle the database drops every connection: they go on as soon as it answers again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_go_on_after_the_database_was_away_while_they_idled() {
    let db = docket_test_support::postgres().await;
    let jobs = open(&db).await;
    let _worker = Worker::start(&jobs, "w", |_| async { Ok(()) });
    // The worker has run something, so it is up and idle.
    let first = enqueue(&jobs, &job("before", &[])).await;
    finished(&jobs, first).await;

    let (_, name) = db.url.rsplit_once('/').unwrap();
    let server = std::env::var("DOCKET_TEST_POSTGRES_URL").unwrap();
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&server)
        .await
        .unwrap();
    let ended: Vec<bool> =
        sqlx::query_scalar("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
            .bind(name)
            .fetch_all(&mut admin)
            .await
            .unwrap();
    assert!(!ended.is_empty(), "there were connections to lose");

    let second = enqueue(&jobs, &job("after", &[])).await;
    assert_eq!(finished(&jobs, second).await.state, JobState::Succeeded);
}

/// PostgreSQL believes that a table is empty which it looked at while the first rows came, and plans once: claims cost the same then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_locks_of_a_job_are_found_at_once_where_the_planner_knows_of_no_rows() {
    const JOBS: usize = 50;
    let db = docket_test_support::postgres().await;
    let jobs = open(&db).await;
    let mut ids = Vec::new();
    for number in 0..JOBS {
        ids.push(enqueue(&jobs, &job(&number.to_string(), &[&format!("package/{number}")])).await);
    }
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&db.url)
        .await
        .unwrap();
    sqlx::query("UPDATE pg_class SET reltuples = 0, relpages = 1 WHERE relname IN ('job', 'job_lock')")
        .execute(&mut admin)
        .await
        .unwrap();
    let _worker = Worker::start(&jobs, "w", |_| async { Ok(()) });
    for id in ids {
        assert_eq!(finished(&jobs, id).await.state, JobState::Succeeded);
    }
    // What a connection counted is there for others a moment later.
    let used = async {
        loop {
            let used: Vec<String> = sqlx::query_scalar(
                "SELECT indexrelname::text FROM pg_stat_user_indexes WHERE relname = 'job_lock' AND idx_scan >= $1",
            )
            .bind(JOBS as i64)
            .fetch_all(&mut admin)
            .await
            .unwrap();
            if !used.is_empty() {
                return used;
            }
            tokio::task::yield_now().await;
        }
    };
    let used = tokio::time::timeout(DEADLINE, used).await.unwrap();
    assert_eq!(used, ["job_lock_of_job"]);
}

/// A job that ends while the database is away has ended: it is not run again when the database is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_while_the_database_was_away_is_stored() {
    let db = docket_test_support::postgres().await;
    let jobs = open(&db).await;
    let (entered, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let (release, gate) = (CancellationToken::new(), CancellationToken::new());
    let (opened, over) = (release.clone(), gate.clone());
    let handler = Handler::new("publish", 60, 3, move |run| {
        let (opened, over, entered) = (opened.clone(), over.clone(), entered.clone());
        async move {
            entered.send(()).unwrap();
            opened.cancelled().await;
            run.log.info("the last line");
            over.cancel();
            Ok(())
        }
    });
    let config = Config {
        concurrency: 1,
        background_concurrency: 0,
        lease_secs: 60,
        drain_secs: 5,
        retry_millis: 1,
        name: "w".to_owned(),
        progress: Default::default(),
    };
    let shutdown = CancellationToken::new();
    let worker = tokio::spawn(worker::run(jobs.clone(), config, vec![handler], shutdown.clone()));
    let id = enqueue(&jobs, &job("a", &[])).await;
    tokio::time::timeout(DEADLINE, begun.recv())
        .await
        .unwrap()
        .unwrap();

    let (_, name) = db.url.rsplit_once('/').unwrap();
    let server = std::env::var("DOCKET_TEST_POSTGRES_URL").unwrap();
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&server)
        .await
        .unwrap();
    let allow = |allow: bool| sqlx::AssertSqlSafe(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allow}"));
    sqlx::query(allow(false)).execute(&mut admin).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    sqlx::query(end).bind(name).execute(&mut admin).await.unwrap();
    assert!(jobs.db().write().await.is_err(), "the database is away");
    release.cancel();
    tokio::time::timeout(DEADLINE, gate.cancelled()).await.unwrap();
    sqlx::query(allow(true)).execute(&mut admin).await.unwrap();

    let ended = finished_patiently(&jobs, id).await;
    assert_eq!((ended.state, ended.attempt), (JobState::Succeeded, 1));
    assert_eq!(lines(&jobs, id).await[0].message, "the last line");
    shutdown.cancel();
    worker.await.unwrap();
}

/// Waits for the end of a job, over reads that fail.
async fn finished_patiently(jobs: &docket_jobs::Jobs, id: docket_jobs::JobId) -> docket_jobs::Job {
    let mut tail = jobs.tail(id, 0, Level::Debug);
    let end = async {
        loop {
            match tail.next().await {
                Ok(Some(page)) if page.finished.is_some() => break,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(DEADLINE, end).await.expect("the job ends");
    find(jobs, id).await
}

on_both_databases! {
    /// Programs print anything. A character that a database cannot hold must not keep a job from ending.
    async fn a_job_ends_even_if_its_reason_holds_a_nul(db: TestDb) {
        let jobs = open(&db).await;
        let _worker = Worker::start(&jobs, "w", |run| async move {
            run.log.info("a line with a \0");
            Err(Failure::Rejected { code: "wrong", detail: "The compiler said: \0.".to_owned() })
        });
        let id = enqueue(&jobs, &job("a", &[])).await;
        let job = finished(&jobs, id).await;
        assert_eq!(job.error_detail.as_deref(), Some("The compiler said: \u{2400}."));
        assert_eq!(lines(&jobs, id).await[0].message, "a line with a \0");
    }

    /// Servers that stop are nobody's failure: however often that happened, an unavailable service is still tried again.
    async fn attempts_that_were_given_back_do_not_count_as_failures(db: TestDb) {
        let jobs = open(&db).await;
        let id = enqueue(&jobs, &job("a", &[])).await;
        for _ in 0..3 {
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
        }
        assert_eq!(find(&jobs, id).await.attempt, 3);
        let tries = Arc::new(AtomicI64::new(0));
        let _worker = Worker::start(&jobs, "w", move |_| {
            let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if first {
                    return Err(Failure::Unavailable { detail: "GitHub did not answer.".to_owned(), cause: None });
                }
                Ok(())
            }
        });
        assert_eq!(finished(&jobs, id).await.state, JobState::Succeeded);
    }

    /// A worker that stops in the very moment in which it claims gives back what it claimed: nothing waits for a lease to lapse.
    async fn a_job_claimed_while_the_worker_stops_is_given_back(db: TestDb) {
        let jobs = open(&db).await;
        for number in 0..60 {
            let worker = Worker::start(&jobs, "w", |_| async { Ok(()) });
            let id = enqueue(&jobs, &job(&format!("job {number}"), &[])).await;
            // Each round stops at another point of the claim.
            for _ in 0..number * 100 {
                tokio::task::yield_now().await;
            }
            worker.stop().await;
            let job = find(&jobs, id).await;
            assert_ne!(job.state, JobState::Running, "round {number}");
        }
    }

    /// An end that the database refuses keeps no other job from ending, and is stored once it is accepted.
    async fn a_refused_end_keeps_no_other_job_from_ending(db: TestDb) {
        let jobs = open(&db).await;
        let change = async |sql: &'static str| {
            let mut tx = jobs.db().write().await.unwrap();
            docket_db::execute!(&mut tx, sqlx::query(sql)).unwrap();
            tx.commit().await.unwrap();
        };
        change("CREATE UNIQUE INDEX planted ON job (error_code) WHERE error_code = 'wrong'").await;
        let _worker = Worker::start(&jobs, "w", |run| async move {
            if run.job.payload == "well" {
                return Ok(());
            }
            Err(Failure::Rejected { code: "wrong", detail: "No.".to_owned() })
        });
        let first = enqueue(&jobs, &job("first", &[])).await;
        finished(&jobs, first).await;
        let refused = enqueue(&jobs, &job("refused", &[])).await;
        for number in 0..5 {
            let new = docket_jobs::NewJob { payload: "well".to_owned(), ..job(&format!("job {number}"), &[]) };
            let id = enqueue(&jobs, &new).await;
            assert_eq!(finished(&jobs, id).await.state, JobState::Succeeded);
        }
        assert_eq!(find(&jobs, refused).await.state, JobState::Running);
        change("DROP INDEX planted").await;
        assert_eq!(finished(&jobs, refused).await.state, JobState::Failed);
    }

    /// What a reader sees in one transaction is one state: never a job that has ended without its last line.
    async fn a_read_transaction_shows_one_state(db: TestDb) {
        let jobs = open(&db).await;
        let mut tx = jobs.db().read().await.unwrap();
        let id = docket_jobs::JobId::new(jobs.clock().now());
        assert!(jobs.find(&mut tx, id).await.unwrap().is_none());
        let id = enqueue(&jobs, &job("a", &[])).await;
        assert!(jobs.find(&mut tx, id).await.unwrap().is_none(), "it came after the first look");
        let all = docket_jobs::JobFilter { include_finished: true, ..Default::default() };
        assert!(jobs.list(&mut tx, &all).await.unwrap().is_empty());
        drop(tx);
        find(&jobs, id).await;
    }
}
