//! The source as the registry would fetch it: what the tag holds, not what happens to lie in the directory.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use docket_core::location::Location;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use super::Source;
use crate::failure::Failure;
use crate::init::place;

/// How long the host of the repository may take to say which tags there are.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was found out about a ref.
pub(super) struct Snapshot {
    /// What to look at; nothing where the registry would see something else.
    pub(super) source: Option<Source>,
    /// The repository that the package comes from has no such tag or branch.
    pub(super) is_missing_at_origin: bool,
    /// What people should know.
    pub(super) notes: Vec<String>,
    /// Goes away with the snapshot.
    _folder: Option<TempDir>,
}

impl Snapshot {
    /// Takes what `git_ref` holds out of the repository around `dir`. Where there is none, or not the ref, the directory is looked at as it is.
    ///
    /// # Errors
    ///
    /// When there is no room for the snapshot.
    pub(super) async fn take(dir: &Path, git_ref: &str, location: &Location) -> Result<Self, Failure> {
        let mut snapshot = Self {
            source: Some(Source {
                root: None,
                package_dir: dir.to_owned(),
            }),
            is_missing_at_origin: false,
            notes: Vec::new(),
            _folder: None,
        };
        let Some(top) = git(dir, &["rev-parse", "--show-toplevel"]).await else {
            return Ok(snapshot);
        };
        let mut here = None;
        for kind in ["tags", "heads"] {
            if here.is_none() {
                let name = format!("refs/{kind}/{git_ref}^{{commit}}");
                here = git(dir, &["rev-parse", "--verify", "--quiet", &name]).await;
            }
        }
        let there = at_origin(dir, git_ref, location).await;
        snapshot.is_missing_at_origin = there == There::Nothing;
        match (&here, &there) {
            (Some(here), There::Commit(there)) if here != there => {
                snapshot.source = None;
                snapshot.notes.push(format!(
                    "{git_ref} is another commit at the origin than here, so the files are left to the registry to look at"
                ));
            }
            (None, There::Commit(_)) => {
                snapshot.source = None;
                snapshot.notes.push(format!(
                    "{git_ref} is at the origin, and not here, so the files are left to the registry to look at"
                ));
            }
            (Some(here), _) => {
                let folder = extract(Path::new(&top), here).await?;
                let root = folder.path().join("tree");
                snapshot.source = Some(Source {
                    package_dir: location.subdir().map_or(root.clone(), |subdir| root.join(subdir)),
                    root: Some(root),
                });
                snapshot._folder = Some(folder);
            }
            (None, _) => {}
        }
        Ok(snapshot)
    }
}

/// What the repository has that the package comes from.
#[derive(Debug, PartialEq, Eq)]
enum There {
    Commit(String),
    Nothing,
    /// Nobody could be asked, or the wrong one.
    Unknown,
}

/// Asks the remote `origin`, if it is the repository that the package comes from.
async fn at_origin(dir: &Path, git_ref: &str, location: &Location) -> There {
    let Some(remote) = git(dir, &["remote", "get-url", "origin"]).await else {
        return There::Unknown;
    };
    let wanted = match location {
        Location::GitHub { owner, repo, .. } => format!("{owner}/{repo}"),
        Location::Git { url, .. } => url.clone(),
    };
    let bare = |text: &str| text.trim_end_matches('/').trim_end_matches(".git").to_lowercase();
    if place(&remote).is_some_and(|place| bare(&place) != bare(&wanted)) {
        return There::Unknown;
    }
    let (tag, branch) = (format!("refs/tags/{git_ref}"), format!("refs/heads/{git_ref}"));
    let peeled = format!("{tag}^{{}}");
    let asked = command(dir)
        .args(["ls-remote", "--quiet", "origin", &tag, &peeled, &branch])
        .output();
    let Ok(Ok(output)) = timeout(PATIENCE, asked).await else {
        return There::Unknown;
    };
    if !output.status.success() {
        return There::Unknown;
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let commit = |name: &str| {
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        lines
            .filter(|(_, found)| *found == name)
            .map(|(commit, _)| commit.to_owned())
            .next()
    };
    // An annotated tag is an object of its own; behind it stands the commit.
    commit(&peeled)
        .or_else(|| commit(&tag))
        .or_else(|| commit(&branch))
        .map_or(There::Nothing, There::Commit)
}

/// Writes the files of a commit into `tree/` of a new directory, without touching the index or the files of the repository.
async fn extract(top: &Path, commit: &str) -> Result<TempDir, Failure> {
    let unwritable = |cause| Failure::Unwritable {
        file: std::env::temp_dir(),
        cause,
    };
    let folder = tempfile::tempdir().map_err(unwritable)?;
    let mut prefix = PathBuf::from(folder.path()).join("tree").into_os_string();
    prefix.push("/");
    std::fs::create_dir(folder.path().join("tree")).map_err(unwritable)?;
    let mut into = std::ffi::OsString::from("--prefix=");
    into.push(prefix);
    let steps = [
        vec!["read-tree".into(), commit.into()],
        vec!["checkout-index".into(), "--all".into(), "--quiet".into(), into],
    ];
    for step in steps {
        let output = command(top)
            .args(step)
            .env("GIT_INDEX_FILE", folder.path().join("index"))
            .output()
            .await
            .map_err(|cause| Failure::NoGit { cause })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(unwritable(std::io::Error::other(said)));
        }
    }
    Ok(folder)
}

/// `git` that asks nothing and fetches nothing but what it is told to.
fn command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(dir)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_LFS_SKIP_SMUDGE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if std::env::var_os("GIT_SSH_COMMAND").is_none() {
        command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
    }
    command
}

/// What git prints; nothing where there is no git, no repository, or no such thing.
async fn git(dir: &Path, args: &[&str]) -> Option<String> {
    let output = command(dir).args(args).output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}
