//! A repository of our own making, for programs that want to see one.

use std::path::Path;

use docket_core::time::Timestamp;

use super::invoke::{Git, GitError};
use super::{SourceConfig, path_text};
use crate::outcome::JobError;

/// What the one commit of a repository is.
#[derive(Debug)]
pub struct Snapshot<'a> {
    /// Its message.
    pub message: &'a str,
    /// Its tag.
    pub tag: &'a str,
    /// Its time.
    pub at: Timestamp,
    /// Patterns of files that belong to no commit.
    pub ignored: &'a [&'a str],
}

/// Makes `root` a repository whose one commit holds everything there that is not ignored, with nothing left to commit. `dir` is for git's own
/// files.
///
/// # Errors
///
/// [`JobError::Local`] when git cannot run here, or the disk is full.
pub async fn make_repository(
    config: &SourceConfig,
    root: &Path,
    dir: &Path,
    snapshot: &Snapshot<'_>,
) -> Result<(), JobError> {
    let doing = "make a repository";
    let git = Git::new(config, "file", dir)?;
    let run = async |args: &[&str]| {
        let mut command = git.inside(root).command(args);
        let date = format!("@{} +0000", snapshot.at.millis().div_euclid(1000));
        command
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date);
        git.finish(command, config.list_timeout)
            .await
            .map_err(GitError::ours)
    };
    run(&["init", "--quiet", "--template=", "--", path_text(root)?]).await?;
    let exclude = root.join(".git/info/exclude");
    let patterns = snapshot.ignored.join("\n") + "\n";
    tokio::fs::create_dir_all(root.join(".git/info"))
        .await
        .map_err(JobError::local(doing))?;
    tokio::fs::write(exclude, patterns)
        .await
        .map_err(JobError::local(doing))?;
    run(&["add", "--all"]).await?;
    let (name, mail) = ("user.name=docket", "user.email=docket@localhost");
    run(&[
        "-c",
        name,
        "-c",
        mail,
        "commit",
        "--quiet",
        "-m",
        snapshot.message,
    ])
    .await?;
    run(&["tag", "--", snapshot.tag]).await?;
    Ok(())
}
