//! Text of others that would like to do something: to a terminal, or to the service that runs a workflow.

use serde_json::{Value, json};

use crate::program::{Said, docket, run};
use crate::stand_in::StandIn;

/// Escape sequences in both forms, a title for the window, marks that turn text around, and commands to three services.
const PLANTED: &str = "x\u{1b}[2J\u{9b}31m\u{1b}]0;t\u{7}\u{202e}\r\n::error file=a::no\n  ::set-env name=A::b\n##[error]no ##vso[task.setvariable]a";

const TIME: &str = "2026-08-18T07:02:11.004Z";

/// A registry that says it wherever it may say what it likes.
fn registry() -> StandIn {
    let server = StandIn::start();
    let job = json!({
        "createdAt": TIME, "jobId": "job-1", "jobType": PLANTED, "packageName": PLANTED, "packageVersion": PLANTED, "compilerVersion": PLANTED,
        "payload": { "reason": PLANTED }, "state": PLANTED, "success": false, "actor": { "role": PLANTED, "name": PLANTED },
        "error": { "code": "compile-failed", "message": PLANTED },
        "logs": [{ "level": "ERROR", "message": PLANTED, "timestamp": TIME }],
    });
    server.answers("GET /api/v1/jobs", 200, &json!([job]));
    server.answers("GET /api/v1/jobs/job-1", 200, &job);
    server.answers(
        "GET /api/v1/jobs/job-1/why",
        200,
        &json!({ "jobId": "job-1", "state": PLANTED, "sentence": PLANTED, "reason": { "kind": PLANTED } }),
    );
    let line = json!({ "seq": 1, "timestamp": TIME, "level": "NOTICE", "message": PLANTED });
    server.answers(
        "GET /api/v1/jobs/job-1/logs",
        200,
        &json!({ "lines": [line], "next": 1, "finished": true, "success": false }),
    );
    server.answers(
        "GET /api/v1/schedules",
        200,
        &json!([{ "task": PLANTED, "every": PLANTED, "nextTick": TIME }]),
    );
    let summary = json!({ "name": "slug", "version": "1.2.0", "publishedTime": TIME, "license": PLANTED, "description": PLANTED });
    server.answers("GET /api/v1/search", 200, &json!({ "packages": [summary] }));
    server.answers(
        "GET /api/v1/packages/slug",
        200,
        &json!({
            "name": "slug", "location": { "githubOwner": "lab", "githubRepo": "slug" },
            "owners": [{ "id": PLANTED, "keytype": PLANTED, "public": "AAAA" }], "published": {}, "unpublished": {},
        }),
    );
    let mut version = crate::stand_in::slug();
    version["status"] = json!(PLANTED);
    version["reason"] = json!(PLANTED);
    version["unpublishedTime"] = json!(TIME);
    version["dependants"][0]["range"] = json!(PLANTED);
    version["manifest"] = json!({
        "name": "slug", "version": "1.2.0", "license": "MIT", "description": PLANTED, "ref": PLANTED,
        "location": { "githubOwner": "lab", "githubRepo": "slug" }, "dependencies": {},
    });
    server.answers("GET /api/v1/packages/slug/1.2.0", 200, &version);
    let problem = json!({ "type": PLANTED, "title": PLANTED, "detail": PLANTED });
    server.answers("GET /api/v1/packages/refused", 400, &problem);
    server.answers("POST /api/v1/unpublish", 403, &problem);
    server
}

/// Fails when something in the output does more than stand there.
#[track_caller]
fn check(said: &Said, command: &[&str]) {
    for text in [&said.out, &said.err] {
        for char in text.chars() {
            let stands_there = char == '\n' || !(char.is_control() || char == '\u{202e}');
            assert!(stands_there, "{command:?} printed {char:?} in {text}");
        }
        for line in text.lines() {
            let line = line.trim_start();
            assert!(!line.starts_with("::"), "{command:?}: {text}");
            assert!(
                !line.contains("##[") && !line.contains("##vso["),
                "{command:?}: {text}"
            );
        }
    }
}

#[test]
fn no_command_lets_text_of_others_do_anything() {
    let (server, folder) = (registry(), crate::publish::demo());
    let key = crate::program::Key::new();
    let (dir, key) = (folder.path().to_str().unwrap(), key.path());
    for command in [
        &["job", "list"][..],
        &["job", "show", "job-1"],
        &["job", "logs", "job-1"],
        &["job", "logs", "job-1", "--follow"],
        &["job", "why", "job-1"],
        &["schedule", "list"],
        &["search", "x"],
        &["info", "slug"],
        &["info", "slug@1.2.0"],
        &["info", "refused"],
        &["owner", "list", "slug"],
        &["publish", dir],
        &[
            "unpublish",
            "slug@1.2.0",
            "--reason",
            PLANTED,
            "--key",
            &key,
            "--yes",
        ],
        &["explain", PLANTED],
    ] {
        for form in [&[][..], &["--json"]] {
            let command = [command, form].concat();
            let said = run(docket(&server, &command));
            let shown = said.out.len() + said.err.len();
            assert!(shown > 20, "{command:?} printed nothing");
            check(&said, &command);
        }
    }
}

#[test]
fn programs_get_what_others_wrote_unchanged() {
    let said = run(docket(&registry(), &["search", "x", "--json"])).expect_code(0);
    let found: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(found["description"], PLANTED);
}

#[test]
fn an_annotation_is_printed_only_where_it_was_asked_for() {
    let (server, folder) = (registry(), crate::publish::demo());
    let publish = [
        "publish",
        folder.path().to_str().unwrap(),
        "--annotations",
        "github",
    ];
    let mut command = docket(&server, &publish);
    command.current_dir(folder.path());
    let said = run(command).expect_code(1);
    let commands: Vec<&str> = said
        .out
        .lines()
        .filter(|line| line.trim_start().starts_with("::"))
        .collect();
    assert_eq!(commands.len(), 1, "{}", said.out);
    assert!(
        commands[0].starts_with("::error file=purs.json,title=compile-failed::x\\x1b[2J"),
        "{}",
        said.out
    );
}
