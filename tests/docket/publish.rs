//! `docket publish`.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::program::{docket, run};
use crate::screen;
use crate::stand_in::StandIn;
use crate::terminal::Terminal;

/// The folder of `demo@1.0.0`.
pub(crate) fn demo() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = json!({
        "name": "demo", "version": "1.0.0", "license": "MIT", "location": { "githubOwner": "lab", "githubRepo": "demo" },
        "ref": "v1.0.0", "dependencies": {},
    });
    fs::write(folder.path().join("purs.json"), manifest.to_string()).unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/Demo.purs"), "module Demo where\n").unwrap();
    folder
}

#[test]
fn progress_is_shown_while_the_job_runs_and_is_gone_at_the_end() {
    let (server, folder) = (StandIn::start(), demo());
    server.job_runs();
    let command = format!("publish {}", folder.path().display());
    let mut terminal = Terminal::of_kind("xterm", &server, &command);
    terminal
        .sees("publishing demo@1.0.0 from v1.0.0")
        .sees("looked at it")
        .sees("publishing demo@1.0.0 · 1 lines · 0s · looked at it");
    server.job_ends(true);
    terminal.sees("published demo@1.0.0");
    let (written, code) = terminal.ends();
    assert_eq!(code, Some(0));
    assert_eq!(
        screen::lines(&written),
        [
            "checking demo@1.0.0",
            &format!("publishing demo@1.0.0 from v1.0.0: {}/logs/job-1", server.url),
            "07:02:11.004 NOTICE looked at it",
            "published demo@1.0.0",
        ]
    );
}

#[test]
fn in_a_pipe_there_is_no_progress() {
    let (server, folder) = (StandIn::start(), demo());
    let said = run(docket(&server, &["publish", folder.path().to_str().unwrap()])).expect_code(0);
    assert_eq!(
        said.out,
        "2026-08-18T07:02:11.004Z NOTICE looked at it\npublished demo@1.0.0\n"
    );
    assert_eq!(
        said.err,
        format!(
            "checking demo@1.0.0\npublishing demo@1.0.0 from v1.0.0: {}/logs/job-1\n",
            server.url
        )
    );
}
