//! What pushing promises, with real git repositories as remotes, on both databases.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use docket_core::{digest::Sha256, manifest::Manifest, metadata::PublishedVersion, time::Timestamp};
use docket_index::{
    ByJob, Publication, Repository, TABLES, bootstrap,
    git::{
        GitViews,
        remote::{PushError, Pushed, Remote, Remotes},
    },
    publish,
};
use docket_storage::Storage;
use docket_test_support::{TestDb, on_both_databases};

fn now() -> Timestamp {
    "2026-08-18T07:02:11.004Z".parse().unwrap()
}

/// A registry and a bare repository that it pushes to.
struct World {
    db: TestDb,
    folder: tempfile::TempDir,
    remotes: Remotes,
    views: GitViews,
}

impl World {
    async fn start(db: TestDb) -> Self {
        db.migrate(&[TABLES]).await;
        let mut tx = db.db.write().await.unwrap();
        bootstrap(&mut tx, now()).await.unwrap();
        tx.commit().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let remote = folder.path().join("remote.git");
        std::fs::create_dir(&remote).unwrap();
        git(&remote, &["init", "--quiet", "--bare", "-b", "main"]);
        let storage = Storage::local(folder.path().join("blobs")).unwrap();
        let views = GitViews::new(folder.path().join("git"), db.db.clone(), storage);
        let url = format!("file://{}", remote.display());
        let remotes = Remotes::new(
            views.clone(),
            db.db.clone(),
            folder.path().join("push"),
            [(Repository::Registry, Remote::new(url, None))],
        );
        Self {
            db,
            folder,
            remotes,
            views,
        }
    }

    fn remote(&self) -> PathBuf {
        self.folder.path().join("remote.git")
    }

    /// Publishes a package without dependencies: one commit of the registry.
    async fn publish(&self, name: &str) {
        let line = format!(
            r#"{{"name":"{name}","version":"1.0.0","license":"MIT","location":{{"githubOwner":"lab","githubRepo":"{name}"}},"ref":"v1.0.0","dependencies":{{}}}}"#
        );
        let entry = PublishedVersion {
            bytes: 1,
            compilers: vec!["0.15.15".parse().unwrap()],
            hash: Sha256::of(name.as_bytes()),
            published_time: now(),
            git_ref: String::new(),
        };
        let publication = Publication {
            manifest: &Manifest::from_stored(&line).unwrap(),
            entry: &entry,
            by: ByJob {
                job_id: "job".to_owned(),
                at: now(),
            },
        };
        let mut tx = self.db.db.write().await.unwrap();
        publish(&mut tx, &publication).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn push(&self) -> Result<Pushed, PushError> {
        self.remotes.push(Repository::Registry, now()).await
    }

    fn subjects(&self) -> Vec<String> {
        let log = git(&self.remote(), &["log", "--reverse", "--format=%s", "main"]);
        log.lines().map(str::to_owned).collect()
    }

    /// Somebody commits a file on the remote by hand.
    fn commit_by_hand(&self, file: &str) {
        let clone = self.folder.path().join(format!("clone-{file}"));
        git(
            self.folder.path(),
            &[
                "clone",
                "--quiet",
                self.remote().to_str().unwrap(),
                clone.to_str().unwrap(),
            ],
        );
        std::fs::write(clone.join(file), "by hand\n").unwrap();
        git(&clone, &["add", "-A"]);
        git(&clone, &["commit", "--quiet", "-m", &format!("By hand: {file}")]);
        git(&clone, &["push", "--quiet", "origin", "HEAD:main"]);
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

on_both_databases! {
    /// The remote gets exactly the commits that clients of the server see, many at once, and nothing twice.
    async fn the_remote_gets_our_very_commits(db: TestDb) {
        let world = World::start(db).await;
        world.publish("a").await;
        world.publish("b").await;
        assert_eq!(world.push().await.unwrap().commits, 3);
        assert_eq!(world.push().await.unwrap().commits, 0);
        world.publish("c").await;
        assert_eq!(world.remotes.state(Repository::Registry).await.unwrap().1, 1, "one change behind");
        assert_eq!(world.push().await.unwrap().commits, 1);
        assert_eq!(world.subjects(), ["Begin", "Update metadata for a", "Update metadata for b", "Update metadata for c"]);
        let view = world.views.bring_up_to_date(Repository::Registry).await.unwrap();
        assert_eq!(git(&world.remote(), &["rev-parse", "main"]), git(&view, &["rev-parse", "main"]));
        assert_eq!(world.remotes.state(Repository::Registry).await.unwrap().1, 0);
    }

    /// What somebody commits there by hand stays, ours follows it, and it is counted; again and again.
    async fn commits_by_hand_stay_and_ours_follow(db: TestDb) {
        let world = World::start(db).await;
        world.publish("a").await;
        world.push().await.unwrap();
        world.commit_by_hand("one");
        world.publish("b").await;
        assert_eq!(world.push().await.unwrap(), Pushed { commits: 1, foreign_commits: 1 });
        world.publish("c").await;
        assert_eq!(world.push().await.unwrap().commits, 1);
        world.commit_by_hand("two");
        assert_eq!(world.push().await.unwrap().commits, 0, "nothing of ours is missing there");
        world.publish("d").await;
        world.push().await.unwrap();
        assert_eq!(world.subjects(), [
            "Begin", "Update metadata for a", "By hand: one", "Update metadata for b", "Update metadata for c",
            "By hand: two", "Update metadata for d",
        ]);
        let files = git(&world.remote(), &["ls-tree", "-r", "--name-only", "main"]);
        for file in ["metadata/a.json", "metadata/d.json", "one", "two"] {
            assert!(files.contains(file), "{files}");
        }
    }

    /// A push whose answer was lost is recognised by the next, with commits by hand in between or not.
    async fn a_push_whose_answer_was_lost_is_not_repeated(db: TestDb) {
        let world = World::start(db).await;
        world.publish("a").await;
        world.push().await.unwrap();
        world.commit_by_hand("one");
        world.publish("b").await;
        world.push().await.unwrap();
        // As if the process had been killed after the push and before it was written down.
        const LOST: &str = "
            UPDATE push_state
            SET pending_commit = commit_id, pending_seq = change_seq, commit_id = '', change_seq = 0";
        let mut tx = world.db.db.write().await.unwrap();
        docket_db::execute!(&mut tx, docket_db::sqlx::query(LOST)).unwrap();
        tx.commit().await.unwrap();
        world.publish("c").await;
        assert_eq!(world.push().await.unwrap().commits, 1);
        let subjects = world.subjects();
        assert_eq!(subjects.iter().filter(|subject| subject.ends_with(" b")).count(), 1, "{subjects:?}");
    }

    /// A remote that is gone is a problem that is written down since when, and goes away when the remote is back.
    async fn a_remote_that_is_down_loses_nothing(db: TestDb) {
        let world = World::start(db).await;
        world.publish("a").await;
        let away = world.folder.path().join("away.git");
        std::fs::rename(world.remote(), &away).unwrap();
        for _ in 0..2 {
            assert!(matches!(world.push().await, Err(PushError::Remote { .. })));
        }
        let (state, behind) = world.remotes.state(Repository::Registry).await.unwrap();
        let (problem, since) = state.unwrap().problem.unwrap();
        assert!(problem.contains("did not take the registry"), "{problem}");
        assert_eq!((since, behind), (now(), 2));
        std::fs::rename(&away, world.remote()).unwrap();
        assert_eq!(world.push().await.unwrap().commits, 2);
        assert_eq!(world.remotes.state(Repository::Registry).await.unwrap().0.unwrap().problem, None);
    }

    /// A remote with another history is never overwritten.
    async fn another_history_is_never_overwritten(db: TestDb) {
        let world = World::start(db).await;
        let other = world.folder.path().join("other");
        std::fs::create_dir(&other).unwrap();
        git(&other, &["init", "--quiet", "-b", "main"]);
        git(&other, &["commit", "--quiet", "--allow-empty", "-m", "Somebody else's"]);
        git(&other, &["push", "--quiet", world.remote().to_str().unwrap(), "main"]);
        assert!(matches!(world.push().await, Err(PushError::Unrelated { .. })));
        assert_eq!(world.subjects(), ["Somebody else's"]);
    }
}

/// The token is not in what is printed of a remote.
#[test]
fn a_remote_does_not_show_its_token() {
    let remote = Remote::new("https://example.org/r.git".to_owned(), Some("geheim".to_owned()));
    assert!(!format!("{remote:?}").contains("geheim"));
}
