//! What publishing documentation promises: from a stored tarball to Pursuit, whatever Pursuit does, on both databases.

#![allow(clippy::unwrap_used, reason = "clippy sees tests only inside test functions")]
#![allow(dead_code, reason = "the registry is shared with the tests of publishing")]

#[path = "publish/registry.rs"]
mod registry;

use std::os::unix::fs::symlink;
use std::sync::Arc;

use docket_core::operation::Publish;
use docket_jobs::{Job, JobFilter, Level, LineFilter};
use docket_test_support::pursuit_stand_in::{PURSUIT_TOKEN, PursuitFault, PursuitStandIn};
use docket_test_support::{TestDb, on_both_databases};
use docket_worker::compiler::Compilers;
use docket_worker::documentation::{self, Pursuit};
use registry::{Ended, Registry};
use serde_json::json;

async fn start(db: &TestDb) -> (Registry, PursuitStandIn) {
    let pursuit = PursuitStandIn::start().await;
    let mut registry = Registry::new(db).await;
    registry.state.pursuit = Some(Pursuit::new(pursuit.url(), PURSUIT_TOKEN).unwrap());
    (registry, pursuit)
}

fn prelude(registry: &Registry) -> Publish {
    let source = registry.source("prelude");
    source
        .manifest("1.0.0", "{}")
        .write("src/Prelude.purs", "module Prelude where\n")
        .write(".gitattributes", "*.purs text eol=crlf\n")
        .write("LICENSE", "MIT");
    source.tag("1.0.0")
}

fn demo(registry: &Registry) -> Publish {
    let source = registry.source("demo");
    source
        .manifest("1.0.0", r#"{"prelude":">=1.0.0 <2.0.0"}"#)
        .write("src/Demo.purs", "module Demo where\nimport Prelude\n");
    source.tag("1.0.0")
}

/// The documentation jobs, oldest first.
async fn documentation_jobs(registry: &Registry) -> Vec<Ended> {
    let filter = JobFilter {
        include_finished: true,
        kinds: vec![documentation::KIND],
        ..JobFilter::default()
    };
    let mut tx = registry.jobs.db().read().await.unwrap();
    let jobs: Vec<Job> = registry.jobs.list(&mut tx, &filter).await.unwrap();
    let mut ended = Vec::new();
    for job in jobs {
        let all = LineFilter::after(0, Level::Debug, usize::MAX);
        let lines = registry.jobs.lines(job.id, &all).await.unwrap();
        ended.push(Ended { job, lines });
    }
    ended
}

/// Publishes, waits for what follows, and returns the documentation job.
async fn publish(registry: &Registry, operation: &Publish) -> Ended {
    registry.publish(operation).await.assert_succeeded();
    registry.settled().await;
    documentation_jobs(registry).await.pop().unwrap()
}

on_both_databases! {
    /// Pursuit gets what the compiler says of the published tarball, with its plan, its tag and the time of its publish.
    async fn a_published_version_is_documented(db: TestDb) {
        let (registry, pursuit) = start(&db).await;
        registry.work();
        publish(&registry, &prelude(&registry)).await.assert_succeeded();
        let published = registry.publish(&demo(&registry)).await;
        assert_eq!(published.notices().last(), Some(&"Documentation follows by itself"), "{}", published.log());
        registry.settled().await;

        let ended = documentation_jobs(&registry).await.pop().unwrap();
        ended.assert_succeeded();
        assert_eq!(ended.job.parent, Some(published.job.id));
        let page = format!("NOTICE Documented demo@1.0.0: {}/packages/purescript-demo/1.0.0.", pursuit.url());
        assert!(ended.log().contains(&page), "{}", ended.log());
        let package = pursuit.package("purescript-demo", "1.0.0").unwrap();
        assert_eq!(package["versionTag"], "v1.0.0");
        assert_eq!(package["compilerVersion"], "0.15.15");
        assert_eq!(package["modules"], json!(["src/Demo.purs"]));
        assert_eq!(package["resolutions"], json!({ "purescript-prelude": { "version": "1.0.0", "path": ".registry/prelude-1.0.0" } }));
        let at = registry.metadata("demo").await.unwrap().published[&"1.0.0".parse().unwrap()].published_time;
        let tag_time = package["tagTime"].as_str().unwrap();
        assert_eq!(tag_time[..19], at.to_string()[..19]);
        assert_eq!(std::fs::read_dir(&registry.state.work_dir).unwrap().count(), 0);
    }

    /// The publish has succeeded long before; the documentation comes when Pursuit does.
    async fn while_pursuit_is_down_the_job_waits_and_nothing_else_does(db: TestDb) {
        let (registry, pursuit) = start(&db).await;
        registry.work();
        pursuit.set_down(true);
        registry.publish(&prelude(&registry)).await.assert_succeeded();
        let tried = async { while pursuit.requests().len() < 3 { tokio::task::yield_now().await } };
        tokio::time::timeout(registry::DEADLINE, tried).await.expect("it is tried again");
        assert!(!pursuit.requests().contains(&"POST /packages".to_owned()), "nothing is built in vain");
        pursuit.set_down(false);
        registry.settled().await;
        let ended = documentation_jobs(&registry).await.pop().unwrap();
        ended.assert_succeeded();
        assert!(ended.log().contains("WARN Pursuit did not answer."), "{}", ended.log());
        assert!(pursuit.package("purescript-prelude", "1.0.0").is_some());
    }

    /// An upload whose answer was lost is not repeated.
    async fn a_lost_answer_is_found_out(db: TestDb) {
        let (registry, pursuit) = start(&db).await;
        registry.work();
        pursuit.fail_upload(PursuitFault::LostAnswer);
        let ended = publish(&registry, &prelude(&registry)).await;
        ended.assert_succeeded();
        assert_eq!(ended.job.attempt, 2);
        assert!(ended.log().contains("NOTICE prelude@1.0.0 is documented already"), "{}", ended.log());
        assert_eq!(pursuit.requests().iter().filter(|request| request.starts_with("POST")).count(), 1);
    }

    /// What Pursuit will not take later either ends the job, with words for whoever can mend it; the version stays published.
    async fn a_refusal_ends_the_job_and_not_the_publish(db: TestDb) {
        let elsewhere = PursuitStandIn::start().await;
        let (registry, pursuit) = start(&db).await;
        registry.work();
        for (name, fault, code, says) in [
            ("a", PursuitFault::Status(400, "At the path: [\"modules\"]"), "documentation-refused", "it answered 400: At the path"),
            ("b", PursuitFault::Redirect(format!("{}/packages", elsewhere.url())), "documentation-refused", "it answered 302"),
            ("c", PursuitFault::Status(401, ""), "documentation-token-refused", "[documentation] token_file"),
        ] {
            pursuit.fail_upload(fault);
            let source = registry.source(name);
            source.manifest("1.0.0", "{}").write("src/M.purs", &format!("module {} where\n", name.to_uppercase()));
            let ended = publish(&registry, &source.tag("1.0.0")).await;
            assert_eq!((ended.code(), ended.job.attempt), (Some(code), 1), "{}", ended.log());
            assert!(ended.log().contains(says), "{}", ended.log());
            assert!(registry.index_file(name).await.is_some());
            for text in [ended.log(), format!("{:?}", ended.job)] {
                assert!(!text.contains(PURSUIT_TOKEN), "{text}");
            }
        }
        assert!(elsewhere.requests().is_empty(), "the token goes nowhere else");
    }

    async fn what_the_compiler_cannot_document_is_told(db: TestDb) {
        let (registry, pursuit) = start(&db).await;
        registry.work();
        let source = registry.source("prelude");
        source
            .manifest("1.0.0", "{}")
            .write("src/Prelude.purs", "module Prelude where\n")
            .write("src/behaviour", "if [ \"$command\" = publish ]; then echo 'NotOnGithub' >&2; exit 1; fi\n");
        // Only modules are laid out, so the behaviour is given to the compiler by a dependency.
        publish(&registry, &source.tag("1.0.0")).await.assert_succeeded();
        let ended = publish(&registry, &demo(&registry)).await;
        assert_eq!(ended.code(), Some("documentation-failed"), "{}", ended.log());
        assert!(ended.log().contains("NotOnGithub"), "{}", ended.log());
        assert_eq!(pursuit.package("purescript-demo", "1.0.0"), None);
    }

    /// There is nothing to wait for, so there is no job.
    async fn a_compiler_that_pursuit_does_not_know_is_told_and_nothing_follows(db: TestDb) {
        let (mut registry, pursuit) = start(&db).await;
        let old = registry.dir.path().join("old");
        std::fs::create_dir(&old).unwrap();
        symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/purs"), old.join("purs-0_14_6")).unwrap();
        registry.state.compilers = Arc::new(Compilers::find(&[old], "", &registry.state.sandbox).await);
        registry.work();
        let published = registry.publish(&prelude(&registry)).await;
        published.assert_succeeded();
        assert!(published.log().contains("it takes 0.14.7 or newer"), "{}", published.log());
        registry.settled().await;
        assert!(documentation_jobs(&registry).await.is_empty());
        assert!(pursuit.requests().is_empty());
    }

    /// Publishing again what is published fails, unless its documentation is missing: then that is what the job brings about.
    async fn publishing_again_brings_missing_documentation(db: TestDb) {
        let (registry, pursuit) = start(&db).await;
        registry.work();
        let operation = prelude(&registry);
        pursuit.fail_upload(PursuitFault::Status(400, "not today"));
        assert_eq!(publish(&registry, &operation).await.code(), Some("documentation-refused"));
        let changes = registry.changes().await;

        let again = registry.publish(&operation).await;
        again.assert_succeeded();
        assert!(again.log().contains("already exists, without documentation"), "{}", again.log());
        registry.settled().await;
        assert!(pursuit.package("purescript-prelude", "1.0.0").is_some());
        assert_eq!(registry.changes().await, changes, "nothing is published twice");

        assert_eq!(registry.publish(&operation).await.code(), Some("already-published"));
    }
}
