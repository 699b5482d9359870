//! Secrets that somebody lets slip do not come out anywhere: each kind is planted where input enters, and looked for where it may come out.

use std::fs;

use reqwest::Method;
use serde_json::json;

use crate::harness::{Registry, before_the_compiler};
use crate::http::{call, get, post_publish};
use crate::log_archive::TOKEN;
use crate::publish::demo;

/// A text with a secret in it, and the secret.
struct Planted {
    text: String,
    secret: String,
}

/// Each kind once. They are made here, so that nobody who searches sources for secrets finds any.
fn planted() -> Vec<Planted> {
    let random = |length: usize| "x7Qm".repeat(length).split_at(length).0.to_owned();
    let whole = |secret: String| Planted {
        text: secret.clone(),
        secret,
    };
    let within = |before: &str, secret: String, after: &str| Planted {
        text: format!("{before}{secret}{after}"),
        secret,
    };
    vec![
        whole(format!("ghp_{}", random(36))),
        whole(format!("ghs_{}", random(36))),
        whole(format!("github_pat_{}_{}", random(22), random(59))),
        whole(format!("glpat-{}", random(20))),
        whole(format!("AKIA{}", random(16).to_uppercase())),
        within("https://me:", random(9), "@example.org/x.git"),
        within("Authorization: Bearer ", format!("{}9", random(31)), ""),
        within(
            "-----BEGIN PRIVATE KEY-----\\n",
            random(64),
            "\\n-----END PRIVATE KEY-----",
        ),
        whole(TOKEN.to_owned()),
    ]
}

/// Fails when one of the secrets is in `text`.
#[track_caller]
fn assert_clean(what: &str, text: &str) {
    for Planted { secret, .. } in planted() {
        assert!(!text.contains(&secret), "{what} shows {secret}: {text}");
    }
}

/// Everything that anybody is shown of a job.
fn shown(registry: &Registry, job: &str) -> String {
    let mut shown = String::new();
    for (path, accept) in [
        (format!("/api/v1/jobs/{job}?level=DEBUG"), "*/*"),
        (format!("/api/v1/jobs/{job}/logs?level=DEBUG"), "*/*"),
        (format!("/api/v1/jobs/{job}/logs/download"), "*/*"),
        (format!("/api/v1/jobs/{job}/why"), "*/*"),
        (format!("/logs/{job}"), "text/html"),
        ("/jobs".to_owned(), "text/html"),
        ("/api/v1/jobs?include_completed=true".to_owned(), "*/*"),
        ("/metrics".to_owned(), "*/*"),
    ] {
        let answer = call(Method::GET, &registry.url(&path), |request| {
            request.header("accept", accept)
        });
        assert_eq!(answer.status, 200, "{path}");
        shown += &answer.text();
    }
    shown
}

fn registry(compiler: &str) -> Registry {
    let configuration = "[worker]\nsandbox = \"none\"\n[trustees]\ntoken_file = \"token\"\n";
    Registry::start_with(configuration, |dir| {
        fs::write(dir.join("token"), TOKEN).unwrap();
        let texts: Vec<String> = planted()
            .iter()
            .map(|planted| planted.text.replace("\\n", "\n"))
            .collect();
        fs::write(dir.join("planted"), texts.join("\n") + "\n").unwrap();
        if !compiler.is_empty() {
            before_the_compiler(dir, compiler);
        }
    })
}

/// What a compiler prints, line by line and all at once.
#[test]
fn what_a_compiler_prints_is_stored_without_secrets() {
    let registry =
        registry("if [ \"$1\" = compile ]; then cat $dir/planted >&2; cat $dir/planted; exit 1; fi");
    let demo = demo(&registry);
    demo.push();
    let said = registry
        .docket(&["publish", demo.work().to_str().unwrap()])
        .expect_code(1);
    assert_clean("docket", &said.all());
    let jobs = get(&registry.url("/api/v1/jobs?include_completed=true")).json();
    let job = jobs[0]["jobId"].as_str().unwrap().to_owned();
    let shown = shown(&registry, &job);
    assert_clean("the job", &shown);
    assert!(
        shown.contains("[redacted]"),
        "what the compiler printed is there: {shown}"
    );
}

/// What is asked for, in each field, with each kind of secret: the answer, the job that comes of it, and the pages.
#[test]
fn what_is_asked_for_is_answered_and_shown_without_secrets() {
    let registry = registry("");
    let mut jobs = Vec::new();
    for Planted { text, .. } in planted() {
        for field in ["name", "ref", "version", "compiler", "repo", "owner", "subdir"] {
            // The token of the test is also a good name for a package, and would be told as that.
            if text == TOKEN && ["name", "repo", "owner"].contains(&field) {
                continue;
            }
            let value = |name: &str, usual: &str| {
                if name == field {
                    text.clone()
                } else {
                    usual.to_owned()
                }
            };
            let mut location = json!({
                "githubOwner": value("owner", "lab"),
                "githubRepo": value("repo", "purescript-none"),
            });
            if field == "subdir" {
                location["subdir"] = text.clone().into();
            }
            let body = json!({
                "compiler": value("compiler", "0.15.15"),
                "location": location,
                "name": value("name", "none"),
                "ref": value("ref", "v1.0.0"),
                "version": value("version", "1.0.0"),
            });
            let answer = post_publish(&registry, &body.to_string());
            assert_clean(field, &answer.text());
            if answer.status == 200 {
                jobs.push(answer.json()["jobId"].as_str().unwrap().to_owned());
            }
        }
        let answer = call(Method::POST, &registry.url("/api/v1/unpublish"), |request| {
            let request = request.header("authorization", format!("Bearer {}x", text.replace("\\n", "")));
            request.body(json!({"payload": text, "signature": text}).to_string())
        });
        assert_clean("an operation", &answer.text());
        let answer = call(Method::GET, &registry.url("/api/v1/packages/none"), |request| {
            request.query(&[("cursor", &text)])
        });
        assert_clean("a query", &answer.text());
    }
    assert!(!jobs.is_empty(), "some of it looks like something to publish");
    jobs.dedup();
    for job in jobs {
        registry.wait_for_job(&job);
        assert_clean("a job", &shown(&registry, &job));
    }
}

/// What authors wrote into their package.
#[test]
fn a_readme_is_shown_without_secrets() {
    let registry = registry("");
    let demo = demo(&registry);
    let readme: Vec<String> = planted()
        .iter()
        .map(|planted| format!("- {}", planted.text))
        .collect();
    demo.commit(&[("README.md", &readme.join("\n"))])
        .tag("v1.0.0")
        .push();
    registry
        .docket(&["publish", demo.work().to_str().unwrap()])
        .expect_code(0);
    let page = get(&registry.url("/packages/demo")).text();
    assert_clean("the page of a package", &page);
    assert!(page.contains("[redacted]"), "{page}");
}
