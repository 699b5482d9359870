//! What a publish leaves for readers: tarball, index over HTTP, and the two repositories over git.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use docket_core::digest::Sha256;

use crate::fixture::{PACKAGE_SET, PRELUDE_LINE};
use crate::harness::{Registry, run, wait_for};
use crate::http::{get, get_json};
use crate::publish::demo;

/// The index line of the package that the tests publish.
const DEMO_LINE: &str = concat!(
    r#"{"name":"demo","version":"1.0.0","license":"MIT","location":{"githubOwner":"lab","githubRepo":"purescript-demo"},"#,
    r#""ref":"v1.0.0","dependencies":{"prelude":">=6.0.0 <7.0.0"}}"#,
    "\n"
);

fn published() -> Registry {
    let registry = Registry::start();
    let demo = demo(&registry);
    demo.push();
    registry
        .docket(&["publish", demo.work().to_str().unwrap()])
        .expect_code(0);
    registry
}

pub(crate) fn clone(registry: &Registry, name: &str, args: &[&str]) -> PathBuf {
    let dir = registry.path("work").join(format!(
        "clone-{}",
        registry.path("work").read_dir().unwrap().count()
    ));
    let url = registry.url(&format!("/git/{name}.git"));
    let args = [&["clone", "--quiet"], args, &[&url, dir.to_str().unwrap()]].concat();
    crate::git::git(&registry.path("work"), &registry.path("home"), &args);
    dir
}

fn read(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap_or_else(|cause| panic!("{name}: {cause}"))
}

#[test]
fn both_repositories_can_be_cloned_and_hold_what_was_published() {
    let registry = published();
    // The second is how spago does it: every object is fetched when it is needed.
    for args in [&[][..], &["--filter=tree:0"]] {
        let repository = clone(&registry, "registry", args);
        assert_eq!(read(&repository, "package-sets/1.0.0.json"), PACKAGE_SET);
        assert_eq!(
            read(&repository, "metadata/prelude.json"),
            fs::read_to_string(registry.path("fixture/registry/metadata/prelude.json")).unwrap(),
            "what was imported is unchanged"
        );
        let metadata = read(&repository, "metadata/demo.json");
        assert!(
            metadata.ends_with("}\n") && metadata.contains("      \"ref\": \"\"\n"),
            "{metadata}"
        );
        let parsed: serde_json::Value = serde_json::from_str(&metadata).unwrap();
        assert_eq!(
            parsed["published"]["1.0.0"]["compilers"],
            serde_json::json!(["0.15.15"])
        );

        let index = clone(&registry, "registry-index", args);
        assert_eq!(read(&index, "de/mo/demo"), DEMO_LINE);
        assert_eq!(read(&index, "pr/el/prelude"), PRELUDE_LINE);

        for dir in [&repository, &index] {
            let home = registry.path("home");
            let branch = crate::git::git(dir, &home, &["branch", "--show-current"]);
            assert_eq!(branch.out.trim(), "main", "clients ask for this branch");
            crate::git::git(dir, &home, &["fsck", "--strict"]);
            let log = crate::git::git(dir, &home, &["log", "-1", "--format=%an <%ae>%n%B"]);
            assert!(
                log.out.contains("demo") && log.out.contains("Job ID: "),
                "{}",
                log.out
            );
        }
    }
}

#[test]
fn a_clone_made_before_a_publish_is_brought_up_to_date_by_a_pull() {
    let registry = Registry::start();
    let index = clone(&registry, "registry-index", &["--filter=tree:0"]);
    assert!(!index.join("de/mo/demo").exists());
    let demo = demo(&registry);
    demo.push();
    registry
        .docket(&["publish", demo.work().to_str().unwrap()])
        .expect_code(0);
    crate::git::git(
        &index,
        &registry.path("home"),
        &["pull", "--quiet", "--rebase", "--autostash"],
    );
    assert_eq!(
        read(&index, "de/mo/demo"),
        DEMO_LINE,
        "a job ends only when its change can be read"
    );
}

#[test]
fn the_tarball_has_the_size_and_hash_that_the_metadata_promises() {
    let registry = published();
    let repository = clone(&registry, "registry", &[]);
    let metadata: serde_json::Value = serde_json::from_str(&read(&repository, "metadata/demo.json")).unwrap();
    let version = &metadata["published"]["1.0.0"];
    let tarball = get(&registry.url("/demo/1.0.0.tar.gz"));
    assert_eq!(tarball.status, 200);
    assert_eq!(version["bytes"], tarball.body.len());
    assert_eq!(version["hash"], Sha256::of(&tarball.body).to_string());

    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&tarball.body[..]));
    let mut names: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    names.sort();
    assert!(
        names.iter().all(|name| name.starts_with("demo-1.0.0")),
        "one top directory: {names:?}"
    );
    for file in [
        "demo-1.0.0/purs.json",
        "demo-1.0.0/src/Demo.purs",
        "demo-1.0.0/README.md",
    ] {
        assert!(names.iter().any(|name| name == file), "{file} in {names:?}");
    }
    assert_eq!(get(&registry.url("/demo/9.9.9.tar.gz")).status, 404);
    assert_eq!(
        get(&registry.url("/prelude/6.0.1.tar.gz")).status,
        200,
        "imported tarballs are served too"
    );
}

#[test]
fn an_index_line_is_never_seen_without_its_tarball() {
    let registry = Registry::start();
    let demo = demo(&registry);
    demo.push();
    let said = registry
        .docket(&["publish", "--no-wait", demo.work().to_str().unwrap()])
        .expect_code(0);
    wait_for("the index line", || {
        (get(&registry.url("/index/de/mo/demo")).status == 200).then_some(())
    });
    assert_eq!(get(&registry.url("/demo/1.0.0.tar.gz")).status, 200);
    let repository = clone(&registry, "registry", &[]);
    assert!(read(&repository, "metadata/demo.json").contains("1.0.0"));
    assert_eq!(registry.wait_for_job(said.out.trim())["success"], true);
}

#[test]
fn the_index_is_there_over_http_with_the_bytes_of_the_repository() {
    let registry = published();
    let answer = get(&registry.url("/index/de/mo/demo"));
    assert_eq!(answer.text(), DEMO_LINE);
    let tag = answer.headers["etag"].clone();
    let again = crate::http::call(
        reqwest::Method::GET,
        &registry.url("/index/de/mo/demo"),
        |request| request.header("if-none-match", tag),
    );
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(get(&registry.url("/index/no/wh/nowhere")).status, 404);
    get_json(&registry.url("/index/config.json"));
}

#[test]
fn an_export_has_the_bytes_of_both_repositories() {
    let registry = published();
    let (metadata, index) = (registry.path("export-registry"), registry.path("export-index"));
    let mut export = registry.docketd();
    export.arg("export").arg("--registry").arg(&metadata);
    run(export.arg("--index").arg(&index)).expect_code(0);
    for (repository, exported) in [("registry", metadata), ("registry-index", index)] {
        let clone = clone(&registry, repository, &[]);
        let mut diff = Command::new("diff");
        diff.args(["--recursive", "--exclude=.git", "--exclude=README.md"])
            .arg(&clone)
            .arg(&exported);
        run(&mut diff).expect_code(0);
    }
}
