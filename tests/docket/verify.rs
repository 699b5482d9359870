//! `docket verify`, with repositories in a directory.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use docket_core::digest::Sha256;
use docket_core::metadata::Metadata;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Said, docket, run};
use crate::stand_in::StandIn;

const TARBALL: &str = "the bytes of a tarball";
const LINE: &str = "{\"name\":\"slug\",\"version\":\"1.2.0\",\"license\":\"MIT\",\"location\":{\"githubOwner\":\"lab\",\"githubRepo\":\"slug\"},\"ref\":\"v1.2.0\",\"dependencies\":{}}\n";
const SET: &str =
    r#"{"version":"80.8.0","compiler":"0.15.15","published":"2026-08-18","packages":{"slug":"1.2.0"}}"#;

/// A registry that holds what it says, and a directory with its two repositories.
struct Registry {
    server: StandIn,
    folder: TempDir,
}

fn metadata() -> Value {
    json!({
        "location": { "githubOwner": "lab", "githubRepo": "slug" },
        "published": { "1.2.0": {
            "bytes": TARBALL.len(), "compilers": ["0.15.15"], "hash": Sha256::of(TARBALL.as_bytes()),
            "publishedTime": "2026-08-18T07:02:11.004Z", "ref": "",
        } },
        "unpublished": {},
    })
}

impl Registry {
    fn start() -> Self {
        let server = StandIn::start();
        let mut package = metadata();
        package["name"] = json!("slug");
        server.answers("GET /api/v1/packages/slug", 200, &package);
        server.answers_text("GET /index/sl/ug/slug", LINE);
        server.answers_text("GET /slug/1.2.0.tar.gz", TARBALL);
        server.answers_text("GET /api/v1/package-sets/80.8.0", SET);
        server.answers(
            "GET /api/v1/package-sets",
            200,
            &json!({ "packageSets": [{ "version": "80.8.0", "compiler": "0.15.15", "published": "2026-08-18" }] }),
        );
        let summary = json!({ "name": "slug", "version": "1.2.0", "publishedTime": "2026-08-18T07:02:11.004Z", "license": "MIT" });
        server.answers("GET /api/v1/packages", 200, &json!({ "packages": [summary] }));
        let folder = tempfile::tempdir().unwrap();
        let registry = Self { server, folder };
        for name in ["registry", "registry-index"] {
            fs::create_dir(registry.path(name)).unwrap();
            git(&registry.path(name), &["init", "--quiet"]);
        }
        let metadata = Metadata::parse(&metadata().to_string()).unwrap().to_text();
        registry.writes("registry", "metadata/slug.json", &metadata);
        let set = docket_core::package_set::PackageSet::parse(SET)
            .unwrap()
            .to_text();
        registry.writes("registry", "package-sets/80.8.0.json", &set);
        registry.writes("registry-index", "sl/ug/slug", LINE);
        registry
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Commits a file.
    fn writes(&self, repository: &str, path: &str, text: &str) {
        let repository = self.path(repository);
        let file = repository.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        git(&repository, &["add", "."]);
        git(&repository, &["commit", "--quiet", "--message", path]);
    }

    fn verify(&self, args: &[&str]) -> Said {
        let git = ["--git", self.folder.path().to_str().unwrap()];
        run(docket(&self.server, &[&["verify"], args, &git].concat()))
    }
}

fn git(dir: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(dir)
        .args(["-c", "user.name=Me", "-c", "user.email=me@example.org"])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    assert!(command.status().unwrap().success());
}

#[test]
fn what_is_as_it_should_be_is_said_in_one_line() {
    let registry = Registry::start();
    for (what, packages, sets) in [
        (&["slug"][..], 1, 0),
        (&["slug@1.2.0"], 1, 0),
        (&["--set", "80.8.0"], 1, 1),
        (&["--all"], 1, 1),
    ] {
        let said = registry.verify(what).expect_code(0);
        let looked_at = format!("looked at {packages} packages, {sets} package sets, 1 tarballs (22 bytes)");
        assert_eq!(
            said.out,
            format!("{looked_at}: all is as it should be\n"),
            "{what:?}"
        );
    }
    let said = run(docket(
        &registry.server,
        &["verify", "slug", "--no-git", "--json"],
    ))
    .expect_code(0);
    let summary: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        summary,
        json!({ "packages": 1, "packageSets": 0, "tarballs": 1, "bytes": 22, "absentTarballs": 0, "findings": 0 })
    );
}

#[test]
fn tarballs_that_differ_are_listed() {
    let registry = Registry::start();
    for (tarball, problem) in [
        (&TARBALL.replace("bytes", "BYTES"), "it is sha256-"),
        (
            &TARBALL.replace("bytes", "many bytes"),
            "it has 27 bytes, and should have 22",
        ),
    ] {
        registry.server.answers_text("GET /slug/1.2.0.tar.gz", tarball);
        let said = registry
            .verify(&["slug"])
            .expect_code(1)
            .explains("1 thing is not as it should be");
        let row = said.out.lines().nth(1).unwrap();
        assert!(
            row.starts_with(&format!("slug@1.2.0  tarball  {problem}")),
            "{}",
            said.out
        );
    }
    registry.server.answers(
        "GET /slug/1.2.0.tar.gz",
        404,
        &json!({ "title": "Not found", "detail": "\u{1b}[2Jno" }),
    );
    let said = registry.verify(&["slug"]).expect_code(1);
    assert!(
        said.out.contains("404 Not Found: Not found: \\x1b[2Jno"),
        "{}",
        said.out
    );
    registry.verify(&["slug", "--no-tarballs"]).expect_code(0);
}

#[test]
fn repositories_that_differ_are_listed_version_by_version() {
    let registry = Registry::start();
    let other = Metadata::parse(&metadata().to_string().replace("lab", "guild"))
        .unwrap()
        .to_text();
    registry.writes("registry", "metadata/slug.json", &other);
    registry.writes("registry", "metadata/lost.json", &other);
    registry.writes("registry-index", "sl/ug/slug", &LINE.replace("MIT", "ISC"));
    registry.writes("registry", "package-sets/80.8.0.json", "{}\n");
    let said = registry.verify(&["--all", "--json"]).expect_code(1);
    let found: Vec<(String, String)> = said
        .out
        .lines()
        .filter_map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| value[key].as_str().map(str::to_owned);
            Some((
                text("subject")?,
                format!("{}: {}", text("what")?, text("problem")?),
            ))
        })
        .collect();
    let differ = "the server and git say different things";
    let expected = [
        ("80.8.0", format!("package-set: {differ}")),
        ("lost", "metadata: git has it, and the server has not".to_owned()),
        (
            "slug",
            "metadata: the server and git have different location".to_owned(),
        ),
        ("slug@1.2.0", format!("index: {differ}")),
    ];
    assert_eq!(
        found,
        expected.map(|(subject, problem)| (subject.to_owned(), problem))
    );
}

#[test]
fn what_cannot_be_looked_at_is_no_finding() {
    let registry = Registry::start();
    run(docket(
        &registry.server,
        &[
            "verify",
            "slug",
            "--git",
            registry.path("nowhere").to_str().unwrap(),
        ],
    ))
    .expect_code(1)
    .explains("could not be cloned")
    .explains("--no-git");
    registry
        .verify(&["nothing"])
        .expect_code(1)
        .explains("1 thing is not as it should be");
    registry.verify(&[]).expect_code(2);
}

/// All of a registry is more than it lets one address ask for in a minute: that takes longer, and says nothing of its tarballs.
#[test]
fn a_registry_that_wants_to_be_asked_more_slowly_is_asked_again() {
    let registry = Registry::start();
    let tarball = "GET /slug/1.2.0.tar.gz";
    registry
        .server
        .answers(tarball, 429, &json!({ "title": "Too many requests" }));
    let asked = || {
        let requests = registry.server.requests("GET");
        requests.iter().filter(|request| request.line == tarball).count()
    };
    thread::scope(|scope| {
        let verify = scope.spawn(|| registry.verify(&["slug"]));
        // More often than a server that does not answer is asked.
        while asked() < 4 {
            thread::yield_now();
        }
        registry.server.answers_text(tarball, TARBALL);
        let said = verify.join().unwrap().expect_code(0);
        assert!(said.out.contains("all is as it should be"), "{}", said.out);
    });
}

#[test]
fn a_registry_that_has_no_time_has_no_wrong_tarball() {
    let registry = Registry::start();
    let busy = json!({ "title": "Storage unavailable" });
    registry.server.answers("GET /slug/1.2.0.tar.gz", 503, &busy);
    let said = registry.verify(&["slug"]).expect_code(1);
    assert_eq!(said.out, "", "nothing was found out");
    said.explains("503");
}

#[test]
fn tarballs_that_were_never_imported_are_counted_apart() {
    let registry = Registry::start();
    let problem =
        json!({ "type": "/docs/problems#tarball-missing", "title": "Tarball missing", "status": 404 });
    let head = "content-type: application/problem+json\r\n";
    registry
        .server
        .answers_with("GET /slug/1.2.0.tar.gz", 404, head, &problem);
    registry
        .verify(&["--all"])
        .expect_code(1)
        .explains("looked at 1 packages, 1 package sets, 0 tarballs (0 bytes)")
        .explains("1 tarballs are not on this server")
        .explains("docketd import --tarballs");
    let said = registry.verify(&["--all", "--json"]).expect_code(1);
    let summary: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&summary["absentTarballs"], &summary["findings"]),
        (&json!(1), &json!(1))
    );
}
