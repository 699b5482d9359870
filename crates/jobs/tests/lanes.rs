//! Foreground and background work have slots of their own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "queue/fixture.rs"]
mod fixture;

use std::sync::{Arc, Mutex};

use docket_core::time::Timestamp;
use docket_jobs::{
    Actor, JobState, NewJob, Role,
    worker::{self, Config, Handler},
};
use docket_test_support::on_both_databases;
use fixture::{Worker, enqueue, find, finished, job, lines, open};
use tokio_util::sync::CancellationToken;

fn background(dedup_key: &str) -> NewJob {
    NewJob {
        priority: -1,
        ..job(dedup_key, &[])
    }
}

on_both_databases! {
    /// However much background work waits or runs, a job that people wait for starts.
    async fn background_work_keeps_no_one_waiting(db: TestDb) {
        let jobs = open(&db).await;
        let mut waiting = Vec::new();
        for number in 0..20 {
            waiting.push(enqueue(&jobs, &background(&format!("matrix {number}"))).await);
        }
        let release = CancellationToken::new();
        let gate = release.clone();
        let worker = Worker::start(&jobs, "w", move |run| {
            let gate = gate.clone();
            async move {
                if run.job.payload == "{}" {
                    run.log.info("waits");
                    gate.cancelled().await;
                }
                Ok(())
            }
        });
        let urgent = NewJob { payload: "urgent".to_owned(), ..job("publish", &[]) };
        let urgent = enqueue(&jobs, &urgent).await;
        assert_eq!(finished(&jobs, urgent).await.state, JobState::Succeeded);
        let begun = jobs.tail(waiting[0], 0, docket_jobs::Level::Debug).next().await.unwrap().unwrap();
        assert!(begun.finished.is_none(), "the background job that came first still runs");
        release.cancel();
        for id in waiting {
            assert_eq!(finished(&jobs, id).await.state, JobState::Succeeded);
        }
        worker.stop().await;
    }

    /// Foreground jobs that fill all their slots leave the background its own.
    async fn foreground_work_does_not_starve_the_background(db: TestDb) {
        let jobs = open(&db).await;
        let release = CancellationToken::new();
        let gate = release.clone();
        let _worker = Worker::start(&jobs, "w", move |run| {
            let gate = gate.clone();
            async move {
                if run.job.payload == "{}" {
                    gate.cancelled().await;
                }
                Ok(())
            }
        });
        let mut blocked = Vec::new();
        for number in 0..8 {
            blocked.push(enqueue(&jobs, &job(&format!("publish {number}"), &[])).await);
        }
        let chore = NewJob { payload: "chore".to_owned(), ..background("chore") };
        let chore = enqueue(&jobs, &chore).await;
        assert_eq!(finished(&jobs, chore).await.state, JobState::Succeeded);
        release.cancel();
        for id in blocked {
            finished(&jobs, id).await;
        }
    }

    /// Who asked is stored with the job; so is the job that asked, the compiler, and when it may run at the earliest.
    async fn a_job_keeps_who_asked_for_it(db: TestDb) {
        let jobs = open(&db).await;
        let parent = enqueue(&jobs, &job("parent", &[])).await;
        let actor = Actor { role: Role::Owner, name: "me@example.org".to_owned(), key: Some("SHA256:abc".to_owned()) };
        let later = Timestamp::from_millis(jobs.clock().now().millis() + 3_600_000);
        let new = NewJob {
            actor: Some(actor.clone()),
            parent: Some(parent),
            compiler: Some("0.15.15".parse().unwrap()),
            run_after: Some(later),
            ..job("child", &[])
        };
        let id = enqueue(&jobs, &new).await;
        let stored = find(&jobs, id).await;
        assert_eq!(stored.actor, Some(actor));
        assert_eq!(stored.parent, Some(parent));
        assert_eq!(stored.compiler.as_deref(), Some("0.15.15"));
        assert_eq!(stored.run_after, later);
        assert!(lines(&jobs, id).await.is_empty());
    }

    /// Jobs of one priority start in the order in which they came, however many of another kind came before and after.
    async fn kinds_take_their_turns(db: TestDb) {
        let jobs = open(&db).await;
        let mut ids = Vec::new();
        for number in 0..12 {
            let kind = if number == 4 { "transfer" } else { "publish" };
            ids.push(enqueue(&jobs, &NewJob { kind, ..job(&format!("job {number}"), &[]) }).await);
        }
        let order = Arc::new(Mutex::new(Vec::new()));
        let handler = |kind| {
            let seen = order.clone();
            Handler::new(kind, 60, 3, move |run| {
                seen.lock().unwrap().push(run.job.id);
                async { Ok(()) }
            })
        };
        let config = Config { concurrency: 1, background_concurrency: 0, lease_secs: 60, drain_secs: 5, retry_millis: 1, name: "w".to_owned(), progress: Default::default() };
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(worker::run(jobs.clone(), config, vec![handler("publish"), handler("transfer")], shutdown.clone()));
        for id in &ids {
            finished(&jobs, *id).await;
        }
        assert_eq!(*order.lock().unwrap(), ids);
        shutdown.cancel();
        task.await.unwrap();
    }
}
