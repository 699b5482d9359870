//! Real git repositories, the same in every run: author, time and content are fixed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Said, run};

/// A bare repository, where a server fetches from, and a checkout, where an author works.
pub(crate) struct Repository {
    bare: PathBuf,
    work: PathBuf,
    home: PathBuf,
}

impl Repository {
    /// Makes an empty repository at `bare` with a checkout at `work`.
    pub(crate) fn create(bare: PathBuf, work: PathBuf, home: PathBuf) -> Self {
        let repository = Self { bare, work, home };
        for (dir, args) in [
            (&repository.bare, &["init", "--bare"][..]),
            (&repository.work, &["init"][..]),
        ] {
            fs::create_dir_all(dir).unwrap();
            git(dir, &repository.home, args);
        }
        repository
    }

    /// The checkout.
    pub(crate) fn work(&self) -> &Path {
        &self.work
    }

    /// The bare repository.
    pub(crate) fn bare(&self) -> &Path {
        &self.bare
    }

    /// Runs git in the checkout.
    pub(crate) fn git(&self, args: &[&str]) -> Said {
        git(&self.work, &self.home, args)
    }

    /// Writes files into the checkout and commits them.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> &Self {
        for (name, text) in files {
            let file = self.work.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "Change"]);
        self
    }

    /// Tags what is checked out, or moves the tag there, without telling anyone.
    pub(crate) fn tag(&self, tag: &str) -> &Self {
        self.git(&["tag", "--force", tag]);
        self
    }

    /// Brings branch and tags to the bare repository.
    pub(crate) fn push(&self) -> &Self {
        let bare = self.bare.to_str().unwrap();
        self.git(&["push", "--quiet", "--force", "--tags", bare, "HEAD:main"]);
        self
    }
}

/// Runs git with nothing of this machine's configuration; panics when it fails.
pub(crate) fn git(dir: &Path, home: &Path, args: &[&str]) -> Said {
    run(command(home).current_dir(dir).args(args)).expect_code(0)
}

/// Returns a git command with nothing of this machine's configuration.
pub(crate) fn command(home: &Path) -> Command {
    const DATE: &str = "2026-08-18T07:00:00Z";
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .envs([
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_AUTHOR_NAME", "Lab"),
            ("GIT_AUTHOR_EMAIL", "lab@example.org"),
            ("GIT_AUTHOR_DATE", DATE),
            ("GIT_COMMITTER_NAME", "Lab"),
            ("GIT_COMMITTER_EMAIL", "lab@example.org"),
            ("GIT_COMMITTER_DATE", DATE),
        ]);
    command.args(["-c", "init.defaultBranch=main", "-c", "advice.detachedHead=false"]);
    command
}
