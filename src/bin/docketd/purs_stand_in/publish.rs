//! `purs publish`: the working tree and the tag are looked at as the compiler does, and what is printed has its form; there is no
//! documentation in it, and it says that a stand-in made it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use docket_core::manifest::Manifest;
use docket_core::version::Version;
use serde::Deserialize;
use serde_json::json;

use super::{check, sources};

/// Where a dependency lies, as the resolutions file says.
#[derive(Deserialize)]
struct Resolution {
    version: Version,
    path: String,
}

/// Prints the package in the git repository `root`, for the compiler `version`.
pub(super) fn publish(
    args: &[String],
    version: &str,
    root: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    match describe(args, version, root, err)? {
        Ok(json) => writeln!(out, "{json}").map(|()| 0),
        Err(why) => writeln!(err, "{why}").map(|()| 1),
    }
}

fn describe(
    args: &[String],
    version: &str,
    root: &Path,
    err: &mut dyn Write,
) -> io::Result<Result<serde_json::Value, String>> {
    let read = |option: &str| -> io::Result<String> {
        let place = args.iter().position(|arg| arg == option);
        let file = place.and_then(|place| args.get(place + 1));
        let missing = || io::Error::other(format!("Missing: {option} FILE"));
        std::fs::read_to_string(root.join(file.ok_or_else(missing)?))
    };
    if !git(root, &["status", "--porcelain"])?.is_empty() {
        return Ok(Err("Your git working tree is dirty.".to_owned()));
    }
    let Ok(manifest) = Manifest::from_stored(&read("--manifest")?) else {
        return Ok(Err("The manifest could not be read.".to_owned()));
    };
    let listed = git(root, &["tag", "--list", "--points-at", "HEAD"])?;
    let versions: Vec<&str> = listed
        .lines()
        .filter(|tag| tag.strip_prefix('v').unwrap_or(tag).parse::<Version>().is_ok())
        .collect();
    let [tag] = versions[..] else {
        return Ok(Err(format!(
            "Exactly one version must be tagged here; there are {versions:?}."
        )));
    };
    let resolutions: BTreeMap<String, Resolution> = serde_json::from_str(&read("--resolutions")?)?;
    let mut globs = vec!["src/**/*.purs".to_owned()];
    globs.extend(
        resolutions
            .values()
            .map(|resolution| format!("{}/src/**/*.purs", resolution.path)),
    );
    let (modules, report) = check::check(&sources::read(root, &globs, err)?);
    if !report.errors.is_empty() {
        return Ok(Err(report.to_text()));
    }
    let own = modules.values().filter(|module| module.path.starts_with("src/"));
    let resolved: BTreeMap<_, _> = resolutions
        .iter()
        .map(|(name, resolution)| (name, resolution.version))
        .collect();
    let dependencies: BTreeMap<_, _> = manifest
        .dependencies
        .iter()
        .map(|(name, range)| (format!("purescript-{name}"), range))
        .collect();
    Ok(Ok(json!({
        "standIn": docket_worker::compiler::STAND_IN,
        "packageMeta": {
            "name": format!("purescript-{}", manifest.name),
            "license": [manifest.license],
            "dependencies": dependencies,
        },
        "version": tag.strip_prefix('v').unwrap_or(tag),
        "versionTag": tag,
        "tagTime": git(root, &["log", "-1", "--format=%cI", tag])?.trim(),
        "compilerVersion": version,
        "resolvedDependencies": resolved,
        "modules": own.map(|module| json!({ "name": module.name, "declarations": [] })).collect::<Vec<_>>(),
        "moduleMap": {},
        "bookmarks": [],
        "uploader": null,
    })))
}

fn git(root: &Path, args: &[&str]) -> io::Result<String> {
    let mut command = Command::new("git");
    if !root.as_os_str().is_empty() {
        command.current_dir(root);
    }
    let output = command.args(args).output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    }
}
