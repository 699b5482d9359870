//! What unpublishing and transferring promise, on both databases.

#![allow(clippy::unwrap_used, reason = "clippy sees tests only inside test functions")]
#![allow(dead_code, reason = "the registry is shared with the tests of publishing")]

#[path = "publish/registry.rs"]
mod registry;

use docket_core::location::Location;
use docket_core::operation::Signed;
use docket_core::package_set::PackageSet;
use docket_db::sqlx;
use docket_index::Repository;
use docket_jobs::{Actor, NewJob, Role};
use docket_test_support::on_both_databases;
use docket_worker::unpublish::Windows;
use registry::{Ended, Registry};

const HOUR_MILLIS: i64 = 60 * 60 * 1000;

fn actor(role: Role) -> Option<Actor> {
    Some(Actor {
        role,
        name: "somebody".to_owned(),
        key: None,
    })
}

/// A job as the API stores it, once the signature was verified.
fn job(kind: &'static str, package: &str, payload: String, role: Role) -> NewJob {
    let envelope = Signed {
        payload: payload.clone(),
        signature: String::new(),
    };
    NewJob {
        package_name: Some(package.parse().unwrap()),
        locks: vec![format!("package/{package}")],
        actor: actor(role),
        ..NewJob::new(kind, serde_json::to_string(&envelope).unwrap(), payload)
    }
}

async fn unpublish(registry: &Registry, package: &str, version: &str, role: Role) -> Ended {
    let payload = format!(r#"{{"name":"{package}","version":"{version}","reason":"It was wrong"}}"#);
    registry.run(&job("unpublish", package, payload, role)).await
}

async fn transfer(registry: &Registry, package: &str, repo: &str) -> Ended {
    let payload =
        format!(r#"{{"name":"{package}","newLocation":{{"githubOwner":"lab","githubRepo":"{repo}"}}}}"#);
    registry
        .run(&job("transfer", package, payload, Role::Owner))
        .await
}

/// A registry with `prelude` 1.0.0 and `demo` 1.0.0, which depends on it.
async fn two_packages(db: &docket_test_support::TestDb) -> Registry {
    two_packages_with(db, Windows::default()).await
}

async fn two_packages_with(db: &docket_test_support::TestDb, windows: Windows) -> Registry {
    let mut registry = Registry::new(db).await;
    registry.state.windows = windows;
    registry.work();
    let prelude = registry.source("prelude");
    prelude
        .manifest("1.0.0", "{}")
        .write("src/Prelude.purs", "module Prelude where\n");
    registry.publish(&prelude.tag("1.0.0")).await.assert_succeeded();
    let demo = registry.source("demo");
    demo.manifest("1.0.0", r#"{"prelude":">=1.0.0 <2.0.0"}"#)
        .write("src/Demo.purs", "module Demo where\nimport Prelude\n");
    registry.publish(&demo.tag("1.0.0")).await.assert_succeeded();
    // The matrix tries them with another compiler and commits what it finds: tests count changes after that.
    registry.settled().await;
    registry
}

async fn set_age(registry: &Registry, package: &str, age_millis: i64) {
    const SQL: &str = "UPDATE package_version SET published_at = $1 WHERE name = $2";
    let at = registry.jobs.clock().now().millis() - age_millis;
    let mut tx = registry.jobs.db().write().await.unwrap();
    docket_db::execute!(&mut tx, sqlx::query(SQL).bind(at).bind(package)).unwrap();
    tx.commit().await.unwrap();
}

async fn release(registry: &Registry, version: &str, packages: &str) {
    let text = format!(
        r#"{{"version":"{version}","compiler":"0.15.15","published":"2026-08-18","packages":{packages}}}"#
    );
    const SQL: &str = "
        INSERT INTO package_set (version, major, minor, patch, compiler, published, packages)
        VALUES ($1, $2, 0, 0, $3, $4, $5)";
    let set = PackageSet::parse(&text).unwrap();
    let mut tx = registry.jobs.db().write().await.unwrap();
    docket_db::execute!(
        &mut tx,
        sqlx::query(SQL)
            .bind(set.version.to_string())
            .bind(i64::from(set.version.major))
            .bind(set.compiler.to_string())
            .bind(set.published.to_string())
            .bind(serde_json::to_string(&set.packages).unwrap())
    )
    .unwrap();
    tx.commit().await.unwrap();
}

on_both_databases! {
    /// The version moves to the unpublished ones with its reason, its index line goes first, and its tarball is gone.
    async fn an_unpublished_version_is_gone_and_says_why(db: TestDb) {
        let registry = two_packages(&db).await;
        let hash = registry.metadata("demo").await.unwrap().published.values().next().unwrap().hash;
        assert!(registry.state.storage.contains(hash).await.unwrap());
        let before = registry.changes().await;
        let ended = unpublish(&registry, "demo", "1.0.0", Role::Owner).await;
        ended.assert_succeeded();
        assert!(ended.log().contains("NOTICE Unpublished demo@1.0.0! Reason: It was wrong"), "{}", ended.log());
        let metadata = registry.metadata("demo").await.unwrap();
        assert!(metadata.published.is_empty());
        let (version, entry) = metadata.unpublished.first_key_value().unwrap();
        assert_eq!((version.to_string().as_str(), entry.reason.to_string().as_str()), ("1.0.0", "It was wrong"));
        assert_eq!(registry.index_file("demo").await, None);
        assert!(!registry.state.storage.contains(hash).await.unwrap());
        let mut tx = registry.jobs.db().read().await.unwrap();
        let changes = docket_index::list_changes(&mut tx, None, before, 10).await.unwrap();
        let told: Vec<_> = changes
            .iter()
            .map(|change| (change.change.repository, change.change.message.lines().next().unwrap()))
            .collect();
        assert_eq!(told, [
            (Repository::RegistryIndex, "Remove manifest entry for demo@1.0.0"),
            (Repository::Registry, "Update metadata for demo"),
        ]);
        assert_eq!(changes[0].change.files[0].content, None, "the last line takes its file along");
        assert!(changes[0].change.message.ends_with(&format!("\n\nJob ID: {}\n", ended.job.id)));
    }

    /// What is not there, or is withdrawn already, is told apart.
    async fn only_what_is_published_can_be_unpublished(db: TestDb) {
        let registry = two_packages(&db).await;
        for (package, version, code) in [("nothing", "1.0.0", "package-unknown"), ("demo", "1.0.1", "never-published")] {
            assert_eq!(unpublish(&registry, package, version, Role::Owner).await.code(), Some(code));
        }
        unpublish(&registry, "demo", "1.0.0", Role::Owner).await.assert_succeeded();
        let again = unpublish(&registry, "demo", "1.0.0", Role::Owner).await;
        assert_eq!(again.code(), Some("already-unpublished"));
        assert!(again.log().contains("It was wrong"), "{}", again.log());
    }

    /// A version that is the only one in somebody's range stays, and the refusal says whose.
    async fn a_version_that_others_need_stays(db: TestDb) {
        let registry = two_packages(&db).await;
        let before = registry.changes().await;
        for role in [Role::Owner, Role::Trustee] {
            let ended = unpublish(&registry, "prelude", "1.0.0", role).await;
            assert_eq!(ended.code(), Some("dependants-break"));
            assert!(ended.log().contains("unsatisfied dependencies: demo@1.0.0"), "{}", ended.log());
        }
        assert_eq!(registry.changes().await, before);
    }

    /// Another version in the range is enough to let one go.
    async fn a_version_that_can_be_replaced_may_go(db: TestDb) {
        let registry = two_packages(&db).await;
        let work = registry.dir.path().join("sources/prelude");
        let source = registry::Source { name: "prelude".to_owned(), repo: "prelude".to_owned(), work };
        source.manifest("1.0.1", "{}");
        registry.publish(&source.tag("1.0.1")).await.assert_succeeded();
        unpublish(&registry, "prelude", "1.0.0", Role::Owner).await.assert_succeeded();
        assert!(registry.index_file("prelude").await.unwrap().contains("1.0.1"));
    }

    /// Owners have 48 hours, to the minute; trustees act later too, and the log says so.
    async fn owners_have_48_hours_and_trustees_longer(db: TestDb) {
        let registry = two_packages(&db).await;
        set_age(&registry, "demo", 48 * HOUR_MILLIS + 60_000).await;
        let late = unpublish(&registry, "demo", "1.0.0", Role::Owner).await;
        assert_eq!(late.code(), Some("unpublish-window-passed"));
        assert!(late.log().contains("48 hours ago, and owners can unpublish for 48 hours only"), "{}", late.log());
        let trusted = unpublish(&registry, "demo", "1.0.0", Role::Trustee).await;
        trusted.assert_succeeded();
        assert!(trusted.log().contains("trustee somebody can. Reason: It was wrong"), "{}", trusted.log());

        set_age(&registry, "prelude", 48 * HOUR_MILLIS - 60_000).await;
        unpublish(&registry, "prelude", "1.0.0", Role::Owner).await.assert_succeeded();
    }

    /// A registry can give trustees a window too, to the minute.
    async fn trustees_have_the_window_that_the_registry_gives_them(db: TestDb) {
        let windows = Windows { trustee_hours: Some(72), ..Windows::default() };
        let registry = two_packages_with(&db, windows).await;
        set_age(&registry, "demo", 72 * HOUR_MILLIS + 60_000).await;
        let late = unpublish(&registry, "demo", "1.0.0", Role::Trustee).await;
        assert_eq!(late.code(), Some("unpublish-window-passed"));
        assert!(late.log().contains("72 hours ago, and trustees can unpublish for 72 hours only"), "{}", late.log());
        set_age(&registry, "demo", 72 * HOUR_MILLIS - 60_000).await;
        unpublish(&registry, "demo", "1.0.0", Role::Trustee).await.assert_succeeded();
    }

    /// A package set keeps its versions against owners; against trustees only the latest does.
    async fn a_package_set_keeps_its_versions(db: TestDb) {
        let registry = two_packages(&db).await;
        release(&registry, "1.0.0", r#"{"demo":"1.0.0","prelude":"1.0.0"}"#).await;
        let owner = unpublish(&registry, "demo", "1.0.0", Role::Owner).await;
        assert_eq!(owner.code(), Some("in-package-set"));
        assert!(owner.log().contains("in the package sets 1.0.0"), "{}", owner.log());
        assert_eq!(unpublish(&registry, "demo", "1.0.0", Role::Trustee).await.code(), Some("in-package-set"));
        let needed = unpublish(&registry, "prelude", "1.0.0", Role::Owner).await;
        assert_eq!(needed.code(), Some("in-package-set"));
        assert!(needed.log().contains("would leave unsatisfied dependencies: demo@1.0.0"), "{}", needed.log());
        release(&registry, "2.0.0", r#"{"prelude":"1.0.0"}"#).await;
        assert_eq!(unpublish(&registry, "demo", "1.0.0", Role::Owner).await.code(), Some("in-package-set"));
        let trusted = unpublish(&registry, "demo", "1.0.0", Role::Trustee).await;
        trusted.assert_succeeded();
        assert!(trusted.log().contains("cannot be installed in full any more: 1.0.0"), "{}", trusted.log());
    }

    /// The location changes, and nothing else.
    async fn a_transfer_changes_the_location(db: TestDb) {
        let registry = two_packages(&db).await;
        registry.source("moved").manifest("1.0.0", "{}").tag("1.0.0");
        let mut expected = registry.metadata("demo").await.unwrap();
        let index = registry.index_file("demo").await;
        let ended = transfer(&registry, "demo", "moved").await;
        ended.assert_succeeded();
        assert_eq!(ended.notices(), ["Transferred demo from lab/demo to lab/moved!"]);
        expected.location = Location::github("lab", "moved", None).unwrap();
        assert_eq!(registry.metadata("demo").await.unwrap(), expected);
        assert_eq!(registry.index_file("demo").await, index);
    }

    /// Nobody moves nowhere, onto another package, or to a repository that is not there.
    async fn a_transfer_needs_a_place_of_its_own_that_exists(db: TestDb) {
        let registry = two_packages(&db).await;
        let before = registry.changes().await;
        // A host that tells no upper from lower case.
        let host = registry.dir.path().join("host/lab");
        std::os::unix::fs::symlink(host.join("prelude.git"), host.join("Prelude.git")).unwrap();
        registry.source("empty");
        for (package, repo, code) in [
            ("nothing", "moved", "package-unknown"),
            ("demo", "demo", "same-location"),
            ("demo", "prelude", "location-used"),
            ("demo", "Prelude", "location-used"),
            ("demo", "missing", "repository-not-accessible"),
            ("demo", "empty", "repository-empty"),
        ] {
            let ended = transfer(&registry, package, repo).await;
            assert_eq!(ended.code(), Some(code), "{}", ended.log());
        }
        assert_eq!(registry.changes().await, before);
    }
}
