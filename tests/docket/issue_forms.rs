//! What stands on GitHub: the issue forms, which `docket forward-issue` must understand, and the action that publishes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use docket_github::issue::{Reading, Request, read};
use serde_json::Value;

use crate::program::{Said, run};
use crate::stand_in::StandIn;

fn github(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".github").join(path)
}

fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Fills a form in as GitHub does: a heading for each field, and below it what was typed.
fn fill(form: &str, answers: &[(&str, &str)]) -> String {
    let form = yaml(&github("ISSUE_TEMPLATE").join(form));
    assert!(
        form["name"].is_string() && form["description"].is_string(),
        "{form}"
    );
    let mut answers: BTreeMap<&str, &str> = answers.iter().copied().collect();
    let mut body = String::new();
    for field in form["body"].as_array().unwrap() {
        let kind = field["type"].as_str().unwrap();
        if kind == "markdown" {
            continue;
        }
        assert!(["input", "textarea"].contains(&kind), "{field}");
        let label = field["attributes"]["label"].as_str().unwrap();
        let answer = answers.remove(field["id"].as_str().unwrap());
        let is_required = field["validations"]["required"] == true;
        assert!(answer.is_some() || !is_required, "{label} has to be filled in");
        body.push_str(&format!(
            "### {label}\n\n{}\n\n",
            answer.unwrap_or("_No response_")
        ));
    }
    assert!(answers.is_empty(), "there are no fields for {answers:?}");
    body
}

#[track_caller]
fn asks_for(body: &str) -> String {
    match read(body, None) {
        Reading::Request(Request::PackageSet(update)) => docket_core::json::to_compact(&update),
        Reading::Request(request) => request.title(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_form_is_understood_as_it_is_filled_in() {
    let unpublish = fill(
        "unpublish.yml",
        &[
            ("name", "slug"),
            ("version", "1.2.0"),
            ("reason", "leaks a key\nand more"),
        ],
    );
    assert_eq!(asks_for(&unpublish), "unpublish slug@1.2.0");
    let transfer = fill("transfer.yml", &[("name", "slug"), ("to", "guild/slug")]);
    assert_eq!(asks_for(&transfer), "transfer slug to guild/slug");
    let set = fill(
        "package-set.yml",
        &[
            ("packages", "slug@3.0.0\neffect@4.0.1"),
            ("remove", "argonaut"),
            ("compiler", "0.15.16"),
        ],
    );
    assert_eq!(
        asks_for(&set),
        r#"{"compiler":"0.15.16","packages":{"argonaut":null,"effect":"4.0.1","slug":"3.0.0"}}"#
    );
    let set = fill("package-set.yml", &[("packages", "slug@3.0.0")]);
    assert_eq!(asks_for(&set), r#"{"packages":{"slug":"3.0.0"}}"#);
}

#[test]
fn every_form_is_tried() {
    let forms = fs::read_dir(github("ISSUE_TEMPLATE")).unwrap();
    assert_eq!(
        forms.count(),
        3,
        "a form that is not filled in above may not be understood"
    );
}

/// Runs the last step of the action in `dir`, with these inputs and no others than the program.
fn publish(server: &StandIn, dir: &Path, inputs: &[(&str, &str)]) -> Said {
    let action = yaml(&github("actions/publish/action.yml"));
    let step = action["runs"]["steps"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    let mut command = Command::new("bash");
    command
        .args(["-c", step["run"].as_str().unwrap()])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("RUNNER_TEMP", dir)
        .current_dir(dir);
    let given: BTreeMap<&str, &str> = inputs.iter().copied().collect();
    for (name, value) in step["env"].as_object().unwrap() {
        let input = value
            .as_str()
            .unwrap()
            .trim_start_matches("${{ inputs.")
            .trim_end_matches(" }}");
        assert!(action["inputs"][input].is_object(), "{input} is an input");
        let value = match input {
            "server" => &server.url,
            "program" => env!("CARGO_BIN_EXE_docket"),
            "directory" => given.get("directory").copied().unwrap_or("."),
            input => given.get(input).copied().unwrap_or_default(),
        };
        command.env(name, value);
    }
    run(command)
}

#[test]
fn the_action_publishes_the_tag_that_it_runs_for() {
    let (server, folder) = (StandIn::start(), crate::publish::demo());
    publish(&server, folder.path(), &[("ref", "v1.0.0")]).expect_code(0);
    let posted: Value = serde_json::from_str(&server.posted().body).unwrap();
    assert_eq!(
        (&posted["name"], &posted["ref"]),
        (&"demo".into(), &"v1.0.0".into())
    );
}

#[test]
fn the_action_fails_with_the_publish_and_shows_where() {
    let (server, folder) = (StandIn::start(), crate::publish::demo());
    server.job_ends(false);
    server.answers(
        "GET /api/v1/jobs/job-1",
        200,
        &serde_json::json!({
            "createdAt": "2026-08-18T07:02:11.004Z", "jobId": "job-1", "jobType": "publish", "logs": [], "payload": {}, "success": false,
            "error": { "code": "compile-failed", "message": "It does not compile:\ndemo-1.0.0/src/Demo.purs:3:9 [UnknownName]\n  Unknown value foo" },
        }),
    );
    let said = publish(&server, folder.path(), &[]).expect_code(1);
    let expected =
        "::error file=src/Demo.purs,line=3,col=9,title=compile-failed::[UnknownName]%0AUnknown value foo\n";
    assert!(said.out.ends_with(expected), "{}", said.out);
}
