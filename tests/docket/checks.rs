//! What `docket publish` looks at before it asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Said, docket, run};
use crate::stand_in::StandIn;

/// A registry, and the repository of `demo@1.0.0` with its origin.
struct Author {
    server: StandIn,
    folder: TempDir,
}

impl Author {
    /// Everything is as it should be, committed and tagged; nothing is pushed.
    fn new() -> Self {
        let author = Self {
            server: StandIn::start(),
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(author.path("src")).unwrap();
        git(author.folder.path(), &["init", "--quiet", "--bare", "origin.git"]);
        author.git(&["init", "--quiet"]);
        author.git(&["remote", "add", "origin", "../origin.git"]);
        author.manifest(&json!({}));
        author.writes("LICENSE", include_str!("../../LICENSE-MIT"));
        author.writes("src/Demo.purs", "module Demo where\n");
        author.commit();
        author
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("demo").join(name)
    }

    fn writes(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Writes the manifest, with these fields in place of the usual ones.
    fn manifest(&self, fields: &Value) {
        let mut manifest = json!({
            "name": "demo", "version": "1.0.0", "license": "MIT", "location": { "githubOwner": "lab", "githubRepo": "demo" },
            "ref": "v1.0.0", "dependencies": {},
        });
        for (key, value) in fields.as_object().unwrap() {
            manifest[key] = value.clone();
        }
        self.writes("purs.json", &manifest.to_string());
    }

    fn git(&self, args: &[&str]) {
        git(&self.path(""), args);
    }

    /// Commits everything, and lets the tag point there.
    fn commit(&self) {
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", "a change"]);
        self.git(&["tag", "--force", "v1.0.0"]);
    }

    fn push(&self) {
        self.git(&["push", "--quiet", "--force", "origin", "v1.0.0"]);
    }

    fn publish(&self, more: &[&str]) -> Said {
        let mut command = docket(&self.server, &[&["publish"], more].concat());
        command.current_dir(self.path(""));
        run(command)
    }

    /// The codes for which the registry would refuse it.
    #[track_caller]
    fn refused_for(&self) -> Vec<String> {
        let said = self.publish(&["--json"]).expect_code(1);
        assert!(self.server.requests("POST").is_empty(), "nothing was asked for");
        let error: Value = serde_json::from_str(&said.err).unwrap();
        let refused = error["refused"].as_array().unwrap_or_else(|| panic!("{error}"));
        refused
            .iter()
            .map(|one| one["code"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn git(dir: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(dir)
        .args([
            "-c",
            "user.name=Me",
            "-c",
            "user.email=me@example.org",
            "-c",
            "advice.detachedHead=false",
        ])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The registry has this package in version 6.0.1.
fn has(server: &StandIn, name: &str, dependencies: &Value) {
    let hash = "sha256-n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=";
    let entry = json!({ "bytes": 1, "compilers": ["0.15.15"], "hash": hash, "publishedTime": "2026-08-18T07:02:11.004Z", "ref": "" });
    let location = json!({ "githubOwner": "lab", "githubRepo": name });
    server.answers(
        &format!("GET /api/v1/packages/{name}"),
        200,
        &json!({ "name": name, "location": location, "published": { "6.0.1": entry }, "unpublished": {} }),
    );
    let manifest = json!({
        "name": name, "version": "6.0.1", "license": "MIT", "location": location, "ref": "v6.0.1", "dependencies": dependencies,
    });
    let path = docket_core::manifest_index::path(&name.parse().unwrap());
    server.answers_text(&format!("GET /index/{path}"), &format!("{manifest}\n"));
}

#[test]
fn a_package_that_is_as_it_should_be_is_asked_for() {
    let author = Author::new();
    author.push();
    let said = author.publish(&[]).expect_code(0);
    assert!(said.out.ends_with("published demo@1.0.0\n"), "{}", said.out);
    assert_eq!(author.server.posted().line, "POST /api/v1/publish");
}

#[test]
fn a_dry_run_asks_for_nothing_else() {
    let author = Author::new();
    author.push();
    author
        .server
        .answers("POST /api/v1/publish/check", 200, &json!({ "jobId": "job-1" }));
    let said = author.publish(&["--dry-run"]).expect_code(0);
    assert!(
        said.out.ends_with("this was a dry run: nothing was published\n"),
        "{}",
        said.out
    );
    assert_eq!(author.server.posted().line, "POST /api/v1/publish/check");
    author
        .server
        .answers("POST /api/v1/publish/check", 404, &json!({}));
    author
        .publish(&["--dry-run"])
        .expect_code(1)
        .explains("this registry knows no dry runs");
    assert!(
        author
            .server
            .requests("POST")
            .iter()
            .all(|request| request.line.ends_with("/check"))
    );
}

#[test]
fn all_that_the_registry_would_refuse_it_for_is_said_at_once() {
    let author = Author::new();
    author.manifest(&json!({ "license": "BSD-3-Clause", "dependencies": { "nothing": ">=1.0.0 <2.0.0" } }));
    author.writes("src/Demo.purs", "module Main where\n");
    author.commit();
    assert_eq!(
        author.refused_for(),
        [
            "ref-not-found",
            "license-differs",
            "module-name-forbidden",
            "no-build-plan"
        ]
    );
    let said = author
        .publish(&[])
        .expect_code(1)
        .explains("the registry would refuse demo@1.0.0")
        .explains("git push origin v1.0.0")
        .explains("src/Demo.purs is named Main")
        .explains("--no-check");
    assert_eq!(said.out, "");
    // Whoever knows better may ask all the same.
    author.publish(&["--no-check"]).expect_code(0);
    author.server.posted();
}

#[test]
fn what_the_tag_holds_counts_and_not_what_lies_in_the_directory() {
    let author = Author::new();
    author.manifest(&json!({ "description": "not committed" }));
    author.writes("src/Main.purs", "module Main where\n");
    author.push();
    author.publish(&[]).expect_code(0);

    let author = Author::new();
    author.push();
    author.manifest(&json!({ "version": "1.1.0" }));
    assert_eq!(author.refused_for(), ["version-differs"]);
}

#[test]
fn a_tag_that_is_another_commit_at_the_origin_is_left_to_the_registry() {
    let author = Author::new();
    author.push();
    author.writes("src/Demo.purs", "module Main where\n");
    author.commit();
    author
        .publish(&[])
        .expect_code(0)
        .explains("v1.0.0 is another commit at the origin than here");
}

#[test]
fn dependencies_are_solved_as_the_registry_does_it() {
    let author = Author::new();
    has(&author.server, "prelude", &json!({}));
    has(&author.server, "effect", &json!({ "prelude": ">=6.0.0 <7.0.0" }));
    let ranges = |prelude: &str| {
        author.manifest(&json!({ "dependencies": { "effect": ">=6.0.0 <7.0.0", "prelude": prelude } }));
        author.commit();
        author.push();
    };
    ranges(">=5.0.0 <6.0.0");
    assert_eq!(author.refused_for(), ["no-build-plan"]);
    ranges(">=6.0.0 <7.0.0");
    author.publish(&[]).expect_code(0);
    author.publish(&["--compiler", "0.15.10"]).expect_code(1);
}

#[test]
fn what_the_registry_has_of_the_package_counts() {
    let author = Author::new();
    author.push();
    let registered = |owner: &str, unpublished: Value| {
        author.server.answers(
            "GET /api/v1/packages/demo",
            200,
            &json!({
                "name": "demo", "location": { "githubOwner": owner, "githubRepo": "demo" }, "published": {}, "unpublished": unpublished,
            }),
        );
    };
    registered("guild", json!({}));
    assert_eq!(
        author.refused_for(),
        ["location-differs", "manifest-location-differs"]
    );
    let time = "2026-08-18T07:02:11.004Z";
    registered(
        "lab",
        json!({ "1.0.0": { "publishedTime": time, "reason": "a mistake", "unpublishedTime": time } }),
    );
    assert_eq!(author.refused_for(), ["version-unpublished"]);
    registered("lab", json!({}));
    author.publish(&[]).expect_code(0);
}

#[test]
fn what_would_be_refused_is_shown_beside_the_lines() {
    let author = Author::new();
    author.writes("src/Demo.purs", "\n\nmodule demo where\n");
    author.commit();
    author.push();
    let said = author
        .publish(&["--annotations", "github", "--compiler", "0.15.15"])
        .expect_code(1);
    assert!(
        said.out
            .starts_with("::error file=src/Demo.purs,line=3,title=module-header-invalid::"),
        "{}",
        said.out
    );
}

#[test]
fn a_directory_without_git_is_looked_at_as_it_is() {
    let author = Author::new();
    fs::remove_dir_all(author.path(".git")).unwrap();
    author.publish(&[]).expect_code(0);
    fs::remove_file(author.path("src/Demo.purs")).unwrap();
    let author = Author {
        server: StandIn::start(),
        ..author
    };
    assert_eq!(author.refused_for(), ["no-modules"]);
}
