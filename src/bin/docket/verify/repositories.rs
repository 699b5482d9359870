//! Clones of the two repositories, in a directory that goes away with them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use docket_core::manifest_index;
use docket_core::name::PackageName;
use docket_core::version::Version;
use tempfile::TempDir;
use tokio::process::Command;

use crate::failure::Failure;

/// What git may speak: nothing that starts a program named by an address.
const PROTOCOLS: &str = "file:git:http:https:ssh";

/// The repositories.
pub(super) struct Repositories {
    folder: TempDir,
}

impl Repositories {
    /// Clones both from below `place`.
    ///
    /// # Errors
    ///
    /// When git is not there, or does not clone.
    pub(super) async fn clone(place: &str) -> Result<Self, Failure> {
        let folder = tempfile::tempdir().map_err(|cause| Failure::Unwritable {
            file: std::env::temp_dir(),
            cause,
        })?;
        for name in ["registry", "registry-index"] {
            clone(&address(place, name), &folder.path().join(name)).await?;
        }
        Ok(Self { folder })
    }

    /// The packages that have metadata.
    ///
    /// # Errors
    ///
    /// When the clone cannot be read.
    pub(super) fn packages(&self) -> Result<Vec<PackageName>, Failure> {
        self.names("metadata")
    }

    /// The package sets.
    ///
    /// # Errors
    ///
    /// When the clone cannot be read.
    pub(super) fn package_sets(&self) -> Result<Vec<Version>, Failure> {
        self.names("package-sets")
    }

    /// The text of a metadata file.
    ///
    /// # Errors
    ///
    /// When the clone cannot be read.
    pub(super) fn metadata(&self, name: &PackageName) -> Result<Option<String>, Failure> {
        self.text(&format!("registry/metadata/{name}.json"))
    }

    /// The text of the file of a package set.
    ///
    /// # Errors
    ///
    /// When the clone cannot be read.
    pub(super) fn package_set(&self, version: Version) -> Result<Option<String>, Failure> {
        self.text(&format!("registry/package-sets/{version}.json"))
    }

    /// The text of a file of the manifest index.
    ///
    /// # Errors
    ///
    /// When the clone cannot be read.
    pub(super) fn index_file(&self, name: &PackageName) -> Result<Option<String>, Failure> {
        self.text(&format!("registry-index/{}", manifest_index::path(name)))
    }

    /// What the JSON files in a folder are named after; files of other names are passed over.
    fn names<T: std::str::FromStr>(&self, folder: &str) -> Result<Vec<T>, Failure> {
        let folder = self.folder.path().join("registry").join(folder);
        let unreadable = |cause| Failure::Unreadable {
            file: folder.clone(),
            cause,
        };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(unreadable)?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(".json"));
            names.extend(name.and_then(|name| name.parse().ok()));
        }
        Ok(names)
    }

    fn text(&self, path: &str) -> Result<Option<String>, Failure> {
        let file = self.folder.path().join(path);
        match fs::read(&file) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Failure::Unreadable { file, cause }),
        }
    }
}

/// Where a repository is below `place`: with `.git` behind it, but for a plain checkout in a directory.
fn address(place: &str, name: &str) -> String {
    let place = place.trim_end_matches('/');
    let checkout = Path::new(place).join(name);
    if checkout.is_dir() {
        return absolute(&checkout).display().to_string();
    }
    let bare = PathBuf::from(format!("{place}/{name}.git"));
    match bare.is_dir() {
        true => absolute(&bare).display().to_string(),
        false => format!("{place}/{name}.git"),
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Clones the newest commit. Nothing in it becomes a link, so each file is one of the clone.
async fn clone(address: &str, into: &Path) -> Result<(), Failure> {
    let output = Command::new("git")
        .args([
            "-c",
            "core.symlinks=false",
            "-c",
            "core.autocrlf=false",
            "clone",
            "--quiet",
        ])
        .args(["--depth", "1", "--no-local", "--"])
        .arg(address)
        .arg(into)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ALLOW_PROTOCOL", PROTOCOLS)
        .env("GIT_LFS_SKIP_SMUDGE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|cause| Failure::NoGit { cause })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::Clone {
        address: address.to_owned(),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
