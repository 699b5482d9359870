//! Repositories with many tagged versions of small packages, each written by one git.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use docket_core::operation::Publish;

/// So many that pages and index files, which have a row for each version of a package, are as long at the end as at the beginning.
const PACKAGES: usize = 1600;
const VERSIONS: usize = 10;

/// Writes them below `folder/git`.
pub(crate) fn write(folder: &Path) -> anyhow::Result<()> {
    let licence = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello-docket/LICENSE");
    let licence = fs::read_to_string(licence)?;
    for package in 0..PACKAGES {
        let repository = folder.join(format!("git/lab/small-{package}"));
        fs::create_dir_all(&repository)?;
        let init = Command::new("git")
            .args(["init", "--quiet", "--bare"])
            .arg(&repository)
            .status()?;
        ensure!(init.success(), "git init failed");
        let mut child = Command::new("git")
            .args(["fast-import", "--quiet"])
            .current_dir(&repository)
            .stdin(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().context("its standard input is piped")?;
        for version in 0..VERSIONS {
            input.write_all(commit(package, version, &licence)?.as_bytes())?;
        }
        drop(input);
        ensure!(child.wait()?.success(), "git fast-import failed");
    }
    Ok(())
}

/// One version, as `git fast-import` reads it.
fn commit(package: usize, version: usize, licence: &str) -> anyhow::Result<String> {
    let mut text =
        format!("commit refs/tags/v1.0.{version}\ncommitter B <b@docket.invalid> 0 +0000\ndata 0\n");
    let mut file =
        |path: &str, content: &str| write!(text, "M 644 inline {path}\ndata {}\n{content}\n", content.len());
    let manifest = serde_json::json!({
        "name": format!("small-{package}"), "version": format!("1.0.{version}"), "license": "MIT", "ref": format!("v1.0.{version}"),
        "location": { "githubOwner": "lab", "githubRepo": format!("small-{package}") }, "dependencies": {},
    });
    file("purs.json", &manifest.to_string())?;
    file("LICENSE", licence)?;
    file(
        "README.md",
        &format!(
            "# small-{package}\n\nVersion {version}, with *some* `code` and [a link](https://docket.invalid).\n"
        ),
    )?;
    for part in 0..4 {
        let module = format!("module Small{package}.Part{part} where\n\nvalue :: Int\nvalue = {version}\n");
        file(&format!("src/Part{part}.purs"), &module)?;
    }
    Ok(text)
}

/// The package, and the last number of its version, that is published with this number.
pub(crate) fn place(number: usize) -> (usize, usize) {
    (number % PACKAGES, number / PACKAGES)
}

/// The operation with this number; every one is another.
pub(crate) fn operation(number: usize) -> anyhow::Result<Publish> {
    let (package, version) = place(number);
    ensure!(version < VERSIONS, "all versions are published");
    Ok(serde_json::from_value(serde_json::json!({
        "name": format!("small-{package}"), "version": format!("1.0.{version}"), "ref": format!("v1.0.{version}"),
        "location": { "githubOwner": "lab", "githubRepo": format!("small-{package}") },
    }))?)
}
