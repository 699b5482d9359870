//! Measures a commit's tree before it is written out.

use super::SourceConfig;
use super::invoke::{Git, GitError};
use crate::child::ChildError;
use crate::outcome::JobError;
use crate::rejection::Rejection;

/// What the tree holds beside files and links.
pub(super) struct Tree {
    pub(super) submodules: Vec<String>,
}

/// Counts files and bytes of `commit`; more than the limits is refused.
pub(super) async fn tree(git: &Git<'_>, config: &SourceConfig, commit: &str) -> Result<Tree, JobError> {
    let listed = git
        .run(
            &["ls-tree", "-r", "-l", "-z", "--full-tree", commit],
            config.list_timeout,
        )
        .await;
    let listed = match listed {
        Ok(listed) => listed,
        // A list too long to read or to make is a tree with too many files.
        Err(GitError::Child(ChildError::OutputTooLarge(_) | ChildError::TimedOut(_))) => {
            return Err(too_many("too many files to list", config).into());
        }
        Err(err) => return Err(err.ours()),
    };
    let (mut files, mut bytes, mut submodules) = (0, 0_u64, Vec::new());
    for entry in listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let text = String::from_utf8_lossy(entry);
        let (facts, path) = text.split_once('\t').unwrap_or((&text, ""));
        let facts: Vec<&str> = facts.split_ascii_whitespace().collect();
        if facts.get(1) == Some(&"commit") {
            submodules.push(path.to_owned());
            continue;
        }
        files += 1;
        bytes = bytes.saturating_add(facts.get(3).and_then(|size| size.parse().ok()).unwrap_or(0));
    }
    if files > config.max_files {
        return Err(too_many(&format!("{files} files"), config).into());
    }
    if bytes > config.max_bytes {
        let limit = format!("{} bytes", config.max_bytes);
        return Err(Rejection::SourceTooLarge {
            what: format!("{bytes} bytes"),
            limit,
        }
        .into());
    }
    Ok(Tree { submodules })
}

fn too_many(what: &str, config: &SourceConfig) -> Rejection {
    Rejection::SourceTooLarge {
        what: what.to_owned(),
        limit: format!("{} files", config.max_files),
    }
}
