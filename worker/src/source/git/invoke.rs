//! The git child: its environment, its limits, and what its last words mean.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::{SourceConfig, path_text, refs};
use crate::child::{self, Bounds, ChildError};
use crate::disk;
use crate::outcome::JobError;
use crate::rejection::Rejection;

/// What [`JobError::Unavailable`] calls the other side.
pub(super) const SERVICE: &str = "the source host";

/// Bytes of output after which git is killed: the longest real output is the list of refs or files.
const OUTPUT_BYTES: usize = 64 * 1024 * 1024;

/// Settings of every call; each closes a door.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=true",
    "core.autocrlf=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "credential.helper=",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "protocol.ext.allow=never",
    "filter.lfs.required=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
    "pack.threads=1",
    // A fetched pack stays one file, so that its size is easy to watch.
    "fetch.unpackLimit=1",
];

/// Why a git call gave no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum GitError {
    #[error("git ended with {status}: {stderr}")]
    Failed { status: String, stderr: String },
    #[error("git was stopped")]
    Child(#[from] ChildError),
    #[error("git fetched more than {0} bytes")]
    TooLarge(u64),
    #[error("git had no room to write: {stderr}")]
    DiskFull {
        stderr: String,
        #[source]
        cause: io::Error,
    },
}

/// A way to call git.
pub(super) struct Git<'a> {
    pub(super) config: &'a SourceConfig,
    scheme: &'a str,
    program: PathBuf,
    home: PathBuf,
    inside: Option<PathBuf>,
}

impl<'a> Git<'a> {
    /// Makes `dir/home` the child's home, so that nobody's settings are found.
    ///
    /// The only setting there lets `file://` repositories belong to another user; it has to be in a file, because git
    /// hides the settings of the command line and the environment from the `upload-pack` it starts on such a repository.
    pub(super) fn new(config: &'a SourceConfig, scheme: &'a str, dir: &Path) -> Result<Self, JobError> {
        let home = dir.join("home");
        std::fs::create_dir_all(&home).map_err(JobError::local("make a work directory"))?;
        path_text(&home)?;
        std::fs::write(home.join("gitconfig"), "[safe]\n\tdirectory = *\n")
            .map_err(JobError::local("make a work directory"))?;
        Ok(Self {
            config,
            scheme,
            // One that is not there is named as it was given when it is to be started.
            program: child::find_program(&config.git, &config.search_path)
                .unwrap_or_else(|| config.git.clone()),
            home,
            inside: None,
        })
    }

    /// Returns the same git, working in the repository at `root`.
    pub(super) fn inside(&self, root: &Path) -> Git<'a> {
        Git {
            config: self.config,
            scheme: self.scheme,
            program: self.program.clone(),
            home: self.home.clone(),
            inside: Some(root.to_owned()),
        }
    }

    fn directory(&self) -> &Path {
        self.inside.as_deref().unwrap_or(&self.home)
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .envs(&self.config.environment)
            .env("PATH", &self.config.search_path)
            .env("HOME", &self.home)
            .env("XDG_CONFIG_HOME", &self.home)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_CONFIG_GLOBAL", self.home.join("gitconfig"))
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "/bin/false")
            .env("GIT_SSH_COMMAND", "/bin/false")
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .env("GIT_ALLOW_PROTOCOL", self.scheme)
            .current_dir(self.directory());
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let redirects = if self.config.follow_redirects {
            "initial"
        } else {
            "false"
        };
        command.arg("-c").arg(format!("http.followRedirects={redirects}"));
        command.args(args.iter().map(OsStr::new));
        command
    }

    /// Runs git and returns its standard output.
    pub(super) async fn run(&self, args: &[&str], wall: Duration) -> Result<Vec<u8>, GitError> {
        self.finish(self.command(args), wall).await
    }

    /// Runs a command of this git and returns its standard output.
    pub(super) async fn finish(&self, command: Command, wall: Duration) -> Result<Vec<u8>, GitError> {
        let finished = child::run(
            command,
            Bounds {
                wall,
                output_bytes: OUTPUT_BYTES,
            },
        )
        .await?;
        if finished.status.success() {
            Ok(finished.stdout)
        } else {
            let stderr = String::from_utf8_lossy(&finished.stderr).trim().to_owned();
            // About a file that it cannot write git does not say why.
            let full = disk::full_at(self.directory()).filter(|_| !is_fact(&stderr));
            if let Some(cause) = full.or_else(|| disk_full_words(&stderr)) {
                return Err(GitError::DiskFull { stderr, cause });
            }
            Err(GitError::Failed {
                status: finished.status.to_string(),
                stderr,
            })
        }
    }

    /// Runs git and returns the one line it prints.
    pub(super) async fn line(&self, args: &[&str]) -> Result<String, GitError> {
        let output = self.run(args, self.config.list_timeout).await?;
        Ok(String::from_utf8_lossy(&output).trim().to_owned())
    }

    /// Returns the refs at `url`.
    pub(super) async fn list_refs(&self, url: &str) -> Result<Vec<refs::Ref>, GitError> {
        let output = self
            .run(&["ls-remote", "--quiet", "--", url], self.config.list_timeout)
            .await?;
        Ok(refs::parse_list(&String::from_utf8_lossy(&output)))
    }

    /// Fetches one commit into the repository this git is inside of, watching its size.
    pub(super) async fn fetch(&self, url: &str, full_ref: &str) -> Result<(), GitError> {
        let args = [
            "fetch",
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-recurse-submodules",
            "--",
            url,
            full_ref,
        ];
        let limit = self.config.max_bytes;
        let watched = self
            .inside
            .as_deref()
            .expect("fetch is called inside a repository");
        let outgrown = async {
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if size_of(watched) > limit {
                    return;
                }
            }
        };
        tokio::select! {
            done = self.run(&args, self.config.fetch_timeout) => {
                done?;
                if size_of(watched) > limit { Err(GitError::TooLarge(limit)) } else { Ok(()) }
            }
            () = outgrown => Err(GitError::TooLarge(limit)),
        }
    }
}

fn size_of(dir: &Path) -> u64 {
    let files = walkdir::WalkDir::new(dir).into_iter().filter_map(Result::ok);
    files
        .filter_map(|entry| entry.metadata().ok())
        .filter(|meta| meta.is_file())
        .map(|meta| meta.len())
        .sum()
}

impl GitError {
    /// Whether another attempt may go better: everything that git does not state as a fact about the repository.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::TooLarge(_)
            | Self::DiskFull { .. }
            | Self::Child(ChildError::Spawn(_) | ChildError::OutputTooLarge(_)) => false,
            Self::Child(_) => true,
            Self::Failed { stderr, .. } => !is_fact(stderr),
        }
    }

    /// Says whose turn it is after a call that asked the host at `url`.
    pub(super) fn judge(self, url: &str) -> JobError {
        let url = url.to_owned();
        match self {
            Self::TooLarge(limit) => Rejection::SourceTooLarge {
                what: format!("more than {limit} bytes were fetched"),
                limit: format!("{limit} bytes"),
            }
            .into(),
            Self::Failed { stderr, .. } if is_not_accessible(&stderr) => {
                Rejection::RepositoryNotAccessible(url).into()
            }
            Self::Failed { stderr, .. } if is_redirect(&stderr) => Rejection::RepositoryMoved(url).into(),
            Self::Child(ChildError::Spawn(cause)) => JobError::local("start git")(cause),
            full @ Self::DiskFull { .. } => full.ours(),
            other => JobError::Unavailable {
                service: SERVICE,
                cause: other.into(),
            },
        }
    }

    /// A call that asks no host failed.
    pub(super) fn ours(self) -> JobError {
        JobError::local("write the source")(self)
    }
}

/// The words of git (in `LC_ALL=C`) and of GitHub for "not there, or not for you". Git has no exit codes for it, so the
/// words are all there is; whatever is not listed here counts as the host's bad day and is tried again.
fn is_not_accessible(stderr: &str) -> bool {
    [
        "could not read Username",
        "Authentication failed",
        "Repository not found",
        "does not appear to be a git repository",
        "does not exist",
        "returned error: 401",
        "returned error: 403",
        "returned error: 404",
        "returned error: 410",
    ]
    .iter()
    .any(|words| stderr.contains(words))
        || (stderr.contains("repository '") && stderr.contains("' not found"))
}

fn is_redirect(stderr: &str) -> bool {
    ["301", "302", "307", "308"]
        .iter()
        .any(|code| stderr.contains(&format!("returned error: {code}")))
}

/// Whether git states something about the repository that will not change by itself.
fn is_fact(stderr: &str) -> bool {
    is_not_accessible(stderr) || is_redirect(stderr) || is_ref_gone(stderr)
}

/// Understands the words of the C library for a full disk and a used up quota, unless it is the other side's disk.
fn disk_full_words(stderr: &str) -> Option<io::Error> {
    let mut ours = stderr.lines().filter(|line| !line.starts_with("remote:"));
    ours.find_map(|line| {
        if line.contains("No space left on device") {
            Some(io::ErrorKind::StorageFull.into())
        } else if line.contains("Disk quota exceeded") {
            Some(io::ErrorKind::QuotaExceeded.into())
        } else {
            None
        }
    })
}

/// The ref was there when the refs were listed and is not any more.
fn is_ref_gone(stderr: &str) -> bool {
    stderr.contains("couldn't find remote ref")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(stderr: &str) -> GitError {
        GitError::Failed {
            status: "exit status: 128".into(),
            stderr: stderr.into(),
        }
    }

    #[test]
    fn a_host_that_is_down_is_not_the_authors_fault() {
        for words in [
            "fatal: unable to access 'https://github.com/a/b/': Could not resolve host: github.com",
            "fatal: unable to access 'https://github.com/a/b/': The requested URL returned error: 503",
            "fatal: unable to access 'https://github.com/a/b/': Failed to connect to github.com port 443",
            "fatal: early EOF",
            "words nobody has seen before",
        ] {
            assert!(failed(words).is_transient(), "{words}");
            assert!(
                matches!(failed(words).judge("u"), JobError::Unavailable { .. }),
                "{words}"
            );
        }
    }

    #[test]
    fn a_full_disk_is_ours_unless_it_is_the_hosts() {
        for (words, expected) in [
            (
                "fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output",
                Some(io::ErrorKind::StorageFull),
            ),
            (
                "error: unable to write file x: Disk quota exceeded",
                Some(io::ErrorKind::QuotaExceeded),
            ),
            ("remote: fatal: No space left on device\nfatal: early EOF", None),
        ] {
            let kind = disk_full_words(words).map(|err| err.kind());
            assert_eq!(kind, expected, "{words}");
        }
    }

    #[test]
    fn a_repository_that_is_not_there_is_the_authors_turn() {
        for words in [
            "fatal: could not read Username for 'https://github.com': terminal prompts disabled",
            "remote: Repository not found.\nfatal: repository 'https://github.com/a/b/' not found",
            "fatal: '/srv/git/a/b' does not appear to be a git repository",
        ] {
            assert!(!failed(words).is_transient(), "{words}");
            let judged = failed(words).judge("u");
            assert!(
                matches!(judged, JobError::Rejected(Rejection::RepositoryNotAccessible(_))),
                "{words}: {judged:?}"
            );
        }
    }
}
