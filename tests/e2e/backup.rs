//! `docketd backup` and `docketd restore`: what one registry holds is what the other holds.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use docket_test_support::S3Server;
use tempfile::TempDir;

use crate::asking::{ask_in_vain, publish, publish_in_vain, wait_for_end};
use crate::bucket::{section, write_secret};
use crate::gate::Gate;
use crate::git::git;
use crate::harness::{DOCKETD, Program, Registry, run, wait_for};
use crate::http::{get, get_json};
use crate::log_archive::{TOKEN, age, archive};
use crate::postgres::new_database;
use crate::publish::{demo, purs_json};

const CONFIGURATION: &str =
    "[worker]\nsandbox = \"none\"\nconcurrency = 2\nlease_secs = 3\n\n[trustees]\ntoken_file = \"token\"\n";

/// A place that a registry is restored to.
struct Target {
    dir: TempDir,
    configuration: PathBuf,
    database: Option<String>,
}

impl Target {
    /// An empty one, with the configuration of `registry` and a database of its own.
    fn beside(registry: &Registry, database: Option<String>) -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            configuration: registry.path("docket.toml"),
            database,
        }
    }

    fn docketd(&self) -> Command {
        let mut command = Command::new(DOCKETD);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(self.configuration.parent().unwrap())
            .arg("--config")
            .arg(&self.configuration)
            .arg("--data")
            .arg(self.dir.path().join("data"));
        if let Some(url) = &self.database {
            command.env("DOCKET__DATABASE__URL", url);
        }
        command
    }

    fn restore(&self, backup: &Path) {
        run(self.docketd().arg("restore").arg(backup))
            .expect_code(0)
            .expect("restored ");
    }

    /// Starts a server and returns it with its address.
    fn start(&self, role: &str) -> (Program, String) {
        let program = Program::start(self.docketd().args([role, "--listen", "127.0.0.1:0"]));
        let url = program
            .ready
            .strip_prefix("docketd listening on ")
            .unwrap()
            .to_owned();
        (program, url)
    }
}

/// What `docketd export` writes, by path.
pub(crate) fn export(mut docketd: Command) -> BTreeMap<String, Vec<u8>> {
    let dir = TempDir::new().unwrap();
    docketd.arg("export");
    for (option, name) in [
        ("--registry", "registry"),
        ("--index", "index"),
        ("--tarballs", "tarballs"),
    ] {
        docketd.arg(option).arg(dir.path().join(name));
    }
    run(&mut docketd).expect_code(0);
    let (mut files, mut folders) = (BTreeMap::new(), vec![dir.path().to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir.path()).unwrap().to_str().unwrap();
                files.insert(name.to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// What a server shows of the registry: the heads of its repositories, two logs, and two tarballs.
fn shown(registry: &Registry, server: &str, logs: &[&str]) -> Vec<String> {
    let home = registry.path("home");
    let mut shown = Vec::new();
    for repository in ["registry", "registry-index"] {
        let url = format!("{server}/git/{repository}.git");
        shown.push(git(&home, &home, &["ls-remote", &url]).out);
    }
    for path in [
        format!("/api/v1/jobs/{}/logs?level=DEBUG", logs[0]),
        format!("/api/v1/jobs/{}/logs?level=DEBUG", logs[1]),
        "/demo/1.0.0.tar.gz".to_owned(),
        "/prelude/6.0.1.tar.gz".to_owned(),
        "/index/de/mo/demo".to_owned(),
    ] {
        let answer = get(&format!("{server}{path}"));
        assert_eq!(answer.status, 200, "{path}");
        shown.push(format!("{:?}", answer.body));
    }
    shown
}

/// A registry that was imported with its history, has published `demo` 1.0.0, whose log is archived, and is publishing 1.1.0, for the job that is
/// returned last.
fn registry_at_work() -> (Registry, Vec<String>) {
    let registry = Registry::start_with(CONFIGURATION, |dir| {
        fs::write(dir.join("token"), TOKEN).unwrap();
        Gate::Compile.prepare(dir);
        for arguments in [
            &["init", "-q"][..],
            &["add", "-A"],
            &["commit", "-q", "-m", "As it was"],
        ] {
            git(&dir.join("fixture/registry"), &dir.join("home"), arguments);
        }
    });
    // The gate lets this one pass.
    fs::create_dir(registry.path("entered")).unwrap();
    let repository = demo(&registry);
    repository.push();
    let archived = publish(&registry, "purescript-demo", "v1.0.0");
    registry.wait_for_job(&archived);
    age(&registry);
    assert!(!archive(&registry).contains("Archived 0 logs"));
    let failed = publish_in_vain(&registry, 1);
    registry.wait_for_job(&failed);
    fs::remove_dir(registry.path("entered")).unwrap();
    repository
        .commit(&[("purs.json", &purs_json("1.1.0", "v1.1.0"))])
        .tag("v1.1.0")
        .push();
    let command = ["publish", "--no-wait", repository.work().to_str().unwrap()];
    let running = registry.docket(&command).expect_code(0).out.trim().to_owned();
    Gate::Compile.wait(&registry, &running);
    (registry, vec![archived, failed, running])
}

/// A backup that is made while a package is published and others are asked for restores the same packages, tarballs, logs and commits, into either
/// database; and the job that ran goes on there.
#[test]
fn a_backup_of_a_registry_at_work_restores_the_same_registry() {
    let (registry, jobs) = registry_at_work();
    let logs = [jobs[0].as_str(), &jobs[1]];
    let backup = registry.path("backup.tar.gz");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 100;
            while !done.load(Ordering::Relaxed) {
                assert!([200, 503].contains(&ask_in_vain(&registry, number).status));
                number += 1;
            }
        });
        let said = run(registry.docketd().arg("backup").arg(&backup));
        done.store(true, Ordering::Relaxed);
        said.expect_code(0).expect("wrote ");
    });
    let bytes = fs::read(&backup).unwrap();
    run(registry.docketd().arg("backup").arg(&backup))
        .expect_code(1)
        .expect("exists already");
    assert_eq!(fs::read(&backup).unwrap(), bytes);
    let leftovers = fs::read_dir(registry.path("")).unwrap();
    let leftovers = leftovers.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with(".docket-backup-")
    });
    assert_eq!(leftovers.count(), 0);

    let before = shown(&registry, &registry.url(""), &logs);
    let exported = export(registry.docketd());
    Gate::Compile.open(&registry);
    registry.wait_for_job(&jobs[2]);
    for database in [None, Some(new_database())] {
        let target = Target::beside(&registry, database);
        target.restore(&backup);
        assert!(export(target.docketd()) == exported, "the same files");
        let (server, url) = target.start("serve");
        assert_eq!(shown(&registry, &url, &logs), before);
        assert_eq!(server.terminate(), Some(0));
        let (server, url) = target.start("all");
        let job = wait_for("the job that ran", || {
            let job = get_json(&format!("{url}/api/v1/jobs/{}", jobs[2]));
            job.get("finishedAt").is_some().then_some(job)
        });
        assert_eq!(job["success"], true, "{job}");
        assert_eq!(get(&format!("{url}/demo/1.1.0.tar.gz")).status, 200);
        assert_eq!(server.terminate(), Some(0));
        run(target.docketd().arg("doctor")).expect_code(0);
        run(target.docketd().arg("restore").arg(&backup))
            .expect_code(1)
            .expect("the database is not empty");
    }
    wait_for_end(&registry, &jobs[2]);
}

/// Publishes versions of `demo`, of which one after the other goes into a package set or is taken back, until `done`.
fn publish_and_take_back(registry: &Registry, done: &AtomicBool) -> usize {
    let token = registry.path("token");
    let token = token.to_str().unwrap();
    let repository = demo(registry);
    let mut rounds = 1;
    while !done.load(Ordering::Relaxed) {
        let version = format!("1.{rounds}.0");
        let tag = format!("v{version}");
        repository
            .commit(&[("purs.json", &purs_json(&version, &tag))])
            .tag(&tag)
            .push();
        registry
            .docket(&["publish", "--no-check", repository.work().to_str().unwrap()])
            .expect_code(0);
        let version = format!("demo@{version}");
        let then = if rounds % 2 == 1 {
            vec!["package-set", "update", &version, "--token-file", token]
        } else {
            vec![
                "unpublish",
                &version,
                "--reason",
                "a test",
                "--yes",
                "--token-file",
                token,
            ]
        };
        registry.docket(&then).expect_code(0);
        rounds += 1;
    }
    rounds
}

/// Whatever begins or ends while a backup is made, it restores a registry in which everything fits together.
#[test]
fn backups_amid_publishes_unpublishes_and_package_sets_are_whole() {
    let configuration =
        CONFIGURATION.replace("concurrency = 2", "concurrency = 2\nbackground_concurrency = 1");
    let registry = Registry::start_with(&configuration, |dir| fs::write(dir.join("token"), TOKEN).unwrap());
    let done = AtomicBool::new(false);
    let backups = thread::scope(|scope| {
        let changes = scope.spawn(|| publish_and_take_back(&registry, &done));
        let mut backups = Vec::new();
        // Until each kind of change has happened between the first and the last.
        while backups.len() < 3 || get(&registry.url("/api/v1/package-sets/1.2.0")).status != 200 {
            let backup = registry.path(&format!("backup-{}.tar.gz", backups.len()));
            run(registry.docketd().arg("backup").arg(&backup)).expect_code(0);
            backups.push(backup);
            assert!(!changes.is_finished(), "the changes go on");
        }
        done.store(true, Ordering::Relaxed);
        assert!(changes.join().unwrap() > 2);
        backups
    });
    for (number, backup) in backups.iter().enumerate().rev().take(6) {
        let target = Target::beside(&registry, (number == backups.len() - 1).then(new_database));
        target.restore(backup);
        run(target.docketd().arg("doctor")).expect_code(0);
        let files = export(target.docketd());
        assert!(
            files.contains_key("registry/metadata/demo.json") || number == 0,
            "{backup:?}"
        );
    }
}

/// Through pipes, out of a bucket and into a folder.
#[test]
fn a_backup_goes_through_pipes_and_from_a_bucket_to_a_folder() {
    let server = S3Server::start();
    let registry = Registry::start_with(&section(&server, S3Server::BUCKET), write_secret);
    let exported = export(registry.docketd());
    let target = Target::beside(&registry, None);
    let pipe = |from: &Command, to: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("\"$@\" {to}"), "sh"]);
        shell.arg(from.get_program()).args(from.get_args());
        for (key, value) in from.get_envs() {
            shell.envs(value.map(|value| (key, value)));
        }
        shell.current_dir(registry.path(""));
        run(&mut shell)
    };
    pipe(registry.docketd().args(["backup", "-"]), ">backup")
        .expect_code(0)
        .expect("wrote ");
    // The same section, but for the folder.
    let configuration = fs::read_to_string(registry.path("docket.toml")).unwrap();
    let (rest, _) = configuration.split_once("[storage]").unwrap();
    fs::write(registry.path("docket.toml"), rest).unwrap();
    pipe(target.docketd().args(["restore", "-"]), "<backup").expect_code(0);
    assert!(export(target.docketd()) == exported);
    assert!(target.dir.path().join("data/blobs").exists());
}
