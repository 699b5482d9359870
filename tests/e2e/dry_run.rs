//! `docket publish --dry-run`, with the real programs.

use reqwest::Method;
use serde_json::Value;

use crate::asking::{accepted, message, publish};
use crate::gate::Gate;
use crate::harness::{Registry, run};
use crate::http::{call, get};
use crate::publish::demo;

const NOTHING: [&str; 2] = ["/index/de/mo/demo", "/demo/1.0.0.tar.gz"];

fn assert_nothing_published(registry: &Registry) {
    for path in NOTHING {
        assert_eq!(get(&registry.url(path)).status, 404, "{path}");
    }
    assert_eq!(get(&registry.url("/api/v1/packages/demo")).status, 404);
    let blobs = run(std::process::Command::new("find")
        .arg(registry.path("data/blobs"))
        .args(["-type", "f", "-not", "-path", "*/checks/*"]))
    .expect_code(0);
    assert_eq!(
        blobs.out.lines().count(),
        1,
        "the tarball of prelude: {}",
        blobs.out
    );
}

fn heads(registry: &Registry) -> String {
    let mut heads = String::new();
    for repository in ["registry", "registry-index"] {
        let url = registry.url(&format!("/git/{repository}.git"));
        heads += &run(std::process::Command::new("git").args(["ls-remote", &url]))
            .expect_code(0)
            .out;
    }
    heads
}

fn said(registry: &Registry, id: &str) -> String {
    registry
        .log(id, "DEBUG")
        .iter()
        .map(|line| message(line) + "\n")
        .collect()
}

/// Asks for a dry run over HTTP and returns the job.
fn ask(registry: &Registry) -> String {
    let body = r#"{"location":{"githubOwner":"lab","githubRepo":"purescript-demo"},"name":"demo","ref":"v1.0.0","version":"1.0.0"}"#;
    let answer = call(Method::POST, &registry.url("/api/v1/publish/check"), |request| {
        request.body(body)
    });
    accepted(&answer)
}

#[test]
fn a_dry_run_follows_its_job_and_the_publish_after_it_is_quick() {
    let registry = Registry::start();
    let demo = demo(&registry);
    demo.push();
    let before = heads(&registry);
    let dir = demo.work().to_str().unwrap();
    let checked = registry
        .docket(&["publish", "--dry-run", dir])
        .expect_code(0)
        .expect("It compiles")
        .expect("demo@1.0.0 can be published; this was a dry run: nothing was published");
    assert_nothing_published(&registry);
    assert_eq!(heads(&registry), before, "no commit was made");
    let id = checked
        .err
        .split("/logs/")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .to_owned();
    let page = call(Method::GET, &registry.url(&format!("/logs/{id}")), |request| {
        request.header("accept", "text/html")
    });
    let page = page.text();
    assert!(
        page.contains("publish-check") && page.contains("publishes nothing"),
        "{page}"
    );

    registry
        .docket(&["publish", dir])
        .expect_code(0)
        .expect(&format!("Checked before, by job {id}"))
        .expect("published demo@1.0.0");
    let jobs = registry
        .docket(&["job", "list", "--json", "--package", "demo"])
        .expect_code(0);
    let job: Value = serde_json::from_str(jobs.out.lines().next().unwrap()).unwrap();
    let said = said(&registry, job["jobId"].as_str().unwrap());
    assert!(
        !said.contains("It compiles") && !said.contains("Fetched"),
        "{said}"
    );
    for path in NOTHING {
        assert_eq!(get(&registry.url(path)).status, 200, "{path}");
    }
}

#[test]
fn a_dry_run_that_fails_exits_with_1_and_says_so_in_json() {
    let registry = Registry::start();
    let demo = demo(&registry);
    demo.commit(&[("src/Demo.purs", "module Demo where\n\nimport Nowhere\n")])
        .tag("v1.0.0");
    demo.push();
    let dir = demo.work().to_str().unwrap();
    let said = registry
        .docket(&["publish", "--dry-run", "--json", dir])
        .expect_code(1);
    let end: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    assert_eq!(end["success"], false, "{}", said.out);
    assert_nothing_published(&registry);
}

#[test]
fn a_dry_run_keeps_no_publish_of_the_same_version_waiting() {
    let registry = Registry::start_with("[worker]\nsandbox = \"none\"\nconcurrency = 1\n", |dir| {
        Gate::Compile.prepare(dir)
    });
    demo(&registry).push();
    let checking = ask(&registry);
    Gate::Compile.wait(&registry, &checking);
    let publishing = publish(&registry, "purescript-demo", "v1.0.0");
    assert_eq!(registry.wait_for_job(&publishing)["success"], true);
    Gate::Compile.open(&registry);
    let checked = registry.wait_for_job(&checking);
    assert_eq!(checked["success"], true, "{checked}");
}

#[test]
fn a_dry_run_survives_kill_9() {
    let configuration = "[worker]\nsandbox = \"none\"\nlease_secs = 3\n";
    let mut registry = Registry::start_with(configuration, |dir| Gate::Compile.prepare(dir));
    demo(&registry).push();
    let checking = ask(&registry);
    Gate::Compile.wait(&registry, &checking);
    let address = registry.kill();
    registry.resume_at(address);
    Gate::Compile.open(&registry);
    let checked = registry.wait_for_job(&checking);
    assert_eq!(checked["success"], true, "{checked}");
    assert_nothing_published(&registry);
    let publishing = publish(&registry, "purescript-demo", "v1.0.0");
    assert_eq!(registry.wait_for_job(&publishing)["success"], true);
    assert!(said(&registry, &publishing).contains(&format!("Checked before, by job {checking}")));
}
