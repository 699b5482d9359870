//! The steps of a job: an outline beside its log, on both databases.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "queue/fixture.rs"]
#[allow(dead_code, reason = "shared with `queue`, which needs more of it")]
mod fixture;

use docket_jobs::{Failure, Step};
use docket_test_support::on_both_databases;
use fixture::{Worker, enqueue, find, finished, job, lines, open};

fn outline(steps: &[Step]) -> Vec<(&str, i64, i64)> {
    steps
        .iter()
        .map(|step| (step.name.as_str(), step.first_seq, step.attempt))
        .collect()
}

on_both_databases! {
    /// A step begins with the line that follows its mark and ends where the next begins; one in which nothing is said has a line that says so. Also what is
    /// stored with the end of a job counts.
    async fn steps_have_their_lines_and_times(db: TestDb) {
        let jobs = open(&db).await;
        let _worker = Worker::start(&jobs, "worker", |run| async move {
            run.log.info("before any step");
            run.log.step("Fetch");
            run.log.info("fetching");
            run.log.flush().await;
            run.log.step("Silent");
            run.log.step("Check");
            Err(Failure::Rejected { code: "test", detail: "No.".to_owned() })
        });
        let id = enqueue(&jobs, &job("steps", &[])).await;
        let job = finished(&jobs, id).await;
        let steps = jobs.steps(&job).await.unwrap();
        assert_eq!(outline(&steps), [("Fetch", 2, 1), ("Silent", 3, 1), ("Check", 4, 1)]);
        let lines = lines(&jobs, id).await;
        assert_eq!([&lines[2].message, &lines[3].message], ["There was nothing to say.", "No."]);
        assert_eq!(steps[0].ended_at, Some(steps[1].started_at));
        assert_eq!(steps[2].ended_at, job.finished_at.max(Some(steps[2].started_at)));
    }

    /// Each attempt has its own steps; the last one of an attempt that broke off ended with its last line, not when the next attempt began.
    async fn each_attempt_has_steps_of_its_own(db: TestDb) {
        let jobs = open(&db).await;
        let (go, gate) = tokio::sync::watch::channel(false);
        let _worker = Worker::start(&jobs, "worker", move |run| {
            let mut gate = gate.clone();
            async move {
                run.log.step("Fetch");
                run.log.info("fetching");
                if run.job.attempt == 1 {
                    return Err(Failure::Unavailable { detail: "The source host did not answer.".to_owned(), cause: None });
                }
                run.log.flush().await;
                gate.wait_for(|open| *open).await.unwrap();
                Ok(())
            }
        });
        let id = enqueue(&jobs, &job("attempts", &[])).await;
        let mut tail = jobs.tail(id, 0, docket_jobs::Level::Debug);
        let mut seen = 0;
        // With the line that says why, and the one that says that the second attempt begins.
        while seen < 4 {
            seen += tail.next().await.unwrap().unwrap().lines.len();
        }
        let steps = jobs.steps(&find(&jobs, id).await).await.unwrap();
        assert_eq!(outline(&steps), [("Fetch", 1, 1), ("Fetch", 4, 2)]);
        let all = lines(&jobs, id).await;
        assert_eq!(steps[0].ended_at, Some(all[1].at), "with the line that says why it is tried again");
        assert_eq!(steps[1].ended_at, None, "it goes on");
        go.send(true).unwrap();
        let job = finished(&jobs, id).await;
        assert!(jobs.steps(&job).await.unwrap()[1].ended_at >= job.finished_at);
    }
}
