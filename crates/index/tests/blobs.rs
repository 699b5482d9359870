//! What keeps a blob from being removed, on both databases.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path, process::Command};

use docket_core::{
    digest::Sha256,
    location::Location,
    metadata::{Metadata, PublishedVersion},
    time::Timestamp,
};
use docket_db::Db;
use docket_index::{
    blobs,
    import::{self, Sources},
};
use docket_storage::Storage;
use docket_test_support::on_both_databases;

const HOUR_MILLIS: i64 = 60 * 60 * 1000;

fn blob() -> Sha256 {
    Sha256::of(b"a tarball")
}

fn now() -> Timestamp {
    "2026-08-18T07:02:11.004Z".parse().unwrap()
}

fn after_hours(hours: i64) -> Timestamp {
    now().plus_millis(hours * HOUR_MILLIS)
}

/// Runs one step of the protocol in a transaction of its own.
macro_rules! step {
    ($db:expr, $step:ident, $at:expr) => {{
        let mut tx = $db.write().await.unwrap();
        let done = blobs::$step(&mut tx, blob(), $at).await.unwrap();
        tx.commit().await.unwrap();
        done
    }};
}

async fn is_named(db: &Db, digest: Sha256) -> bool {
    blobs::is_named(&mut db.read().await.unwrap(), digest)
        .await
        .unwrap()
}

/// Imports prelude 1.0.0, whose tarball is [`blob`], from repositories with a history.
async fn import(db: &Db, storage: &Storage, folder: &Path) {
    let mut metadata = Metadata::new(Location::github("lab", "prelude", None).unwrap());
    let entry = PublishedVersion {
        bytes: 9,
        compilers: vec!["0.15.15".parse().unwrap()],
        hash: blob(),
        published_time: now(),
        git_ref: String::new(),
    };
    metadata.published.insert("1.0.0".parse().unwrap(), entry);
    let (registry, index) = (folder.join("registry"), folder.join("index"));
    for (repository, file, text) in [
        (&registry, "metadata/prelude.json", metadata.to_text()),
        (&index, "README.md", "The index\n".to_owned()),
    ] {
        let file = repository.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        for arguments in [
            &["init", "-q"][..],
            &["add", "-A"],
            &["commit", "-q", "-m", "begin"],
        ] {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
                .args(arguments)
                .current_dir(repository)
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("GIT_CONFIG_NOSYSTEM", "1");
            assert!(git.status().unwrap().success());
        }
    }
    let sources = Sources {
        registry,
        index,
        tarballs: None,
    };
    import::import(db, storage, &sources, now(), |_| {})
        .await
        .unwrap();
}

on_both_databases! {
    /// What is held is not condemned, and can be named.
    async fn a_held_blob_is_not_condemned(db: TestDb) {
        db.migrate(&[docket_index::TABLES]).await;
        assert!(step!(db.db, hold, now()));
        assert!(!step!(db.db, condemn, after_hours(23)));
        assert!(step!(db.db, keep, after_hours(23)));
        assert!(!step!(db.db, condemn, after_hours(46)), "it is held anew");
    }

    /// While a blob is being removed nobody can hold it; afterwards everybody can.
    async fn a_condemned_blob_is_not_held(db: TestDb) {
        db.migrate(&[docket_index::TABLES]).await;
        assert!(step!(db.db, condemn, now()));
        assert!(!step!(db.db, hold, after_hours(1)));
        assert!(!step!(db.db, condemn, after_hours(1)), "nor removed by two at once");
        step!(db.db, release, after_hours(1));
        assert!(!step!(db.db, hold, after_hours(1)), "only who condemned it can release it");
        step!(db.db, release, now());
        assert!(step!(db.db, hold, after_hours(1)));
    }

    /// A hold that has lapsed can be condemned, and then nothing can be named on its strength, not even when the removal is over.
    async fn a_lapsed_hold_is_worth_nothing(db: TestDb) {
        db.migrate(&[docket_index::TABLES]).await;
        assert!(step!(db.db, hold, now()));
        assert!(step!(db.db, condemn, after_hours(25)));
        assert!(!step!(db.db, keep, after_hours(25)));
        step!(db.db, release, after_hours(25));
        assert!(!step!(db.db, keep, after_hours(25)));
    }

    /// A clean-up that was killed does not keep anybody from publishing for ever, and another one takes up its work.
    async fn a_condemnation_lapses(db: TestDb) {
        db.migrate(&[docket_index::TABLES]).await;
        assert!(step!(db.db, condemn, now()));
        assert!(step!(db.db, condemn, after_hours(3)));
        assert!(!step!(db.db, hold, after_hours(3)));
        assert!(step!(db.db, hold, after_hours(6)));
        step!(db.db, release, after_hours(3));
        assert!(step!(db.db, keep, after_hours(6)), "a late release takes no hold away");
    }

    /// Whoever condemns waits for a transaction that is about to name the blob, even under a hold that has lapsed, and then lets go of it.
    async fn who_names_a_blob_is_waited_for(db: TestDb) {
        db.migrate(&[docket_index::TABLES]).await;
        assert!(step!(db.db, hold, now()));
        let mut naming = db.db.write().await.unwrap();
        assert!(blobs::keep(&mut naming, blob(), after_hours(25)).await.unwrap());
        let other = db.db.clone();
        let condemned = tokio::spawn(async move { step!(other, condemn, after_hours(25)) });
        // However long it takes: it cannot come to an end before the other transaction does.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!condemned.is_finished());
        naming.commit().await.unwrap();
        assert!(!condemned.await.unwrap());
    }

    /// What has lapsed is forgotten; a fresh hold is not.
    async fn what_has_lapsed_is_forgotten(db: TestDb) {
        db.migrate(&[docket_index::TABLES]).await;
        assert!(step!(db.db, hold, now()));
        for (hours, kept) in [(23, true), (25, false)] {
            let mut tx = db.db.write().await.unwrap();
            blobs::prune(&mut tx, after_hours(hours)).await.unwrap();
            assert_eq!(blobs::keep(&mut tx, blob(), now()).await.unwrap(), kept, "{hours}");
            tx.commit().await.unwrap();
        }
    }

    /// Tarballs of published versions and the histories of imported repositories are named, and nothing else.
    async fn tarballs_and_histories_are_named(db: TestDb) {
        db.migrate(&[docket_index::TABLES]).await;
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::local(folder.path().join("blobs")).unwrap();
        assert!(!blobs::has_rows(&mut db.db.read().await.unwrap()).await.unwrap());
        import(&db.db, &storage, folder.path()).await;
        assert!(blobs::has_rows(&mut db.db.read().await.unwrap()).await.unwrap());
        assert!(is_named(&db.db, blob()).await, "though it was not imported");
        let histories = storage.list(None, 10).await.unwrap();
        assert_eq!(histories.len(), 2);
        for history in histories {
            assert!(is_named(&db.db, history.digest).await);
        }
        assert!(!is_named(&db.db, Sha256::of(b"garbage")).await);
    }
}
