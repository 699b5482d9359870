//! Lists of jobs: what they are filtered by, and going on where a page ended.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "queue/fixture.rs"]
#[allow(dead_code, reason = "shared with `queue`, which needs more of it")]
mod fixture;

use docket_core::time::Timestamp;
use docket_jobs::{
    Actor, Clock, Failure, Job, JobFilter, JobId, JobState, Jobs, NewJob, Order, Role, TABLES,
};
use docket_test_support::{TestDb, on_both_databases};
use fixture::{Worker, enqueue, finished, open};

fn new(kind: &'static str, number: usize) -> NewJob {
    NewJob::new(kind, "{}".to_owned(), format!("{kind}/{number}"))
}

/// A queue whose clock stands still.
async fn at_one_moment(db: &TestDb) -> Jobs {
    db.migrate(&[TABLES]).await;
    let moment = Timestamp::from_millis(1_787_036_531_004);
    Jobs::new(db.db.clone(), Clock::from_fn(move || moment))
}

async fn list(jobs: &Jobs, filter: &JobFilter) -> Vec<Job> {
    let mut tx = jobs.db().read().await.unwrap();
    jobs.list(&mut tx, filter).await.unwrap()
}

async fn ids(jobs: &Jobs, filter: JobFilter) -> Vec<JobId> {
    list(jobs, &filter).await.into_iter().map(|job| job.id).collect()
}

on_both_databases! {
    /// Each filter lets through what it names and nothing else, and several mean all of them.
    async fn jobs_are_found_by_each_filter(db: TestDb) {
        let jobs = open(&db).await;
        let trustee = Actor { role: Role::Trustee, name: "ann of GitHub".to_owned(), key: None };
        let plain = enqueue(&jobs, &new("publish", 1)).await;
        let effect = enqueue(&jobs, &NewJob { package_name: Some("effect".parse().unwrap()), ..new("publish", 2) }).await;
        let child = enqueue(&jobs, &NewJob { package_name: Some("effect".parse().unwrap()), parent: Some(effect), ..new("matrix", 3) }).await;
        let asked = enqueue(&jobs, &NewJob { actor: Some(trustee), ..new("transfer", 4) }).await;
        let all = || JobFilter { include_finished: true, ..JobFilter::default() };
        assert_eq!(ids(&jobs, all()).await, [plain, effect, child, asked]);
        assert_eq!(ids(&jobs, JobFilter { kinds: vec!["publish"], ..all() }).await, [plain, effect]);
        assert_eq!(ids(&jobs, JobFilter { kinds: vec!["matrix", "transfer"], ..all() }).await, [child, asked]);
        assert_eq!(ids(&jobs, JobFilter { package: Some("effect".parse().unwrap()), ..all() }).await, [effect, child]);
        assert_eq!(ids(&jobs, JobFilter { parent: Some(effect), ..all() }).await, [child]);
        assert_eq!(ids(&jobs, JobFilter { who: Some("ann of GitHub".to_owned()), ..all() }).await, [asked]);
        assert_eq!(ids(&jobs, JobFilter { who: Some("ann".to_owned()), ..all() }).await, []);
        let both = JobFilter { kinds: vec!["publish"], package: Some("effect".parse().unwrap()), ..all() };
        assert_eq!(ids(&jobs, both).await, [effect]);
    }

    /// A state shows the jobs in it, whether they have ended or not; a code those that ended with it.
    async fn jobs_are_found_by_state_and_code(db: TestDb) {
        let jobs = open(&db).await;
        let worker = Worker::start(&jobs, "w", |run| async move {
            match run.job.payload.as_str() {
                "0" => Ok(()),
                "1" => Err(Failure::Rejected { code: "wrong", detail: "No.".to_owned() }),
                _ => Err(Failure::Rejected { code: "other", detail: "No.".to_owned() }),
            }
        });
        let mut ended = Vec::new();
        for number in 0..3 {
            let id = enqueue(&jobs, &NewJob { payload: number.to_string(), ..new("publish", number) }).await;
            finished(&jobs, id).await;
            ended.push(id);
        }
        worker.stop().await;
        let cancelled = enqueue(&jobs, &new("publish", 3)).await;
        jobs.cancel(cancelled, "operator").await.unwrap();
        let queued = enqueue(&jobs, &new("publish", 4)).await;
        let of = |state| JobFilter { state: Some(state), ..JobFilter::default() };
        assert_eq!(ids(&jobs, of(JobState::Queued)).await, [queued]);
        assert_eq!(ids(&jobs, of(JobState::Running)).await, []);
        assert_eq!(ids(&jobs, of(JobState::Succeeded)).await, [ended[0]]);
        assert_eq!(ids(&jobs, of(JobState::Failed)).await, [ended[1], ended[2]]);
        assert_eq!(ids(&jobs, of(JobState::Cancelled)).await, [cancelled]);
        assert_eq!(ids(&jobs, JobFilter::default()).await, [queued]);
        let wrong = JobFilter { error_code: Some("wrong".to_owned()), ..of(JobState::Failed) };
        assert_eq!(ids(&jobs, wrong).await, [ended[1]]);
    }

    /// Pages neither repeat nor skip a job while others come, also where many were created in one millisecond.
    async fn pages_fit_together_while_jobs_come(db: TestDb) {
        for order in [Order::Ascending, Order::Descending] {
            let jobs = at_one_moment(&db).await;
            let kind = if order == Order::Ascending { "publish" } else { "matrix" };
            let mut expected = Vec::new();
            for number in 0..25 {
                expected.push(enqueue(&jobs, &new(kind, number)).await);
            }
            let mut filter = JobFilter { kinds: vec![kind], order, limit: 4, ..JobFilter::default() };
            let (mut seen, mut number) = (Vec::new(), 100);
            // Those that come meanwhile stand at the end, where only the ascending list gets to see them.
            while seen.len() < 25 {
                let page = list(&jobs, &filter).await;
                filter.after = Some(page.last().expect("the list has not ended").id);
                seen.extend(page.into_iter().map(|job| job.id));
                enqueue(&jobs, &new(kind, number)).await;
                number += 1;
            }
            seen.truncate(25);
            if order == Order::Descending {
                expected.reverse();
            }
            assert_eq!(seen, expected, "{order:?}");
        }
    }
}
