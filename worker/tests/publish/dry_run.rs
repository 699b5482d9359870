//! What a dry run promises: it publishes nothing, it is refused as the publish would be, and the publish of the same commit is done at once.

use docket_core::operation::Publish;
use docket_db::sqlx;
use docket_index::checks;
use docket_jobs::NewJob;
use docket_test_support::{TestDb, on_both_databases};
use docket_worker::chores;

use super::registry::{Ended, Registry, Source};
use super::{COMPILE_ERROR, demo, prelude};

/// A registry with prelude, where everything is run.
async fn start_with(db: &TestDb) -> (Registry, Source) {
    let registry = Registry::new(db).await;
    let mut handlers = docket_worker::handlers(&registry.state);
    let pings: chores::Pings = std::sync::Arc::new(|_| None);
    handlers.extend(chores::handlers(&registry.state, &pings, None));
    registry.work_with_all(handlers);
    let (source, operation) = prelude(&registry);
    registry.publish(&operation).await.assert_succeeded();
    (registry, source)
}

async fn start(db: &TestDb) -> Registry {
    start_with(db).await.0
}

async fn dry_run(registry: &Registry, operation: &Publish) -> Ended {
    registry.run(&NewJob::publish_check(operation)).await
}

fn compiles(ended: &Ended) -> bool {
    ended.log().contains("It compiles")
}

/// How many blobs there are for everyone, and of dry runs.
async fn count_blobs(registry: &Registry) -> (usize, usize) {
    let of_dry_runs = checks::storage(&registry.state.storage);
    (
        registry.state.storage.digests().await.unwrap().len(),
        of_dry_runs.digests().await.unwrap().len(),
    )
}

async fn count_rows(db: &TestDb) -> i64 {
    let mut tx = db.db.read().await.unwrap();
    docket_db::on!(&mut tx, conn => sqlx::query_scalar("SELECT count(*) FROM publish_check").fetch_one(conn))
        .unwrap()
}

/// Makes what dry runs found, and their blobs, older.
async fn age(db: &TestDb, registry: &Registry, hours: u64) {
    let mut tx = db.db.write().await.unwrap();
    let millis = i64::try_from(hours * 3_600_000).unwrap();
    for table in [
        "publish_check SET checked_at = checked_at",
        "blob_hold SET at = at",
    ] {
        let sql = sqlx::AssertSqlSafe(format!("UPDATE {table} - {millis}"));
        docket_db::execute!(&mut tx, sqlx::query(sql)).unwrap();
    }
    tx.commit().await.unwrap();
    for digest in checks::storage(&registry.state.storage).digests().await.unwrap() {
        registry.age("checks", digest, hours);
    }
}

on_both_databases! {
    /// Nothing of a dry run can be seen by anybody, but its log; and the publish takes what it found, without looking for it again.
    async fn a_dry_run_publishes_nothing_and_makes_the_publish_immediate(db: TestDb) {
        let registry = start(&db).await;
        registry.settled().await;
        let (changes, blobs) = (registry.changes().await, count_blobs(&registry).await);
        assert_eq!(blobs, (1, 0));
        let operation = demo(&registry).1;
        let checked = dry_run(&registry, &operation).await;
        assert!(compiles(checked.assert_succeeded()));
        assert!(checked.log().contains("nothing was published"), "{}", checked.log());
        registry.assert_nothing_published("demo", "a dry run").await;
        registry.settled().await;
        assert_eq!(registry.changes().await, changes, "the git repositories are as they were");
        assert_eq!(count_blobs(&registry).await, (1, 1));

        let published = registry.publish(&operation).await;
        published.assert_succeeded();
        let log = published.log();
        assert!(log.contains(&format!("Checked before, by job {}", checked.job.id)), "{log}");
        assert!(!compiles(&published) && !log.contains("Fetched"), "{log}");
        let metadata = registry.metadata("demo").await.unwrap();
        let entry = metadata.published.values().next().unwrap();
        assert!(entry.published_time >= published.job.created_at, "it is published when it is published");
        assert!(checked.log().contains(&entry.hash.to_string()), "the tarball is that of the dry run");
        assert!(registry.state.storage.contains(entry.hash).await.unwrap());
        assert!(registry.index_file("demo").await.is_some());
        assert_eq!(count_rows(&db).await, 0, "what has served its purpose is forgotten");
    }

    /// The publish gives the bytes that it would have given without the dry run.
    async fn a_dry_run_changes_nothing_of_what_is_published(db: TestDb) {
        let (with, db_without) = (start(&db).await, docket_test_support::sqlite().await);
        let without = start(&db_without).await;
        let (mut index_files, mut entries) = (Vec::new(), Vec::new());
        for (registry, with_dry_run) in [(&with, true), (&without, false)] {
            let operation = demo(registry).1;
            if with_dry_run {
                dry_run(registry, &operation).await.assert_succeeded();
            }
            registry.publish(&operation).await.assert_succeeded();
            index_files.push(registry.index_file("demo").await.unwrap());
            let entry = registry.metadata("demo").await.unwrap().published.into_values().next().unwrap();
            entries.push((entry.hash, entry.bytes, entry.compilers));
        }
        assert_eq!(index_files[0], index_files[1]);
        assert_eq!(entries[0], entries[1]);
    }

    /// What was found of one commit says nothing of another one, whatever it is called.
    async fn a_tag_that_moved_is_checked_again(db: TestDb) {
        let registry = start(&db).await;
        let (source, operation) = demo(&registry);
        dry_run(&registry, &operation).await.assert_succeeded();
        source.write("src/behaviour", COMPILE_ERROR);
        source.tag("1.0.0");
        let refused = registry.publish(&operation).await;
        assert!(refused.log().contains("and a dry run checked another one"), "{}", refused.log());
        assert_eq!(refused.code(), Some("compile-failed"), "{}", refused.log());
        registry.assert_nothing_published("demo", "a broken package").await;
    }

    /// A new version of a dependency makes another build plan, and that was not compiled.
    async fn other_dependencies_are_checked_again(db: TestDb) {
        let (registry, source) = start_with(&db).await;
        let operation = demo(&registry).1;
        dry_run(&registry, &operation).await.assert_succeeded();
        source.manifest("1.1.0", "{}");
        registry.publish(&source.tag("1.1.0")).await.assert_succeeded();
        let published = registry.publish(&operation).await;
        assert!(compiles(published.assert_succeeded()), "{}", published.log());
        assert!(published.log().contains("other dependencies"), "{}", published.log());
    }

    /// A second dry run of the same commit is as quick as the publish would be; and what was published meanwhile cannot be published again.
    async fn a_dry_run_is_repeated_at_once_and_refused_once_the_version_is_published(db: TestDb) {
        let registry = start(&db).await;
        let operation = demo(&registry).1;
        dry_run(&registry, &operation).await.assert_succeeded();
        let again = dry_run(&registry, &operation).await;
        assert!(!compiles(again.assert_succeeded()), "{}", again.log());
        registry.publish(&operation).await.assert_succeeded();
        let late = dry_run(&registry, &operation).await;
        assert_eq!(late.code(), Some("already-published"), "{}", late.log());
        assert_eq!(count_rows(&db).await, 0);
    }

    /// Whatever a publish would be refused for, its dry run is refused for.
    async fn a_dry_run_is_refused_as_the_publish_would_be(db: TestDb) {
        let registry = start(&db).await;
        let (source, operation) = demo(&registry);
        source.write("src/behaviour", COMPILE_ERROR);
        source.tag("1.0.0");
        let unknown = Publish { git_ref: "v9".to_owned(), ..operation.clone() };
        for operation in [operation, unknown] {
            let (checked, published) = (dry_run(&registry, &operation).await, registry.publish(&operation).await);
            assert!(checked.code().is_some());
            assert_eq!(checked.code(), published.code());
            assert_eq!(checked.errors().collect::<Vec<_>>(), published.errors().collect::<Vec<_>>());
        }
        assert_eq!((count_rows(&db).await, count_blobs(&registry).await), (0, (1, 0)));
    }

    /// What was found long ago is not taken any more, even before the clean-up has removed it; and that removes all of it.
    async fn what_a_dry_run_found_lapses_and_is_swept(db: TestDb) {
        let registry = start(&db).await;
        let operation = demo(&registry).1;
        dry_run(&registry, &operation).await.assert_succeeded();
        let clean_up = NewJob::new("clean-up", "{}".to_owned(), "clean-up".to_owned());
        age(&db, &registry, 7 * 24 - 1).await;
        registry.run(&clean_up).await.assert_succeeded();
        assert_eq!((count_rows(&db).await, count_blobs(&registry).await), (1, (1, 1)));
        age(&db, &registry, 7 * 24 + 1).await;
        let again = dry_run(&registry, &operation).await;
        assert!(compiles(again.assert_succeeded()), "{}", again.log());
        age(&db, &registry, 7 * 24 + 1).await;
        registry.run(&clean_up).await.assert_succeeded();
        assert_eq!((count_rows(&db).await, count_blobs(&registry).await), (0, (1, 0)));
        assert!(compiles(registry.publish(&operation).await.assert_succeeded()));
    }

    /// A blob that is lost or damaged costs time and nothing else.
    async fn what_a_dry_run_stored_may_be_lost_or_damaged(db: TestDb) {
        let registry = start(&db).await;
        let operation = demo(&registry).1;
        let stored = checks::storage(&registry.state.storage);
        dry_run(&registry, &operation).await.assert_succeeded();
        let digest = *stored.digests().await.unwrap().iter().next().unwrap();
        let hex = digest.hex();
        let path = registry.blobs.join(format!("checks/{}/{}/{hex}", &hex[0..2], &hex[2..4]));
        std::fs::write(path, "other bytes").unwrap();
        let again = dry_run(&registry, &operation).await;
        assert!(compiles(again.assert_succeeded()), "{}", again.log());
        stored.remove(digest).await.unwrap();
        let published = registry.publish(&operation).await;
        assert!(compiles(published.assert_succeeded()), "{}", published.log());
    }
}
