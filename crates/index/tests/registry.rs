//! What the published state promises, on both databases and with real git.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use bytes::Bytes;
use docket_core::{
    digest::Sha256, manifest::Manifest, metadata::PublishedVersion, solver, solver::SolverIndex,
    time::Timestamp, version::Version,
};
use docket_index::{
    ByJob, Publication, PublishError, Repository, Scope, TABLES, bootstrap,
    export::{self, Targets},
    git::GitViews,
    import::{self, ImportError, Sources, TarballSource},
    publish,
    tarballs::Tarballs,
};
use docket_storage::Storage;
use docket_test_support::{TestDb, on_both_databases};

const NOW: &str = "2026-08-18T07:02:11.004Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn manifest(name: &str, number: &str, dependencies: &[(&str, &str)]) -> Manifest {
    let dependencies: BTreeMap<_, _> = dependencies.iter().copied().collect();
    let json = serde_json::json!({
        "name": name, "version": number, "license": "MIT",
        "location": { "githubOwner": "lab", "githubRepo": name },
        "ref": format!("v{number}"), "dependencies": dependencies,
    });
    Manifest::from_stored(&json.to_string()).unwrap()
}

fn entry(text: &str) -> PublishedVersion {
    PublishedVersion {
        bytes: text.len() as u64,
        compilers: vec![version("0.15.15")],
        hash: Sha256::of(text.as_bytes()),
        published_time: now(),
        git_ref: String::new(),
    }
}

async fn record(db: &TestDb, manifest: &Manifest) -> Result<(), PublishError> {
    let mut tx = db.db.write().await.unwrap();
    let entry = entry(&manifest.to_line());
    publish(
        &mut tx,
        &Publication {
            manifest,
            entry: &entry,
            by: ByJob {
                job_id: "job".to_owned(),
                at: now(),
            },
        },
    )
    .await?;
    tx.commit().await.unwrap();
    Ok(())
}

struct Home {
    folder: tempfile::TempDir,
    storage: Storage,
}

async fn open(db: &TestDb) -> Home {
    db.migrate(&[TABLES]).await;
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::local(folder.path().join("blobs")).unwrap();
    let mut tx = db.db.write().await.unwrap();
    bootstrap(&mut tx, now()).await.unwrap();
    tx.commit().await.unwrap();
    Home { folder, storage }
}

impl Home {
    fn tarballs(&self, db: &TestDb) -> Tarballs {
        Tarballs::new(db.db.clone(), self.storage.clone()).unwrap()
    }

    fn views(&self, db: &TestDb, name: &str) -> GitViews {
        GitViews::new(self.folder.path().join(name), db.db.clone(), self.storage.clone())
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The contents of the real registry, unpacked once per test.
fn real_registry(folder: &Path) -> Sources {
    let archive = std::env::var_os("DOCKET_REAL_REGISTRY").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/purescript-registry.tar.zst"),
        PathBuf::from,
    );
    let file = fs::File::open(&archive).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; put the archive there, or set DOCKET_REAL_REGISTRY",
            archive.display()
        )
    });
    tar::Archive::new(zstd::Decoder::new(file).unwrap())
        .unpack(folder)
        .unwrap();
    let root = |marker: &str| {
        let mut folders = vec![folder.to_owned()];
        while let Some(candidate) = folders.pop() {
            if candidate.join(marker).is_dir() {
                return candidate;
            }
            let entries = fs::read_dir(&candidate)
                .unwrap()
                .map(|entry| entry.unwrap().path());
            folders.extend(entries.filter(|path| path.is_dir()));
        }
        panic!("the archive has a folder {marker}");
    };
    Sources {
        registry: root("metadata"),
        index: root("index").join("index"),
        tarballs: None,
    }
}

fn files_below(root: &Path, folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(root, &path));
        } else {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

/// What is read for one package leads to the plan that the whole registry leads to. One package in forty is looked at.
async fn build_plans_are_those_of_the_whole_registry(db: &TestDb) {
    let mut tx = db.db.read().await.unwrap();
    let compilers = ["0.15.15", "0.15.10", "0.14.9", "0.13.8"].map(version);
    let registry = docket_index::list_installable(&mut tx, Scope::Everything)
        .await
        .unwrap();
    let mut whole = SolverIndex::builder();
    for (manifest, compilers) in &registry {
        whole.add(
            &manifest.name,
            manifest.version,
            &manifest.dependencies,
            compilers,
        );
    }
    let whole = whole.compilers(compilers).build();
    for (
        Manifest {
            name,
            version,
            dependencies,
            ..
        },
        _,
    ) in registry.iter().step_by(40)
    {
        let part = docket_index::load_solver_index(&mut tx, dependencies.keys(), &compilers)
            .await
            .unwrap();
        let plan = |index| solver::plan(index, dependencies, None).map_err(|error| error.to_string());
        assert_eq!(plan(&part), plan(&whole), "{name}@{version}");
    }
}

/// A registry and an index as plain directories, with one package in them.
fn plain_registry(folder: &Path) -> (PathBuf, PathBuf) {
    let (registry, index) = (folder.join("registry"), folder.join("index"));
    let old = manifest("prelude", "1.0.0", &[]);
    let mut metadata = docket_core::metadata::Metadata::new(old.location.clone());
    metadata.published.insert(old.version, entry("old"));
    fs::create_dir_all(registry.join("metadata")).unwrap();
    fs::create_dir_all(index.join("pr/el")).unwrap();
    fs::write(registry.join("metadata/prelude.json"), metadata.to_text()).unwrap();
    fs::write(index.join("pr/el/prelude"), old.to_line() + "\n").unwrap();
    (registry, index)
}

on_both_databases! {
    /// Two servers that start at the same time on an empty database give it one first commit each, not two.
    async fn servers_that_start_together_begin_a_registry_once(db: TestDb) {
        db.migrate(&[TABLES]).await;
        let begin = async || {
            let mut tx = db.db.write().await.unwrap();
            bootstrap(&mut tx, now()).await.unwrap();
            tx.commit().await.unwrap();
        };
        tokio::join!(begin(), begin(), begin(), begin());
        let mut tx = db.db.read().await.unwrap();
        assert_eq!(docket_index::last_seq(&mut tx).await.unwrap(), 2);
    }

    /// A power cut in the middle of a commit leaves a lock file behind; the copy is made again instead of failing for ever.
    async fn a_repository_copy_that_takes_no_changes_is_made_again(db: TestDb) {
        let home = open(&db).await;
        let views = home.views(&db, "git");
        let copy = views.bring_up_to_date(Repository::Registry).await.unwrap();
        fs::write(copy.join("refs/heads/main.lock"), "").unwrap();
        record(&db, &manifest("prelude", "1.0.0", &[])).await.unwrap();
        let copy = views.bring_up_to_date(Repository::Registry).await.unwrap();
        assert_eq!(git(&copy, &["rev-list", "--count", "main"]).trim(), "2");
    }

    /// A process that is killed while it makes a copy cannot tidy up; the next one that writes does, and disturbs no other.
    async fn directories_of_killed_processes_are_removed(db: TestDb) {
        let home = open(&db).await;
        let views = home.views(&db, "git");
        let folder = home.folder.path().join("git");
        let (left, other) = (folder.join("registry.git.making-1"), folder.join("registry-index.git.making-2"));
        for directory in [&left, &other] {
            fs::create_dir_all(directory.join("repository.git")).unwrap();
        }
        views.bring_up_to_date(Repository::Registry).await.unwrap();
        assert!(!left.exists() && other.exists());
        views.bring_up_to_date(Repository::RegistryIndex).await.unwrap();
        assert!(!other.exists());
        let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["registry-index.git", "registry-index.lock", "registry.git", "registry.lock"]);
    }

    /// A published version is in the rows, in the feed and in both repositories, with the commit messages that people know.
    async fn a_published_version_reaches_rows_and_repositories(db: TestDb) {
        let home = open(&db).await;
        record(&db, &manifest("prelude", "1.0.0", &[])).await.unwrap();
        let views = home.views(&db, "git");
        let registry = views.bring_up_to_date(Repository::Registry).await.unwrap();
        let index = views.bring_up_to_date(Repository::RegistryIndex).await.unwrap();
        let mut tx = db.db.read().await.unwrap();
        let metadata = docket_index::find_metadata(&mut tx, &"prelude".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(git(&registry, &["show", "main:metadata/prelude.json"]), metadata.to_text());
        assert_eq!(git(&registry, &["log", "-1", "--format=%B%an <%ae>", "main"]).trim(),
            "Update metadata for prelude\n\nJob ID: job\npacchettibotti <pacchettibotti@purescript.org>");
        let line = manifest("prelude", "1.0.0", &[]).to_line() + "\n";
        assert_eq!(git(&index, &["show", "main:pr/el/prelude"]), line);
        assert!(git(&index, &["log", "-1", "--format=%s", "main"]).starts_with("Update manifest for prelude@1.0.0"));
    }

    /// Recording the same version again changes nothing, so a repeated job is harmless.
    async fn recording_a_version_twice_changes_nothing(db: TestDb) {
        let _home = open(&db).await;
        record(&db, &manifest("prelude", "1.0.0", &[])).await.unwrap();
        let mut tx = db.db.read().await.unwrap();
        let before = docket_index::last_seq(&mut tx).await.unwrap();
        drop(tx);
        record(&db, &manifest("prelude", "1.0.0", &[])).await.unwrap();
        let mut tx = db.db.read().await.unwrap();
        assert_eq!(docket_index::last_seq(&mut tx).await.unwrap(), before);
    }

    /// A manifest whose dependency range holds no version of the index is refused, and nothing is written.
    async fn a_version_that_cannot_be_installed_is_refused(db: TestDb) {
        let _home = open(&db).await;
        record(&db, &manifest("prelude", "1.0.0", &[])).await.unwrap();
        let error = record(&db, &manifest("effect", "1.0.0", &[("prelude", ">=2.0.0 <3.0.0")])).await.unwrap_err();
        assert!(error.to_string().contains("unsatisfied dependencies: prelude >=2.0.0 <3.0.0"), "{error}");
        let mut tx = db.db.read().await.unwrap();
        assert!(docket_index::find_metadata(&mut tx, &"effect".parse().unwrap()).await.unwrap().is_none());
    }

    /// Whoever asks what can be installed gets the part of the registry that matters to the question, and no more.
    async fn a_question_reads_the_part_of_the_registry_that_matters_to_it(db: TestDb) {
        let _home = open(&db).await;
        let any = ">=1.0.0 <9.0.0";
        for (name, number, dependencies) in [
            ("prelude", "1.0.0", vec![]),
            ("prelude", "2.0.0", vec![]),
            ("effect", "1.0.0", vec![("prelude", any)]),
            ("console", "1.0.0", vec![("effect", any)]),
            ("console", "1.1.0", vec![]),
            ("maybe", "1.0.0", vec![]),
            ("either", "1.0.0", vec![("console", any), ("maybe", any)]),
            ("lonely", "1.0.0", vec![]),
        ] {
            record(&db, &manifest(name, number, &dependencies)).await.unwrap();
        }
        let [console, maybe, unheard_of] = ["console", "maybe", "unheard-of"].map(|name| name.parse().unwrap());
        let mut tx = db.db.read().await.unwrap();
        let mut told = async |scope: Scope<'_>| {
            let found = docket_index::list_installable(&mut tx, scope).await.unwrap();
            let found = found.iter().map(|(manifest, compilers)| {
                assert_eq!(compilers, &[version("0.15.15")]);
                format!("{}@{}", manifest.name, manifest.version)
            });
            found.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(Scope::Needed(&[])).await, "");
        assert_eq!(told(Scope::Needed(&[&maybe, &unheard_of])).await, "maybe@1.0.0");
        let needed = "console@1.0.0 console@1.1.0 effect@1.0.0 prelude@1.0.0 prelude@2.0.0";
        assert_eq!(told(Scope::Needed(&[&console])).await, needed, "though its newest version needs nothing");
        let around = "console@1.0.0 console@1.1.0 effect@1.0.0 either@1.0.0 maybe@1.0.0 prelude@1.0.0 prelude@2.0.0";
        assert_eq!(told(Scope::Around(&console)).await, around);
        assert_eq!(told(Scope::Around(&maybe)).await, around, "what depends on it needs all that, too");
        assert_eq!(told(Scope::Around(&unheard_of)).await, "");
        assert_eq!(told(Scope::Everything).await.split(' ').count(), 8);
    }

    /// Two processes that play the same feed, at once or in steps, make the same commits.
    async fn repositories_are_a_pure_function_of_the_feed(db: TestDb) {
        let home = open(&db).await;
        let stepwise = home.views(&db, "stepwise");
        for number in ["1.0.0", "1.1.0", "2.0.0"] {
            record(&db, &manifest("prelude", number, &[])).await.unwrap();
            stepwise.bring_up_to_date(Repository::RegistryIndex).await.unwrap();
        }
        let at_once = home.views(&db, "at-once");
        let head = |path: PathBuf| git(&path, &["rev-parse", "main"]);
        let first = head(stepwise.bring_up_to_date(Repository::RegistryIndex).await.unwrap());
        let second = head(at_once.bring_up_to_date(Repository::RegistryIndex).await.unwrap());
        assert_eq!(first, second);
    }

    /// The whole real registry goes in and comes out byte for byte; and importing it again changes nothing.
    async fn the_real_registry_survives_import_and_export(db: TestDb) {
        let home = open(&db).await;
        let sources = real_registry(&home.folder.path().join("real"));
        let report = import::import(&db.db, &home.storage, &sources, now(), |_| {}).await.unwrap();
        assert_eq!((report.packages, report.package_sets, report.index_files), (1215, 501, 1158));
        let out = home.folder.path().join("out");
        let targets = Targets { registry: out.join("registry"), index: out.join("index"), tarballs: None };
        let written = export::export(&db.db, &home.tarballs(&db), &targets).await.unwrap();
        assert_eq!((written.metadata_files, written.package_set_files, written.index_files), (1215, 501, 1158));
        for folder in ["metadata", "package-sets"] {
            let (from, to) = (sources.registry.join(folder), targets.registry.join(folder));
            assert!(files_below(&from, &from) == files_below(&to, &to), "{folder} differs");
        }
        let (from, to) = (files_below(&sources.index, &sources.index), files_below(&targets.index, &targets.index));
        // The README is no index file (registry.md §2.4); it stays in the repository, not in the rows.
        let differing: Vec<_> = from.keys().chain(to.keys()).filter(|file| *file != "README.md").filter(|file| from.get(*file) != to.get(*file)).collect();
        assert!(differing.is_empty(), "these files differ: {differing:?}");
        let again = import::import(&db.db, &home.storage, &sources, now(), |_| {}).await.unwrap();
        assert!(again.unchanged);
        build_plans_are_those_of_the_whole_registry(&db).await;
    }

    /// What is imported from a repository with a history goes on from its last commit.
    async fn an_imported_history_is_continued(db: TestDb) {
        let home = open(&db).await;
        let (registry, index) = plain_registry(home.folder.path());
        for folder in [&registry, &index] {
            git(folder, &["init", "-q", "-b", "main"]);
            git(folder, &["add", "."]);
            git(folder, &["-c", "user.name=T", "-c", "user.email=t@t.invalid", "commit", "-q", "-m", "before"]);
        }
        let sources = Sources { registry: registry.clone(), index: index.clone(), tarballs: None };
        import::import(&db.db, &home.storage, &sources, now(), |_| {}).await.unwrap();
        record(&db, &manifest("prelude", "1.1.0", &[])).await.unwrap();
        let views = home.views(&db, "git");
        let path = views.bring_up_to_date(Repository::RegistryIndex).await.unwrap();
        let subjects = git(&path, &["log", "--format=%s", "main"]);
        assert_eq!(subjects.trim(), "Update manifest for prelude@1.1.0\nbefore");
    }

    /// What does not belong to the registry cannot stop the import: text is kept, the rest is left out and named.
    async fn stray_files_of_a_plain_directory_are_kept_or_left_out_by_name(db: TestDb) {
        let home = open(&db).await;
        let (registry, index) = plain_registry(home.folder.path());
        let binary = [0, 159, 146, 150];
        for file in ["metadata/.DS_Store", "metadata/old.bin", "objects/pack/pack-1.pack", "line\nbreak.txt"] {
            fs::create_dir_all(registry.join(file).parent().unwrap()).unwrap();
            fs::write(registry.join(file), binary).unwrap();
        }
        fs::write(registry.join("line\nbreak.txt"), "text").unwrap();
        fs::write(registry.join("README.md"), "# Registry\n").unwrap();
        fs::write(index.join("logo.png"), binary).unwrap();
        let sources = Sources { registry, index, tarballs: None };
        let mut said = Vec::new();
        let report = import::import(&db.db, &home.storage, &sources, now(), |line| said.push(line)).await.unwrap();
        assert_eq!((report.packages, report.manifests), (1, 1));
        let named = said.iter().filter(|line| line.starts_with("left out")).map(|line| line.rsplit_once(": ").unwrap().1);
        assert_eq!(named.collect::<Vec<_>>(), ["line\nbreak.txt, metadata/old.bin, objects/pack/pack-1.pack", "logo.png"]);
        let copy = home.views(&db, "git").bring_up_to_date(Repository::Registry).await.unwrap();
        assert_eq!(git(&copy, &["ls-tree", "-r", "--name-only", "main"]), "README.md\nmetadata/prelude.json\n");
    }

    /// A file that the registry needs is named when it is not text, wherever it comes from.
    async fn a_needed_file_that_is_not_text_is_named(db: TestDb) {
        let home = open(&db).await;
        let (registry, index) = plain_registry(home.folder.path());
        let sources = Sources { registry: registry.clone(), index: index.clone(), tarballs: None };
        let import = async || import::import(&db.db, &home.storage, &sources, now(), |_| {}).await;
        for file in [registry.join("metadata/prelude.json"), registry.join("package-sets/1.0.0.json"), index.join("pr/el/prelude")] {
            let before = fs::read(&file).ok();
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, b"{\n\xff}").unwrap();
            let error = import().await.unwrap_err();
            let ImportError::Read { path, cause } = &error else { panic!("{error}") };
            assert!(path.ends_with(&file), "{error}");
            assert_eq!(cause.to_string(), "it is not UTF-8 from byte 2 on");
            match before {
                Some(before) => fs::write(&file, before).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
        }
        import().await.unwrap();
    }

    /// A tarball that is not what the metadata says stops the import, and nothing of it is visible.
    async fn a_wrong_tarball_stops_the_import(db: TestDb) {
        let home = open(&db).await;
        let root = home.folder.path();
        let (registry, index, tarballs) = (root.join("registry"), root.join("index"), root.join("tarballs"));
        let old = manifest("prelude", "1.0.0", &[]);
        let mut metadata = docket_core::metadata::Metadata::new(old.location.clone());
        metadata.published.insert(old.version, entry("right"));
        for folder in [registry.join("metadata"), index.clone(), tarballs.join("prelude")] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(registry.join("metadata/prelude.json"), metadata.to_text()).unwrap();
        fs::write(tarballs.join("prelude/1.0.0.tar.gz"), "wrong").unwrap();
        let sources = Sources { registry, index, tarballs: Some(TarballSource::Directory(tarballs.clone())) };
        let error = import::import(&db.db, &home.storage, &sources, now(), |_| {}).await.unwrap_err();
        assert!(matches!(error, ImportError::WrongTarball { .. }), "{error}");
        fs::write(tarballs.join("prelude/1.0.0.tar.gz"), "right").unwrap();
        let report = import::import(&db.db, &home.storage, &sources, now(), |_| {}).await.unwrap();
        assert_eq!(report.tarballs, 1);
        assert_eq!(home.storage.find(Sha256::of(b"right")).await.unwrap(), Some(Bytes::from_static(b"right")));
    }

    /// An audit finds nothing after a publish, and each kind of planted damage by name.
    async fn an_audit_finds_planted_damage(db: TestDb) {
        const STALE: &str = "1 packages have a file in the repositories that is not what their rows say: demo";
        let home = open(&db).await;
        let demo = manifest("demo", "1.0.0", &[]);
        record(&db, &demo).await.unwrap();
        let audit = async || docket_index::audit(&db.db, &home.storage).await.unwrap();
        assert_eq!(audit().await, ["1 versions have no tarball: demo@1.0.0"]);
        let digest = home.storage.put(demo.to_line().into()).await.unwrap();
        assert_eq!(audit().await, Vec::<String>::new());
        for damage in [
            "UPDATE package_version SET compilers = '[\"0.15.10\"]'",
            "UPDATE package_version SET manifest = NULL",
        ] {
            let mut tx = db.db.write().await.unwrap();
            docket_db::execute!(&mut tx, docket_db::sqlx::query(damage)).unwrap();
            tx.commit().await.unwrap();
            assert_eq!(audit().await, [STALE], "{damage}");
            let mut tx = db.db.write().await.unwrap();
            let repair = "UPDATE package_version SET compilers = '[\"0.15.15\"]', manifest = $1";
            docket_db::execute!(&mut tx, docket_db::sqlx::query(repair).bind(demo.to_line())).unwrap();
            tx.commit().await.unwrap();
            assert_eq!(audit().await, Vec::<String>::new());
        }
        home.storage.remove(digest).await.unwrap();
        assert_eq!(audit().await, ["1 versions have no tarball: demo@1.0.0"]);
    }
}
