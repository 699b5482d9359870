//! `docket publish` and `docket job`, from the manifest to the exit code.

use serde_json::Value;

use crate::git::Repository;
use crate::harness::Registry;

const DEMO: &str = "module Demo where\n\nimport Prelude\n\ndemo :: Unit\ndemo = unit\n";

/// Makes the repository of the package `demo` 1.0.0, committed and tagged `v1.0.0`, not pushed.
pub(crate) fn demo(registry: &Registry) -> Repository {
    let repository = registry.repository("lab", "purescript-demo");
    repository
        .commit(&[
            ("purs.json", &purs_json("1.0.0", "v1.0.0")),
            ("src/Demo.purs", DEMO),
            ("README.md", "# demo\n"),
        ])
        .tag("v1.0.0");
    repository
}

/// Returns a `purs.json` of the package `demo`.
pub(crate) fn purs_json(version: &str, git_ref: &str) -> String {
    format!(
        r#"{{
  "name": "demo",
  "version": "{version}",
  "license": "MIT",
  "location": {{ "githubOwner": "lab", "githubRepo": "purescript-demo" }},
  "ref": "{git_ref}",
  "dependencies": {{ "prelude": ">=6.0.0 <7.0.0" }}
}}
"#
    )
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect()
}

#[test]
fn publishing_follows_the_log_and_exits_with_0() {
    let registry = Registry::start();
    let demo = demo(&registry);
    demo.push();
    let said = registry
        .docket(&["publish", demo.work().to_str().unwrap()])
        .expect_code(0)
        .expect("published demo@1.0.0");
    let jobs = registry.docket(&["job", "list", "--json"]).expect_code(0);
    let job = json_lines(&jobs.out)[0]["jobId"].as_str().unwrap().to_owned();
    for line in registry.log(&job, "INFO") {
        let (time, level) = (
            line["timestamp"].as_str().unwrap(),
            line["level"].as_str().unwrap(),
        );
        assert_eq!(
            said.out.matches(&format!("{time} {level}")).count(),
            1,
            "{line} is shown once, plainly"
        );
    }
    assert!(!said.all().contains('\u{1b}'), "no colours in a pipe");

    registry
        .docket(&["job", "list"])
        .expect_code(0)
        .expect(&job)
        .expect("succeeded")
        .expect("demo@1.0.0");
    registry
        .docket(&["job", "list", "--active"])
        .expect_code(0)
        .expect("there are no such jobs");
    registry
        .docket(&["job", "show", &job])
        .expect_code(0)
        .expect("demo@1.0.0")
        .expect("succeeded");
    let logs = registry.docket(&["job", "logs", &job, "--json"]).expect_code(0);
    assert_eq!(json_lines(&logs.out), registry.log(&job, "INFO"));
    let followed = registry
        .docket(&["job", "logs", &job, "--follow", "--json"])
        .expect_code(0);
    assert_eq!(json_lines(&followed.out).last().unwrap()["success"], true);
    let errors = registry
        .docket(&["job", "logs", &job, "--level", "error"])
        .expect_code(0);
    assert_eq!(errors.out, "");
}

#[test]
fn what_the_registry_holds_is_found_and_verified() {
    let registry = Registry::start();
    let demo = demo(&registry);
    demo.push();
    registry
        .docket(&["publish", demo.work().to_str().unwrap()])
        .expect_code(0);
    let found = registry.docket(&["search", "demo", "--json"]).expect_code(0);
    assert_eq!(json_lines(&found.out)[0]["version"], "1.0.0");
    registry
        .docket(&["info", "demo"])
        .expect_code(0)
        .expect("prelude >=6.0.0 <7.0.0")
        .expect("spago install demo");
    registry
        .docket(&["verify", "--all"])
        .expect_code(0)
        .expect("all is as it should be");
}

#[test]
fn a_publish_that_fails_says_why_exits_with_1_and_can_be_repeated() {
    let registry = Registry::start();
    let demo = demo(&registry);
    demo.commit(&[("src/Demo.purs", "module Demo where\n\nimport Nowhere\n")])
        .tag("v1.0.0")
        .push();
    let dir = demo.work().to_str().unwrap();
    let said = registry
        .docket(&["publish", dir])
        .expect_code(1)
        .expect("failed")
        .expect("Nowhere");
    assert!(said.err.contains("error: job "), "{}", said.err);
    let jobs = registry.docket(&["job", "list", "--json"]).expect_code(0);
    let job = json_lines(&jobs.out)[0]["jobId"].as_str().unwrap().to_owned();
    registry.docket(&["job", "logs", &job, "--follow"]).expect_code(1);
    registry
        .docket(&["job", "show", &job])
        .expect_code(0)
        .expect("error");

    demo.commit(&[("src/Demo.purs", DEMO)]).tag("v1.0.0").push();
    registry
        .docket(&["publish", dir])
        .expect_code(0)
        .expect("published demo@1.0.0");
}

#[test]
fn without_waiting_the_job_id_is_all_that_is_printed() {
    let registry = Registry::start();
    let demo = demo(&registry);
    demo.push();
    let dir = demo.work().to_str().unwrap();
    let said = registry.docket(&["publish", "--no-wait", dir]).expect_code(0);
    registry.wait_for_job(said.out.trim());
    let again = registry
        .docket(&["publish", "--no-wait", "--json", dir])
        .expect_code(0);
    assert_eq!(json_lines(&again.out)[0]["jobId"], said.out.trim());
}

#[test]
fn a_spago_package_is_published_from_the_tag_of_its_version() {
    let registry = Registry::start();
    let demo = registry.repository("lab", "purescript-demo");
    let yaml = "package:\n  name: demo\n  dependencies:\n    - prelude: \">=6.0.0 <7.0.0\"\n  publish:\n    version: 2.0.0\n    \
                license: MIT\n    location:\n      githubOwner: lab\n      githubRepo: purescript-demo\n";
    demo.commit(&[("spago.yaml", yaml), ("src/Demo.purs", DEMO)])
        .tag("v2.0.0")
        .push();
    registry
        .docket(&["publish", demo.work().to_str().unwrap()])
        .expect_code(0)
        .expect("published demo@2.0.0");
}

#[test]
fn wrong_usage_exits_with_2_and_an_absent_server_with_1() {
    let registry = Registry::start();
    registry.docket(&["publish", "--no-such-option"]).expect_code(2);
    registry.docket(&["job", "show", "../jobs"]).expect_code(2);
    registry
        .docket(&["--server", "no address", "job", "list"])
        .expect_code(2);
    registry
        .docket(&["publish", registry.path("home").to_str().unwrap()])
        .expect_code(1)
        .expect("no purs.json");
    registry
        .docket(&["job", "show", "9607c6e5-a040-41c4-a015-cee4a838d32d"])
        .expect_code(1)
        .expect("knows no job")
        .expect("docket job list");
    registry
        .docket(&["--server", "http://127.0.0.1:1", "job", "list"])
        .expect_code(1)
        .expect("did not answer");
}

#[test]
fn escape_sequences_of_others_do_not_reach_the_terminal() {
    let registry = Registry::start();
    let demo = demo(&registry);
    demo.commit(&[("src/Demo.purs", "module Demo where\n\nimport \u{1b}[2JNowhere\n")])
        .tag("v1.0.0")
        .push();
    let said = registry
        .docket(&["publish", demo.work().to_str().unwrap()])
        .expect_code(1);
    assert!(!said.all().contains('\u{1b}'), "{:?}", said.all());
    let jobs = registry.docket(&["job", "list", "--json"]).expect_code(0);
    assert!(!jobs.out.contains('\u{1b}'), "JSON escapes them");
}
