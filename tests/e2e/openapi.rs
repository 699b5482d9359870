//! Whether the server does what its description says: schemathesis, unmodified, tries every route with what fits and what does not.

use std::path::Path;
use std::process::Command;

use crate::asking::publish;
use crate::harness::{Registry, run};
use crate::publish::demo;

/// What follows a log waits for its end, for as long as that takes.
const FOLLOWS_LOGS: &str = "^/logs/|/logs/(ws|events)$";

#[test]
fn every_answer_is_one_that_the_description_knows() {
    let registry = Registry::start();
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
        .args(["--exclude-path-regex", FOLLOWS_LOGS])
        // The same requests each time.
        .args([
            "--seed",
            "1",
            "--generation-deterministic",
            "--max-examples",
            "20",
        ])
        .args(["--request-timeout", "30"])
        .current_dir(registry.path("work"));
    run(&mut schemathesis).expect_code(0);
}
