//! What operators can do, and what they are told: cancel, retry, pause, limits, priorities, and why a job waits.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "queue/fixture.rs"]
#[allow(dead_code, reason = "shared with `queue`, which needs more of it")]
mod fixture;

use docket_core::time::{ForPeople, Timestamp};
use docket_jobs::{
    Cancel, Failure, Job, JobState, Jobs, Level, NewJob, Retry, Wait,
    worker::{self, Config, Handler},
};
use docket_test_support::on_both_databases;
use fixture::{DEADLINE, Worker, enqueue, find, finished, job, lines, open};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A worker whose jobs wait at a gate; says which ones have begun.
fn gated(jobs: &Jobs) -> (Worker, mpsc::UnboundedReceiver<Job>, CancellationToken) {
    let (entered, begun) = mpsc::unbounded_channel();
    let release = CancellationToken::new();
    let gate = release.clone();
    let worker = Worker::start(jobs, "w", move |run| {
        let (gate, entered) = (gate.clone(), entered.clone());
        async move {
            let _ = entered.send(run.job.clone());
            gate.cancelled().await;
            Ok(())
        }
    });
    (worker, begun, release)
}

async fn next(begun: &mut mpsc::UnboundedReceiver<Job>) -> Job {
    tokio::time::timeout(DEADLINE, begun.recv())
        .await
        .expect("a job begins")
        .unwrap()
}

async fn why(jobs: &Jobs, id: docket_jobs::JobId) -> (Wait, String) {
    let why = jobs.why(id).await.unwrap().expect("the job exists");
    (why.wait.clone(), why.to_string())
}

on_both_databases! {
    /// A job that waits is cancelled at once; its log says by whom, and its lock's line moves on.
    async fn a_waiting_job_is_cancelled_at_once(db: TestDb) {
        let jobs = open(&db).await;
        let (_worker, mut begun, release) = gated(&jobs);
        let first = enqueue(&jobs, &job("first", &["lock"])).await;
        next(&mut begun).await;
        let second = enqueue(&jobs, &job("second", &["lock"])).await;
        let third = enqueue(&jobs, &job("third", &["lock"])).await;
        assert_eq!(jobs.cancel(second, "trustee ann").await.unwrap(), Cancel::Ended);
        let cancelled = find(&jobs, second).await;
        assert_eq!((cancelled.state, cancelled.error_code.as_deref()), (JobState::Cancelled, Some("cancelled")));
        assert_eq!(lines(&jobs, second).await[0].message, "Cancelled by trustee ann.");
        release.cancel();
        for id in [first, third] {
            assert_eq!(finished(&jobs, id).await.state, JobState::Succeeded);
        }
        assert_eq!(jobs.cancel(second, "x").await.unwrap(), Cancel::WasOver(JobState::Cancelled));
        assert_eq!(jobs.cancel(docket_jobs::JobId::new(Timestamp::from_millis(1)), "x").await.unwrap(), Cancel::Unknown);
    }

    /// A running job hears of its cancellation within moments, not when its lease is next renewed, and its effects never happen.
    async fn a_running_job_stops_before_its_effects(db: TestDb) {
        let jobs = open(&db).await;
        let (_worker, mut begun, _release) = gated(&jobs);
        let id = enqueue(&jobs, &job("a", &["lock"])).await;
        next(&mut begun).await;
        assert_eq!(jobs.cancel(id, "trustee ann").await.unwrap(), Cancel::Asked);
        let job = finished(&jobs, id).await;
        assert_eq!((job.state, job.error_detail.as_deref()), (JobState::Cancelled, Some("Cancelled by trustee ann.")));
    }

    /// Whoever opens the effects after the cancellation is refused; whoever has committed them ends well.
    async fn a_job_with_effects_cannot_be_cancelled(db: TestDb) {
        let jobs = open(&db).await;
        let (entered, mut begun) = mpsc::unbounded_channel();
        let release = CancellationToken::new();
        let gate = release.clone();
        let _worker = Worker::start(&jobs, "w", move |run| {
            let (gate, entered) = (gate.clone(), entered.clone());
            async move {
                run.begin().await?.commit().await?;
                let _ = entered.send(run.job.clone());
                gate.cancelled().await;
                Ok(())
            }
        });
        let id = enqueue(&jobs, &job("a", &[])).await;
        next(&mut begun).await;
        assert_eq!(jobs.cancel(id, "trustee ann").await.unwrap(), Cancel::TooLate);
        release.cancel();
        assert_eq!(finished(&jobs, id).await.state, JobState::Succeeded);
    }

    /// A failed job runs again under its own id, and its log goes on where it ended.
    async fn a_failed_job_can_be_queued_again(db: TestDb) {
        let jobs = open(&db).await;
        let worker = Worker::start(&jobs, "w", |run| async move {
            if run.job.attempt == 1 {
                return Err(Failure::Rejected { code: "wrong", detail: "No.".to_owned() });
            }
            Ok(())
        });
        let id = enqueue(&jobs, &job("a", &[])).await;
        assert_eq!(finished(&jobs, id).await.state, JobState::Failed);
        assert_eq!(jobs.retry(id, "operator").await.unwrap(), Retry::Queued);
        assert_eq!(finished(&jobs, id).await.state, JobState::Succeeded);
        let told: Vec<_> = lines(&jobs, id).await.into_iter().map(|line| (line.seq, line.message)).collect();
        assert_eq!(told[..2], [(1, "No.".to_owned()), (2, "Queued again by operator.".to_owned())]);
        assert_eq!(jobs.retry(id, "operator").await.unwrap(), Retry::NotFailed(JobState::Succeeded));
        worker.stop().await;
    }

    /// A failed job is not run again beside one of the same operation.
    async fn a_retry_does_not_double_an_operation(db: TestDb) {
        let jobs = open(&db).await;
        let worker = Worker::start(&jobs, "w", |_| async { Err(Failure::Rejected { code: "wrong", detail: "No.".to_owned() }) });
        let first = enqueue(&jobs, &job("same", &[])).await;
        finished(&jobs, first).await;
        worker.stop().await;
        let second = enqueue(&jobs, &job("same", &[])).await;
        assert_eq!(jobs.retry(first, "operator").await.unwrap(), Retry::Superseded(second));
    }

    /// What failed for one reason is queued again together, and nothing else.
    async fn jobs_that_failed_with_one_code_are_queued_again_together(db: TestDb) {
        let jobs = open(&db).await;
        let worker = Worker::start(&jobs, "w", |run| async move {
            let code = if run.job.payload == "1" { "one" } else { "other" };
            Err(Failure::Rejected { code, detail: "No.".to_owned() })
        });
        let mut ids = Vec::new();
        for (number, payload) in ["1", "2", "1"].into_iter().enumerate() {
            let new = NewJob { payload: payload.to_owned(), ..job(&format!("job {number}"), &[]) };
            ids.push(enqueue(&jobs, &new).await);
        }
        for id in &ids {
            finished(&jobs, *id).await;
        }
        worker.stop().await;
        assert_eq!(jobs.retry_failed("one", Some("transfer"), 10, "operator").await.unwrap(), []);
        assert_eq!(jobs.retry_failed("one", None, 1, "operator").await.unwrap(), [ids[0]]);
        assert_eq!(jobs.retry_failed("one", Some("publish"), 10, "operator").await.unwrap(), [ids[2]]);
        assert_eq!(find(&jobs, ids[1]).await.state, JobState::Failed);
    }

    /// A paused kind does not start, other kinds do, and why is said.
    async fn a_paused_kind_waits_until_it_is_resumed(db: TestDb) {
        let jobs = open(&db).await;
        jobs.pause_kind("publish", "trustee ann").await.unwrap();
        let (_worker, mut begun, release) = gated(&jobs);
        let waiting = enqueue(&jobs, &job("a", &["lock"])).await;
        let (wait, said) = why(&jobs, waiting).await;
        assert!(matches!(wait, Wait::Paused { by: Some(by), .. } if by == "trustee ann"), "{said}");
        assert!(begun.try_recv().is_err());
        jobs.resume_kind("publish").await.unwrap();
        assert_eq!(next(&mut begun).await.id, waiting);
        release.cancel();
        finished(&jobs, waiting).await;
    }

    /// Never more of a kind run than its limit says, and all of them run in the end.
    async fn a_limit_holds_and_starves_nobody(db: TestDb) {
        let jobs = open(&db).await;
        jobs.limit_kind("publish", Some(2)).await.unwrap();
        let mut ids = Vec::new();
        for number in 0..7 {
            ids.push(enqueue(&jobs, &job(&format!("job {number}"), &[])).await);
        }
        let (_worker, mut begun, release) = gated(&jobs);
        next(&mut begun).await;
        next(&mut begun).await;
        let (wait, said) = why(&jobs, ids[2]).await;
        assert_eq!(wait, Wait::Limit { kind: "publish".to_owned(), max_running: 2 });
        assert_eq!(said, "It waits because 2 jobs of kind publish run already, which is the limit.");
        release.cancel();
        for id in ids {
            assert_eq!(finished(&jobs, id).await.state, JobState::Succeeded);
        }
    }

    /// Who has the lock, and the place in line.
    async fn a_job_behind_a_lock_is_told_who_has_it(db: TestDb) {
        let jobs = open(&db).await;
        let (_worker, mut begun, release) = gated(&jobs);
        let first = enqueue(&jobs, &job("first", &["package/prelude"])).await;
        next(&mut begun).await;
        let second = enqueue(&jobs, &job("second", &["package/prelude"])).await;
        let third = enqueue(&jobs, &job("third", &["package/prelude"])).await;
        let (wait, said) = why(&jobs, third).await;
        let Wait::Lock { name, holder, ahead } = wait else { panic!("{said}") };
        assert_eq!((name.as_str(), holder.unwrap().job, ahead), ("package/prelude", first, 1));
        assert_eq!(
            said,
            format!("It waits for the lock package/prelude, which publish (job {first}) has had for less than a second; 1 job is ahead of it in the line.")
        );
        assert!(why(&jobs, second).await.1.ends_with("; it is next in line."));
        assert!(matches!(why(&jobs, first).await.0, Wait::Running { attempt: 1, .. }));
        release.cancel();
        finished(&jobs, third).await;
        let (wait, said) = why(&jobs, third).await;
        assert_eq!((wait, said.as_str()), (Wait::Over(JobState::Succeeded), "It has ended well."));
    }

    /// A job goes first when it is told to.
    async fn a_priority_can_be_changed_while_a_job_waits(db: TestDb) {
        let jobs = open(&db).await;
        let first = enqueue(&jobs, &job("first", &["lock"])).await;
        let second = enqueue(&jobs, &job("second", &["lock"])).await;
        assert!(jobs.set_priority(second, 5).await.unwrap());
        let (_worker, mut begun, release) = gated(&jobs);
        assert_eq!(next(&mut begun).await.id, second);
        assert!(!jobs.set_priority(second, 1).await.unwrap(), "it runs");
        release.cancel();
        finished(&jobs, first).await;
    }

    /// A job with several locks is not overtaken in any of their lines while it waits for one of them.
    async fn a_job_with_several_locks_keeps_its_place_in_every_line(db: TestDb) {
        let jobs = open(&db).await;
        let (_worker, mut begun, release) = gated(&jobs);
        enqueue(&jobs, &job("holder", &["b"])).await;
        next(&mut begun).await;
        let both = enqueue(&jobs, &job("both", &["a", "b"])).await;
        let late = enqueue(&jobs, &job("late", &["a"])).await;
        let other = enqueue(&jobs, &job("other", &["c"])).await;
        assert_eq!(next(&mut begun).await.id, other, "the lock a is free, but its first in line is not `late`");
        let (_, said) = why(&jobs, late).await;
        assert_eq!(said, "It waits for the lock a; 1 job is ahead of it in the line.");
        release.cancel();
        assert_eq!(next(&mut begun).await.id, both);
        assert_eq!(next(&mut begun).await.id, late);
        finished(&jobs, late).await;
    }

    /// The time of the next attempt stands in the log and in the answer to "why".
    async fn a_job_that_waits_for_its_next_attempt_says_when(db: TestDb) {
        let jobs = open(&db).await;
        let (tried, mut first) = mpsc::unbounded_channel();
        let handler = Handler::new("publish", 60, 3, move |run| {
            let _ = tried.send(run.job.clone());
            async { Err(Failure::Unavailable { detail: "GitHub did not answer.".to_owned(), cause: None }) }
        });
        let config = Config { concurrency: 1, background_concurrency: 0, lease_secs: 60, drain_secs: 5, retry_millis: 60_000, name: "w".to_owned(), progress: Default::default() };
        let shutdown = CancellationToken::new();
        let worker = tokio::spawn(worker::run(jobs.clone(), config, vec![handler], shutdown.clone()));
        let id = enqueue(&jobs, &job("a", &[])).await;
        next(&mut first).await;
        let mut tail = jobs.tail(id, 0, Level::Debug);
        let told = tail.next().await.unwrap().unwrap().lines;
        assert_eq!(told[0].message, "GitHub did not answer. The next attempt begins in 60s.");
        let (wait, said) = why(&jobs, id).await;
        let Wait::Time { at, retries: 1 } = wait else { panic!("{said}") };
        assert_eq!(said, format!("It was tried 1 time and something on our side did not answer; the next attempt begins at {}.", ForPeople(at)));
        shutdown.cancel();
        worker.await.unwrap();
    }
}
