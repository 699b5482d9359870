//! What releasing a package set promises, on both databases.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use docket_core::{
    digest::Sha256, manifest::Manifest, metadata::PublishedVersion, package_set::PackageSet, time::Timestamp,
    version::Version,
};
use docket_index::{
    ByJob, Publication, Release, ReleaseError, TABLES, UnpublishError, Withdrawal, find_metadata,
    find_package_set, find_release_by, latest_package_set, publish, release_package_set, unpublish,
};
use docket_test_support::{TestDb, on_both_databases};

fn set(version: &str) -> PackageSet {
    let text = format!(
        r#"{{"version":"{version}","compiler":"0.15.15","published":"2026-08-18","packages":{{"prelude":"6.0.1"}}}}"#
    );
    PackageSet::parse(&text).unwrap()
}

fn at() -> Timestamp {
    "2026-08-18T07:02:11.004Z".parse().unwrap()
}

fn by(job: &str) -> ByJob {
    ByJob {
        job_id: job.to_owned(),
        at: at(),
    }
}

/// Stores a version that needs these others, in a transaction that goes on.
async fn put(tx: &mut docket_db::Tx, name: &str, version: &str, needs: &str) {
    let line = format!(
        r#"{{"name":"{name}","version":"{version}","license":"MIT","location":{{"githubOwner":"lab","githubRepo":"{name}"}},"ref":"v","dependencies":{needs}}}"#
    );
    let entry = PublishedVersion {
        bytes: 1,
        compilers: vec!["0.15.15".parse().unwrap()],
        hash: Sha256::of(line.as_bytes()),
        published_time: at(),
        git_ref: String::new(),
    };
    let publication = Publication {
        manifest: &Manifest::from_stored(&line).unwrap(),
        entry: &entry,
        by: by("publish"),
    };
    publish(tx, &publication).await.unwrap();
}

/// Takes a version back, in a transaction that goes on.
async fn take_back(tx: &mut docket_db::Tx, name: &str, version: &str) -> Result<Sha256, UnpublishError> {
    let withdrawal = Withdrawal {
        name: &name.parse().unwrap(),
        version: version.parse().unwrap(),
        reason: &"It was wrong".parse().unwrap(),
        by: by("unpublish"),
    };
    unpublish(tx, &withdrawal).await
}

/// Waits until another transaction cannot go on because of ours. SQLite has one writer, so the other one does not even begin.
async fn somebody_waits(db: &TestDb) {
    const SQL: &str = "
        SELECT count(*) FROM pg_locks
        WHERE locktype = 'advisory' AND NOT granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let waits = async {
        loop {
            let mut tx = db.db.read().await.unwrap();
            if !tx.is_postgres() {
                return;
            }
            let waiting: i64 =
                docket_db::on!(&mut tx, conn => docket_db::sqlx::query_scalar(SQL).fetch_one(conn)).unwrap();
            if waiting > 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), waits)
        .await
        .expect("the other one waits");
}

/// A registry with `prelude` 6.0.1.
async fn with_prelude(db: &TestDb) {
    db.migrate(&[TABLES]).await;
    let mut tx = db.db.write().await.unwrap();
    put(&mut tx, "prelude", "6.0.1", "{}").await;
    tx.commit().await.unwrap();
}

async fn release(db: &TestDb, job: &str, version: &str, follows: Option<&str>) -> Result<(), ReleaseError> {
    let set = set(version);
    let release = Release {
        set: &set,
        follows: follows.map(|text| text.parse().unwrap()),
        message: &format!("Release {version} package set."),
        by: by(job),
    };
    let mut tx = db.db.write().await.unwrap();
    release_package_set(&mut tx, &release).await?;
    tx.commit().await.unwrap();
    Ok(())
}

on_both_databases! {
    /// A set is in its row and, in the same commit, in the feed as the exact file.
    async fn a_released_set_reaches_row_and_feed(db: TestDb) {
        with_prelude(&db).await;
        release(&db, "first", "1.0.0", None).await.unwrap();
        release(&db, "second", "1.0.1", Some("1.0.0")).await.unwrap();
        let mut tx = db.db.read().await.unwrap();
        assert_eq!(latest_package_set(&mut tx).await.unwrap(), Some(set("1.0.1")));
        let changes = docket_index::list_changes(&mut tx, None, 2, 10).await.unwrap();
        let told: Vec<_> = changes.iter().map(|change| (change.change.message.as_str(), change.change.files[0].path.as_str())).collect();
        assert_eq!(told, [
            ("Release 1.0.0 package set.\n\nJob ID: first\n", "package-sets/1.0.0.json"),
            ("Release 1.0.1 package set.\n\nJob ID: second\n", "package-sets/1.0.1.json"),
        ]);
        assert_eq!(changes[1].change.files[0].content.as_deref(), Some(set("1.0.1").to_text().as_str()));
        assert_eq!(find_release_by(&mut tx, "second").await.unwrap(), Some(set("1.0.1")));
        assert_eq!(find_release_by(&mut tx, "third").await.unwrap(), None);
    }

    /// Of two sets built on the same one, the second is refused and leaves nothing behind.
    async fn a_set_follows_the_one_it_was_built_on(db: TestDb) {
        with_prelude(&db).await;
        release(&db, "first", "1.0.0", None).await.unwrap();
        let (one, other) = tokio::join!(
            release(&db, "one", "1.0.1", Some("1.0.0")),
            release(&db, "other", "1.1.0", Some("1.0.0")),
        );
        let latest: Version = if one.is_ok() { "1.0.1" } else { "1.1.0" }.parse().unwrap();
        let refused = if one.is_ok() { other } else { one };
        assert!(matches!(refused, Err(ReleaseError::Moved { latest: moved }) if moved == latest), "{refused:?}");
        let again = release(&db, "again", "2.0.0", None).await;
        assert!(matches!(again, Err(ReleaseError::Moved { .. })), "{again:?}");
        let mut tx = db.db.read().await.unwrap();
        assert_eq!(find_package_set(&mut tx, "2.0.0".parse().unwrap()).await.unwrap(), None);
        assert_eq!(docket_index::last_seq(&mut tx).await.unwrap(), 4);
    }

    /// A set is not released with a member that was unpublished while it was built.
    async fn a_member_that_was_taken_back_keeps_a_set_from_being_released(db: TestDb) {
        with_prelude(&db).await;
        let mut tx = db.db.write().await.unwrap();
        take_back(&mut tx, "prelude", "6.0.1").await.unwrap();
        tx.commit().await.unwrap();
        let refused = release(&db, "late", "1.0.0", None).await;
        let gone = vec![("prelude".parse().unwrap(), "6.0.1".parse().unwrap())];
        assert!(matches!(&refused, Err(ReleaseError::Gone { gone: found }) if *found == gone), "{refused:?}");
        let mut tx = db.db.read().await.unwrap();
        assert_eq!(latest_package_set(&mut tx).await.unwrap(), None);
    }

    /// Who publishes what needs a version, and who takes that version back at the same time, do not both succeed.
    async fn a_version_is_not_taken_back_while_something_that_needs_it_is_published(db: TestDb) {
        with_prelude(&db).await;
        let mut publishing = db.db.write().await.unwrap();
        put(&mut publishing, "demo", "1.0.0", r#"{"prelude":">=6.0.1 <6.0.2"}"#).await;
        let beside = {
            let db = db.db.clone();
            tokio::spawn(async move {
                let mut tx = db.write().await.unwrap();
                take_back(&mut tx, "prelude", "6.0.1").await
            })
        };
        somebody_waits(&db).await;
        publishing.commit().await.unwrap();
        let refused = beside.await.unwrap();
        assert!(matches!(refused, Err(UnpublishError::Breaks { .. })), "{refused:?}");
    }

    /// The file of a package that waits for its commit has what was published until then, also what others publish right now.
    async fn metadata_is_committed_as_it_is_at_that_moment(db: TestDb) {
        with_prelude(&db).await;
        let name = "prelude".parse().unwrap();
        let build = docket_index::Build {
            name,
            version: "6.0.1".parse().unwrap(),
            compiler: "0.15.16".parse().unwrap(),
            outcome: docket_index::Outcome::Compiles,
            error: None,
            job_id: "matrix".to_owned(),
            at: at(),
        };
        let mut tx = db.db.write().await.unwrap();
        assert!(docket_index::record_build(&mut tx, &build).await.unwrap());
        tx.commit().await.unwrap();
        let mut publishing = db.db.write().await.unwrap();
        put(&mut publishing, "prelude", "6.0.2", "{}").await;
        let beside = {
            let db = db.db.clone();
            tokio::spawn(async move {
                let mut tx = db.write().await.unwrap();
                docket_index::commit_metadata(&mut tx, &by("commit")).await.unwrap();
                tx.commit().await.unwrap();
            })
        };
        somebody_waits(&db).await;
        publishing.commit().await.unwrap();
        beside.await.unwrap();
        let mut tx = db.db.read().await.unwrap();
        let metadata = find_metadata(&mut tx, &"prelude".parse().unwrap()).await.unwrap().unwrap();
        let changes = docket_index::list_changes(&mut tx, None, 0, 100).await.unwrap();
        let mut files = changes.iter().flat_map(|change| &change.change.files);
        let last = files.rfind(|file| file.path == "metadata/prelude.json").unwrap();
        assert_eq!(last.content.as_deref(), Some(metadata.to_text().as_str()));
    }
}
