//! Whether the server does what its description says: schemathesis, unmodified, tries every route with what fits and what does not.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::asking::publish;
use crate::harness::{DEADLINE, Registry, run_within};
use crate::publish::demo;

/// What follows a log waits for its end, for as long as that takes; git's protocol is tested by git.
const LEFT_OUT: &str = "^/logs/|/logs/(ws|events)$|^/git/";

const TOKEN: &str = "the-token-of-a-test-0001";

#[test]
fn every_answer_is_one_that_the_description_knows() {
    let registry = Registry::start_with("[trustees]\ntoken_file = \"token\"\n", |dir| {
        fs::write(dir.join("token"), TOKEN).unwrap();
    });
    demo(&registry).push();
    let job = publish(&registry, "purescript-demo", "v1.0.0");
    registry.wait_for_job(&job);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tool = root.join(".tools/schemathesis/bin/schemathesis");
    assert!(tool.exists(), "schemathesis is not installed: run tests/tools.sh");
    let mut schemathesis = Command::new(tool);
    schemathesis
        .arg("--config-file")
        .arg(root.join("tests/schemathesis/schemathesis.toml"))
        .args(["run", &registry.url("/openapi.json"), "--no-color"])
        .args(["--exclude-path-regex", LEFT_OUT])
        // The same requests each time.
        .args([
            "--seed",
            "1",
            "--generation-deterministic",
            "--max-examples",
            "20",
        ])
        .args(["--request-timeout", "30"])
        .env("DOCKET_TEST_TOKEN", TOKEN)
        .env("DOCKET_TEST_JOB", &job)
        .current_dir(registry.path("work"));
    // Half a minute of requests where nothing else runs.
    run_within(5 * DEADLINE, &mut schemathesis).expect_code(0);
}
