//! What the registry does by itself, against a stand-in for GitHub that speaks its protocol.

#![allow(clippy::unwrap_used, reason = "clippy sees tests only inside test functions")]
#![allow(dead_code, reason = "the registry is shared with the tests of publishing")]

#[path = "publish/registry.rs"]
mod registry;

use std::sync::Arc;
use std::time::Duration;

use docket_core::digest::Sha256;
use docket_core::operation::Publish;
use docket_core::time::Timestamp;
use docket_github::{Client, Config, Limits};
use docket_index::blobs;
use docket_jobs::{Actor, Job, JobFilter, NewJob, Role};
use docket_test_support::github_stand_in::{Fault, GitHubStandIn, STAND_IN_TOKEN};
use docket_test_support::{S3Server, TestDb, on_both_databases};
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
        for handler in &handlers {
            let kind = handler.kind;
            assert!(
                docket_worker::kinds().contains(&kind),
                "trustees could not pause {kind}"
            );
        }
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
            include_finished: true,
            limit: 1000,
            ..JobFilter::default()
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

/// Stores `text` as if that had been done so many hours ago.
async fn store(registry: &Registry, text: &str, hours_ago: u64) -> Sha256 {
    let digest = registry.state.storage.put(text.to_owned().into()).await.unwrap();
    registry.age("", digest, hours_ago);
    digest
}

/// Where a store has a blob.
fn key(digest: Sha256) -> String {
    let hex = digest.hex();
    format!("{}/{}/{hex}", &hex[0..2], &hex[2..4])
}

async fn is_there(registry: &Registry, digest: Sha256) -> bool {
    registry.state.storage.contains(digest).await.unwrap()
}

/// The digest of a published version's tarball.
async fn tarball(registry: &Registry, name: &str) -> Sha256 {
    let metadata = registry.metadata(name).await.unwrap();
    metadata.published.values().next().unwrap().hash
}

/// A package that is not published yet.
fn demo(registry: &Registry) -> Publish {
    let demo = registry.source("demo");
    demo.manifest("1.0.0", r#"{"prelude":">=1.0.0 <2.0.0"}"#)
        .write("src/Demo.purs", "module Demo where\nimport Prelude\n");
    demo.tag("1.0.0")
}

on_both_databases! {
    /// Of the blobs that nothing names the old ones are removed, and it is said how many and how large they were. What is young, or a
    /// version's tarball, stays, however old it is; and there is more than one page of them.
    async fn old_blobs_that_nothing_names_are_removed(db: TestDb) {
        let world = World::start(&db).await;
        let registry = &world.registry;
        let named = tarball(registry, "prelude").await;
        registry.age("", named, 1_000);
        let mut garbage = Vec::new();
        for number in 0..600 {
            garbage.push(store(registry, &format!("{number:>10}"), 25).await);
        }
        let young = store(registry, "young", 23).await;
        let ended = world.run("clean-up").await;
        assert!(ended.assert_succeeded().log().contains("Removed 600 blobs that nothing names, 6000 bytes."), "{}", ended.log());
        for digest in garbage {
            assert!(!is_there(registry, digest).await);
        }
        assert!(is_there(registry, named).await && is_there(registry, young).await);
    }

    /// In a bucket as in a folder; what else is in it is left alone.
    async fn a_bucket_is_cleaned_up(db: TestDb) {
        let server = S3Server::start();
        let mut registry = Registry::new(&db).await;
        registry.use_bucket(&server);
        let pings: chores::Pings = Arc::new(|_| None);
        let mut handlers = docket_worker::handlers(&registry.state);
        handlers.extend(chores::handlers(&registry.state, &pings, None));
        registry.work_with_all(handlers);
        let source = registry.source("prelude");
        source.manifest("1.0.0", "{}").write("src/Prelude.purs", "module Prelude where\n");
        registry.publish(&source.tag("1.0.0")).await.assert_succeeded();
        let named = tarball(&registry, "prelude").await;
        let garbage = Sha256::of(b"garbage");
        server.fill(["README", &key(named), &key(garbage)].map(ToOwned::to_owned).into_iter());
        let young = registry.state.storage.put("young".into()).await.unwrap();
        let task = NewJob::new("clean-up", "{}".to_owned(), "clean-up".to_owned());
        let ended = registry.run(&task).await;
        assert!(ended.assert_succeeded().log().contains("Removed 1 blobs"), "{}", ended.log());
        assert!(!is_there(&registry, garbage).await);
        assert!(is_there(&registry, named).await && is_there(&registry, young).await);
        assert!(server.object("README").is_some());
    }

    /// In an empty registry nothing can be told from garbage: it may be what an import stores, however long that takes.
    async fn nothing_is_removed_before_there_is_anything(db: TestDb) {
        let registry = Registry::new(&db).await;
        let pings: chores::Pings = Arc::new(|_| None);
        registry.work_with_all(chores::handlers(&registry.state, &pings, None));
        let blob = store(&registry, "imported", 1_000).await;
        let task = NewJob::new("clean-up", "{}".to_owned(), "clean-up".to_owned());
        registry.run(&task).await.assert_succeeded();
        assert!(is_there(&registry, blob).await);
    }

    /// Bytes that somebody is about to name stay, though they are old and nothing names them; when nothing came of it in a day, they go.
    async fn what_is_held_stays(db: TestDb) {
        let world = World::start(&db).await;
        let registry = &world.registry;
        let (now, blob) = (registry.jobs.clock().now(), store(registry, "garbage again", 1_000).await);
        for (hours_ago, stays) in [(23, true), (25, false)] {
            let mut tx = db.db.write().await.unwrap();
            assert!(blobs::hold(&mut tx, blob, now.plus_millis(-hours_ago * 3_600_000)).await.unwrap());
            tx.commit().await.unwrap();
            world.run("clean-up").await.assert_succeeded();
            assert_eq!(is_there(registry, blob).await, stays, "held {hours_ago} hours ago");
        }
    }

    /// A version can be published though its bytes have been garbage for long; but while they are being removed it waits, and no row
    /// comes without its blob.
    async fn garbage_can_be_published(db: TestDb) {
        // The same source gives the same tarball anywhere.
        let db_elsewhere = docket_test_support::sqlite().await;
        let elsewhere = World::start(&db_elsewhere).await.registry;
        elsewhere.publish(&demo(&elsewhere)).await.assert_succeeded();
        let digest = tarball(&elsewhere, "demo").await;
        let bytes = elsewhere.state.storage.find(digest).await.unwrap().unwrap();

        let world = World::start(&db).await;
        let registry = &world.registry;
        let operation = demo(registry);
        registry.state.storage.put(bytes).await.unwrap();
        registry.age("", digest, 1_000);
        let now = registry.jobs.clock().now();
        let mut tx = db.db.write().await.unwrap();
        assert!(blobs::condemn(&mut tx, digest, now).await.unwrap());
        tx.commit().await.unwrap();
        let waited = registry.publish(&operation).await;
        assert_eq!(waited.code(), Some("unavailable"), "{}", waited.log());
        assert!(waited.log().contains("being removed by the clean-up"), "{}", waited.log());
        assert!(registry.metadata("demo").await.is_none());

        let mut tx = db.db.write().await.unwrap();
        blobs::release(&mut tx, digest, now).await.unwrap();
        tx.commit().await.unwrap();
        registry.publish(&operation).await.assert_succeeded();
        assert_eq!(tarball(registry, "demo").await, digest);
        world.run("clean-up").await.assert_succeeded();
        assert!(is_there(registry, digest).await);
    }

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

    /// A tag whose publish failed through our fault is tried again on the next day.
    async fn a_tag_that_failed_through_our_fault_is_tried_again(db: TestDb) {
        let world = World::start(&db).await;
        world.github.commit("lab/prelude", "b2", &world.hours_ago(2));
        world.github.tag("lab/prelude", "v1.2.0", "b2");
        for (tried, code) in [(1, "unavailable"), (2, "disk-full"), (3, "livelocked"), (4, "ref-not-found"), (4, "ref-not-found")] {
            world.run("import-tags").await.assert_succeeded();
            let published = world.asked_for("publish").await;
            assert_eq!(published.len(), tried, "before {code}");
            // As if the services had been away, or the disk full, for longer than a job tries.
            let mut tx = db.db.write().await.unwrap();
            let last = published.iter().map(|job| job.id.to_string()).max();
            docket_db::execute!(&mut tx, docket_db::sqlx::query("UPDATE job SET error_code = $1 WHERE id = $2").bind(code).bind(last)).unwrap();
            tx.commit().await.unwrap();
        }
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

    /// A package in a folder of a repository that keeps its name has not moved, and moves with its folder.
    async fn a_package_in_a_folder_stays_in_it(db: TestDb) {
        let world = World::start(&db).await;
        const FOLDER: &str = "UPDATE package SET location = $1 WHERE name = 'prelude'";
        let mut tx = world.registry.jobs.db().write().await.unwrap();
        let location = r#"{"githubOwner":"lab","githubRepo":"prelude","subdir":"core"}"#;
        docket_db::execute!(&mut tx, docket_db::sqlx::query(FOLDER).bind(location)).unwrap();
        tx.commit().await.unwrap();
        world.run("transfer-moved").await.assert_succeeded();
        assert!(world.asked_for("transfer").await.is_empty(), "nothing has moved");
        world.github.rename("lab/prelude", "lab/moved");
        world.run("transfer-moved").await.assert_succeeded();
        let payloads: Vec<_> = world.asked_for("transfer").await.into_iter().map(|job| job.payload).collect();
        assert_eq!(payloads.len(), 1);
        assert!(payloads[0].contains("moved") && payloads[0].contains("core"), "{payloads:?}");
    }

    /// Two packages whose repositories became one are for people: nobody is moved onto the other, today and tomorrow.
    async fn a_repository_that_moved_onto_another_package_is_only_told(db: TestDb) {
        let world = World::start(&db).await;
        let demo = world.registry.source("demo");
        demo.manifest("1.0.0", "{}").write("src/Demo.purs", "module Demo where\n");
        world.registry.publish(&demo.tag("1.0.0")).await.assert_succeeded();
        world.github.rename("lab/prelude", "lab/demo");
        let ended = world.run("transfer-moved").await;
        ended.assert_succeeded();
        assert!(ended.log().contains("prelude has moved to lab/demo, where demo is"), "{}", ended.log());
        assert!(world.asked_for("transfer").await.is_empty());
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
