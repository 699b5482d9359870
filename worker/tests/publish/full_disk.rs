//! What a publish promises on a disk that is full, wherever it fills up: one clear error, nothing half published, and
//! that it goes through once there is room.

use std::fs;
use std::path::Path;

use docket_core::operation::Publish;
use docket_index::tarballs::Tarballs;
use docket_storage::Storage;
use docket_test_support::{TestDb, on_both_databases};

use crate::registry::{Registry, Source};
use crate::small_disk::{SmallDisk, mounts_are_our_own};

/// Makes a registry whose jobs work on `disk`.
async fn working_on(disk: &SmallDisk, db: &TestDb) -> Registry {
    let mut registry = Registry::new(db).await;
    registry.state.work_dir = disk.path().to_owned();
    registry
}

/// A package with a README of this many bytes, which is packed and compresses well.
fn package(registry: &Registry, readme_bytes: usize) -> (Source, Publish) {
    let source = registry.source("demo");
    source
        .manifest("1.0.0", "{}")
        .write("src/Demo.purs", "module Demo where\n")
        .write("README.md", &"a".repeat(readme_bytes));
    let operation = source.tag("1.0.0");
    (source, operation)
}

/// Publishes what cannot be, and then, when there is room, the very same again.
async fn assert_fails_until_there_is_room(
    registry: &Registry,
    disk: &SmallDisk,
    operation: &Publish,
    expected: &str,
) {
    let ended = registry.publish(operation).await;
    assert_eq!(
        (ended.code(), ended.job.attempt),
        (Some("disk-full"), 5),
        "{}",
        ended.log()
    );
    let errors: Vec<&str> = ended.errors().collect();
    assert_eq!(errors, [format!("{expected} This was attempt 5, the last one.")]);
    let tried_again = ended
        .log()
        .matches(&format!("{expected} The next attempt"))
        .count();
    assert_eq!(tried_again, 4, "{}", ended.log());
    assert_nothing_published(registry).await;

    disk.make_room();
    registry.publish(operation).await.assert_succeeded();
    assert_eq!(registry.changes().await, 2, "metadata and index line, once");
    assert_eq!(blobs(registry).len(), 1);
}

/// No rows, no entries of the change feed, no blob that has its name, no directory of an attempt.
async fn assert_nothing_published(registry: &Registry) {
    registry.assert_nothing_published("demo", "a full disk").await;
    assert_eq!(registry.changes().await, 0);
    assert_eq!(blobs(registry), Vec::<String>::new());
    let left = fs::read_dir(&registry.state.work_dir)
        .unwrap()
        .filter_map(Result::ok);
    let left: Vec<_> = left
        .map(|entry| entry.file_name())
        .filter(|name| name != "ballast")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The files of the blob store, whose folders have names of two characters.
fn blobs(registry: &Registry) -> Vec<String> {
    fn files(dir: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap().filter_map(Result::ok) {
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                files(&entry.path(), found);
            } else if name != "ballast" {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    files(&registry.blobs, &mut found);
    found
}

on_both_databases! {
    async fn a_disk_that_fills_up_while_the_source_is_written_is_named(db: TestDb) {
        if !mounts_are_our_own(module_path!(), &db) { return; }
        let disk = SmallDisk::new("8m");
        let registry = working_on(&disk, &db).await;
        disk.fill_up_to(1 << 20);
        registry.work();
        let (_, operation) = package(&registry, 2 << 20);
        assert_fails_until_there_is_room(&registry, &disk, &operation, "The worker could not write the source: its disk is full.").await;
    }

    /// The source fits, and its copy does not.
    async fn a_disk_that_fills_up_while_the_package_is_laid_out_is_named(db: TestDb) {
        if !mounts_are_our_own(module_path!(), &db) { return; }
        let disk = SmallDisk::new("8m");
        let registry = working_on(&disk, &db).await;
        disk.fill_up_to(3 << 20);
        registry.work();
        let (_, operation) = package(&registry, 2 << 20);
        assert_fails_until_there_is_room(&registry, &disk, &operation, "The worker could not copy the package: its disk is full.").await;
    }

    /// What the compiler says that could not write is not held against the package.
    async fn a_disk_that_fills_up_while_the_package_is_compiled_is_named(db: TestDb) {
        if !mounts_are_our_own(module_path!(), &db) { return; }
        let disk = SmallDisk::new("8m");
        let registry = working_on(&disk, &db).await;
        disk.fill_up_to(2 << 20);
        registry.work();
        let (source, _) = package(&registry, 10);
        let babble = r#"{"warnings":[],"errors":[{"position":null,"message":"no output","errorCode":"X","errorLink":"","filename":"x","moduleName":null}]}"#;
        source.write("src/behaviour", &format!(
            "[ $command = graph ] || head -c 4000000 /dev/zero > output 2>&1 || {{ echo '{babble}'; exit 1; }}",
        ));
        let operation = source.tag("1.0.0");
        assert_fails_until_there_is_room(&registry, &disk, &operation, "The worker could not compile the package: its disk is full.").await;
    }

    async fn a_disk_that_fills_up_while_dependencies_are_unpacked_is_named(db: TestDb) {
        if !mounts_are_our_own(module_path!(), &db) { return; }
        let disk = SmallDisk::new("16m");
        let registry = working_on(&disk, &db).await;
        registry.work();
        let (_, large) = package(&registry, 4 << 20);
        registry.publish(&large).await.assert_succeeded();
        let user = registry.source("user");
        user.manifest("1.0.0", r#"{"demo":">=1.0.0 <2.0.0"}"#).write("src/User.purs", "module User where\nimport Demo\n");
        let operation = user.tag("1.0.0");

        disk.fill_up_to(2 << 20);
        let ended = registry.publish(&operation).await;
        assert_eq!(ended.code(), Some("disk-full"), "{}", ended.log());
        assert!(ended.log().contains("The worker could not unpack the dependencies: its disk is full."), "{}", ended.log());
        assert_eq!((registry.metadata("user").await, registry.index_file("user").await), (None, None));
        disk.make_room();
        registry.publish(&operation).await.assert_succeeded();
    }

    /// Blob first, row second: without the blob there is no row.
    async fn a_blob_store_on_a_full_disk_is_named_and_keeps_no_half_of_a_blob(db: TestDb) {
        if !mounts_are_our_own(module_path!(), &db) { return; }
        let disk = SmallDisk::new("1m");
        let mut registry = Registry::new(&db).await;
        registry.blobs = disk.path().to_owned();
        registry.state.storage = Storage::local(disk.path()).unwrap();
        registry.state.tarballs = Tarballs::new(db.db.clone(), registry.state.storage.clone()).unwrap();
        disk.fill_up_to(8 << 10);
        registry.work();
        let (source, _) = package(&registry, 0);
        // Larger than the room there is, and it does not compress.
        let mut state = 1_u64;
        let noise = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'0' + (state >> 58) as u8)
        };
        source.write("README.md", &(0..64 << 10).map(noise).collect::<String>());
        let operation = source.tag("1.0.0");
        assert_fails_until_there_is_room(&registry, &disk, &operation, "The tarball store has no room: its disk is full.").await;
    }
}
