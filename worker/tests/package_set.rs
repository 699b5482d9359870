//! What package set jobs promise, from the update to the released file, on both databases.

#![allow(clippy::unwrap_used, reason = "clippy sees tests only inside test functions")]
#![allow(dead_code, reason = "the registry is shared with the tests of publishing")]

#[path = "package_set/packages.rs"]
mod packages;
#[path = "publish/registry.rs"]
mod registry;

use std::fs::{self, File};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use docket_index::Repository;
use docket_index::git::{self, GitViews};
use docket_jobs::{Actor, Failure, NewJob, Role};
use docket_test_support::on_both_databases;
use docket_worker::package_set;
use packages::{Package, add, add_broken, break_when, files_of_sets, last_message};
use registry::{Ended, Registry};

/// Runs an update, given as JSON, as the API stores it.
async fn update(registry: &Registry, payload: &str) -> Ended {
    let new = NewJob {
        locks: vec![package_set::LOCK.to_owned()],
        actor: Some(Actor {
            role: Role::Trustee,
            name: "somebody".to_owned(),
            key: None,
        }),
        ..NewJob::new(package_set::KIND, payload.to_owned(), payload.to_owned())
    };
    registry.run(&new).await
}

/// A registry with `prelude` 1.0.0, `effect` 1.0.0 and 1.1.0 (need prelude), and the set 1.0.0 of the first two.
async fn with_a_set(db: &docket_test_support::TestDb) -> Registry {
    let registry = Registry::new(db).await;
    registry.work();
    add(&registry, &Package::new("prelude", "1.0.0")).await;
    for version in ["1.0.0", "1.1.0"] {
        add(
            &registry,
            &Package::new("effect", version).depends_on(&["prelude"]),
        )
        .await;
    }
    update(&registry, r#"{"packages":{"effect":"1.0.0","prelude":"1.0.0"}}"#)
        .await
        .assert_succeeded();
    registry
}

/// How often the compiler was asked.
fn compilations(ended: &Ended) -> usize {
    let log = ended.log();
    let ran = |line: &&str| line.starts_with("INFO Compiled ") || line.starts_with("INFO Errors after ");
    log.lines().filter(ran).count()
}

on_both_databases! {
    /// An empty registry has no set to start from: the first one is 1.0.0, for the newest compiler.
    async fn the_first_set_of_an_empty_registry_is_1_0_0(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work();
        let empty = update(&registry, r#"{"packages":{}}"#).await;
        assert_eq!(empty.code(), Some("set-update-empty"), "{}", empty.log());
        add(&registry, &Package::new("prelude", "6.0.1")).await;
        let ended = update(&registry, r#"{"packages":{"prelude":"6.0.1"}}"#).await;
        ended.assert_succeeded();
        let today = registry.jobs.clock().now().date();
        let text = format!(
            "{{\n  \"version\": \"1.0.0\",\n  \"compiler\": \"0.15.15\",\n  \"published\": \"{today}\",\n  \"packages\": {{\n    \"prelude\": \"6.0.1\"\n  }}\n}}\n"
        );
        assert_eq!(files_of_sets(&registry).await, [("package-sets/1.0.0.json".to_owned(), text)]);
        assert_eq!(
            last_message(&registry).await,
            format!("Release 1.0.0 package set.\n\nNew packages:\n  - prelude@6.0.1\n\nJob ID: {}\n", ended.job.id)
        );
        assert_eq!(ended.notices(), ["Attempting to build on nothing, as the first package set of this registry for trustee somebody", "Released the package set 1.0.0 of 1 packages, for purs 0.15.15."]);
        assert!(ended.log().contains("new: prelude@6.0.1"), "{}", ended.log());
    }

    /// Several sets on one day, each raising its version by what changed.
    async fn packages_are_added_updated_and_removed_and_the_compiler_raised(db: TestDb) {
        let registry = with_a_set(&db).await;
        add(&registry, &Package::new("aff", "1.0.0").depends_on(&["effect"])).await;
        add(&registry, &Package::new("prelude", "1.0.1")).await;
        for (payload, version, message) in [
            (r#"{"packages":{"prelude":"1.0.1"}}"#, "1.0.1", "Updated packages:\n  - prelude@1.0.0 -> 1.0.1"),
            (r#"{"packages":{"aff":"1.0.0","effect":"1.1.0"}}"#, "1.1.0", "New packages:\n  - aff@1.0.0\n\nUpdated packages:\n  - effect@1.0.0 -> 1.1.0"),
            (r#"{"packages":{"aff":null}}"#, "2.0.0", "Removed packages:\n  - aff@1.0.0"),
        ] {
            let ended = update(&registry, payload).await;
            ended.assert_succeeded();
            assert_eq!(compilations(&ended), 2, "the start and the attempt: {}", ended.log());
            assert_eq!(
                last_message(&registry).await,
                format!("Release {version} package set.\n\n{message}\n\nJob ID: {}\n", ended.job.id)
            );
        }
        let sets = files_of_sets(&registry).await;
        assert_eq!(sets.len(), 4);
        assert!(sets[3].1.contains("\"effect\": \"1.1.0\",\n    \"prelude\": \"1.0.1\"\n"), "{}", sets[3].1);
    }

    async fn a_compiler_alone_can_be_raised_and_never_lowered(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work();
        add(&registry, &Package::new("prelude", "1.0.0")).await;
        update(&registry, r#"{"compiler":"0.15.10","packages":{"prelude":"1.0.0"}}"#).await.assert_succeeded();
        let unknown = update(&registry, r#"{"compiler":"0.15.16","packages":{}}"#).await;
        assert_eq!(unknown.code(), Some("compiler-not-supported"));
        let raised = update(&registry, r#"{"compiler":"0.15.15","packages":{}}"#).await;
        raised.assert_succeeded();
        assert!(raised.log().contains("compiler: 0.15.10 -> 0.15.15"), "{}", raised.log());
        assert_eq!(last_message(&registry).await, format!("Release 1.1.0 package set.\n\nJob ID: {}\n", raised.job.id));
        let lowered = update(&registry, r#"{"compiler":"0.15.10","packages":{}}"#).await;
        assert_eq!(lowered.code(), Some("set-compiler-lower"));
        assert!(lowered.log().contains("0.15.15, and a set never goes back"), "{}", lowered.log());
    }

    /// Each kind of bad input has its answer, before anything is compiled, and releases nothing.
    async fn bad_updates_are_refused_with_the_reason(db: TestDb) {
        let registry = with_a_set(&db).await;
        update(&registry, r#"{"packages":{"effect":"1.1.0"}}"#).await.assert_succeeded();
        add(&registry, &Package::new("lists", "1.0.0")).await;
        add(&registry, &Package::new("aff", "1.0.0").depends_on(&["effect", "lists"])).await;
        let before = registry.changes().await;
        for (payload, code, reason) in [
            (r#"{"packages":{"effect":"1.0.0"}}"#, "set-downgrade", "effect@1.0.0 (the set has 1.1.0)"),
            (r#"{"packages":{"effect":"1.1.0"}}"#, "set-candidates-rejected", "effect@1.1.0: the package set has this version already"),
            (r#"{"packages":{"effect":"1.2.0"}}"#, "set-candidates-rejected", "Cannot be added or updated:\n  - effect@1.2.0: the index does not have this version; it has 1.0.0, 1.1.0"),
            (r#"{"packages":{"nothing":"1.0.0"}}"#, "set-candidates-rejected", "nothing@1.0.0: the index has no version of this package"),
            (r#"{"packages":{"prelude":null}}"#, "set-candidates-rejected", "Cannot be removed:\n  - prelude: members depend on it, so remove or update them too: effect@1.1.0"),
            (r#"{"packages":{"aff":"1.0.0"}}"#, "set-candidates-rejected", "aff@1.0.0: it depends on packages that are in neither the set nor this update: lists"),
            (r#"{"packages":{}}"#, "set-update-empty", "changes nothing"),
        ] {
            let ended = update(&registry, payload).await;
            assert_eq!(ended.code(), Some(code), "{}", ended.log());
            assert!(ended.log().contains(reason), "{}", ended.log());
            assert_eq!(compilations(&ended), 0);
        }
        assert_eq!(registry.changes().await, before);
    }

    /// The culprit is named with its error, everything else is released, and few compilations were needed.
    async fn one_bad_package_among_many_is_left_out(db: TestDb) {
        let registry = with_a_set(&db).await;
        let mut wanted = vec![];
        for number in 0..40 {
            let name = format!("package-{number}");
            if number == 23 {
                add_broken(&registry, Package::new(&name, "1.0.0"), "Unknown value foo").await;
            } else {
                add(&registry, &Package::new(&name, "1.0.0").depends_on(&["prelude"])).await;
            }
            wanted.push(format!(r#""{name}":"1.0.0""#));
        }
        add(&registry, &Package::new("user", "1.0.0").depends_on(&["package-23"])).await;
        wanted.push(r#""user":"1.0.0""#.to_owned());
        let ended = update(&registry, &format!(r#"{{"packages":{{{}}}}}"#, wanted.join(","))).await;
        ended.assert_succeeded();
        let log = ended.log();
        assert!(log.contains("NOTICE package-23@1.0.0 does not compile with the set and is left out:\npackages/package-23@1.0.0/src/Module.purs [X]\n  Unknown value foo"), "{log}");
        assert!(log.contains("NOTICE user@1.0.0 is left out, because it needs package-23@1.0.0."), "{log}");
        assert!(log.contains("INFO 39 of 41 changes are kept; this took 5 compilations."), "{log}");
        assert_eq!(compilations(&ended), 5, "start, attempt, all others, those with the culprit, and the culprit by itself");
        let set = &files_of_sets(&registry).await[1];
        assert_eq!(set.0, "package-sets/1.1.0.json");
        assert!(set.1.contains("package-22") && !set.1.contains("package-23") && !set.1.contains("user"), "{}", set.1);
        assert!(!last_message(&registry).await.contains("package-23"), "rejected candidates do not count");
    }

    /// An update that breaks a member which does not change is to blame, although the errors are in the member.
    async fn an_update_is_blamed_for_the_member_that_it_breaks(db: TestDb) {
        let registry = with_a_set(&db).await;
        let breaking = Package::new("prelude", "1.1.0");
        let when = "[ -d packages/effect@1.0.0 ]";
        add(&registry, &break_when(breaking, when, "effect@1.0.0", "effect needs the old prelude")).await;
        add(&registry, &Package::new("lists", "1.0.0").depends_on(&["prelude"])).await;
        let ended = update(&registry, r#"{"packages":{"lists":"1.0.0","prelude":"1.1.0"}}"#).await;
        ended.assert_succeeded();
        assert!(ended.log().contains("NOTICE prelude@1.1.0 does not compile with the set and is left out:\npackages/effect@1.0.0/"), "{}", ended.log());
        // Together with the new effect it fits.
        let ended = update(&registry, r#"{"packages":{"effect":"1.1.0","prelude":"1.1.0"}}"#).await;
        assert_eq!(compilations(ended.assert_succeeded()), 2);
    }

    /// Of two packages that do not go together, one is kept, and the log names the pair.
    async fn a_conflict_of_two_names_both(db: TestDb) {
        let registry = with_a_set(&db).await;
        for name in ["one", "three", "zero"] {
            add(&registry, &Package::new(name, "1.0.0")).await;
        }
        let two = Package::new("two", "1.0.0");
        add(&registry, &break_when(two, "[ -d packages/one@1.0.0 ]", "two@1.0.0", "Module M is there twice")).await;
        let ended = update(&registry, r#"{"packages":{"one":"1.0.0","three":"1.0.0","two":"1.0.0","zero":"1.0.0"}}"#).await;
        ended.assert_succeeded();
        assert!(ended.log().contains("NOTICE two@1.0.0 does not compile together with one@1.0.0 and is left out"), "{}", ended.log());
        assert!(ended.log().contains("3 of 4 changes are kept"), "{}", ended.log());
    }

    async fn when_everything_is_bad_nothing_is_released(db: TestDb) {
        let registry = with_a_set(&db).await;
        for name in ["a", "b", "c", "d"] {
            add_broken(&registry, Package::new(name, "1.0.0"), &format!("{name} is broken")).await;
        }
        let before = registry.changes().await;
        let ended = update(&registry, r#"{"packages":{"a":"1.0.0","b":"1.0.0","c":"1.0.0","d":"1.0.0"}}"#).await;
        assert_eq!(ended.code(), Some("set-nothing-kept"), "{}", ended.log());
        for name in ["a", "b", "c", "d"] {
            assert!(ended.log().contains(&format!("  {name} is broken")), "{}", ended.log());
        }
        assert_eq!(registry.changes().await, before);
    }

    async fn a_set_that_does_not_compile_is_no_start(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work();
        let picky = Package::new("prelude", "1.0.0");
        add(&registry, &break_when(picky, "[ $version = 0.15.15 ]", "prelude@1.0.0", "too new a compiler")).await;
        update(&registry, r#"{"compiler":"0.15.10","packages":{"prelude":"1.0.0"}}"#).await.assert_succeeded();
        let ended = update(&registry, r#"{"compiler":"0.15.15","packages":{}}"#).await;
        assert_eq!(ended.code(), Some("set-start-does-not-compile"));
        let log = ended.log();
        assert!(log.contains("The starting package set must compile") && log.contains("too new a compiler"), "{log}");
    }

    /// The compiler finds what it wrote last time, unless another compiler wrote it or nobody vouches for it.
    async fn the_output_is_kept_between_jobs_while_it_can_be_trusted(db: TestDb) {
        let registry = Registry::new(&db).await;
        registry.work();
        let history = "if [ $command = compile ]; then mkdir -p output; echo x >> output/history; fi";
        add(&registry, &Package::new("prelude", "1.0.0").behaves(history)).await;
        add(&registry, &Package::new("prelude", "1.0.1").behaves(history)).await;
        add(&registry, &Package::new("prelude", "1.0.2").behaves(history)).await;
        add_broken(&registry, Package::new("bad", "1.0.0"), "no").await;
        let dir = registry.state.package_set_dir.clone();
        let compiled = || fs::read_to_string(dir.join("good/history")).unwrap().lines().count();
        update(&registry, r#"{"compiler":"0.15.10","packages":{"prelude":"1.0.0"}}"#).await.assert_succeeded();
        assert_eq!(compiled(), 1);
        update(&registry, r#"{"packages":{"prelude":"1.0.1"}}"#).await.assert_succeeded();
        assert_eq!(compiled(), 3, "the start and the attempt go on from the last output");
        let kept: Vec<_> = ["store", "build/packages"]
            .into_iter()
            .flat_map(|part| fs::read_dir(dir.join(part)).unwrap())
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(kept.len(), 2, "{kept:?}");

        let failed = update(&registry, r#"{"packages":{"bad":"1.0.0"}}"#).await;
        assert_eq!(failed.code(), Some("set-nothing-kept"));
        assert_eq!(compiled(), 4, "what did not compile leaves no output");
        assert!(failed.log().contains("Packages unpacked: 1; 1 were there from before."), "{}", failed.log());

        // As a worker leaves it that was killed while it put a new output in place.
        fs::remove_file(dir.join("output.json")).unwrap();
        fs::create_dir_all(dir.join("incoming/half")).unwrap();
        fs::write(dir.join("build/left-over"), "").unwrap();
        fs::create_dir_all(dir.join("build/packages/prelude@1.0.1/src")).unwrap();
        fs::write(dir.join("build/packages/prelude@1.0.1/.tarball"), "half").unwrap();
        fs::create_dir_all(dir.join("build/packages/stray@1.0.0/src")).unwrap();
        update(&registry, r#"{"packages":{"prelude":"1.0.2"}}"#).await.assert_succeeded();
        assert_eq!(compiled(), 2, "an output that nobody vouches for is not used");
        assert!(!dir.join("incoming").exists() && !dir.join("build/left-over").exists());
        assert!(!dir.join("build/packages/stray@1.0.0").exists() && !dir.join("store/stray@1.0.0").exists());

        update(&registry, r#"{"compiler":"0.15.15","packages":{}}"#).await.assert_succeeded();
        assert_eq!(compiled(), 1, "the output of another compiler is not used");
    }

    /// An attempt that was cut off may still be at work on this machine.
    async fn while_another_process_compiles_here_a_job_works_elsewhere(db: TestDb) {
        let registry = with_a_set(&db).await;
        let lock = File::open(registry.state.package_set_dir.join("lock")).unwrap();
        lock.lock().unwrap();
        let ended = update(&registry, r#"{"packages":{"effect":"1.1.0"}}"#).await;
        ended.assert_succeeded();
        assert!(ended.log().contains("Another process of this machine is compiling"), "{}", ended.log());
        assert_eq!(fs::read_dir(&registry.state.work_dir).unwrap().count(), 0);
    }

    /// The worker died between the release and the end of the job.
    async fn an_attempt_that_finds_its_set_released_only_ends(db: TestDb) {
        let registry = Registry::new(&db).await;
        let (state, attempts) = (registry.state.clone(), Arc::new(AtomicU32::new(0)));
        let mut handler = package_set::handler(state.clone());
        handler.run = Arc::new(move |run| {
            let (state, attempts) = (state.clone(), attempts.clone());
            Box::pin(async move {
                package_set::run(&state, &run).await?;
                if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                    return Err(Failure::Unavailable { detail: "The test stops here.".into(), cause: None });
                }
                Ok(())
            })
        });
        registry.work_with(handler);
        add(&registry, &Package::new("prelude", "1.0.0")).await;
        let ended = update(&registry, r#"{"packages":{"prelude":"1.0.0"}}"#).await;
        ended.assert_succeeded();
        assert_eq!(ended.job.attempt, 2);
        assert_eq!(files_of_sets(&registry).await.len(), 1);
        assert!(ended.log().contains("The package set 1.0.0 was released by an earlier attempt of this job."), "{}", ended.log());
    }

    async fn what_is_our_fault_is_tried_again_and_releases_nothing(db: TestDb) {
        let registry = with_a_set(&db).await;
        add(&registry, &Package::new("lists", "1.0.0")).await;
        fs::remove_dir_all(registry.dir.path().join("blobs")).unwrap();
        let ended = update(&registry, r#"{"packages":{"lists":"1.0.0"}}"#).await;
        assert_eq!((ended.code(), ended.job.attempt), (Some("unavailable"), 5), "{}", ended.log());
        assert_eq!(files_of_sets(&registry).await.len(), 1);
    }

    /// With the switch on, each set is also a tagged commit in the form of older clients, a second one of a day too.
    async fn sets_are_mirrored_for_older_clients_when_the_operator_wants_it(db: TestDb) {
        let mut registry = Registry::new(&db).await;
        registry.state.legacy_mirror = true;
        registry.work();
        add(&registry, &Package::new("prelude", "1.0.0")).await;
        add(&registry, &Package::new("effect", "1.0.0").depends_on(&["prelude"])).await;
        let day = registry.jobs.clock().now().date().to_string().replace('-', "");
        let first = update(&registry, r#"{"packages":{"prelude":"1.0.0"}}"#).await;
        assert!(first.assert_succeeded().log().contains(&format!("NOTICE Mirrored it for older clients, as psc-0.15.15-{day}.")), "{}", first.log());
        let second = update(&registry, r#"{"packages":{"effect":"1.0.0"}}"#).await;
        second.assert_succeeded();

        let view = async |folder: &str| {
            let views = GitViews::new(registry.dir.path().join(folder), db.db.clone(), registry.state.storage.clone());
            views.bring_up_to_date(Repository::PackageSets).await.unwrap()
        };
        let copy = view("git").await;
        let ask = async |args: &[&str]| git::git(&copy, args).await.unwrap();
        assert_eq!(ask(&["log", "--format=%s"]).await, "Update to the 1.1.0 package set.\nUpdate to the 1.0.0 package set.\n");
        assert!(ask(&["log", "-1", "--format=%B"]).await.trim_end().ends_with(&format!("\n\nJob ID: {}", second.job.id)));
        let tags = [("0.15.15", "main~1"), (&format!("psc-0.15.15-{day}"), "main~1"), (&format!("psc-0.15.15-{day}-2"), "main")];
        assert_eq!(ask(&["tag"]).await.lines().collect::<Vec<_>>(), tags.map(|(tag, _)| tag));
        for (tag, commit) in tags {
            assert_eq!(ask(&["rev-parse", tag]).await, ask(&["rev-parse", commit]).await);
        }
        let latest = ask(&["show", "main:latest-compatible-sets.json"]).await;
        assert_eq!(latest, format!("{{\n  \"0.15.15\": \"psc-0.15.15-{day}-2\"\n}}\n"));
        let json: serde_json::Value = serde_json::from_str(&ask(&["show", "main:packages.json"]).await).unwrap();
        assert_eq!(json["effect"].to_string(), r#"{"dependencies":["prelude"],"repo":"https://github.com/lab/effect.git","version":"v1.0.0"}"#);
        let dhall = ask(&["show", "main:src/packages.dhall"]).await;
        assert!(dhall.starts_with("{ effect =\n  { dependencies = [ \"prelude\" ]\n  , repo = "), "{dhall}");
        let refs = ["for-each-ref"];
        assert_eq!(git::git(&view("again").await, &refs).await.unwrap(), ask(&refs).await, "every copy is the same");
    }

    /// Older clients know no folders: the set is released all the same.
    async fn a_member_in_a_folder_fails_the_mirror_only(db: TestDb) {
        let mut registry = Registry::new(&db).await;
        registry.state.legacy_mirror = true;
        registry.work();
        add(&registry, &Package::new("core", "1.0.0").in_folder("packages/core")).await;
        let ended = update(&registry, r#"{"packages":{"core":"1.0.0"}}"#).await;
        ended.assert_succeeded();
        assert!(ended.log().contains("NOTICE It is not mirrored for older clients: older clients cannot use core, which lies in the folder packages/core"), "{}", ended.log());
        assert_eq!(registry.changes().await, 3, "metadata, index line and set");
    }
}
