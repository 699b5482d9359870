//! `/package-sets` and below: the sets, how they differ, and why a package is not in one.

use docket_core::package_set::PackageSet;
use docket_index::{ByJob, Release};
use docket_test_support::on_both_databases;
use serde_json::json;

use crate::served::{Served, manifest, now, record, record_effect};

async fn release(served: &Served, from: Option<&str>, version: &str, packages: serde_json::Value) {
    let text =
        json!({ "version": version, "compiler": "0.15.15", "published": "2026-08-18", "packages": packages })
            .to_string();
    let set = PackageSet::parse(&text).unwrap();
    let mut tx = served.jobs.db().write().await.unwrap();
    // A set has only what is published.
    for (name, version) in &set.packages {
        let metadata = docket_index::find_metadata(&mut tx, name).await.unwrap();
        if metadata.is_none_or(|metadata| !metadata.published.contains_key(version)) {
            let member = manifest(name.as_str(), &version.to_string(), "", &json!({}));
            record(&mut tx, &member, name.as_str().as_bytes(), now()).await;
        }
    }
    let release = Release {
        set: &set,
        follows: from.map(|from| from.parse().unwrap()),
        message: "Release",
        by: ByJob {
            job_id: "job".to_owned(),
            at: now(),
        },
    };
    docket_index::release_package_set(&mut tx, &release)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn two_sets(served: &Served) {
    let mut tx = served.jobs.db().write().await.unwrap();
    record_effect(&mut tx).await;
    record(
        &mut tx,
        &manifest("aff", "8.0.0", "", &json!({ "effect": ">=4.0.0 <5.0.0" })),
        b"aff",
        now(),
    )
    .await;
    record(
        &mut tx,
        &manifest(
            "out",
            "1.0.0",
            "",
            &json!({ "aff": ">=8.0.0 <9.0.0", "effect": ">=4.0.0 <5.0.0" }),
        ),
        b"out",
        now(),
    )
    .await;
    tx.commit().await.unwrap();
    release(
        served,
        None,
        "1.0.0",
        json!({ "effect": "4.0.0", "old": "1.0.0", "up": "1.0.0" }),
    )
    .await;
    release(
        served,
        Some("1.0.0"),
        "2.0.0",
        json!({ "effect": "4.0.0", "new": "3.0.0", "up": "1.1.0" }),
    )
    .await;
}

on_both_databases! {
    /// The list shows each set with what it changes, and leads to the difference.
    async fn sets_are_listed_with_their_changes(db: TestDb) {
        let served = Served::start(db).await;
        assert!(served.page("/package-sets").await.contains("There is no package set yet"));
        two_sets(&served).await;
        let page = served.page("/package-sets").await;
        assert!(page.contains("/package-sets/1.0.0...2.0.0\">1 added, 1 updated, 1 removed<"), "{page}");
        assert!(page.contains("the first set"), "{page}");
        let page = served.page("/package-sets?before=2.0.0").await;
        assert!(page.contains(">1.0.0</a>") && !page.contains(">2.0.0</a>"), "{page}");
        served.refused_page("/package-sets?before=now", 400).await;
    }

    /// Two sets are compared by one address, which the form leads to.
    async fn two_sets_are_compared(db: TestDb) {
        let served = Served::start(db).await;
        two_sets(&served).await;
        for path in ["/package-sets/1.0.0...2.0.0", "/package-sets/2.0.0?from=1.0.0", "/package-sets?from=1.0.0&to=2.0.0", "/package-sets/1.0.0...latest"] {
            let page = served.page(path).await;
            for part in ["Added <small>1", "/packages/new/3.0.0", "Updated <small>1", "/packages/up/1.0.0", "/packages/up/1.1.0", "Removed <small>1", "/packages/old/1.0.0"] {
                assert!(page.contains(part), "{path}: {part}: {page}");
            }
        }
        let same = served.page("/package-sets/1.0.0...1.0.0").await;
        assert!(same.contains("the same packages"), "{same}");
        served.refused_page("/package-sets/1.0.0...3.0.0", 404).await;
        served.refused_page("/package-sets?from=1&to=2.0.0", 400).await;
    }

    /// A set shows its members, and tells of any package whether it is in it, and if not, why.
    async fn a_set_says_why_a_package_is_not_in_it(db: TestDb) {
        let served = Served::start(db).await;
        two_sets(&served).await;
        let page = served.page("/package-sets/latest").await;
        assert!(page.contains("Package set 2.0.0") && page.contains("/packages/effect/4.0.0"), "{page}");
        for (package, words) in [
            ("effect", "the set has the newest version"),
            ("aff", "nothing is known to keep it out"),
            ("out", "it depends on aff, which is not in the set"),
            ("nothing", "is no package of this registry"),
        ] {
            let page = served.page(&format!("/package-sets/2.0.0?package={package}")).await;
            assert!(page.contains(words), "{package}: {page}");
        }
        let page = served.page("/packages/out").await;
        assert!(page.contains("it depends on aff, which is not in the set"), "the package says it too: {page}");
        let page = served.page("/packages/effect/4.0.0").await;
        assert!(page.contains("2 sets, <a href=\"/package-sets/1.0.0\">"), "{page}");
        let page = served.refused_page("/package-sets/2.0.0?package=%3Cscript%3E", 400).await;
        assert!(!page.contains("<script>"), "{page}");
        served.refused_page("/package-sets/3.0.0", 404).await;
        served.refused_page("/package-sets/now", 404).await;
    }
}
