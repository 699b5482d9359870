//! What pushing promises, with real git repositories as remotes, on both databases.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use docket_core::{
    digest::Sha256, manifest::Manifest, metadata::PublishedVersion, package_set::PackageSet, time::Timestamp,
};
use docket_index::{
    ByJob, Publication, PushState, Repository, TABLES, bootstrap,
    git::{
        GitViews,
        remote::{PushError, Pushed, Remote, Remotes},
    },
    mirror_package_set, publish,
};
use docket_storage::Storage;
use docket_test_support::{TestDb, on_both_databases};

fn now() -> Timestamp {
    "2026-08-18T07:02:11.004Z".parse().unwrap()
}

/// A registry and the bare repositories that it pushes to.
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
        let remote = |name: &str| {
            let remote = folder.path().join(name);
            std::fs::create_dir(&remote).unwrap();
            git(&remote, &["init", "--quiet", "--bare", "-b", "main"]);
            Remote::new(format!("file://{}", remote.display()), None)
        };
        let storage = Storage::local(folder.path().join("blobs")).unwrap();
        let views = GitViews::new(folder.path().join("git"), db.db.clone(), storage);
        let remotes = Remotes::new(
            views.clone(),
            db.db.clone(),
            folder.path().join("push"),
            [
                (Repository::Registry, remote("remote.git")),
                (Repository::PackageSets, remote("sets.git")),
            ],
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

    /// How many commits of others the registry's remote has, as the doctor tells it.
    async fn foreign_commits(&self) -> i64 {
        let (state, _) = self.remotes.state(Repository::Registry).await.unwrap();
        state.unwrap().foreign_commits
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

    /// Releases a package set with its mirror for older clients: one commit with tags.
    async fn mirror(&self, version: &str, date: &str) {
        let set = format!(
            r#"{{"version":"{version}","compiler":"0.15.10","published":"{date}","packages":{{"a":"1.0.0"}}}}"#
        );
        let set: PackageSet = serde_json::from_str(&set).unwrap();
        let by = ByJob {
            job_id: format!("job-{version}"),
            at: now(),
        };
        let mut tx = self.db.db.write().await.unwrap();
        mirror_package_set(&mut tx, &set, &by).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn push_sets(&self) -> Result<Pushed, PushError> {
        self.remotes.push(Repository::PackageSets, now()).await
    }

    /// The tags of the remote of the package sets, with the first lines of the commits they lead to.
    fn tags(&self) -> Vec<String> {
        let format = "--format=%(refname:short): %(subject)";
        let sets = self.folder.path().join("sets.git");
        let listed = git(&sets, &["for-each-ref", format, "refs/tags"]);
        listed.lines().map(str::to_owned).collect()
    }

    async fn sets_state(&self) -> (PushState, i64) {
        let (state, behind) = self.remotes.state(Repository::PackageSets).await.unwrap();
        (state.unwrap(), behind)
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
        self.commit_by_hand_at(&self.remote(), file);
    }

    fn commit_by_hand_at(&self, remote: &Path, file: &str) {
        let clone = self.folder.path().join(format!("clone-{file}"));
        git(
            self.folder.path(),
            &[
                "clone",
                "--quiet",
                remote.to_str().unwrap(),
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
        assert_eq!(world.push().await.unwrap(), Pushed { commits: 1, tags: 0, foreign_commits: 1 });
        world.publish("c").await;
        assert_eq!(world.push().await.unwrap().commits, 1);
        assert_eq!(world.foreign_commits().await, 1, "it is told as long as it is there");
        world.commit_by_hand("two");
        assert_eq!(world.push().await.unwrap().commits, 0, "nothing of ours is missing there");
        world.publish("d").await;
        world.push().await.unwrap();
        assert_eq!(world.foreign_commits().await, 2);
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

    /// The sets for older clients are there with their tags, many at once, and nothing twice.
    async fn tags_follow_their_commits(db: TestDb) {
        let world = World::start(db).await;
        world.publish("a").await;
        world.mirror("1.0.0", "2023-09-30").await;
        world.mirror("1.0.1", "2023-10-01").await;
        assert_eq!(world.push_sets().await.unwrap(), Pushed { commits: 2, tags: 3, foreign_commits: 0 });
        assert_eq!(world.tags(), [
            "0.15.10: Update to the 1.0.0 package set.",
            "psc-0.15.10-20230930: Update to the 1.0.0 package set.",
            "psc-0.15.10-20231001: Update to the 1.0.1 package set.",
        ]);
        assert_eq!(world.push_sets().await.unwrap(), Pushed::default());
        assert_eq!(world.sets_state().await.1, 0);
    }

    /// A remote that took the commits and not the tags is behind until it has both.
    async fn a_push_is_not_done_before_the_tags_are_there(db: TestDb) {
        let world = World::start(db).await;
        world.publish("a").await;
        world.mirror("1.0.0", "2023-09-30").await;
        let sets = world.folder.path().join("sets.git");
        let hook = sets.join("hooks/update");
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(&hook, "#!/bin/sh\ncase $1 in refs/tags/psc-*) exit 1;; esac\n").unwrap();
        std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert!(matches!(world.push_sets().await, Err(PushError::Remote { .. })));
        assert_eq!(world.tags(), ["0.15.10: Update to the 1.0.0 package set."]);
        assert_eq!(world.sets_state().await.1, 1, "one change behind");
        std::fs::remove_file(&hook).unwrap();
        assert_eq!(world.push_sets().await.unwrap(), Pushed { commits: 0, tags: 1, foreign_commits: 0 });
        assert_eq!((world.tags().len(), world.sets_state().await.1), (2, 0));
    }

    /// Behind somebody else's commits a tag leads to our commit there, also when it comes there later than the commit.
    async fn a_tag_leads_to_our_commit_behind_commits_by_hand(db: TestDb) {
        let world = World::start(db).await;
        let sets = world.folder.path().join("sets.git");
        world.publish("a").await;
        world.mirror("1.0.0", "2023-09-30").await;
        world.push_sets().await.unwrap();
        world.commit_by_hand_at(&sets, "README.md");
        world.mirror("1.0.1", "2023-10-01").await;
        assert_eq!(world.push_sets().await.unwrap(), Pushed { commits: 1, tags: 1, foreign_commits: 1 });
        git(&sets, &["tag", "-d", "psc-0.15.10-20231001"]);
        // Nothing of an earlier push is remembered but what the database says.
        std::fs::remove_dir_all(world.folder.path().join("push")).unwrap();
        assert_eq!(world.push_sets().await.unwrap(), Pushed { commits: 0, tags: 1, foreign_commits: 0 });
        assert_eq!(world.tags().last().unwrap(), "psc-0.15.10-20231001: Update to the 1.0.1 package set.");
        let files = git(&sets, &["ls-tree", "--name-only", "psc-0.15.10-20231001"]);
        assert!(files.contains("README.md"), "{files}");
    }

    /// A tag that somebody else has put there stays where it is, and is reported until it is gone.
    async fn a_tag_of_somebody_else_is_left_alone(db: TestDb) {
        let world = World::start(db).await;
        let sets = world.folder.path().join("sets.git");
        world.publish("a").await;
        world.mirror("1.0.0", "2023-09-30").await;
        world.push_sets().await.unwrap();
        for annotated in [&["tag", "psc-0.15.10-20231001", "main"][..], &["tag", "-f", "-a", "-m", "by hand", "psc-0.15.10-20230930", "main"]] {
            git(&sets, annotated);
        }
        world.mirror("1.0.1", "2023-10-01").await;
        assert_eq!(world.push_sets().await.unwrap(), Pushed { commits: 1, tags: 0, foreign_commits: 0 });
        let (state, behind) = world.sets_state().await;
        assert_eq!((state.foreign_tags, behind), (vec!["psc-0.15.10-20231001".to_owned()], 0), "an annotated tag may lead to the same commit");
        assert_eq!(git(&sets, &["log", "-1", "--format=%s", "psc-0.15.10-20231001"]), "Update to the 1.0.0 package set.\n");
        git(&sets, &["tag", "-d", "psc-0.15.10-20231001"]);
        assert_eq!(world.push_sets().await.unwrap().tags, 1);
        assert!(world.sets_state().await.0.foreign_tags.is_empty());
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
