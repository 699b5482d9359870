//! What git is asked about one remote, and who hears its token: that remote alone.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use base64::Engine;

use super::{PushError, Remote, VIEW, tags::VIEW_TAGS};
use crate::{
    Repository,
    git::{BRANCH, Error, command::command, git},
};

/// How long one call of the remote may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Where tags are, in every repository.
pub(super) const TAGS: &str = "refs/tags/";

/// The remote's branch, inside the folder a push works in.
const REMOTE: &str = "refs/docket/remote";

/// What a remote has.
#[derive(Debug, Default)]
pub(super) struct Theirs {
    /// The commit of its branch; `None` when it has none yet.
    pub(super) commit_id: Option<String>,
    /// The commits of its tags.
    pub(super) tags: BTreeMap<String, String>,
}

/// Calls of one remote.
pub(super) struct Call<'a> {
    pub(super) repository: Repository,
    pub(super) remote: &'a Remote,
    /// Where git works.
    pub(super) folder: PathBuf,
}

impl Call<'_> {
    /// Fetches the branch and the tags of our copy at `view`.
    pub(super) async fn fetch_ours(&self, view: &Path) -> Result<(), Error> {
        let (branch, tags) = (format!("+{BRANCH}:{VIEW}"), format!("+{TAGS}*:{VIEW_TAGS}*"));
        let view = view.to_string_lossy();
        let arguments = ["fetch", "--quiet", "--no-tags", &view, &branch, &tags];
        git(&self.folder, &arguments).await?;
        Ok(())
    }

    /// Fetches the remote's branch, and lists its tags.
    pub(super) async fn fetch(&self) -> Result<Theirs, PushError> {
        let tags = format!("{TAGS}*");
        let listed = self
            .git(&["ls-remote", "--quiet", "--", &self.remote.url, BRANCH, &tags])
            .await?;
        let mut theirs = Theirs::default();
        let mut has_branch = false;
        for (object, name) in listed.lines().filter_map(|line| line.split_once('\t')) {
            if name == BRANCH {
                has_branch = true;
            } else if let Some(tag) = name.strip_prefix(TAGS) {
                // The commit of an annotated tag is in the line after it.
                let tag = tag.strip_suffix("^{}").unwrap_or(tag);
                theirs.tags.insert(tag.to_owned(), object.to_owned());
            }
        }
        if has_branch {
            let refspec = format!("+{BRANCH}:{REMOTE}");
            self.git(&["fetch", "--quiet", "--no-tags", "--", &self.remote.url, &refspec])
                .await?;
            theirs.commit_id = Some(self.commit(REMOTE).await?);
        }
        Ok(theirs)
    }

    /// Pushes, never by force.
    pub(super) async fn push(&self, refspecs: &[String]) -> Result<(), PushError> {
        let mut arguments = vec!["push", "--quiet", "--", &self.remote.url];
        arguments.extend(refspecs.iter().map(String::as_str));
        self.git(&arguments).await?;
        Ok(())
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

    pub(super) async fn count_all(&self, until: &str) -> Result<i64, Error> {
        let count = git(&self.folder, &["rev-list", "--count", until]).await?;
        Ok(count.trim().parse().unwrap_or_default())
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
