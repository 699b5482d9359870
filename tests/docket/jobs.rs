//! `docket job` for those who operate a registry.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Said, docket, run};
use crate::stand_in::StandIn;
use crate::terminal::Terminal;

/// A file with the token of a trustee.
struct Token {
    folder: TempDir,
}

impl Token {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), text).unwrap();
        Self { folder }
    }

    fn path(&self) -> String {
        self.folder.path().join("token").to_str().unwrap().to_owned()
    }
}

fn job(server: &StandIn, args: &[&str]) -> Said {
    run(docket(server, &[&["job"], args].concat()))
}

/// `docket job` as a trustee.
fn as_trustee(server: &StandIn, args: &[&str]) -> Said {
    let token = Token::new("sesame\n");
    job(server, &[args, &["--token-file", &token.path()]].concat())
}

fn listed(number: usize, kind: &str, state: &str) -> Value {
    json!({
        "createdAt": format!("2026-08-18T07:02:{number:02}.004Z"), "jobId": format!("job-{number}"), "jobType": kind, "logs": [],
        "payload": {}, "state": state, "success": false,
    })
}

#[test]
fn a_list_is_filtered_and_read_page_by_page() {
    let server = StandIn::start();
    let first = "GET /api/v1/jobs?order=DESC&include_completed=true&kind=push&state=cancelled&package=slug&parent=job-9&who=ann+of+GitHub";
    let link = "link: <?order=DESC&cursor=d2>; rel=\"next\"\r\n";
    server.answers_with(
        first,
        200,
        link,
        &json!([listed(3, "push", "cancelled"), listed(2, "push", "cancelled")]),
    );
    server.answers(
        &format!("{first}&cursor=d2"),
        200,
        &json!([listed(1, "push", "cancelled")]),
    );
    let filters = [
        "list",
        "--kind",
        "push",
        "--state",
        "cancelled",
        "--package",
        "slug",
        "--parent",
        "job-9",
        "--who",
        "ann of GitHub",
    ];
    let said = job(&server, &filters).expect_code(0);
    let lines: Vec<_> = said.out.lines().skip(1).collect();
    assert_eq!(
        lines[0],
        format!("{:<36}  cancelled  push        2026-08-18T07:02:03.004Z", "job-3")
    );
    assert_eq!(lines.len(), 3);
    let said = job(&server, &[&filters[..], &["--limit", "2", "--json"]].concat()).expect_code(0);
    assert_eq!(said.out.lines().count(), 2);
    assert_eq!(server.requests("GET").len(), 3, "no page is asked for in vain");
}

#[test]
fn a_filter_that_the_registry_does_not_take_is_explained() {
    let server = StandIn::start();
    let detail = "The parameter `kind` does not fit: there are publish and push.";
    server.answers(
        "GET /api/v1/jobs",
        400,
        &json!({ "title": "Invalid query", "detail": detail }),
    );
    job(&server, &["list", "--kind", "publsh"])
        .expect_code(1)
        .explains(detail);
    for args in [
        &["list", "--state", "done"][..],
        &["list", "--active", "--state", "failed"],
        &["list", "--limit", "0"],
    ] {
        job(&server, args).expect_code(2);
    }
}

/// A search goes on through pages in which nothing was found.
#[test]
fn a_log_is_searched_to_its_end() {
    let server = StandIn::start();
    let route = "GET /api/v1/jobs/job-1/logs?after=";
    let query = "&level=DEBUG&search=a+b%26c&limit=500";
    let line = json!({ "seq": 170_000, "timestamp": "2026-08-18T07:02:11.004Z", "level": "DEBUG", "message": "here: A B&C" });
    for (after, page) in [
        (
            0,
            json!({ "lines": [], "next": 80_000, "finished": false, "more": true }),
        ),
        (
            80_000,
            json!({ "lines": [line], "next": 170_000, "finished": false, "more": true }),
        ),
        (
            170_000,
            json!({ "lines": [], "next": 170_001, "finished": true, "success": true }),
        ),
    ] {
        server.answers(&format!("{route}{after}{query}"), 200, &page);
    }
    let found = job(
        &server,
        &["logs", "job-1", "--search", "a b&c", "--level", "debug"],
    )
    .expect_code(0);
    assert!(
        found.out.ends_with("here: A B&C\n") && found.out.lines().count() == 1,
        "{}",
        found.out
    );
}

#[test]
fn why_is_one_sentence_and_harmless() {
    let server = StandIn::start();
    let why = json!({
        "jobId": "job-1", "state": "queued", "sentence": "It waits for \u{1b}[2Jthe lock a.", "reason": { "kind": "lock", "name": "a", "ahead": 0 }
    });
    server.answers("GET /api/v1/jobs/job-1/why", 200, &why);
    let said = job(&server, &["why", "job-1"]).expect_code(0);
    assert_eq!(said.out, "It waits for \\x1b[2Jthe lock a.\n");
    let said = job(&server, &["why", "job-1", "--json"]).expect_code(0);
    assert_eq!(serde_json::from_str::<Value>(&said.out).unwrap(), why);
    job(&server, &["why", "job-2"])
        .expect_code(1)
        .explains("knows no job job-2")
        .explains("docket job list");
}

#[test]
fn a_trustee_cancels_retries_and_reorders() {
    let server = StandIn::start();
    server.answers(
        "POST /api/v1/jobs/job-1/cancel",
        200,
        &json!({ "jobId": "job-1", "state": "cancelled" }),
    );
    server.answers(
        "POST /api/v1/jobs/job-2/cancel",
        202,
        &json!({ "jobId": "job-2", "state": "running" }),
    );
    server.answers(
        "POST /api/v1/jobs/job-1/retry",
        200,
        &json!({ "jobId": "job-1", "state": "queued" }),
    );
    server.answers(
        "POST /api/v1/jobs/job-1/priority",
        200,
        &json!({ "jobId": "job-1", "priority": -2 }),
    );
    for (args, out) in [
        (&["cancel", "job-1"][..], "job job-1 is cancelled\n"),
        (
            &["cancel", "job-2"],
            "job job-2 runs, and ends at the next safe point\n",
        ),
        (&["retry", "job-1"], "job job-1 is queued again\n"),
        (
            &["priority", "job-1", "-2"],
            "job job-1 has the priority -2 now\n",
        ),
        (
            &["cancel", "job-1", "--json"],
            "{\"jobId\":\"job-1\",\"state\":\"cancelled\"}\n",
        ),
        (
            &["retry", "job-1", "--json"],
            "{\"jobId\":\"job-1\",\"state\":\"queued\"}\n",
        ),
        (
            &["priority", "job-1", "-2", "--json"],
            "{\"jobId\":\"job-1\",\"priority\":-2}\n",
        ),
    ] {
        assert_eq!(as_trustee(&server, args).expect_code(0).out, out, "{args:?}");
    }
    for request in server.requests("POST") {
        assert_eq!(
            request.authorization.as_deref(),
            Some("Bearer sesame"),
            "{request:?}"
        );
    }
    server.answers(
        "POST /api/v1/jobs/job-1/cancel",
        409,
        &json!({ "title": "Job is over", "detail": "The job has ended before (succeeded)." }),
    );
    as_trustee(&server, &["cancel", "job-1"])
        .expect_code(1)
        .explains("ended before (succeeded)")
        .explains("Nothing was done.");
}

#[test]
fn without_a_usable_token_nothing_is_sent() {
    let server = StandIn::start();
    for args in [
        &["cancel", "job-1"][..],
        &["retry", "job-1"],
        &["retry", "--code", "unavailable", "--yes"],
        &["priority", "job-1", "3"],
        &["pause", "publish"],
        &["resume", "publish"],
        &["limit", "publish", "3"],
    ] {
        job(&server, args).expect_code(2).explains("--token-file");
        for (text, reason) in [
            ("", "no token"),
            ("ses\name", "characters that a token cannot have"),
        ] {
            let token = Token::new(text);
            let said = job(&server, &[args, &["--token-file", &token.path()]].concat());
            let said = said.expect_code(1).explains(reason);
            assert!(
                !said.err.contains("ses\n"),
                "a token is never shown: {}",
                said.err
            );
        }
    }
    as_trustee(&server, &["cancel", "../packages"]).expect_code(2);
    assert!(server.requests("").is_empty());
}

/// Three failed jobs that a retry can find.
fn with_failures() -> StandIn {
    let server = StandIn::start();
    server.answers(
        "GET /api/v1/jobs",
        200,
        &json!([
            listed(1, "push", "failed"),
            listed(2, "matrix", "failed"),
            listed(3, "push", "failed")
        ]),
    );
    server.answers(
        "POST /api/v1/jobs/retry",
        200,
        &json!({ "jobIds": ["job-1", "job-2", "job-3"] }),
    );
    server
}

#[test]
fn a_retry_by_code_says_how_many_before_it_is_sent() {
    let server = with_failures();
    as_trustee(&server, &["retry", "--code", "unavailable"])
        .expect_code(1)
        .explains("3 jobs that failed with unavailable")
        .explains("1 matrix, 2 push")
        .explains("nobody is there to ask");
    assert!(server.requests("POST").is_empty());
    let said = as_trustee(
        &server,
        &["retry", "--code", "unavailable", "--kind", "push", "--yes"],
    )
    .expect_code(0);
    assert_eq!(said.out, "job-1\njob-2\njob-3\n");
    let body: Value = serde_json::from_str(&server.posted().body).unwrap();
    assert_eq!(body, json!({ "code": "unavailable", "kind": "push", "limit": 3 }));
    let asked = server.requests("GET");
    assert!(
        asked[0].line.ends_with("&kind=all&state=failed&code=unavailable"),
        "{asked:?}"
    );
    assert!(
        asked[1]
            .line
            .ends_with("&kind=push&state=failed&code=unavailable"),
        "{asked:?}"
    );
    let said = as_trustee(&server, &["retry", "--code", "unavailable", "--yes", "--json"]).expect_code(0);
    assert_eq!(said.out, "{\"jobIds\":[\"job-1\",\"job-2\",\"job-3\"]}\n");
    server.answers("GET /api/v1/jobs", 200, &json!([]));
    as_trustee(&server, &["retry", "--code", "unavailable", "--yes"])
        .expect_code(0)
        .explains("no job failed with unavailable");
    assert_eq!(server.requests("POST").len(), 2);
}

#[test]
fn a_retry_by_code_asks_whoever_sits_there() {
    let (server, token) = (with_failures(), Token::new("sesame"));
    let args = format!("job retry --code unavailable --token-file {}", token.path());
    let mut terminal = Terminal::start(&server, &args);
    terminal
        .sees("3 jobs that failed with unavailable")
        .sees("Queue 3 jobs again? [y/N]")
        .types("n");
    assert_eq!(terminal.code(), Some(1));
    assert!(server.requests("POST").is_empty());
    let mut terminal = Terminal::start(&server, &args);
    terminal.sees("[y/N]").types("y").sees("job-3");
    assert_eq!(terminal.code(), Some(0));
    assert_eq!(server.requests("POST").len(), 1);
}

#[test]
fn kinds_are_listed_paused_resumed_and_limited() {
    let server = StandIn::start();
    let matrix = json!({
        "kind": "matrix", "queued": 120, "running": 3, "maxRunning": 4, "pausedSince": "2026-08-18T07:02:11.004Z", "pausedBy": "trustee ann of GitHub"
    });
    let push = json!({ "kind": "push", "queued": 0, "running": 1 });
    server.answers("GET /api/v1/job-kinds", 200, &json!([matrix, push]));
    let said = job(&server, &["kinds"]).expect_code(0);
    assert_eq!(
        said.out,
        "KIND                WAITING  RUNNING  LIMIT  PAUSED\n\
         matrix                  120        3      4  since 2026-08-18T07:02:11.004Z by trustee ann of GitHub\n\
         push                      0        1      -\n"
    );
    let said = job(&server, &["kinds", "--json"]).expect_code(0);
    let kinds: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(kinds, [matrix, push.clone()]);
    for what in ["pause", "resume", "limit"] {
        server.answers(&format!("POST /api/v1/job-kinds/push/{what}"), 200, &push);
    }
    for (args, out) in [
        (&["pause", "push"][..], "push is paused; 0 waiting, 1 running\n"),
        (&["resume", "push"], "push goes on; 0 waiting, 1 running\n"),
        (
            &["limit", "push", "2"],
            "push is limited to 2 jobs at once; 0 waiting, 1 running\n",
        ),
        (
            &["limit", "push", "none"],
            "push has no limit; 0 waiting, 1 running\n",
        ),
    ] {
        assert_eq!(as_trustee(&server, args).expect_code(0).out, out, "{args:?}");
    }
    let bodies: Vec<_> = server
        .requests("POST")
        .into_iter()
        .map(|request| request.body)
        .collect();
    assert_eq!(bodies[2..], ["{\"maxRunning\":2}", "{\"maxRunning\":null}"]);
    server.answers(
        "POST /api/v1/job-kinds/publsh/pause",
        404,
        &json!({ "title": "Not found", "detail": "Nothing was done: there are publish, push." }),
    );
    as_trustee(&server, &["pause", "publsh"])
        .expect_code(1)
        .explains("there are publish, push");
}
