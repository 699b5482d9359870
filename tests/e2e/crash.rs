//! A power cut in the middle of a publish.

use std::process::Stdio;

use crate::gate::Gate;
use crate::harness::{Registry, wait_for};
use crate::http::get_json;
use crate::publish::demo;

/// Without a sandbox, because the gate lies outside of it; with a short lease, because the next run waits for it to lapse.
const CONFIGURATION: &str = "[worker]\nsandbox = \"none\"\nlease_secs = 3\n";

#[test]
fn a_publish_survives_kill_9_and_its_watcher_misses_nothing() {
    let mut registry = Registry::start_with(CONFIGURATION, |dir| Gate::Compile.prepare(dir));
    let demo = demo(&registry);
    demo.push();
    let server = registry.url("");
    let watcher = registry
        .docket_command(&[
            "publish",
            "--json",
            "--server",
            &server,
            demo.work().to_str().unwrap(),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();

    wait_for("the compiler to run", || {
        registry.path("entered").exists().then_some(())
    });
    let address = registry.kill();
    Gate::Compile.open(&registry);
    registry.resume_at(address);

    let said = watcher.wait_with_output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr),
    );
    assert_eq!(said.status.code(), Some(0), "{out}\n{err}");
    let shown: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let id = shown[0]["jobId"].as_str().unwrap();
    let log = registry.log(id, "INFO");
    assert_eq!(
        shown[1..shown.len() - 1],
        log[..],
        "each line once, in order, across the crash"
    );

    let attempts = log
        .iter()
        .filter(|line| {
            line["message"]
                .as_str()
                .unwrap()
                .to_lowercase()
                .contains("attempt")
        })
        .count();
    assert!(attempts >= 2, "the log tells of both attempts: {log:#?}");
    let jobs = get_json(&registry.url("/api/v1/jobs?include_completed=true"));
    assert_eq!(jobs.as_array().unwrap().len(), 1, "it is the same job");
    let index = crate::http::get(&registry.url("/index/de/mo/demo"));
    assert_eq!(index.text().lines().count(), 1, "one version is published");
    assert_eq!(crate::http::get(&registry.url("/demo/1.0.0.tar.gz")).status, 200);

    // The commits are there once, too.
    let clone = registry.path("work").join("after");
    let url = registry.url("/git/registry.git");
    crate::git::git(
        &registry.path("work"),
        &registry.path("home"),
        &["clone", "--quiet", &url, clone.to_str().unwrap()],
    );
    let commits = crate::git::git(
        &clone,
        &registry.path("home"),
        &["log", "--oneline", "--", "metadata/demo.json"],
    );
    assert_eq!(commits.out.lines().count(), 1, "{}", commits.out);
}
