//! What git is asked about one remote, and who hears its token: that remote alone.

use std::{path::PathBuf, process::Output, time::Duration};

use base64::Engine;

use super::{PushError, Pushed, Remote};
use crate::{
    Repository,
    git::{BRANCH, Error, command::command, git},
    store::pushes::Reached,
};

/// How long one call of the remote may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The remote's branch, inside the folder a push works in.
const REMOTE: &str = "refs/docket/remote";

/// Calls of one remote.
pub(super) struct Call<'a> {
    pub(super) repository: Repository,
    pub(super) remote: &'a Remote,
    /// Where git works.
    pub(super) folder: PathBuf,
}

impl Call<'_> {
    /// Fetches the remote's branch and returns its commit; `None` when it has none yet.
    pub(super) async fn fetch(&self) -> Result<Option<String>, PushError> {
        let listed = self
            .git(&["ls-remote", "--quiet", "--", &self.remote.url, BRANCH])
            .await?;
        if listed.trim().is_empty() {
            return Ok(None);
        }
        let refspec = format!("+{BRANCH}:{REMOTE}");
        self.git(&["fetch", "--quiet", "--no-tags", "--", &self.remote.url, &refspec])
            .await?;
        Ok(Some(self.commit(REMOTE).await?))
    }

    /// Pushes a commit, never by force.
    pub(super) async fn push(&self, commit_id: &str) -> Result<(), PushError> {
        let refspec = format!("{commit_id}:{BRANCH}");
        self.git(&["push", "--quiet", "--", &self.remote.url, &refspec])
            .await?;
        Ok(())
    }

    pub(super) async fn pushed(
        &self,
        theirs: Option<&str>,
        target: &Reached,
        foreign_commits: i64,
    ) -> Result<Pushed, PushError> {
        let commits = match theirs {
            Some(theirs) => self.count(theirs, &target.commit_id).await?,
            None => git(&self.folder, &["rev-list", "--count", &target.commit_id])
                .await?
                .trim()
                .parse()
                .unwrap_or_default(),
        };
        Ok(Pushed {
            commits,
            foreign_commits,
        })
    }

    pub(super) async fn commit(&self, name: &str) -> Result<String, Error> {
        let commit = git(&self.folder, &["rev-parse", "--verify", "--quiet", name]).await?;
        Ok(commit.trim().to_owned())
    }

    pub(super) async fn is_ancestor(&self, earlier: &str, later: &str) -> bool {
        git(&self.folder, &["merge-base", "--is-ancestor", earlier, later])
            .await
            .is_ok()
    }

    pub(super) async fn count(&self, after: &str, until: &str) -> Result<i64, Error> {
        let range = format!("{after}..{until}");
        let count = git(&self.folder, &["rev-list", "--count", &range]).await?;
        Ok(count.trim().parse().unwrap_or_default())
    }

    /// Runs git where it talks to the remote, with the token in a header that goes to no other address.
    async fn git(&self, arguments: &[&str]) -> Result<String, PushError> {
        let failed = |output: String| PushError::Remote {
            repository: self.repository,
            url: self.remote.url.clone(),
            output,
        };
        let mut settings = vec![("http.followRedirects", "false".to_owned())];
        if let Some(token) = &self.remote.token {
            let credentials =
                base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
            settings.push(("http.extraHeader", format!("Authorization: Basic {credentials}")));
        }
        let mut command = command(&self.folder);
        command
            .args(arguments)
            .env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (number, (key, value)) in settings.iter().enumerate() {
            command
                .env(format!("GIT_CONFIG_KEY_{number}"), key)
                .env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        let output: Output = match tokio::time::timeout(TIMEOUT, command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(cause)) => return Err(failed(cause.to_string())),
            Err(_elapsed) => return Err(failed(format!("no answer within {TIMEOUT:?}"))),
        };
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
        }
    }
}
