//! What a directory tells about the package in it: its name, git, the licence file, and what spago knows.

use std::fs;
use std::path::Path;

use docket_core::location::Location;
use docket_core::manifest::spago_yaml::{self, Outline};
use docket_core::name::PackageName;
use docket_core::version::Version;
use tokio::process::Command;

use crate::failure::Failure;
use crate::manifest::SPAGO_YAML;

/// The version of a package that has no tag yet.
const FIRST: Version = Version::new(0, 1, 0);

/// Names that licence files have.
const LICENSE_FILES: [&str; 4] = ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE"];

/// What stands near the beginning of the usual licences, all of it in lower case.
const LICENSES: [(&str, &[&str]); 11] = [
    (
        "MIT",
        &[
            "permission is hereby granted, free of charge",
            "without restriction",
        ],
    ),
    ("Apache-2.0", &["apache license", "version 2.0"]),
    ("MPL-2.0", &["mozilla public license version 2.0"]),
    (
        "BSD-3-Clause",
        &[
            "redistribution and use in source and binary forms",
            "neither the name",
        ],
    ),
    (
        "BSD-2-Clause",
        &["redistribution and use in source and binary forms"],
    ),
    ("ISC", &["permission to use, copy, modify, and"]),
    ("AGPL-3.0-or-later", &["gnu affero general public license"]),
    (
        "LGPL-3.0-or-later",
        &["gnu lesser general public license", "version 3"],
    ),
    ("GPL-3.0-or-later", &["gnu general public license", "version 3"]),
    ("GPL-2.0-or-later", &["gnu general public license", "version 2"]),
    (
        "Unlicense",
        &["free and unencumbered software released into the public domain"],
    ),
];

/// What could be found out. Texts are as people would write them.
#[derive(Debug, Default)]
pub(super) struct Guess {
    pub(super) name: Option<String>,
    pub(super) version: String,
    pub(super) license: Option<String>,
    pub(super) description: String,
    /// `OWNER/REPO`, or an address.
    pub(super) location: Option<String>,
    /// Where the package is in its repository, unless at the root.
    pub(super) subdir: Option<String>,
    pub(super) dependencies: Vec<(PackageName, Option<String>)>,
}

impl Guess {
    /// Looks at `dir`, and at the text of the `spago.yaml` in it.
    pub(super) async fn make(dir: &Path, spago: Option<&str>) -> Result<Self, Failure> {
        let outline = match spago {
            Some(text) => spago_yaml::outline(text).map_err(|cause| Failure::Manifest {
                file: dir.join(SPAGO_YAML),
                cause: cause.into(),
            })?,
            None => Outline::default(),
        };
        let located = outline.location.as_ref();
        let remote = git(dir, &["remote", "get-url", "origin"]).await;
        let prefix = git(dir, &["rev-parse", "--show-prefix"]).await;
        let tags = git(dir, &["tag", "--list"]).await.unwrap_or_default();
        Ok(Self {
            name: match &outline.name {
                Some(name) => Some(name.to_string()),
                None => name_of(dir),
            },
            version: outline.version.unwrap_or_else(|| next_version(&tags)).to_string(),
            license: outline.license.or_else(|| license_in(dir)),
            description: outline.description.unwrap_or_default(),
            location: match located {
                Some(Location::GitHub { owner, repo, .. }) => Some(format!("{owner}/{repo}")),
                Some(Location::Git { url, .. }) => Some(url.clone()),
                None => remote.as_deref().and_then(place),
            },
            subdir: match located {
                Some(location) => location.subdir().map(str::to_owned),
                None => prefix.map(|prefix| prefix.trim_end_matches('/').to_owned()),
            }
            .filter(|subdir| !subdir.is_empty()),
            dependencies: outline.dependencies,
        })
    }
}

/// The name of the directory, in the letters of a package name.
fn name_of(dir: &Path) -> Option<String> {
    let dir = fs::canonicalize(dir).ok()?;
    let name = dir.file_name()?.to_str()?.to_lowercase();
    let name = name.strip_prefix("purescript-").unwrap_or(&name);
    let words: Vec<&str> = name
        .split(|char: char| !char.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    Some(words.join("-"))
}

/// The version after the highest that has a tag.
fn next_version(tags: &str) -> Version {
    let versions = tags
        .lines()
        .filter_map(|tag| tag.trim_start_matches('v').parse::<Version>().ok());
    versions.max().map_or(FIRST, Version::bump_patch)
}

fn license_in(dir: &Path) -> Option<String> {
    let text = LICENSE_FILES
        .iter()
        .find_map(|file| fs::read_to_string(dir.join(file)).ok())?;
    license_of(&text).map(str::to_owned)
}

fn license_of(text: &str) -> Option<&'static str> {
    let text = text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase();
    let fits = |words: &[&str]| words.iter().all(|word| text.contains(word));
    LICENSES
        .iter()
        .find(|(_, words)| fits(words))
        .map(|(license, _)| *license)
}

/// Reads the address of a remote as `OWNER/REPO` where it is on GitHub, and otherwise as one that everybody can fetch from.
pub(crate) fn place(remote: &str) -> Option<String> {
    let without_scheme = ["https://", "http://", "ssh://", "git://"]
        .iter()
        .find_map(|scheme| remote.strip_prefix(scheme));
    // `git@github.com:lab/slug.git` has no scheme.
    let (host, path) = match without_scheme {
        Some(rest) => rest.split_once('/')?,
        None if remote.contains("://") => return None,
        None => remote.split_once(':')?,
    };
    let host = host.rsplit('@').next()?.split(':').next()?;
    let path = path.trim_matches('/').trim_end_matches(".git");
    if host == "github.com" {
        return Some(path.to_owned());
    }
    Some(format!("https://{host}/{path}.git"))
}

/// What git prints; nothing where there is no git, or no repository.
async fn git(dir: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(args)
        .kill_on_drop(true)
        .output()
        .await
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_is_a_place_that_everybody_can_fetch_from() {
        for remote in [
            "git@github.com:lab/slug.git",
            "https://github.com/lab/slug",
            "https://me:secret@github.com/lab/slug.git/",
            "ssh://git@github.com:22/lab/slug.git",
        ] {
            assert_eq!(place(remote).as_deref(), Some("lab/slug"), "{remote}");
        }
        assert_eq!(
            place("git@git.example.org:lab/slug.git").as_deref(),
            Some("https://git.example.org/lab/slug.git")
        );
        for remote in ["../slug", "/srv/git/slug.git", "file:///srv/git/slug.git"] {
            assert_eq!(place(remote), None, "{remote}");
        }
    }

    #[test]
    fn the_next_version_is_one_above_the_highest_tag() {
        assert_eq!(next_version("v1.9.0\nv1.10.0\nnightly\n").to_string(), "1.10.1");
        assert_eq!(next_version(""), FIRST);
    }

    #[test]
    fn the_usual_licences_are_recognised() {
        for (text, license) in [
            (include_str!("../../../../LICENSE-MIT"), Some("MIT")),
            ("Apache License\n  Version 2.0, January 2004", Some("Apache-2.0")),
            (
                "Redistribution and use in source and\nbinary forms … Neither the name of",
                Some("BSD-3-Clause"),
            ),
            (
                "Redistribution and use in source and binary forms",
                Some("BSD-2-Clause"),
            ),
            ("All rights reserved.", None),
        ] {
            assert_eq!(license_of(text), license);
        }
    }

    #[test]
    fn the_name_of_a_directory_becomes_that_of_a_package() {
        let dir = tempfile::tempdir().unwrap();
        for (folder, name) in [
            ("purescript-My_Slug", "my-slug"),
            ("slug.purs", "slug-purs"),
            ("a--b", "a-b"),
        ] {
            let folder = dir.path().join(folder);
            fs::create_dir(&folder).unwrap();
            assert_eq!(name_of(&folder).as_deref(), Some(name));
        }
    }
}
