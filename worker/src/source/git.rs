//! Fetches one snapshot of a location with git, trusting neither the server nor the repository.
//!
//! The `git` child sees no configuration, credentials, hooks or helpers of this machine, speaks only the configured
//! schemes, follows no redirects and no submodules, and is killed when it takes too long or too much. The tree is
//! measured before it is written out, so a repository that unfolds to billions of files costs nothing.

mod address;
mod invoke;
mod measure;
mod refs;
mod repository;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use docket_core::location::Location;

use crate::outcome::JobError;
use crate::rejection::Rejection;
use invoke::{GitError, SERVICE};
pub use repository::{Snapshot, make_repository};

/// How sources are fetched: the `[sources]` section.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// Prefix of GitHub locations: `<github_url>/OWNER/REPO`.
    pub github_url: String,
    /// Whether plain git locations and packages in a folder of their repository are taken. Default false.
    pub allow_git_locations: bool,
    /// Hosts that plain git locations may name; empty means any.
    pub git_hosts: Vec<String>,
    /// Whether a host may send git to another address, as GitHub does for renamed repositories. Default false.
    pub follow_redirects: bool,
    /// Bytes a checkout may have, and the fetched pack.
    pub max_bytes: u64,
    /// Files a checkout may have.
    pub max_files: u64,
    /// Time for one attempt to list the refs.
    pub list_timeout: Duration,
    /// Time for one attempt to fetch.
    pub fetch_timeout: Duration,
    /// Attempts before a host counts as not answering.
    pub attempts: u32,
    /// Pause before the second attempt; doubles each time.
    pub retry_pause: Duration,
    /// The git program: a path, or a name looked up in `search_path`.
    pub git: PathBuf,
    /// `PATH` of the git child.
    pub search_path: String,
    /// Further environment of the git child, such as `https_proxy` or `GIT_SSL_CAINFO`.
    pub environment: BTreeMap<String, String>,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            github_url: "https://github.com".into(),
            allow_git_locations: false,
            git_hosts: Vec::new(),
            follow_redirects: false,
            max_bytes: 200_000_000,
            max_files: 20_000,
            list_timeout: Duration::from_secs(60),
            fetch_timeout: Duration::from_secs(60),
            attempts: 4,
            retry_pause: Duration::from_secs(1),
            git: PathBuf::from("git"),
            search_path: "/usr/local/bin:/usr/bin:/bin".into(),
            environment: BTreeMap::new(),
        }
    }
}

/// A snapshot on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// Where the repository's files are.
    pub root: PathBuf,
    /// Where the package is: `root`, or a folder below it.
    pub package_dir: PathBuf,
    /// The address it was fetched from.
    pub url: String,
    /// The full name of the ref, such as `refs/tags/v1.0.0`.
    pub full_ref: String,
    /// The commit that the ref pointed to.
    pub commit: String,
    /// Paths of submodules, which are not fetched.
    pub submodules: Vec<String>,
}

/// Fetches the snapshot of `location` at `git_ref` into the empty directory `dir`.
///
/// A branch and a tag of one name: the tag wins, since it is meant to stay.
///
/// # Errors
///
/// [`JobError::Rejected`] when the author can help it, [`JobError::Unavailable`] when the host did not
/// answer, [`JobError::Local`] when git itself cannot run here. Dropping the future kills git.
pub async fn fetch(
    config: &SourceConfig,
    location: &Location,
    git_ref: &str,
    dir: &Path,
) -> Result<Checkout, JobError> {
    refs::check(git_ref)?;
    let source = address::of(config, location)?;
    let git = invoke::Git::new(config, &source.scheme, dir)?;
    let Tip { url, full_ref, .. } = find(&git, &source, git_ref).await?;

    let root = dir.join("source");
    git.run(
        &["init", "--quiet", "--template=", "--", path_text(&root)?],
        config.list_timeout,
    )
    .await
    .map_err(GitError::ours)?;
    let inside = git.inside(&root);
    retrying(config, || inside.fetch(&url, &full_ref))
        .await
        .map_err(|err| err.judge(&url))?;

    let commit = inside
        .line(&["rev-parse", "--verify", "--quiet", "FETCH_HEAD^{commit}"])
        .await;
    let commit = commit.map_err(|_| Rejection::RefNotFound {
        repository: url.clone(),
        git_ref: git_ref.to_owned(),
    })?;
    let tree = measure::tree(&inside, config, &commit).await?;
    inside
        .run(
            &["checkout", "--quiet", "--force", "--detach", &commit],
            config.fetch_timeout,
        )
        .await
        .map_err(GitError::ours)?;
    // Nothing after this needs the history, and nothing should be able to run git on it.
    tokio::fs::remove_dir_all(root.join(".git"))
        .await
        .map_err(JobError::local("write the source"))?;

    let package_dir = match &source.subdir {
        None => root.clone(),
        Some(subdir) => address::package_dir(&root, subdir)?,
    };
    Ok(Checkout {
        root,
        package_dir,
        url,
        full_ref,
        commit,
        submodules: tree.submodules,
    })
}

/// What a ref names now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The address that answered.
    pub url: String,
    /// The full name of the ref, such as `refs/tags/v1.0.0`.
    pub full_ref: String,
    /// The commit.
    pub commit: String,
}

/// Finds out which commit `git_ref` names at `location`, without fetching it. `dir` is for git's own files.
///
/// # Errors
///
/// Like [`fetch`].
pub async fn find_tip(
    config: &SourceConfig,
    location: &Location,
    git_ref: &str,
    dir: &Path,
) -> Result<Tip, JobError> {
    refs::check(git_ref)?;
    let source = address::of(config, location)?;
    let git = invoke::Git::new(config, &source.scheme, dir)?;
    find(&git, &source, git_ref).await
}

/// Checks that something can be fetched from `location`, and returns the address that answers. `dir` is for git's own files.
///
/// # Errors
///
/// Like [`fetch`].
pub async fn check(config: &SourceConfig, location: &Location, dir: &Path) -> Result<String, JobError> {
    let source = address::of(config, location)?;
    let git = invoke::Git::new(config, &source.scheme, dir)?;
    Ok(list(&git, &source).await?.0)
}

/// Finds the address that answers, and the ref there.
async fn find(git: &invoke::Git<'_>, source: &address::Source, git_ref: &str) -> Result<Tip, JobError> {
    let (url, listed) = list(git, source).await?;
    let Some(found) = refs::resolve(&listed, git_ref) else {
        let git_ref = git_ref.to_owned();
        return Err(Rejection::RefNotFound {
            repository: url,
            git_ref,
        }
        .into());
    };
    Ok(Tip {
        url,
        full_ref: found.name.clone(),
        commit: found.commit.clone(),
    })
}

/// Finds the address that answers and lists its refs, of which there is at least one.
async fn list(git: &invoke::Git<'_>, source: &address::Source) -> Result<(String, Vec<refs::Ref>), JobError> {
    let mut refused = None;
    for url in &source.candidates {
        match retrying(git.config, || git.list_refs(url)).await {
            Ok(listed) if listed.is_empty() => return Err(Rejection::RepositoryEmpty(url.clone()).into()),
            Ok(listed) => return Ok((url.clone(), listed)),
            Err(err) => match err.judge(url) {
                JobError::Rejected(rejection @ Rejection::RepositoryNotAccessible(_)) => {
                    refused.get_or_insert(rejection);
                }
                other => return Err(other),
            },
        }
    }
    Err(refused.expect("an address has at least one candidate").into())
}

/// Repeats `attempt` while the host does not answer.
async fn retrying<T, F>(config: &SourceConfig, attempt: impl Fn() -> F) -> Result<T, GitError>
where
    F: Future<Output = Result<T, GitError>>,
{
    let mut pause = config.retry_pause;
    for number in 1.. {
        match attempt().await {
            Err(err) if err.is_transient() && number < config.attempts => {
                tracing::warn!(
                    error = &err as &dyn std::error::Error,
                    attempt = number,
                    "{SERVICE} did not answer"
                );
            }
            done => return done,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    unreachable!("the last attempt returns")
}

fn path_text(path: &Path) -> Result<&str, JobError> {
    path.to_str()
        .ok_or_else(|| JobError::local("use its work directory")("its path is not UTF-8"))
}

#[cfg(test)]
mod tests;
