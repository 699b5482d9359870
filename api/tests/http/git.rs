//! Cloning the two repositories over HTTP, with the git of this machine.

use docket_test_support::on_both_databases;

use crate::served::{Served, effect, git, problem};

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap().trim()
}

on_both_databases! {
    /// Both repositories can be cloned, and show what was published.
    async fn both_repositories_can_be_cloned(db: TestDb) {
        let served = Served::start(db).await;
        served.record_effect().await;
        for (name, file) in [("registry", "metadata/effect.json"), ("registry-index", "ef/fe/effect")] {
            let url = format!("{}/git/{name}.git", served.url);
            let output = git(served.folder.path(), &["clone", "--quiet", &url, name]).await;
            assert!(output.status.success(), "{}", text(&output.stderr));
            assert!(served.folder.path().join(name).join(file).is_file(), "{name} has {file}");
        }
        let line = std::fs::read_to_string(served.folder.path().join("registry-index/ef/fe/effect")).unwrap();
        assert_eq!(line, effect().to_line() + "\n");
    }

    /// spago clones with `--filter=tree:0`: trees and files come when they are needed.
    async fn a_clone_without_trees_fetches_them_later(db: TestDb) {
        let served = Served::start(db).await;
        served.record_effect().await;
        let url = format!("{}/git/registry-index.git", served.url);
        let clone = served.folder.path().join("clone");
        let output = git(served.folder.path(), &["clone", "--filter=tree:0", "--no-checkout", &url, "clone"]).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(!text(&output.stderr).contains("filtering not recognized"), "{}", text(&output.stderr));
        let kinds = git(&clone, &["cat-file", "--batch-all-objects", "--batch-check=%(objecttype)", "--unordered"]).await;
        assert!(text(&kinds.stdout).lines().all(|kind| kind == "commit"), "{}", text(&kinds.stdout));
        let shown = git(&clone, &["show", "HEAD:ef/fe/effect"]).await;
        assert!(shown.status.success(), "{}", text(&shown.stderr));
        assert_eq!(text(&shown.stdout), effect().to_line());
    }

    /// A fetch brings what was published since, and one that finds nothing new is fine.
    async fn a_fetch_brings_what_is_new(db: TestDb) {
        let served = Served::start(db).await;
        let url = format!("{}/git/registry-index.git", served.url);
        let clone = served.folder.path().join("clone");
        assert!(git(served.folder.path(), &["clone", "--quiet", "--depth=1", &url, "clone"]).await.status.success());
        served.record_effect().await;
        for _ in 0..2 {
            let output = git(&clone, &["pull", "--quiet", "--ff-only"]).await;
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
        assert!(clone.join("ef/fe/effect").is_file());
    }

    /// Old clients that speak protocol version 0 or 1 can clone too.
    async fn older_protocols_work(db: TestDb) {
        let served = Served::start(db).await;
        for version in ["0", "1"] {
            let url = format!("{}/git/registry.git", served.url);
            let protocol = format!("protocol.version={version}");
            let output = git(served.folder.path(), &["-c", &protocol, "clone", "--quiet", &url, version]).await;
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
    }

    /// Nobody writes here but the registry.
    async fn a_push_is_refused(db: TestDb) {
        let served = Served::start(db).await;
        let url = format!("{}/git/registry.git", served.url);
        let clone = served.folder.path().join("clone");
        assert!(git(served.folder.path(), &["clone", "--quiet", &url, "clone"]).await.status.success());
        let commit = ["-c", "user.name=T", "-c", "user.email=t@t.invalid", "commit", "--quiet", "--allow-empty", "-m", "mine"];
        assert!(git(&clone, &commit).await.status.success());
        let output = git(&clone, &["push", "origin", "main"]).await;
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains("403"), "{}", text(&output.stderr));
        let refused = problem(served.get("/git/registry.git/info/refs?service=git-receive-pack").send().await.unwrap(), 403).await;
        assert_eq!(refused["type"], "/docs/problems#read-only");
        let response = served.request("POST", "/git/registry.git/git-receive-pack").body("0000").send().await.unwrap();
        assert_eq!(response.status(), 404);
    }

    /// Only these two repositories, and nothing else of the disk, can be asked for.
    async fn nothing_else_can_be_cloned(db: TestDb) {
        let served = Served::start(db).await;
        for name in ["other.git", "..%2Fblobs", "registry.git%2F..%2F..", "%2Fetc"] {
            problem(served.get(&format!("/git/{name}/info/refs?service=git-upload-pack")).send().await.unwrap(), 404).await;
        }
        for path in ["HEAD", "config", "objects/info/packs"] {
            let response = served.get(&format!("/git/registry.git/{path}")).send().await.unwrap();
            assert_eq!(response.status(), 404, "{path}");
        }
    }
}
