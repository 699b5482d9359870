//! Reading the files of a repository, whether it is a checkout, bare, or just a directory.

use std::{
    collections::BTreeMap,
    fs, io,
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
    /// Files of a plain directory that cannot be carried over, which the registry does not need either.
    pub(super) left_out: Vec<String>,
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
    /// Reads the files that `is_needed` says yes to, which must be text.
    ///
    /// A plain directory has no history that keeps its other files, such as a README; of those it reads what is text.
    pub(super) async fn read(path: &Path, is_needed: fn(&str) -> bool) -> Result<Self, ImportError> {
        let read_error = |cause| ImportError::Read {
            path: path.to_owned(),
            cause,
        };
        let path = path.canonicalize().map_err(read_error)?;
        let has_history = path.join(".git").exists()
            || (path.join("HEAD").is_file() && path.join("objects").is_dir() && path.join("refs").is_dir());
        if has_history {
            Self::read_repository(&path, is_needed).await
        } else {
            Self::read_directory(&path, is_needed, true)
        }
    }

    /// Reads the commit that is checked out through a clone of our own, so that uncommitted files play no part.
    async fn read_repository(path: &Path, is_needed: fn(&str) -> bool) -> Result<Self, ImportError> {
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
        // Our clone is gone when somebody reads the error.
        let files = Self::read_directory(&clone, is_needed, false).map_err(|err| match err {
            ImportError::Read { path: found, cause } => ImportError::Read {
                path: found
                    .strip_prefix(&clone)
                    .map_or_else(|_| found.clone(), |rest| path.join(rest)),
                cause,
            },
            other => other,
        })?;
        Ok(Self {
            history: Some(History { commit_id, bundle }),
            ..files
        })
    }

    fn read_directory(
        root: &Path,
        is_needed: fn(&str) -> bool,
        with_others: bool,
    ) -> Result<Self, ImportError> {
        let (mut files, mut left_out) = (BTreeMap::new(), Vec::new());
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
                    continue;
                }
                let shown = relative.to_string_lossy().into_owned();
                let needed = is_needed(&shown);
                if !kind.is_file() || !(needed || with_others) {
                    continue;
                }
                match read_text(&entry.path()) {
                    Ok(text) if needed || is_plain(&relative) => {
                        files.insert(shown, text);
                    }
                    Err(cause) if needed || cause.kind() != io::ErrorKind::InvalidData => {
                        return Err(ImportError::Read {
                            path: entry.path(),
                            cause,
                        });
                    }
                    Ok(_) | Err(_) => left_out.push(shown),
                }
            }
        }
        left_out.sort();
        Ok(Self {
            files,
            left_out,
            history: None,
        })
    }
}

/// Reads a file whose text must be UTF-8, and says so where it is not.
fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(fs::read(path)?).map_err(|err| {
        let at = err.utf8_error().valid_up_to();
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it is not UTF-8 from byte {at} on"),
        )
    })
}

/// Whether a path can stand in a change, which is played to git as it is.
fn is_plain(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|path| !path.starts_with('"') && !path.contains(char::is_control))
}
