//! What the matrix promises: every version is tried with every compiler that may work, once, and what came of it can be read.

#![allow(clippy::unwrap_used, reason = "clippy sees tests only inside test functions")]
#![allow(dead_code, reason = "the registry is shared with the tests of publishing")]

#[path = "publish/registry.rs"]
mod registry;

use docket_core::version::Version;
use docket_index::{Build, Outcome, Repository};
use docket_test_support::{TestDb, on_both_databases};
use registry::{Registry, Source};

/// A stand-in compiler that refuses its package with 0.15.10.
const FAILS_WITH_THE_OLD_ONE: &str = r#"
if [ "$command" = compile ] && [ "$version" = 0.15.10 ]; then
  echo '{"warnings":[],"errors":[{"message":"  Unknown value new","errorCode":"UnknownName","errorLink":"","filename":"src/Prelude.purs","moduleName":"Prelude","position":null,"suggestion":null}]}'
  exit 1
fi
"#;

fn prelude(registry: &Registry) -> Source {
    let source = registry.source("prelude");
    source
        .manifest("1.0.0", "{}")
        .write("src/Prelude.purs", "module Prelude where\n");
    source
}

fn demo(registry: &Registry) -> Source {
    let source = registry.source("demo");
    source
        .manifest("1.0.0", r#"{"prelude":">=1.0.0 <2.0.0"}"#)
        .write("src/Demo.purs", "module Demo where\nimport Prelude\n");
    source
}

async fn compilers(registry: &Registry, name: &str) -> Vec<String> {
    let metadata = registry.metadata(name).await.unwrap();
    let entry = metadata.published.values().next_back().unwrap();
    entry.compilers.iter().map(Version::to_string).collect()
}

async fn builds(registry: &Registry, name: &str) -> Vec<Build> {
    let mut tx = registry.jobs.db().read().await.unwrap();
    let mut builds = docket_index::list_builds(&mut tx, &name.parse().unwrap())
        .await
        .unwrap();
    builds.sort_by_key(|build| (build.version, build.compiler));
    builds
}

fn outcomes(builds: &[Build]) -> Vec<(String, Outcome)> {
    builds
        .iter()
        .map(|build| (build.compiler.to_string(), build.outcome))
        .collect()
}

async fn messages(registry: &Registry) -> Vec<String> {
    let mut tx = registry.jobs.db().read().await.unwrap();
    let changes = docket_index::list_changes(&mut tx, Some(Repository::Registry), 0, 1000)
        .await
        .unwrap();
    changes
        .into_iter()
        .map(|change| change.change.message.lines().next().unwrap().to_owned())
        .collect()
}

async fn start(db: &TestDb) -> Registry {
    let registry = Registry::new(db).await;
    registry.work();
    registry
}

on_both_databases! {
    /// A published version is tried with the other compilers, and then so are those that depend on it.
    async fn a_success_goes_on_through_dependants(db: TestDb) {
        let registry = start(&db).await;
        registry.publish(&prelude(&registry).tag("1.0.0")).await.assert_succeeded();
        registry.publish(&demo(&registry).tag("1.0.0")).await.assert_succeeded();
        registry.settled().await;
        for name in ["prelude", "demo"] {
            assert_eq!(compilers(&registry, name).await, ["0.15.10", "0.15.15"], "{name}");
            assert_eq!(outcomes(&builds(&registry, name).await), [
                ("0.15.10".to_owned(), Outcome::Compiles),
                ("0.15.15".to_owned(), Outcome::Compiles),
            ]);
        }
        let mut tx = registry.jobs.db().read().await.unwrap();
        let changes = docket_index::list_changes(&mut tx, Some(Repository::Registry), 0, 1000).await.unwrap();
        for name in ["prelude", "demo"] {
            let path = format!("metadata/{name}.json");
            let last = changes.iter().rev().flat_map(|change| &change.change.files).find(|file| file.path == path);
            let expected = registry.metadata(name).await.unwrap().to_text();
            assert_eq!(last.unwrap().content.as_deref(), Some(expected.as_str()), "the commit caught up with the rows");
        }
    }

    /// What does not compile is shown with its first error and not tried again; nothing is listed, and what depends on it has no plan.
    async fn a_failure_is_kept_with_its_first_error(db: TestDb) {
        let registry = start(&db).await;
        let source = prelude(&registry);
        source.write("src/behaviour", FAILS_WITH_THE_OLD_ONE);
        registry.publish(&source.tag("1.0.0")).await.assert_succeeded();
        registry.publish(&demo(&registry).tag("1.0.0")).await.assert_succeeded();
        registry.settled().await;
        assert_eq!(compilers(&registry, "prelude").await, ["0.15.15"]);
        let tried = builds(&registry, "prelude").await;
        assert_eq!(tried[0].outcome, Outcome::Fails);
        assert!(tried[0].error.as_ref().unwrap().contains("Unknown value new"), "{:?}", tried[0].error);
        let failed = tried[0].job_id.parse().unwrap();
        let mut tx = registry.jobs.db().read().await.unwrap();
        let job = registry.jobs.find(&mut tx, failed).await.unwrap().unwrap();
        drop(tx);
        assert_eq!((job.state.as_str(), job.error_code.as_deref()), ("failed", Some("compile-failed")));
        assert_eq!(outcomes(&builds(&registry, "demo").await), [
            ("0.15.10".to_owned(), Outcome::NoPlan),
            ("0.15.15".to_owned(), Outcome::Compiles),
        ]);
        assert!(!messages(&registry).await.iter().any(|message| message.contains("packages")));
    }

    /// A compiler that is newer than all others begins with what depends on nothing, once.
    async fn a_new_compiler_is_greeted_once(db: TestDb) {
        let registry = start(&db).await;
        let source = prelude(&registry);
        let mut operation = source.tag("1.0.0");
        operation.compiler = Some("0.15.10".parse().unwrap());
        registry.publish(&operation).await.assert_succeeded();
        registry.settled().await;
        assert_eq!(compilers(&registry, "prelude").await, ["0.15.10", "0.15.15"], "tried because it was published");
        let jobs = async || {
            const SQL: &str = "SELECT count(*) FROM job";
            let mut tx = registry.jobs.db().read().await.unwrap();
            let count: i64 = docket_db::on!(&mut tx, conn => docket_db::sqlx::query_scalar(SQL).fetch_one(conn)).unwrap();
            count
        };
        let before = jobs().await;
        docket_worker::matrix::greet_compiler(&registry.jobs, &registry.state.compilers).await.unwrap();
        assert_eq!(jobs().await, before, "prelude lists the newest compiler");
        let newest = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/purs");
        for program in ["purs-0_15_16", "purs-0_15_17"] {
            std::os::unix::fs::symlink(newest, registry.dir.path().join("compilers").join(program)).unwrap();
        }
        let dirs = [registry.dir.path().join("compilers")];
        let compilers = docket_worker::compiler::Compilers::find(&dirs, "", &registry.state.sandbox).await;
        for _ in 0..2 {
            docket_worker::matrix::greet_compiler(&registry.jobs, &compilers).await.unwrap();
        }
        registry.settled().await;
        docket_worker::matrix::greet_compiler(&registry.jobs, &compilers).await.unwrap();
        const GREETED: &str = "SELECT count(*) FROM job WHERE dedup_key IN ('matrix-plan/compiler/0.15.16', 'matrix-plan/compiler/0.15.17')";
        let mut tx = registry.jobs.db().read().await.unwrap();
        let greeted: i64 = docket_db::on!(&mut tx, conn => docket_db::sqlx::query_scalar(GREETED).fetch_one(conn)).unwrap();
        assert_eq!(greeted, 2, "both of two that came together, each once");
    }

    /// Many successes become one commit.
    async fn successes_of_a_while_share_a_commit(db: TestDb) {
        let mut registry = Registry::new(&db).await;
        registry.state.gather_millis = 1_000_000_000_000;
        registry.work();
        registry.publish(&prelude(&registry).tag("1.0.0")).await.assert_succeeded();
        registry.publish(&demo(&registry).tag("1.0.0")).await.assert_succeeded();
        let both = async {
            while compilers(&registry, "prelude").await.len() + compilers(&registry, "demo").await.len() < 4 {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), both).await.expect("both are tried");
        let before = messages(&registry).await;
        const NOW: &str = "UPDATE job SET run_after = 0 WHERE kind = 'metadata-commit'";
        let mut tx = registry.jobs.db().write().await.unwrap();
        docket_db::execute!(&mut tx, docket_db::sqlx::query(NOW)).unwrap();
        tx.commit().await.unwrap();
        registry.jobs.wake_workers();
        registry.settled().await;
        assert_eq!(messages(&registry).await[before.len()..], ["Update metadata for 2 packages"]);
    }

    /// A version that is unpublished while it is tried stays unpublished.
    async fn a_trial_does_not_bring_a_version_back(db: TestDb) {
        let registry = start(&db).await;
        registry.publish(&prelude(&registry).tag("1.0.0")).await.assert_succeeded();
        registry.settled().await;
        const GONE: &str = "
            UPDATE package_version
            SET hash = NULL, compilers = NULL, bytes = NULL, manifest = NULL, unpublished_at = 1, unpublished_reason = 'x'";
        let mut tx = registry.jobs.db().write().await.unwrap();
        docket_db::execute!(&mut tx, docket_db::sqlx::query(GONE)).unwrap();
        let build = Build {
            name: "prelude".parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
            compiler: "0.15.9".parse().unwrap(),
            outcome: Outcome::Compiles,
            error: None,
            job_id: "job".to_owned(),
            at: registry.jobs.clock().now(),
        };
        assert!(!docket_index::record_build(&mut tx, &build).await.unwrap());
        tx.commit().await.unwrap();
        assert!(registry.metadata("prelude").await.unwrap().published.is_empty());
    }
}
