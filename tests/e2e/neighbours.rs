//! The services of others around a registry: GitHub, which tells of issues, and Pursuit, which shows documentation. Both are stand-ins that
//! speak the real protocols.

use std::fs;

use docket_test_support::github_stand_in::{GitHubStandIn, STAND_IN_TOKEN, sign};
use docket_test_support::pursuit_stand_in::{PURSUIT_TOKEN, PursuitFault, PursuitStandIn};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::harness::{Registry, wait_for};
use crate::http::{call, get_json};
use crate::publish::demo;

const REPOSITORY: &str = "lab/registry";
const SECRET: &str = "stand-in-webhook-secret";

fn publish_demo(registry: &Registry) {
    let demo = demo(registry);
    demo.push();
    registry
        .docket(&["publish", demo.work().to_str().unwrap()])
        .expect_code(0);
}

/// A registry that GitHub tells of its issues; `alice` is a trustee.
fn start_with_github(github: &GitHubStandIn) -> Registry {
    github.team("lab", "packaging", &["alice"]);
    github.repository(REPOSITORY);
    let mut registry = Registry::start_with("", |dir| {
        for (name, text) in [
            ("secret", SECRET),
            ("github-token", STAND_IN_TOKEN),
            ("token", "stand-in-registry-token"),
        ] {
            fs::write(dir.join(name), text).unwrap();
        }
    });
    // Answers link to the registry, so it has to know its address before it starts.
    let address = registry.address();
    assert_eq!(registry.terminate(), Some(0));
    let text = fs::read_to_string(registry.path("docket.toml")).unwrap();
    let file = |name: &str| registry.path(name).display().to_string();
    let text = format!(
        "{text}\n[api]\npublic_url = \"http://{address}\"\n\n[trustees]\ntoken_file = {:?}\n\n[github]\napi_url = \"{}\"\norg = \"lab\"\n\
         team = \"packaging\"\nbot = \"docket-bot\"\ntoken_file = {:?}\nwebhook_secret_file = {:?}\n",
        file("token"),
        github.url(),
        file("github-token"),
        file("secret"),
    );
    fs::write(registry.path("docket.toml"), text).unwrap();
    registry.resume_at(address);
    registry
}

/// GitHub tells the registry of a new issue.
fn deliver(registry: &Registry, number: u64, login: &str, text: &str, secret: &str) -> u16 {
    let user = json!({ "login": login, "type": "User" });
    let event = json!({
        "action": "opened",
        "issue": { "number": number, "body": text, "user": user },
        "repository": { "full_name": REPOSITORY },
        "sender": user,
    });
    let body = event.to_string();
    let signature = sign(secret, body.as_bytes());
    let answer = call(Method::POST, &registry.url("/api/v1/github/webhook"), |request| {
        request
            .header("x-github-event", "issues")
            .header("x-hub-signature-256", signature)
            .body(body)
    });
    answer.status
}

/// From the delivery to the closed issue: a trustee's wish is carried out in their name, and a stranger's is not.
#[test]
fn a_webhook_turns_an_issue_into_a_job_and_an_answer() {
    let runtime = Runtime::new().unwrap();
    let github = runtime.block_on(GitHubStandIn::start());
    let registry = start_with_github(&github);
    publish_demo(&registry);

    let wish = "/docket unpublish demo@1.0.0 --reason \"It leaks\"";
    let by_a_stranger = github.issue(REPOSITORY, "mallory", wish);
    assert_eq!(
        deliver(
            &registry,
            by_a_stranger,
            "mallory",
            wish,
            "not-the-secret-of-anybody"
        ),
        401
    );
    assert_eq!(deliver(&registry, by_a_stranger, "mallory", wish, SECRET), 202);
    let answers = wait_for("an answer to the stranger", || {
        let comments = github.comments(REPOSITORY, by_a_stranger);
        (!comments.is_empty()).then_some(comments)
    });
    assert!(answers[0].1.contains("mallory"), "{answers:?}");
    assert!(!github.is_closed(REPOSITORY, by_a_stranger));

    let by_a_trustee = github.issue(REPOSITORY, "alice", wish);
    assert_eq!(deliver(&registry, by_a_trustee, "alice", wish, SECRET), 202);
    wait_for("the end of the issue", || {
        github.is_closed(REPOSITORY, by_a_trustee).then_some(())
    });
    let comments = github.comments(REPOSITORY, by_a_trustee);
    let told: String = comments.iter().map(|(_, text)| text.as_str()).collect();
    assert!(
        told.contains("Unpublished demo@1.0.0! Reason: It leaks"),
        "{told}"
    );
    let metadata = get_json(&registry.url("/api/v1/packages/demo"));
    assert_eq!(metadata["unpublished"]["1.0.0"]["reason"], "It leaks");

    let jobs = get_json(&registry.url("/api/v1/jobs?include_completed=true"));
    let find = |job: &&Value| job["jobType"] == "unpublish";
    let jobs: Vec<&Value> = jobs.as_array().unwrap().iter().filter(find).collect();
    assert_eq!(jobs.len(), 1, "the stranger's wish became no job: {jobs:?}");
    assert_eq!(jobs[0]["actor"]["role"], "trustee");
    assert_eq!(jobs[0]["actor"]["name"], "alice (through the registry's token)");
}

/// A version is published whatever Pursuit says; publishing it once more brings the documentation that is missing.
#[test]
fn documentation_follows_a_publish_by_itself() {
    let runtime = Runtime::new().unwrap();
    let pursuit = runtime.block_on(PursuitStandIn::start());
    let configuration = |dir: &std::path::Path| {
        fs::write(dir.join("pursuit-token"), PURSUIT_TOKEN).unwrap();
        let text = fs::read_to_string(dir.join("docket.toml")).unwrap();
        let file = dir.join("pursuit-token");
        let section = format!(
            "\n[documentation]\nurl = \"{}\"\ntoken_file = {file:?}\n",
            pursuit.url()
        );
        fs::write(dir.join("docket.toml"), text + &section).unwrap();
    };
    let registry = Registry::start_with("", configuration);
    pursuit.fail_upload(PursuitFault::Status(400, "not today"));
    let demo = demo(&registry);
    demo.push();
    let publish = || registry.docket(&["publish", "--json", demo.work().to_str().unwrap()]);
    let said = publish().expect_code(0).expect("Documentation follows by itself");
    let uploads = || {
        pursuit
            .requests()
            .iter()
            .filter(|line| line.starts_with("POST"))
            .count()
    };
    wait_for("the refused upload", || (uploads() == 1).then_some(()));
    let job = said
        .all()
        .split("/logs/")
        .nth(1)
        .unwrap()
        .split('.')
        .next()
        .unwrap()
        .to_owned();
    let lines = wait_for("the end of the documentation job", || {
        let page = get_json(&registry.url(&format!("/api/v1/jobs/{job}/logs")));
        (page["finished"] == true).then_some(page)
    });
    assert!(
        lines.to_string().contains("it answered 400: not today"),
        "{lines}"
    );

    publish()
        .expect_code(0)
        .expect("already exists, without documentation");
    let package = wait_for("the documentation", || {
        pursuit.package("purescript-demo", "1.0.0")
    });
    assert_eq!(package["standIn"], "docket stand-in");
    assert_eq!(
        package["resolvedDependencies"],
        json!({ "purescript-prelude": "6.0.1" })
    );
    assert_eq!(package["modules"][0]["name"], "Demo");
}
