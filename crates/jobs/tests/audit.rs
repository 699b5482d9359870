//! What an audit finds: nothing after work, and each kind of planted damage by name.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "queue/fixture.rs"]
#[allow(dead_code, reason = "shared with `queue`, which needs more of it")]
mod fixture;

use docket_db::{execute, sqlx};
use docket_jobs::{Failure, Jobs};
use docket_test_support::on_both_databases;
use fixture::{Worker, enqueue, finished, job, open};

/// A queue in which jobs ended well, failed, and wait.
async fn after_work(db: &docket_test_support::TestDb) -> Jobs {
    let jobs = open(db).await;
    let worker = Worker::start(&jobs, "w", |run| async move {
        run.log.info("first");
        run.log.flush().await;
        run.log.info("second");
        if run.job.package_name.is_none() && run.job.attempt == 1 && run.job.payload == "fail" {
            return Err(Failure::Rejected {
                code: "wrong",
                detail: "No.".to_owned(),
            });
        }
        Ok(())
    });
    for payload in ["well", "fail"] {
        let new = docket_jobs::NewJob {
            payload: payload.to_owned(),
            ..job(payload, &["lock"])
        };
        let id = enqueue(&jobs, &new).await;
        finished(&jobs, id).await;
    }
    worker.stop().await;
    enqueue(&jobs, &job("waits", &["lock"])).await;
    jobs
}

async fn plant(jobs: &Jobs, damage: &'static str) {
    let mut tx = jobs.db().write().await.unwrap();
    assert!(execute!(&mut tx, sqlx::query(damage)).unwrap() > 0, "{damage}");
    tx.commit().await.unwrap();
}

on_both_databases! {
    async fn after_work_there_is_nothing_to_find(db: TestDb) {
        assert_eq!(after_work(&db).await.audit().await.unwrap(), Vec::<String>::new());
    }

    /// Damage that was planted is found, each kind by its own sentence.
    async fn planted_damage_is_found(db: TestDb) {
        const PLANTED: [(&str, &str); 6] = [
            ("DELETE FROM job_log WHERE first_seq = 1", "job logs have a gap"),
            ("UPDATE job SET log_seq = log_seq + 1 WHERE state = 'failed'", "job logs have a gap"),
            ("UPDATE job SET finished_at = NULL WHERE state = 'succeeded'", "jobs have ended only by half"),
            ("UPDATE job SET state = 'running', finished_at = NULL, lease_until = 1, error_code = NULL", "running jobs have lost their worker"),
            ("UPDATE job SET state = 'running', finished_at = NULL, error_code = NULL", "locks are held by two running jobs"),
            ("UPDATE job SET parked_on = 'lock/lock' WHERE state = 'queued'", "locks have a line of waiting jobs"),
        ];
        let jobs = after_work(&db).await;
        for (damage, found) in PLANTED {
            let mut tx = jobs.db().write().await.unwrap();
            for table in ["DELETE FROM job_log", "DELETE FROM job_lock", "DELETE FROM job"] {
                execute!(&mut tx, sqlx::query(table)).unwrap();
            }
            tx.commit().await.unwrap();
            let jobs = after_work(&db).await;
            plant(&jobs, damage).await;
            let findings = jobs.audit().await.unwrap();
            assert!(findings.iter().any(|finding| finding.contains(found)), "{damage}: {findings:?}");
        }
    }
}
