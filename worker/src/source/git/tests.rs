//! Against real repositories, fetched over `file://`.

use std::fs;
use std::process::{Command, Stdio};

use super::*;

/// A folder of repositories as a source host has them: `OWNER/REPO.git`.
struct Host {
    dir: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn config(&self) -> SourceConfig {
        SourceConfig {
            github_url: format!("file://{}", self.dir.path().display()),
            retry_pause: Duration::ZERO,
            ..SourceConfig::default()
        }
    }

    fn repository(&self, name: &str) -> Repository {
        let bare = self.dir.path().join("lab").join(name);
        let work = self.dir.path().join("work").join(name);
        fs::create_dir_all(&bare).unwrap();
        fs::create_dir_all(&work).unwrap();
        git(&bare, &["init", "-q", "--bare", "-b", "main"]);
        git(&work, &["init", "-q", "-b", "main"]);
        git(&work, &["remote", "add", "origin", bare.to_str().unwrap()]);
        Repository { work }
    }
}

struct Repository {
    work: PathBuf,
}

impl Repository {
    /// Commits one file, tags it and pushes both; returns the commit.
    fn commit(&self, path: &str, text: &str, tag: &str) -> String {
        let file = self.work.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        self.commit_all(tag)
    }

    fn commit_all(&self, tag: &str) -> String {
        git(&self.work, &["add", "-A"]);
        git(&self.work, &["commit", "-q", "--allow-empty", "-m", "change"]);
        git(&self.work, &["tag", "-f", "-a", "-m", "release", tag]);
        git(&self.work, &["push", "-q", "-f", "origin", "main", tag]);
        git(&self.work, &["rev-parse", "HEAD"])
    }
}

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn demo() -> Location {
    Location::github("lab", "demo", None).unwrap()
}

async fn fetch_ref(config: &SourceConfig, git_ref: &str) -> (tempfile::TempDir, Result<Checkout, JobError>) {
    let dir = tempfile::tempdir().unwrap();
    let result = fetch(config, &demo(), git_ref, dir.path()).await;
    (dir, result)
}

fn rejection(result: Result<Checkout, JobError>) -> Rejection {
    match result {
        Err(JobError::Rejected(rejection)) => rejection,
        other => panic!("expected a rejection, got {other:?}"),
    }
}

#[tokio::test]
async fn a_tag_gives_its_files_and_its_commit_and_no_git_directory() {
    let host = Host::new();
    let commit = host
        .repository("demo.git")
        .commit("src/Demo.purs", "module Demo where", "v1.0.0");
    let (_dir, checkout) = fetch_ref(&host.config(), "v1.0.0").await;
    let checkout = checkout.unwrap();
    assert_eq!(
        (checkout.commit, checkout.full_ref.as_str()),
        (commit, "refs/tags/v1.0.0")
    );
    assert_eq!(
        fs::read_to_string(checkout.package_dir.join("src/Demo.purs")).unwrap(),
        "module Demo where"
    );
    assert!(!checkout.root.join(".git").exists());
}

#[tokio::test]
async fn a_branch_can_be_fetched_and_a_moved_tag_gives_the_new_commit() {
    let host = Host::new();
    let repository = host.repository("demo");
    let first = repository.commit("a", "1", "v1.0.0");
    assert_eq!(fetch_ref(&host.config(), "main").await.1.unwrap().commit, first);
    let second = repository.commit("a", "2", "v1.0.0");
    assert_ne!(first, second);
    assert_eq!(
        fetch_ref(&host.config(), "v1.0.0").await.1.unwrap().commit,
        second
    );
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let host = Host::new();
    let (_dir, nothing) = fetch_ref(&host.config(), "v1.0.0").await;
    assert!(
        matches!(rejection(nothing), Rejection::RepositoryNotAccessible(url) if url.ends_with("lab/demo"))
    );

    let repository = host.repository("demo");
    let (_dir, empty) = fetch_ref(&host.config(), "v1.0.0").await;
    assert!(matches!(rejection(empty), Rejection::RepositoryEmpty(_)));

    repository.commit("a", "1", "v1.0.0");
    let (_dir, missing) = fetch_ref(&host.config(), "v2.0.0").await;
    assert!(matches!(rejection(missing), Rejection::RefNotFound { git_ref, .. } if git_ref == "v2.0.0"));

    let (_dir, option) = fetch_ref(&host.config(), "--upload-pack=touch /tmp/x").await;
    assert!(matches!(rejection(option), Rejection::RefInvalid(_)));
}

#[tokio::test]
async fn too_many_bytes_or_files_are_refused_before_they_are_written() {
    let host = Host::new();
    let repository = host.repository("demo");
    // Compresses to nothing, so only the measured tree can tell.
    repository.commit("big", &"x".repeat(300_000), "v1.0.0");
    let config = SourceConfig {
        max_bytes: 200_000,
        ..host.config()
    };
    let (dir, result) = fetch_ref(&config, "v1.0.0").await;
    assert!(matches!(rejection(result), Rejection::SourceTooLarge { what, .. } if what == "300000 bytes"));
    assert!(!dir.path().join("source/big").exists());

    repository.commit("small", "x", "v1.0.1");
    let config = SourceConfig {
        max_files: 1,
        ..host.config()
    };
    let (_dir, result) = fetch_ref(&config, "v1.0.1").await;
    assert!(matches!(rejection(result), Rejection::SourceTooLarge { what, .. } if what == "2 files"));

    // Even the pack is too large.
    let config = SourceConfig {
        max_bytes: 200,
        ..host.config()
    };
    let (_dir, result) = fetch_ref(&config, "v1.0.1").await;
    assert!(matches!(rejection(result), Rejection::SourceTooLarge { .. }));
}

#[tokio::test]
async fn submodules_are_listed_and_not_fetched() {
    let host = Host::new();
    host.repository("other").commit("evil", "x", "v1.0.0");
    let repository = host.repository("demo");
    let other = host.dir.path().join("lab/other");
    git(
        &repository.work,
        &["submodule", "--quiet", "add", other.to_str().unwrap(), "dep"],
    );
    repository.commit_all("v1.0.0");
    let (_dir, checkout) = fetch_ref(&host.config(), "v1.0.0").await;
    let checkout = checkout.unwrap();
    assert_eq!(checkout.submodules, ["dep"]);
    assert!(!checkout.root.join("dep/evil").exists());
}

/// Hooks, filters and helpers of the machine or the repository would run code of strangers, or read our secrets.
#[tokio::test]
async fn no_filter_of_the_repository_runs() {
    let host = Host::new();
    let repository = host.repository("demo");
    fs::write(repository.work.join(".gitattributes"), "* filter=lfs\n").unwrap();
    let pointer = "version https://git-lfs.github.com/spec/v1\n";
    repository.commit("src/A.purs", pointer, "v1.0.0");
    let (_dir, checkout) = fetch_ref(&host.config(), "v1.0.0").await;
    let checkout = checkout.unwrap();
    assert_eq!(
        fs::read_to_string(checkout.root.join("src/A.purs")).unwrap(),
        pointer
    );
}

#[tokio::test]
async fn only_the_scheme_of_the_configured_address_is_spoken() {
    let host = Host::new();
    host.repository("demo").commit("a", "1", "v1.0.0");
    // A git location may not become a local path, whatever the repository or a redirect says.
    let location = Location::Git {
        url: format!("file://{}/lab/demo", host.dir.path().display()),
        subdir: None,
    };
    let config = SourceConfig {
        allow_git_locations: true,
        ..SourceConfig::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let result = fetch(&config, &location, "v1.0.0", dir.path()).await;
    assert!(matches!(rejection(result), Rejection::HostNotAllowed(_)));
}

#[tokio::test]
async fn a_package_in_a_folder_is_found_when_folders_are_switched_on() {
    let host = Host::new();
    let repository = host.repository("demo");
    std::os::unix::fs::symlink("../../../..", repository.work.join("out")).unwrap();
    repository.commit("lib/core/src/A.purs", "module A where", "v1.0.0");
    let config = SourceConfig {
        allow_git_locations: true,
        ..host.config()
    };
    let dir = tempfile::tempdir().unwrap();
    let location = |subdir: &str| Location::github("lab", "demo", Some(subdir)).unwrap();
    let checkout = fetch(&config, &location("lib/core"), "v1.0.0", dir.path())
        .await
        .unwrap();
    assert!(checkout.package_dir.join("src/A.purs").exists());
    for missing in ["lib/other", "lib/core/src/A.purs", "out"] {
        let dir = tempfile::tempdir().unwrap();
        let result = fetch(&config, &location(missing), "v1.0.0", dir.path()).await;
        assert_eq!(rejection(result), Rejection::SubdirMissing(missing.into()));
    }
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_our_turn_after_every_attempt() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = std::thread::spawn(move || (0..3).map(|_| drop(listener.accept().unwrap())).count());
    let config = SourceConfig {
        github_url: format!("http://{address}"),
        attempts: 3,
        retry_pause: Duration::ZERO,
        ..SourceConfig::default()
    };
    let (_dir, result) = fetch_ref(&config, "v1.0.0").await;
    assert!(matches!(result, Err(JobError::Unavailable { .. })), "{result:?}");
    assert_eq!(accepted.join().unwrap(), 3);
}

/// Given by its name alone, it would be started by a copy of this process.
#[test]
fn git_is_started_by_its_whole_path() {
    let dir = tempfile::tempdir().unwrap();
    let config = SourceConfig::default();
    let command = invoke::Git::new(&config, "https", dir.path())
        .unwrap()
        .command(&[]);
    let program = std::path::Path::new(command.as_std().get_program());
    assert!(program.is_absolute(), "{}", program.display());
}

#[tokio::test]
async fn a_missing_git_is_our_turn() {
    let config = SourceConfig {
        git: "/nonexistent/git".into(),
        ..SourceConfig::default()
    };
    let (_dir, result) = fetch_ref(&config, "v1.0.0").await;
    assert!(
        matches!(
            result,
            Err(JobError::Local {
                doing: "start git",
                ..
            })
        ),
        "{result:?}"
    );
}
