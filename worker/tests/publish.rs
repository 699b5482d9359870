//! What publishing promises, from a real git repository to the rows and the tarball, on both databases.

#![allow(clippy::unwrap_used, reason = "clippy sees tests only inside test functions")]
#![allow(
    dead_code,
    reason = "the registry is shared with the tests of other operations"
)]

#[path = "publish/bucket.rs"]
mod bucket;
#[path = "publish/dry_run.rs"]
mod dry_run;
#[path = "publish/full_disk.rs"]
mod full_disk;
#[path = "publish/registry.rs"]
mod registry;
#[path = "publish/small_disk.rs"]
mod small_disk;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::Path as AddressPart;
use axum::http::StatusCode;
use axum::{Router, routing::get};
use docket_core::digest::Sha256;
use docket_core::location::Location;
use docket_core::operation::Publish;
use docket_db::sqlx;
use docket_index::export::{self, Targets};
use docket_index::import::{self, Sources};
use docket_jobs::Failure;
use docket_storage::Storage;
use docket_test_support::on_both_databases;
use docket_worker::WorkerState;
use docket_worker::package::unpack;
use docket_worker::publish;
use registry::{Registry, Source};
use tokio::net::TcpListener;

/// A compiler that finds an error.
const COMPILE_ERROR: &str = r#"echo '{"warnings":[],"errors":[{"position":null,"message":"broken","errorCode":"X","errorLink":"","filename":"x","moduleName":null}]}'; exit 1"#;

/// A package without dependencies, ready to be published.
fn prelude(registry: &Registry) -> (Source, Publish) {
    let source = registry.source("prelude");
    source
        .manifest("1.0.0", "{}")
        .write("src/Prelude.purs", "module Prelude where\n")
        .write("README.md", "# p");
    let operation = source.tag("1.0.0");
    (source, operation)
}

/// A package that imports from prelude.
fn demo(registry: &Registry) -> (Source, Publish) {
    let source = registry.source("demo");
    source
        .manifest("1.0.0", r#"{"prelude":">=1.0.0 <2.0.0"}"#)
        .write(
            "src/Demo.purs",
            "module Demo where\nimport Prelude\nimport Demo.Inner\n",
        )
        .write("src/Demo/Inner.purs", "module Demo.Inner where\n")
        .write("test/Main.purs", "module Test.Main where\n");
    let operation = source.tag("1.0.0");
    (source, operation)
}

/// Serves the tarballs of `folder`, laid out as NAME/VERSION.tar.gz, and returns their URL.
async fn serve(folder: PathBuf) -> String {
    let answer = move |AddressPart((name, file)): AddressPart<(String, String)>| {
        std::future::ready(fs::read(folder.join(name).join(file)).map_err(|_| StatusCode::NOT_FOUND))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().route("/{name}/{file}", get(answer));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

on_both_databases! {
    /// A dependency whose tarball is elsewhere is fetched for the build; while it cannot be, that is no fault of the author.
    async fn dependencies_are_fetched_from_the_tarball_source(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work_with(publish::handler(registry.state.clone()));
        registry.publish(&prelude(&registry).1).await.assert_succeeded();
        let out = |part: &str| registry.dir.path().join("out").join(part);
        let targets = Targets { registry: out("registry"), index: out("index"), tarballs: Some(out("tarballs")) };
        export::export(&db.db, &registry.state.tarballs, &targets).await.unwrap();
        let import_from = async |url: &str| {
            let sources = Sources { registry: out("registry"), index: out("index"), tarballs: Some(url.parse().unwrap()) };
            import::import(&db.db, &registry.state.storage, &sources, registry.jobs.clock().now(), |_| {}).await.unwrap();
        };
        fs::remove_dir_all(&registry.blobs).unwrap();

        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        import_from(&format!("http://{nobody}")).await;
        let operation = demo(&registry).1;
        let ended = registry.publish(&operation).await;
        assert_eq!(ended.code(), Some("unavailable"), "{}", ended.log());

        import_from(&serve(out("tarballs")).await).await;
        registry.publish(&operation).await.assert_succeeded();
    }

    /// Tarball, metadata and index line belong together, and the log tells the milestones in their order.
    async fn a_package_and_its_dependency_go_from_repository_to_index(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work_with(publish::handler(registry.state.clone()));
        registry.publish(&prelude(&registry).1).await.assert_succeeded();
        let ended = registry.publish(&demo(&registry).1).await;
        ended.assert_succeeded();
        assert_eq!(ended.notices(), [
            "Checking that demo",
            "Checking that demo",
            "Packaging and uploading demo",
            "Successfully uploaded demo",
            "Documentation is not published",
        ]);
        assert!(ended.log().contains("\"compiler\": \"0.15.15\""), "{}", ended.log());
        assert!(ended.log().contains("\"prelude\": \"1.0.0\""), "{}", ended.log());

        let metadata = registry.metadata("demo").await.unwrap();
        let entry = &metadata.published[&"1.0.0".parse().unwrap()];
        assert_eq!(entry.git_ref, "");
        let tarball = registry.state.storage.find(entry.hash).await.unwrap().expect("the tarball is stored");
        assert_eq!((tarball.len() as u64, Sha256::of(&tarball)), (entry.bytes, entry.hash));
        let out = tempfile::tempdir().unwrap();
        unpack(&tarball, out.path(), "demo-1.0.0", &registry.state.sizes).unwrap();
        assert!(out.path().join("demo-1.0.0/src/Demo/Inner.purs").exists());
        assert!(!out.path().join("demo-1.0.0/test").exists());

        let line = registry.index_file("demo").await.unwrap();
        assert!(line.starts_with(r#"{"name":"demo","version":"1.0.0""#), "{line}");
        let stored = fs::read_to_string(out.path().join("demo-1.0.0/purs.json")).unwrap();
        assert!(stored.starts_with("{\n  \"name\": \"demo\""), "{stored}");
        assert_eq!(registry.changes().await, 4, "metadata and index line of each package");
        assert_eq!(fs::read_dir(&registry.state.work_dir).unwrap().count(), 0);
    }

    async fn a_spago_yaml_and_a_bower_json_become_a_manifest_that_the_log_shows(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work();
        registry.publish(&prelude(&registry).1).await.assert_succeeded();

        let (source, _) = demo(&registry);
        fs::remove_file(source.work.join("purs.json")).unwrap();
        source.write("spago.yaml", "package:\n  name: demo\n  dependencies:\n    - prelude: \">=1.0.0 <2.0.0\"\n  publish:\n    \
            version: 1.0.0\n    license: MIT\n    location:\n      githubOwner: lab\n      githubRepo: demo\n");
        let ended = registry.publish(&source.tag("1.0.0")).await;
        ended.assert_succeeded();
        assert_eq!(ended.notices()[..2], ["The manifest is made from spago.yaml, since there is no purs.json.", "The manifest"]);
        assert!(ended.log().contains("```json\n{\n  \"name\": \"demo\""), "{}", ended.log());

        let old = registry.source("old");
        old.write("src/Old.purs", "module Old where\nimport Prelude\n");
        old.write("bower.json", r#"{"name":"purescript-old","license":["MIT"],"dependencies":{"purescript-prelude":"^1.0.0"}}"#);
        registry.publish(&old.tag("2.0.0")).await.assert_succeeded();
        let line = registry.index_file("old").await.unwrap();
        let expected = r#"{"name":"old","version":"2.0.0","license":"MIT","location":{"githubOwner":"lab","githubRepo":"old"},"ref":"v2.0.0","dependencies":{"prelude":">=1.0.0 <2.0.0"}}"#;
        assert_eq!(line.trim_end(), expected);
    }

    async fn a_plan_and_a_compiler_of_the_request_are_used(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work();
        registry.publish(&prelude(&registry).1).await.assert_succeeded();
        let (_, operation) = demo(&registry);
        let plan = |version: &str| Some([("prelude".parse().unwrap(), version.parse().unwrap())].into());
        let compiler = |version: &str| Some(version.parse().unwrap());

        let unknown = Publish { compiler: compiler("0.14.0"), ..operation.clone() };
        assert_eq!(registry.publish(&unknown).await.code(), Some("compiler-not-supported"));
        let outside = Publish { resolutions: plan("2.0.0"), ..operation.clone() };
        assert_eq!(registry.publish(&outside).await.code(), Some("resolutions-differ"));
        let nowhere = Publish { resolutions: plan("1.0.1"), compiler: compiler("0.15.10"), ..operation.clone() };
        assert_eq!(registry.publish(&nowhere).await.code(), Some("dependency-not-published"));
        let unsolvable = Publish { resolutions: plan("1.0.1"), ..operation.clone() };
        let ended = registry.publish(&unsolvable).await;
        assert_eq!(ended.code(), Some("no-build-plan"));
        assert!(ended.log().contains("Could not produce valid dependencies"), "{}", ended.log());

        let good = Publish { resolutions: plan("1.0.0"), compiler: compiler("0.15.10"), ..operation };
        registry.publish(&good).await.assert_succeeded();
        let metadata = registry.metadata("demo").await.unwrap();
        let compilers = &metadata.published[&"1.0.0".parse().unwrap()].compilers;
        assert_eq!(compilers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0.15.10"]);
    }

    /// Nothing of the failed attempt is remembered: not the source, not the result of the compiler.
    async fn a_failed_publish_can_be_repeated_after_the_tag_was_moved(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work();
        let (source, operation) = prelude(&registry);
        source.write("src/behaviour", COMPILE_ERROR);
        source.tag("1.0.0");
        let failed = registry.publish(&operation).await;
        assert_eq!(failed.code(), Some("compile-failed"));
        assert!(failed.log().contains("broken"), "{}", failed.log());
        registry.assert_nothing_published("prelude", "a package that does not compile").await;

        fs::remove_file(source.work.join("src/behaviour")).unwrap();
        source.tag("1.0.0");
        registry.publish(&operation).await.assert_succeeded();

        let again = registry.publish(&operation).await;
        assert_eq!(again.code(), Some("already-published"));
        assert!(again.log().contains("already exists"), "{}", again.log());
        assert_eq!(registry.changes().await, 2);
    }

    /// The worker died between the commit of the effects and the end of the job.
    async fn an_attempt_that_finds_its_effects_in_place_only_ends(db: TestDb) {
        let registry = Registry::new(&db).await;
        let (state, attempts) = (registry.state.clone(), Arc::new(AtomicU32::new(0)));
        let mut handler = publish::handler(state.clone());
        handler.run = Arc::new(move |run| {
            let (state, attempts) = (state.clone(), attempts.clone());
            Box::pin(async move {
                publish::run(&state, &run).await?;
                if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                    return Err(Failure::Unavailable { detail: "The test stops here.".into(), cause: None });
                }
                Ok(())
            })
        });
        registry.work_with(handler);
        let (_, operation) = prelude(&registry);
        let ended = registry.publish(&operation).await;
        ended.assert_succeeded();
        assert_eq!(ended.job.attempt, 2);
        assert_eq!(registry.changes().await, 2, "nothing is published twice");
        assert!(ended.log().contains("by an earlier attempt of this job"), "{}", ended.log());
    }

    async fn a_version_without_its_index_line_is_completed_if_the_manifest_is_the_same(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work_with(publish::handler(registry.state.clone()));
        let (source, operation) = prelude(&registry);
        registry.publish(&operation).await.assert_succeeded();
        let line = registry.index_file("prelude").await;
        let metadata = registry.metadata("prelude").await;
        let mut tx = db.db.write().await.unwrap();
        docket_db::execute!(&mut tx, sqlx::query("UPDATE package_version SET manifest = NULL")).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(registry.index_file("prelude").await, None);

        let described = source.write("purs.json", &fs::read_to_string(source.work.join("purs.json")).unwrap().replace(
            "\"ref\"", "\"description\":\"changed\",\"ref\"",
        ));
        described.tag("1.0.0");
        assert_eq!(registry.publish(&operation).await.code(), Some("manifest-conflict"));

        source.manifest("1.0.0", "{}").write("src/New.purs", "module New where\n").tag("1.0.0");
        registry.publish(&operation).await.assert_succeeded();
        assert_eq!(registry.index_file("prelude").await, line);
        assert_eq!(registry.metadata("prelude").await, metadata, "the tarball stays the one that clients have");
    }

    async fn each_bad_source_ends_in_its_own_code_and_publishes_nothing(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work();
        registry.publish(&prelude(&registry).1).await.assert_succeeded();
        type Spoil = fn(&Source);
        let cases: &[(&str, Spoil)] = &[
            ("manifest-missing", |source| fs::remove_file(source.work.join("purs.json")).unwrap()),
            ("manifest-retired", |source| {
                fs::rename(source.work.join("purs.json"), source.work.join("spago.dhall")).unwrap();
            }),
            ("manifest-invalid", |source| { source.write("purs.json", "{}"); }),
            ("manifest-invalid", |source| fs::write(source.work.join("purs.json"), b"{\"name\":\"\xff\"}").unwrap()),
            ("name-differs", |source| { source.edit("purs.json", r#""name":"demo""#, r#""name":"demo-2""#); }),
            ("version-differs", |source| { source.manifest("1.0.1", "{}"); }),
            ("ref-differs", |source| { source.edit("purs.json", r#""ref":"v1.0.0""#, r#""ref":"v1.0.1""#); }),
            ("manifest-location-differs", |source| { source.edit("purs.json", r#""githubRepo":"demo""#, r#""githubRepo":"other""#); }),
            ("glob-invalid", |source| { source.edit("purs.json", r#""license""#, r#""includeFiles":["a/{b"],"license""#); }),
            ("include-leaves-package", |source| { source.edit("purs.json", r#""license""#, r#""includeFiles":["../*"],"license""#); }),
            ("no-modules", |source| fs::remove_dir_all(source.work.join("src")).unwrap()),
            ("link-leaves-source", |source| symlink("/etc/passwd", source.work.join("src/passwd")).unwrap()),
            ("license-differs", |source| { source.write("package.json", r#"{"license":"BSD-3-Clause"}"#); }),
            ("module-name-forbidden", |source| { source.write("src/Main.purs", "module Main where\n"); }),
            ("module-header-invalid", |source| { source.write("src/Bad.purs", "modul Bad where\n"); }),
            ("no-build-plan", |source| { source.manifest("1.0.0", r#"{"prelude":">=2.0.0 <3.0.0"}"#); }),
            ("unused-dependencies", |source| { source.write("src/Demo.purs", "module Demo where\n"); }),
            ("missing-dependencies", |source| { source.manifest("1.0.0", "{}"); }),
            ("compile-failed", |source| { source.write("src/behaviour", COMPILE_ERROR); }),
            ("compiler-crashed", |source| { source.write("src/behaviour", "[ $command = graph ] || kill -SEGV $$"); }),
            ("compiler-output-garbled", |source| { source.write("src/behaviour", "echo garbage; exit 0"); }),
            ("compiler-output-too-large", |source| { source.write("src/behaviour", "while :; do echo more; done"); }),
        ];
        for (code, spoil) in cases {
            let _ = fs::remove_dir_all(registry.dir.path().join("sources/demo"));
            let _ = fs::remove_dir_all(registry.dir.path().join("host/lab/demo.git"));
            let (source, _) = demo(&registry);
            spoil(&source);
            // In the case of missing dependencies the plan of the request brings them.
            let resolutions = Some([("prelude".parse().unwrap(), "1.0.0".parse().unwrap())].into());
            let resolutions = resolutions.filter(|_| *code == "missing-dependencies");
            let operation = Publish { resolutions, ..source.tag("1.0.0") };
            let ended = registry.publish(&operation).await;
            assert_eq!(ended.code(), Some(*code), "{}", ended.log());
            registry.assert_nothing_published("demo", code).await;
        }
    }

    async fn what_goes_over_a_limit_ends_in_the_code_of_that_limit(db: TestDb) {
        type Tighten = fn(&mut WorkerState);
        let cases: &[(&str, Tighten)] = &[
            ("tarball-too-large", |state| state.sizes.max_bytes = 100),
            ("tarball-too-small", |state| state.sizes.min_bytes = 100_000),
            ("source-too-large", |state| Arc::make_mut(&mut state.sources).max_bytes = 100),
            ("source-too-large", |state| Arc::make_mut(&mut state.sources).max_files = 2),
            ("compiler-timed-out", |state| Arc::make_mut(&mut state.limits).wall = Duration::from_millis(1)),
        ];
        let registry = Registry::new(&db).await;
        let state = Arc::new(Mutex::new(registry.state.clone()));
        let (mut handler, current) = (publish::handler(registry.state.clone()), state.clone());
        handler.run = Arc::new(move |run| {
            let state = current.lock().unwrap().clone();
            Box::pin(async move { publish::run(&state, &run).await })
        });
        registry.work_with(handler);
        let (_, operation) = prelude(&registry);
        for (code, tighten) in cases {
            let mut tightened = registry.state.clone();
            tighten(&mut tightened);
            *state.lock().unwrap() = tightened;
            let ended = registry.publish(&operation).await;
            assert_eq!((ended.code(), ended.errors().count()), (Some(*code), 1), "{}", ended.log());
            registry.assert_nothing_published("prelude", code).await;
        }
        *state.lock().unwrap() = registry.state.clone();
        registry.publish(&operation).await.assert_succeeded();
    }

    async fn a_source_that_is_not_there_ends_in_its_own_code(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work();
        let (_, operation) = prelude(&registry);
        registry.source("empty");
        let at = |repo: &str| Some(Location::github("lab", repo, None).unwrap());
        for (code, wrong) in [
            ("repository-not-accessible", Publish { location: at("nowhere"), ..operation.clone() }),
            ("repository-empty", Publish { location: at("empty"), ..operation.clone() }),
            ("ref-not-found", Publish { git_ref: "v9.9.9".to_owned(), ..operation.clone() }),
            ("ref-invalid", Publish { git_ref: "--upload-pack=touch".to_owned(), ..operation.clone() }),
            ("ref-invalid", Publish { git_ref: "v".repeat(10_000), ..operation.clone() }),
        ] {
            let ended = registry.publish(&wrong).await;
            assert_eq!(ended.code(), Some(code), "{}", ended.log());
            registry.assert_nothing_published("prelude", code).await;
        }
        registry.publish(&operation).await.assert_succeeded();
    }

    /// The second attempt takes what the tag names by then, and nothing of the first.
    async fn a_tag_that_moves_between_two_attempts_gives_what_it_names_at_last(db: TestDb) {
        let registry = Registry::new(&db).await;
        let (source, operation) = prelude(&registry);
        let state = registry.state.clone();
        let mut handler = publish::handler(state.clone());
        handler.run = Arc::new(move |run| {
            let (mut state, source) = (state.clone(), source.clone());
            Box::pin(async move {
                if run.job.attempt > 1 {
                    return publish::run(&state, &run).await;
                }
                // The first attempt gets as far as the store, where a file is in the way.
                let nowhere = tempfile::tempdir().unwrap();
                state.storage = Storage::local(nowhere.path().join("blobs")).unwrap();
                fs::remove_dir(nowhere.path().join("blobs")).unwrap();
                fs::write(nowhere.path().join("blobs"), "").unwrap();
                let result = publish::run(&state, &run).await;
                source.write("src/Prelude/Later.purs", "module Prelude.Later where\n").tag("1.0.0");
                result
            })
        });
        registry.work_with(handler);
        let ended = registry.publish(&operation).await;
        ended.assert_succeeded();
        assert_eq!(ended.job.attempt, 2, "{}", ended.log());
        let commits: BTreeSet<&str> = ended.lines.iter().filter_map(|line| Some(line.message.split_once(": commit ")?.1)).collect();
        assert_eq!(commits.len(), 2, "both commits are in the log: {}", ended.log());
        let metadata = registry.metadata("prelude").await.unwrap();
        let tarball = registry.state.storage.find(metadata.published[&operation.version].hash).await.unwrap().unwrap();
        let out = tempfile::tempdir().unwrap();
        unpack(&tarball, out.path(), "prelude-1.0.0", &registry.state.sizes).unwrap();
        assert!(out.path().join("prelude-1.0.0/src/Prelude/Later.purs").exists());
        assert_eq!(registry.changes().await, 2);
    }

    /// What the rules allow goes all the way, into the tarball and back out of it.
    async fn the_longest_name_and_the_highest_version_can_be_published_and_installed(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work();
        let name = "l".repeat(150);
        let long = Source { name: name.clone(), ..registry.source("long") };
        long.write("src/Long.purs", "module Long where\n");
        let (highest, below) = ("2147483647.2147483647.2147483647", "2147483647.2147483647.2147483646");
        for version in [highest, below] {
            let operation = long.manifest(version, "{}").tag(version);
            registry.publish(&operation).await.assert_succeeded();
        }
        // A range ends below its upper bound, so this is the highest version that anybody can depend on.
        let user = registry.source("user");
        user.manifest("0.0.0", &format!(r#"{{"{name}":">={below} <{highest}"}}"#))
            .write("src/User.purs", "module User where\nimport Long\n");
        let ended = registry.publish(&user.tag("0.0.0")).await;
        ended.assert_succeeded();
        assert!(ended.log().contains(&format!("Installed {name}@{below}.")), "{}", ended.log());
        assert_eq!(registry.index_file(&name).await.unwrap().lines().count(), 2);
    }

    async fn a_request_that_does_not_fit_what_is_registered_is_refused_before_any_fetch(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work();
        let (_, operation) = prelude(&registry);
        let placeless = Publish { location: None, ..operation.clone() };
        assert_eq!(registry.publish(&placeless).await.code(), Some("location-missing"));
        let reserved = Publish { name: "metadata".parse().unwrap(), ..operation.clone() };
        assert_eq!(registry.publish(&reserved).await.code(), Some("name-reserved"));
        registry.publish(&operation).await.assert_succeeded();
        let elsewhere = Some(registry.source("elsewhere").location());
        let moved = Publish { location: elsewhere, version: "1.0.1".parse().unwrap(), ..operation };
        assert_eq!(registry.publish(&moved).await.code(), Some("location-differs"));
    }

    async fn what_is_not_the_authors_fault_is_tried_again_and_never_half_done(db: TestDb) {
        let registry = Registry::new(&db).await;
        // The store cannot write: as with a full disk, the bytes are packed and there is no place for them.
        fs::remove_dir_all(&registry.blobs).unwrap();
        fs::write(&registry.blobs, "").unwrap();
        registry.work();
        let (_, operation) = prelude(&registry);
        let ended = registry.publish(&operation).await;
        assert_eq!((ended.code(), ended.job.attempt), (Some("unavailable"), 5), "{}", ended.log());
        assert!(ended.log().contains("The tarball store did not answer."), "{}", ended.log());
        registry.assert_nothing_published("prelude", "a store that cannot write").await;
    }
}
