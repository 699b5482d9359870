//! Reading the files of a repository, whether it is a checkout, bare, or just a directory.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::ImportError;
use crate::git::{BRANCH, git};

/// The text files of a repository, and its history if it has one.
#[derive(Debug)]
pub(super) struct Checkout {
    /// Text by path, with `/` between the parts.
    pub(super) files: BTreeMap<String, String>,
    pub(super) history: Option<History>,
}

/// What was committed before.
#[derive(Debug)]
pub(super) struct History {
    pub(super) commit_id: String,
    /// Everything that leads to it, as a git bundle with the branch `main`.
    pub(super) bundle: Bytes,
}

impl Checkout {
    pub(super) async fn read(path: &Path) -> Result<Self, ImportError> {
        let read_error = |cause| ImportError::Read {
            path: path.to_owned(),
            cause,
        };
        let path = path.canonicalize().map_err(read_error)?;
        let has_history = path.join(".git").exists()
            || (path.join("HEAD").is_file() && path.join("objects").is_dir() && path.join("refs").is_dir());
        if has_history {
            Self::read_repository(&path).await
        } else {
            Self::read_directory(&path)
        }
    }

    /// Reads the commit that is checked out through a clone of our own, so that uncommitted files play no part.
    async fn read_repository(path: &Path) -> Result<Self, ImportError> {
        let read_error = |cause| ImportError::Read {
            path: path.to_owned(),
            cause,
        };
        let scratch = tempfile::tempdir().map_err(read_error)?;
        let clone = scratch.path().join("clone");
        let (source, target) = (path.to_string_lossy(), clone.to_string_lossy());
        git(
            scratch.path(),
            &["clone", "--quiet", "--no-local", "--", &source, &target],
        )
        .await?;
        let commit_id = git(&clone, &["rev-parse", "HEAD"]).await?.trim().to_owned();
        git(&clone, &["checkout", "--quiet", "--detach"]).await?;
        git(&clone, &["update-ref", BRANCH, &commit_id]).await?;
        let bundle = scratch.path().join("history.bundle");
        git(
            &clone,
            &["bundle", "create", "--quiet", &bundle.to_string_lossy(), BRANCH],
        )
        .await?;
        let bundle = fs::read(&bundle).map_err(read_error)?.into();
        let files = Self::read_directory(&clone)?.files;
        Ok(Self {
            files,
            history: Some(History { commit_id, bundle }),
        })
    }

    fn read_directory(root: &Path) -> Result<Self, ImportError> {
        let mut files = BTreeMap::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let path = root.join(&folder);
            let read_error = |cause| ImportError::Read {
                path: path.clone(),
                cause,
            };
            for entry in fs::read_dir(&path).map_err(read_error)? {
                let entry = entry.map_err(read_error)?;
                let name = entry.file_name();
                if name.to_string_lossy().starts_with('.') {
                    continue;
                }
                let relative = folder.join(&name);
                let kind = entry.file_type().map_err(read_error)?;
                if kind.is_dir() {
                    folders.push(relative);
                } else if kind.is_file() {
                    let text = fs::read_to_string(entry.path()).map_err(read_error)?;
                    files.insert(relative.to_string_lossy().into_owned(), text);
                }
            }
        }
        Ok(Self { files, history: None })
    }
}
