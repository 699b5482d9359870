//! What push jobs promise, with a real git repository as the remote.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::time::Duration;

use docket_index::Repository;
use docket_index::git::{
    GitViews, git,
    remote::{Remote, Remotes},
};
use docket_jobs::{Clock, Job, JobFilter, JobState, Jobs, Level, LineFilter, worker};
use docket_storage::Storage;
use docket_test_support::on_both_databases;
use docket_worker::push;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(60);

async fn push_jobs(jobs: &Jobs) -> Vec<Job> {
    let filter = JobFilter {
        include_finished: true,
        kinds: vec![push::KIND],
        ..JobFilter::default()
    };
    let mut tx = jobs.db().read().await.unwrap();
    jobs.list(&mut tx, &filter).await.unwrap()
}

/// Waits until the one push job is as `condition` wants it.
async fn wait_for(jobs: &Jobs, condition: impl Fn(&Job) -> bool) -> Job {
    let found = async {
        loop {
            let mut all = push_jobs(jobs).await;
            assert_eq!(all.len(), 1);
            if let Some(job) = all.pop().filter(|job| condition(job)) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, found)
        .await
        .expect("the job gets there")
}

on_both_databases! {
    /// However often a remote was asked in vain, one job goes on asking, and brings everything when the remote is back.
    async fn a_push_is_tried_until_the_remote_is_back(db: TestDb) {
        db.migrate(&[docket_jobs::TABLES, docket_index::TABLES]).await;
        let jobs = Jobs::new(db.db.clone(), Clock::system());
        let folder = tempfile::tempdir().unwrap();
        let mut tx = db.db.write().await.unwrap();
        docket_index::bootstrap(&mut tx, jobs.clock().now()).await.unwrap();
        tx.commit().await.unwrap();
        let storage = Storage::local(folder.path().join("blobs")).unwrap();
        let views = GitViews::new(folder.path().join("git"), db.db.clone(), storage);
        let bare = folder.path().join("remote.git");
        let remote = Remote::new(format!("file://{}", bare.display()), None);
        let remotes = Remotes::new(views, db.db.clone(), folder.path().join("push"), [(Repository::Registry, remote)]);

        assert!(push::look(&remotes, &jobs).await.unwrap(), "there is something to push");
        let config = worker::Config {
            concurrency: 1,
            background_concurrency: 1,
            lease_secs: 30,
            drain_secs: 5,
            retry_millis: 1,
            name: "test".to_owned(),
            progress: Default::default(),
        };
        let shutdown = CancellationToken::new();
        let handlers = vec![push::handler(remotes.clone())];
        let _stop = shutdown.clone().drop_guard();
        tokio::spawn(worker::run(jobs.clone(), config, handlers, shutdown));
        wait_for(&jobs, |job| job.retries >= 3).await;
        assert!(push::look(&remotes, &jobs).await.unwrap(), "it is still needed, and no second job is");

        fs::create_dir(&bare).unwrap();
        git(&bare, &["init", "--quiet", "--bare", "-b", "main"]).await.unwrap();
        let job = wait_for(&jobs, |job| job.state.is_finished()).await;
        assert_eq!((job.state, job.error_code), (JobState::Succeeded, None));
        assert_eq!(git(&bare, &["log", "--format=%s", "main"]).await.unwrap(), "Begin\n");
        let lines = jobs.lines(job.id, &LineFilter::after(0, Level::Info, usize::MAX)).await.unwrap();
        let said = |words: &str| lines.iter().filter(|line| line.message.starts_with(words)).count();
        assert!(said("Not everything could be pushed.") >= 3, "{lines:?}");
        assert_eq!(said("Pushed 1 commits of the registry"), 1, "{lines:?}");
        assert!(!push::look(&remotes, &jobs).await.unwrap());
    }
}
