//! The README's first command.

use std::process::Command;

use tempfile::TempDir;

use crate::harness::{DOCKETD, run};

/// `docketd demo --once` in an empty directory, with these programs.
fn demo(path: &str) -> (TempDir, Command) {
    let dir = TempDir::new().unwrap();
    let mut docketd = Command::new(DOCKETD);
    docketd
        .env_clear()
        .env("PATH", path)
        .env("HOME", dir.path())
        .current_dir(dir.path())
        .args(["demo", "--once"]);
    (dir, docketd)
}

#[test]
fn the_demo_shows_a_publish_and_ends_with_0_when_the_tarball_is_as_published() {
    let (dir, mut docketd) = demo(&std::env::var("PATH").unwrap());
    let said = run(&mut docketd)
        .expect_code(0)
        .expect("Successfully uploaded hello-docket@1.0.0.")
        .expect("as published.");
    for address in ["/logs/", "/packages/hello-docket", "/hello-docket/1.0.0.tar.gz"] {
        let line = said
            .out
            .lines()
            .find(|line| line.contains("http://127.0.0.1:") && line.contains(address));
        assert!(line.is_some(), "{address} in:\n{}", said.all());
    }
    assert_eq!(
        dir.path().read_dir().unwrap().count(),
        0,
        "nothing is left where it ran"
    );
}

#[test]
fn a_demo_that_cannot_publish_says_why_and_does_not_end_with_0() {
    let (_dir, mut docketd) = demo("/nonexistent");
    let said = run(&mut docketd);
    assert_ne!(said.code, Some(0), "{}", said.all());
    assert!(
        said.all().contains("git could not be started; install it"),
        "{}",
        said.all()
    );
}
