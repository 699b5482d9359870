//! What releasing a package set promises, on both databases.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use docket_core::{package_set::PackageSet, version::Version};
use docket_index::{
    ByJob, Release, ReleaseError, TABLES, find_package_set, find_release_by, latest_package_set,
    release_package_set,
};
use docket_test_support::{TestDb, on_both_databases};

fn set(version: &str) -> PackageSet {
    let text = format!(
        r#"{{"version":"{version}","compiler":"0.15.15","published":"2026-08-18","packages":{{"prelude":"6.0.1"}}}}"#
    );
    PackageSet::parse(&text).unwrap()
}

async fn release(db: &TestDb, job: &str, version: &str, follows: Option<&str>) -> Result<(), ReleaseError> {
    let set = set(version);
    let release = Release {
        set: &set,
        follows: follows.map(|text| text.parse().unwrap()),
        message: &format!("Release {version} package set."),
        by: ByJob {
            job_id: job.to_owned(),
            at: "2026-08-18T07:02:11.004Z".parse().unwrap(),
        },
    };
    let mut tx = db.db.write().await.unwrap();
    release_package_set(&mut tx, &release).await?;
    tx.commit().await.unwrap();
    Ok(())
}

on_both_databases! {
    /// A set is in its row and, in the same commit, in the feed as the exact file.
    async fn a_released_set_reaches_row_and_feed(db: TestDb) {
        db.migrate(&[TABLES]).await;
        release(&db, "first", "1.0.0", None).await.unwrap();
        release(&db, "second", "1.0.1", Some("1.0.0")).await.unwrap();
        let mut tx = db.db.read().await.unwrap();
        assert_eq!(latest_package_set(&mut tx).await.unwrap(), Some(set("1.0.1")));
        let changes = docket_index::list_changes(&mut tx, None, 0, 10).await.unwrap();
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
        db.migrate(&[TABLES]).await;
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
        assert_eq!(docket_index::last_seq(&mut tx).await.unwrap(), 2);
    }
}
