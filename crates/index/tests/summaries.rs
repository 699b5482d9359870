//! What people look packages up by stays true, whoever writes, and holds what was there before it existed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use docket_core::{
    digest::Sha256, manifest::Manifest, metadata::PublishedVersion, time::Timestamp, version::Version,
};
use docket_db::{Product, Tx, execute, sqlx};
use docket_index::{ByJob, KnownSets, Publication, Withdrawal, search::Words};
use docket_test_support::on_both_databases;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn by(millis: i64) -> ByJob {
    ByJob {
        job_id: "job".to_owned(),
        at: at(millis),
    }
}

fn manifest(name: &str, version: &str, description: &str, dependencies: &str) -> Manifest {
    let json = format!(
        r#"{{"name":"{name}","version":"{version}","license":"MIT","description":{description},"location":{{"githubOwner":"lab","githubRepo":"x"}},"ref":"v1","dependencies":{dependencies}}}"#
    );
    Manifest::from_stored(&json).unwrap()
}

async fn publish(tx: &mut Tx, manifest: &Manifest, millis: i64) {
    let entry = PublishedVersion {
        bytes: 1,
        compilers: vec![Version::new(0, 15, 15)],
        hash: Sha256::of(format!("{}{}", manifest.name, manifest.version).as_bytes()),
        published_time: at(millis),
        git_ref: String::new(),
    };
    let publication = Publication {
        manifest,
        entry: &entry,
        by: by(millis),
    };
    docket_index::publish(tx, &publication).await.unwrap();
}

/// Each summary as `name@version description`, and who depends on `prelude`.
async fn state(tx: &mut Tx) -> (Vec<String>, Vec<String>) {
    let found = docket_index::search::search(tx, &Words::default(), None, 100)
        .await
        .unwrap();
    let packages = found.packages.iter();
    let packages = packages.map(|one| format!("{}@{} {}", one.name, one.version, one.description));
    let packages = packages.collect();
    let prelude = "prelude".parse().unwrap();
    let dependants = docket_index::list_dependant_summaries(tx, &prelude, "", 100)
        .await
        .unwrap();
    assert_eq!(
        docket_index::count_dependants(tx, &prelude).await.unwrap(),
        dependants.len() as i64
    );
    let dependants = dependants.iter();
    (
        packages,
        dependants
            .map(|one| format!("{}@{} {}", one.name, one.version, one.range))
            .collect(),
    )
}

on_both_databases! {
    /// The highest version that can be installed counts, in whatever order versions come and go.
    async fn a_summary_is_that_of_the_highest_version(db: TestDb) {
        db.migrate(&[docket_index::TABLES]).await;
        let mut tx = db.db.write().await.unwrap();
        publish(&mut tx, &manifest("prelude", "6.0.0", r#""The basics""#, "{}"), 0).await;
        let needs = r#"{"prelude":">=6.0.0 <7.0.0"}"#;
        publish(&mut tx, &manifest("effect", "4.10.0", r#""new""#, needs), 1).await;
        publish(&mut tx, &manifest("effect", "4.9.0", r#""old""#, "{}"), 2).await;
        let expected = (
            vec!["effect@4.10.0 new".to_owned(), "prelude@6.0.0 The basics".to_owned()],
            vec!["effect@4.10.0 >=6.0.0 <7.0.0".to_owned()],
        );
        assert_eq!(state(&mut tx).await, expected);

        let new = docket_index::list_new_versions(&mut tx, 2).await.unwrap();
        let new: Vec<String> = new.iter().map(|one| format!("{}@{}", one.manifest.name, one.manifest.version)).collect();
        assert_eq!(new, ["effect@4.9.0", "effect@4.10.0"], "by the time of their publication");

        let withdrawal = Withdrawal {
            name: &"effect".parse().unwrap(),
            version: Version::new(4, 10, 0),
            reason: &"a mistake".parse().unwrap(),
            by: by(3),
        };
        docket_index::unpublish(&mut tx, &withdrawal).await.unwrap();
        let expected = (vec!["effect@4.9.0 old".to_owned(), "prelude@6.0.0 The basics".to_owned()], vec![]);
        assert_eq!(state(&mut tx).await, expected);
        let withdrawal = Withdrawal { version: Version::new(4, 9, 0), by: by(4), ..withdrawal };
        docket_index::unpublish(&mut tx, &withdrawal).await.unwrap();
        assert_eq!(state(&mut tx).await, (vec!["prelude@6.0.0 The basics".to_owned()], vec![]));
        assert_eq!(docket_index::count_packages(&mut tx).await.unwrap(), 1);
    }

    /// A description can hold what databases do not like; the version is published all the same.
    async fn a_description_can_hold_anything(db: TestDb) {
        db.migrate(&[docket_index::TABLES]).await;
        let mut tx = db.db.write().await.unwrap();
        let wicked = r#""\u0000a\u0000\u0000b \\u0000 \\\u0000c \ud83d\ude00 ' \" % _""#;
        publish(&mut tx, &manifest("prelude", "6.0.0", wicked, "{}"), 0).await;
        publish(&mut tx, &manifest("prelude", "6.0.1", r#""tame""#, "{}"), 1).await;
        assert_eq!(state(&mut tx).await.0, ["prelude@6.0.1 tame"]);
    }

    /// What was published before the tables existed is in them, and so is what an older program writes beside a newer one.
    async fn older_rows_are_taken_over(db: TestDb) {
        let before = Product { migrations: &docket_index::TABLES.migrations[..6], ..docket_index::TABLES };
        db.migrate(&[before]).await;
        let mut tx = db.db.write().await.unwrap();
        const PACKAGE: &str = "INSERT INTO package (name, location) VALUES ($1, '{\"githubOwner\":\"lab\",\"githubRepo\":\"x\"}')";
        const VERSION: &str = "
            INSERT INTO package_version (name, version, major, minor, patch, published_at, bytes, hash, compilers, ref, manifest)
            VALUES ($1, $2, $3, 0, 0, 1, 1, $4, '[\"0.15.15\"]', '', $5)";
        for name in ["prelude", "effect"] {
            execute!(&mut tx, sqlx::query(PACKAGE).bind(name)).unwrap();
        }
        let needs = r#"{"prelude":">=1.0.0 <99.0.0"}"#;
        let stored = [
            manifest("prelude", "9.0.0", r#""a\u0000b""#, "{}"),
            manifest("prelude", "10.0.0", r#""newer""#, "{}"),
            manifest("effect", "4.0.0", r#""""#, needs),
        ];
        for manifest in &stored {
            execute!(&mut tx, sqlx::query(VERSION)
                .bind(manifest.name.as_str())
                .bind(manifest.version.to_string())
                .bind(i64::from(manifest.version.major))
                .bind(Sha256::of(manifest.to_line().as_bytes()).to_string())
                .bind(manifest.to_line())).unwrap();
        }
        tx.commit().await.unwrap();
        db.migrate(&[docket_index::TABLES]).await;
        let mut tx = db.db.write().await.unwrap();
        let expected = (
            vec!["effect@4.0.0 ".to_owned(), "prelude@10.0.0 newer".to_owned()],
            vec!["effect@4.0.0 >=1.0.0 <99.0.0".to_owned()],
        );
        assert_eq!(state(&mut tx).await, expected);

        // As the program before this one removes an index line.
        const REMOVE: &str = "UPDATE package_version SET manifest = NULL WHERE name = 'effect'";
        execute!(&mut tx, sqlx::query(REMOVE)).unwrap();
        assert_eq!(state(&mut tx).await, (vec!["prelude@10.0.0 newer".to_owned()], vec![]));
    }

    /// What was learned of the package sets grows with them, also when older ones come later, as an import brings them.
    async fn what_is_known_of_package_sets_is_what_is_stored(db: TestDb) {
        const SQL: &str = "
            INSERT INTO package_set (version, major, minor, patch, compiler, published, packages)
            VALUES ($1, $2, $3, $4, '0.15.15', '2026-08-18', $5)";
        db.migrate(&[docket_index::TABLES]).await;
        let known = KnownSets::default();
        let name = "prelude".parse().unwrap();
        let mut stored = Vec::new();
        for (major, minor, packages) in [
            (2, 0, r#"{"prelude":"6.0.0"}"#),
            (2, 1, r#"{"prelude":"6.0.0","effect":"4.0.0"}"#),
            (1, 0, r#"{"prelude":"5.0.0","console":"5.0.0"}"#),
            (2, 10, r#"{"prelude":"6.0.1"}"#),
        ] {
            let version = Version::new(major, minor, 0);
            let mut tx = db.db.write().await.unwrap();
            execute!(
                &mut tx,
                sqlx::query(SQL).bind(version.to_string()).bind(major as i64).bind(minor as i64).bind(0_i64).bind(packages)
            )
            .unwrap();
            tx.commit().await.unwrap();
            stored.push(version);
            stored.sort();
            let mut tx = db.db.read().await.unwrap();
            let sets = known.all(&mut tx).await.unwrap();
            let heads: Vec<_> = sets.heads().iter().map(|head| head.version).collect();
            assert_eq!(heads, stored);
            assert_eq!(sets.latest().map(|set| Some(set.version)), Some(stored.last().copied()));
            for version in ["5.0.0", "6.0.0", "6.0.1"].map(|text| text.parse().unwrap()) {
                let holding: Vec<_> = sets.holding(&name, version).map(|head| head.version).collect();
                assert_eq!(holding, docket_index::list_sets_holding(&mut tx, &name, version).await.unwrap());
            }
        }
        let mut tx = db.db.read().await.unwrap();
        let sets = known.all(&mut tx).await.unwrap();
        let changes: Vec<_> = sets.heads().iter().map(|head| head.changes.map(|of| (of.added, of.updated, of.removed))).collect();
        assert_eq!(changes, [None, Some((0, 1, 1)), Some((1, 0, 0)), Some((0, 1, 1))]);

        // Who looks at an earlier moment takes what is known of a later one, and does not unlearn it.
        let mut earlier = db.db.read().await.unwrap();
        docket_index::list_sets_holding(&mut earlier, &name, Version::new(6, 0, 0)).await.unwrap();
        let mut tx = db.db.write().await.unwrap();
        execute!(&mut tx, sqlx::query(SQL).bind("3.0.0").bind(3_i64).bind(0_i64).bind(0_i64).bind("{}")).unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.db.read().await.unwrap();
        let later = known.all(&mut tx).await.unwrap();
        assert_eq!(later.heads().len(), stored.len() + 1);
        assert!(Arc::ptr_eq(&later, &known.all(&mut earlier).await.unwrap()));
    }
}
