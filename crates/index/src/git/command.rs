//! Calling git on our own repositories, without anybody's configuration.

use std::{io::ErrorKind, path::Path, process::Stdio};

use tokio::process::Command;

use super::Error;

/// A `git` command in `folder` that reads no user or system configuration and asks nobody anything.
pub(super) fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs git in `folder` and returns what it printed.
///
/// # Errors
/// When it cannot be started or ends with an error.
pub async fn git(folder: &Path, arguments: &[&str]) -> Result<String, Error> {
    let output = command(folder)
        .args(arguments)
        .output()
        .await
        .map_err(|cause| match cause.kind() {
            // Of the program, or of the folder it is to run in.
            ErrorKind::NotFound if folder.is_dir() => Error::Missing(cause),
            _ => Error::Io {
                path: folder.to_owned(),
                cause,
            },
        })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Error::Git {
            command: arguments.first().copied().unwrap_or_default().to_owned(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}
