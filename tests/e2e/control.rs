//! What trustees do to a running registry, and what it tells of jobs that wait.

use std::fs;

use reqwest::Method;
use serde_json::json;

use crate::harness::{Registry, Said};
use crate::http::call;
use crate::publish::demo;

const TOKEN: &str = "the-token-of-a-test-0001";

/// A registry whose trustees have a token.
fn registry() -> Registry {
    Registry::start_with("[trustees]\ntoken_file = \"token\"\n", |dir| {
        fs::write(dir.join("token"), TOKEN).unwrap();
    })
}

/// `docket job` as a trustee.
fn as_trustee(registry: &Registry, args: &[&str]) -> Said {
    let token = registry.path("token");
    registry.docket(&[&["job"], args, &["--token-file", token.to_str().unwrap()]].concat())
}

/// Asks for `demo` 1.0.0 to be published, and returns the job.
fn publish(registry: &Registry) -> String {
    let demo = demo(registry);
    demo.push();
    let said = registry
        .docket(&["publish", "--no-wait", demo.work().to_str().unwrap()])
        .expect_code(0);
    said.out.trim().to_owned()
}

#[test]
fn a_paused_kind_says_why_it_waits_and_runs_once_it_is_resumed() {
    let registry = registry();
    as_trustee(&registry, &["pause", "publish"])
        .expect_code(0)
        .expect("publish is paused");
    let job = publish(&registry);
    registry
        .docket(&["job", "why", &job])
        .expect_code(0)
        .expect("Jobs of kind publish have been paused since ")
        .expect(" by trustee by the registry's token.");
    registry
        .docket(&[
            "job",
            "list",
            "--state",
            "queued",
            "--package",
            "demo",
            "--kind",
            "publish",
        ])
        .expect_code(0)
        .expect(&job);
    registry
        .docket(&["job", "kinds"])
        .expect_code(0)
        .expect("publish                   1        0      -  since ");
    let page = call(Method::GET, &registry.url(&format!("/logs/{job}")), |request| {
        request.header("accept", "text/html")
    });
    assert!(
        page.text()
            .contains("Jobs of kind publish have been paused since "),
        "{}",
        page.text()
    );
    as_trustee(&registry, &["resume", "publish"])
        .expect_code(0)
        .expect("publish goes on");
    assert_eq!(registry.wait_for_job(&job)["success"], true);
    registry
        .docket(&["job", "why", &job])
        .expect_code(0)
        .expect("It has ended well.");
    as_trustee(&registry, &["pause", "publsh"])
        .expect_code(1)
        .expect("there are publish, unpublish, transfer");
}

#[test]
fn a_waiting_publish_is_cancelled_and_queued_again() {
    let registry = registry();
    as_trustee(&registry, &["pause", "publish"]).expect_code(0);
    let job = publish(&registry);
    let cancel = registry.url(&format!("/api/v1/jobs/{job}/cancel"));
    assert_eq!(call(Method::POST, &cancel, |request| request).status, 401);
    assert_eq!(registry.job(&job)["state"], "queued", "nobody said who they are");
    as_trustee(&registry, &["cancel", &job])
        .expect_code(0)
        .expect("is cancelled");
    let cancelled = registry.job(&job);
    assert_eq!(
        (&cancelled["state"], &cancelled["error"]["code"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    assert_eq!(
        registry.log(&job, "DEBUG")[0]["message"],
        "Cancelled by trustee by the registry's token."
    );
    registry
        .docket(&["job", "list", "--state", "cancelled"])
        .expect_code(0)
        .expect(&job);
    as_trustee(&registry, &["resume", "publish"]).expect_code(0);
    as_trustee(&registry, &["cancel", &job])
        .expect_code(1)
        .expect("has ended before (cancelled)");
    as_trustee(&registry, &["retry", &job])
        .expect_code(0)
        .expect("is queued again");
    assert_eq!(registry.wait_for_job(&job)["success"], true);
    as_trustee(&registry, &["retry", &job])
        .expect_code(1)
        .expect("only one that failed or was cancelled");
}
