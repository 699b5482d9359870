//! Tags: each leads to the commit that holds its change on the remote, and is never moved there.

use std::collections::BTreeMap;

use super::{
    PushError,
    call::{Call, TAGS},
};
use crate::git::{Error, git};

/// The tags of our copy, inside the folder a push works in.
pub(super) const VIEW_TAGS: &str = "refs/docket/tags/";

/// What is the same of a commit wherever it was played.
const TEXT: &str = "--format=%ct%n%B";
const ID_AND_TEXT: &str = "--format=%H%n%ct%n%B";

impl Call<'_> {
    /// Pushes the tags of our copy that are not among `theirs`, the tags of the remote, whose branch is at `target`.
    ///
    /// Returns how many went there, and those that lead to another commit there.
    pub(super) async fn push_tags(
        &self,
        theirs: &BTreeMap<String, String>,
        target: &str,
    ) -> Result<(i64, Vec<String>), PushError> {
        let (mut missing, mut foreign) = (Vec::new(), Vec::new());
        let mut played = None;
        for (tag, ours) in self.our_tags().await? {
            let commit_id = if self.is_ancestor(&ours, target).await {
                ours
            } else {
                // Behind somebody else's commits ours are other ones, of the same times and messages, which name their jobs.
                let played = match &mut played {
                    Some(played) => played,
                    none => none.insert(self.commits_by_text(target).await?),
                };
                let text = git(&self.folder, &["show", "--no-patch", TEXT, &ours]).await?;
                let found = played.get(text.trim_end()).cloned();
                found.ok_or_else(|| PushError::Remote {
                    repository: self.repository,
                    url: self.remote.url().to_owned(),
                    output: format!("its history has lost the commit of the tag {tag}"),
                })?
            };
            match theirs.get(&tag) {
                None => missing.push(format!("{commit_id}:{TAGS}{tag}")),
                Some(there) if *there != commit_id => foreign.push(tag),
                Some(_) => {}
            }
        }
        if !missing.is_empty() {
            self.push(&missing).await?;
        }
        Ok((missing.len() as i64, foreign))
    }

    async fn our_tags(&self) -> Result<BTreeMap<String, String>, Error> {
        let listed = git(
            &self.folder,
            &["for-each-ref", "--format=%(refname) %(objectname)", VIEW_TAGS],
        )
        .await?;
        let tags = listed.lines().filter_map(|line| {
            let (name, commit_id) = line.split_once(' ')?;
            Some((name.strip_prefix(VIEW_TAGS)?.to_owned(), commit_id.to_owned()))
        });
        Ok(tags.collect())
    }

    /// The commits up to `until`, by their times and messages.
    async fn commits_by_text(&self, until: &str) -> Result<BTreeMap<String, String>, Error> {
        let history = git(&self.folder, &["log", "-z", ID_AND_TEXT, until]).await?;
        let commits = history.split('\0').filter_map(|commit| commit.split_once('\n'));
        Ok(commits
            .map(|(commit_id, text)| (text.trim_end().to_owned(), commit_id.to_owned()))
            .collect())
    }
}
