//! What the registry does by itself, against a stand-in for GitHub that speaks its protocol.

#![allow(clippy::unwrap_used, reason = "clippy sees tests only inside test functions")]
#![allow(dead_code, reason = "the registry is shared with the tests of publishing")]

#[path = "publish/registry.rs"]
mod registry;

use std::sync::Arc;
use std::time::Duration;

use docket_core::time::Timestamp;
use docket_github::{Client, Config, Limits};
use docket_jobs::{Actor, Job, JobFilter, NewJob, Order, Role};
use docket_test_support::github_stand_in::{Fault, GitHubStandIn, STAND_IN_TOKEN};
use docket_test_support::{TestDb, on_both_databases};
use docket_worker::chores;
use registry::{Ended, Registry};

/// A registry with `prelude` 1.0.0, whose repository `lab/prelude` a stand-in for GitHub knows.
struct World {
    registry: Registry,
    github: GitHubStandIn,
}

impl World {
    async fn start(db: &TestDb) -> Self {
        let registry = Registry::new(db).await;
        let source = registry.source("prelude");
        source
            .manifest("1.0.0", "{}")
            .write("src/Prelude.purs", "module Prelude where\n");
        let operation = source.tag("1.0.0");
        let github = GitHubStandIn::start().await;
        github.repository("lab/prelude");
        let limits = Limits {
            call_timeout: Duration::from_secs(2),
            retry_pauses: vec![Duration::ZERO; 2],
            ..Limits::default()
        };
        let config = Config {
            api_url: github.url().to_owned(),
            token: Some(STAND_IN_TOKEN.parse().unwrap()),
            limits,
            ..Config::default()
        };
        let client = Client::new(&config, docket_github::Clock::system()).unwrap();
        let pings: chores::Pings = Arc::new(|_| None);
        let mut handlers = docket_worker::handlers(&registry.state);
        handlers.extend(chores::handlers(&registry.state, &pings, Some(client)));
        registry.work_with_all(handlers);
        registry.publish(&operation).await.assert_succeeded();
        Self { registry, github }
    }

    /// The time so many hours ago, as GitHub writes it.
    fn hours_ago(&self, hours: i64) -> String {
        let at: Timestamp = self.registry.jobs.clock().now().plus_millis(-hours * 3_600_000);
        format!("{}Z", &at.to_string()[..19])
    }

    async fn run(&self, task: &'static str) -> Ended {
        let actor = Actor {
            role: Role::Schedule,
            name: task.to_owned(),
            key: None,
        };
        let new = NewJob {
            actor: Some(actor),
            ..NewJob::new(
                task,
                "{}".to_owned(),
                format!("{task}/{}", self.github.requests().len()),
            )
        };
        self.registry.run(&new).await
    }

    /// The jobs of a kind that a task asked for, when all have ended.
    async fn asked_for(&self, kind: &str) -> Vec<Job> {
        self.registry.settled().await;
        let filter = JobFilter {
            since: Timestamp::from_millis(0),
            until: Timestamp::MAX,
            include_finished: true,
            kinds: &[],
            order: Order::Ascending,
            limit: 1000,
        };
        let mut tx = self.registry.jobs.db().read().await.unwrap();
        let jobs = self.registry.jobs.list(&mut tx, &filter).await.unwrap();
        let by_schedule = |job: &Job| {
            job.actor
                .as_ref()
                .is_some_and(|actor| actor.role == Role::Schedule)
        };
        jobs.into_iter()
            .filter(|job| job.kind == kind && by_schedule(job))
            .collect()
    }
}

on_both_databases! {
    /// A tag of the last days that names a new version is published; old ones, known ones and other tags are left alone.
    async fn a_new_tag_is_published(db: TestDb) {
        let world = World::start(&db).await;
        let work = world.registry.dir.path().join("sources/prelude");
        let source = registry::Source { name: "prelude".to_owned(), repo: "prelude".to_owned(), work };
        source.manifest("1.1.0", "{}");
        source.tag("1.1.0");
        world.github.commit("lab/prelude", "a1", &world.hours_ago(400));
        world.github.commit("lab/prelude", "b2", &world.hours_ago(2));
        for (tag, sha) in [("v1.0.0", "b2"), ("v1.1.0", "b2"), ("v0.9.0", "a1"), ("nightly", "b2")] {
            world.github.tag("lab/prelude", tag, sha);
        }
        world.run("import-tags").await.assert_succeeded();
        let published = world.asked_for("publish").await;
        assert_eq!(published.len(), 1);
        assert_eq!((published[0].package_version.as_deref(), published[0].state.as_str()), (Some("1.1.0"), "succeeded"));
        world.run("import-tags").await.assert_succeeded();
        assert_eq!(world.asked_for("publish").await.len(), 1, "nothing is published twice");
    }

    /// A tag that cannot be published is tried once, not every day.
    async fn a_bad_tag_is_tried_once(db: TestDb) {
        let world = World::start(&db).await;
        world.github.commit("lab/prelude", "b2", &world.hours_ago(2));
        world.github.tag("lab/prelude", "v1.2.0", "b2");
        for _ in 0..2 {
            world.run("import-tags").await.assert_succeeded();
        }
        let published = world.asked_for("publish").await;
        assert_eq!(published.len(), 1);
        assert_eq!(published[0].error_code.as_deref(), Some("ref-not-found"));
    }

    /// A renamed repository takes its package along, under the name as GitHub writes it.
    async fn a_moved_repository_takes_its_package_along(db: TestDb) {
        let world = World::start(&db).await;
        world.run("transfer-moved").await.assert_succeeded();
        assert!(world.asked_for("transfer").await.is_empty(), "nothing has moved");
        world.github.rename("lab/prelude", "lab/Purescript-Prelude");
        let host = world.registry.dir.path().join("host/lab");
        std::os::unix::fs::symlink(host.join("prelude.git"), host.join("Purescript-Prelude.git")).unwrap();
        world.run("transfer-moved").await.assert_succeeded();
        let transferred = world.asked_for("transfer").await;
        assert_eq!(transferred.len(), 1);
        assert_eq!(transferred[0].state.as_str(), "succeeded", "{:?}", transferred[0].error_detail);
        let metadata = world.registry.metadata("prelude").await.unwrap();
        assert_eq!(metadata.location.to_string(), "lab/Purescript-Prelude");
    }

    /// GitHub that wants no calls is left in peace: the task says until when, and is tried again later.
    async fn a_rate_limit_is_respected(db: TestDb) {
        let world = World::start(&db).await;
        let reset = world.registry.jobs.clock().now().millis() / 1000 + 3600;
        world.github.fail_next(Fault::RateLimited { reset });
        let ended = world.run("import-tags").await;
        assert_eq!(ended.code(), Some("unavailable"));
        assert!(ended.log().contains("GitHub takes no more calls until"), "{}", ended.log());
        let asked = world.github.requests().len();
        assert_eq!(asked, 1, "nothing was asked again before then");
    }

    /// A repository that is gone stops nothing.
    async fn a_repository_that_is_gone_stops_nothing(db: TestDb) {
        let world = World::start(&db).await;
        world.github.rename("lab/prelude", "lab/other");
        world.github.fail_next(Fault::Status(404));
        let ended = world.run("transfer-moved").await;
        ended.assert_succeeded();
        assert!(ended.log().contains("Repositories that are gone: 1"), "{}", ended.log());
    }

    /// What was published lately and fits goes into the next package set; what does not is named with its reason.
    async fn what_was_published_lately_goes_into_the_set(db: TestDb) {
        let world = World::start(&db).await;
        let first = world.run("package-set-update").await;
        first.assert_succeeded();
        assert!(first.log().contains("no package set yet"), "{}", first.log());
        let update = serde_json::from_str(r#"{"compiler":"0.15.15","packages":{"prelude":"1.0.0"}}"#).unwrap();
        world.registry.run(&NewJob::package_set(&update)).await.assert_succeeded();
        let demo = world.registry.source("demo");
        demo.manifest("1.0.0", r#"{"prelude":">=1.0.0 <2.0.0"}"#)
            .write("src/Demo.purs", "module Demo where\nimport Prelude\n");
        world.registry.publish(&demo.tag("1.0.0")).await.assert_succeeded();
        world.run("package-set-update").await.assert_succeeded();
        let updates = world.asked_for("packageset").await;
        assert_eq!(updates.len(), 1);
        assert_eq!(updates[0].state.as_str(), "succeeded", "{:?}", updates[0].error_detail);
        let mut tx = world.registry.jobs.db().read().await.unwrap();
        let set = docket_index::latest_package_set(&mut tx).await.unwrap().unwrap();
        assert_eq!(set.packages.len(), 2);
        drop(tx);
        world.run("package-set-update").await.assert_succeeded();
        assert_eq!(world.asked_for("packageset").await.len(), 1, "a second run finds nothing to do");
    }
}
