//! Taking a version back and moving a package, with real keys, by `docket` and by hand; and what clients find in the repositories afterwards.

use std::fs;
use std::path::PathBuf;

use docket_test_support::{SshKey, ssh_key};
use reqwest::Method;
use serde_json::json;

use crate::git::Repository;
use crate::harness::Registry;
use crate::http::call;
use crate::repositories::clone;

const DEMO: &str = "module Demo where\n\nimport Prelude\n\ndemo :: Unit\ndemo = unit\n";

/// A key in a file, as its owner keeps it.
pub(crate) struct KeyFile {
    pub(crate) key: SshKey,
    pub(crate) path: PathBuf,
}

/// Makes a key that only its owner may read.
pub(crate) fn key_file(registry: &Registry, name: &str) -> KeyFile {
    use std::os::unix::fs::PermissionsExt;
    let key = ssh_key("ed25519", &format!("{name}@example.org"));
    let path = registry.path("home").join(name);
    fs::write(&path, &key.private).unwrap();
    fs::write(path.with_extension("pub"), &key.public).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    KeyFile { key, path }
}

/// The package `demo` 1.0.0, owned by the holder of `key`, published.
fn publish_demo(registry: &Registry, key: &SshKey) -> Repository {
    let public = key.public.split(' ').nth(1).unwrap();
    let manifest = json!({
        "name": "demo",
        "version": "1.0.0",
        "license": "MIT",
        "location": { "githubOwner": "lab", "githubRepo": "purescript-demo" },
        "ref": "v1.0.0",
        "owners": [{ "id": "me@example.org", "keytype": "ssh-ed25519", "public": public }],
        "dependencies": { "prelude": ">=6.0.0 <7.0.0" },
    });
    let repository = registry.repository("lab", "purescript-demo");
    repository
        .commit(&[("purs.json", &manifest.to_string()), ("src/Demo.purs", DEMO)])
        .tag("v1.0.0")
        .push();
    registry
        .docket(&["publish", repository.work().to_str().unwrap()])
        .expect_code(0);
    repository
}

/// The first lines of all commit messages, oldest first, and that each names its job.
pub(crate) fn commits(registry: &Registry, name: &str) -> Vec<String> {
    let dir = clone(registry, name, &[]);
    let log = crate::git::git(
        &dir,
        &registry.path("home"),
        &["log", "-z", "--reverse", "--format=%B"],
    );
    let messages = log.out.split('\0').filter(|message| !message.is_empty());
    messages
        .enumerate()
        .map(|(number, message)| {
            // The first is what was imported.
            assert!(number == 0 || message.contains("\nJob ID: "), "{message}");
            message.lines().next().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn an_owner_takes_a_version_back_with_docket() {
    let registry = Registry::start();
    let owner = key_file(&registry, "owner");
    publish_demo(&registry, &owner.key);
    let stranger = key_file(&registry, "stranger");
    let unpublish = |key: &KeyFile| {
        let key = key.path.to_str().unwrap();
        registry.docket(&[
            "unpublish",
            "demo@1.0.0",
            "--reason",
            "It was wrong",
            "--key",
            key,
            "--yes",
        ])
    };
    unpublish(&stranger)
        .expect_code(1)
        .expect("may not sign for this");
    unpublish(&owner)
        .expect_code(0)
        .expect("Unpublished demo@1.0.0! Reason: It was wrong");
    unpublish(&owner).expect_code(1).expect("already");
    assert_eq!(crate::http::get(&registry.url("/demo/1.0.0.tar.gz")).status, 404);
    assert_eq!(
        commits(&registry, "registry"),
        [
            "Import the registry",
            "Update metadata for demo",
            "Update metadata for demo"
        ]
    );
    assert_eq!(
        commits(&registry, "registry-index"),
        [
            "Import the registry-index",
            "Update manifest for demo@1.0.0",
            "Remove manifest entry for demo@1.0.0",
        ]
    );
    let dir = clone(&registry, "registry", &[]);
    let metadata = fs::read_to_string(dir.join("metadata/demo.json")).unwrap();
    assert!(metadata.contains("\"reason\": \"It was wrong\""), "{metadata}");
}

#[test]
fn an_owner_moves_a_package_with_docket() {
    let registry = Registry::start();
    let owner = key_file(&registry, "owner");
    publish_demo(&registry, &owner.key);
    let key = owner.path.to_str().unwrap();
    registry
        .docket(&[
            "transfer",
            "demo",
            "--to",
            "lab/purescript-nowhere",
            "--key",
            key,
            "--yes",
        ])
        .expect_code(1)
        .expect("not accessible");
    registry
        .repository("lab", "purescript-moved")
        .commit(&[("README.md", "moved\n")])
        .push();
    registry
        .docket(&[
            "transfer",
            "demo",
            "--to",
            "lab/purescript-moved",
            "--key",
            key,
            "--yes",
        ])
        .expect_code(0)
        .expect("Transferred demo");
    let package = crate::http::get_json(&registry.url("/api/v1/packages/demo"));
    assert_eq!(package["location"]["githubRepo"], "purescript-moved");
}

#[test]
fn what_ssh_keygen_signs_by_hand_is_taken_once() {
    let registry = Registry::start();
    let owner = key_file(&registry, "owner");
    publish_demo(&registry, &owner.key);
    let expires = crate::http::get_json(&registry.url("/api/v1/jobs?include_completed=true"))[0]["createdAt"]
        .as_str()
        .unwrap()
        .parse::<docket_core::time::Timestamp>()
        .unwrap()
        .plus_millis(20 * 60 * 1000);
    let payload = json!({
        "name": "demo",
        "version": "1.0.0",
        "reason": "By hand",
        "audience": registry.url(""),
        "nonce": "0123456789abcdef0123456789abcdef",
        "expires": expires.to_string(),
    })
    .to_string();
    let file = registry.path("work").join("payload");
    fs::write(&file, &payload).unwrap();
    crate::harness::run(
        std::process::Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", "docket-operation", "-f"])
            .arg(&owner.path)
            .arg(&file),
    )
    .expect_code(0);
    let signature = fs::read_to_string(file.with_extension("sig")).unwrap();
    let post = || {
        let body = json!({ "payload": payload, "signature": signature }).to_string();
        call(Method::POST, &registry.url("/api/v1/unpublish"), |request| {
            request.body(body)
        })
    };
    let first = post();
    assert_eq!(first.status, 200, "{}", first.text());
    let job = first.json()["jobId"].as_str().unwrap().to_owned();
    let job = registry.wait_for_job(&job);
    assert_eq!(job["success"], true);
    assert_eq!(job["actor"]["role"], "owner");
    assert_eq!(
        post().json()["jobId"],
        job["jobId"],
        "a copy of the request does nothing new"
    );
}

#[test]
fn anybody_raises_the_package_set_with_docket() {
    let registry = Registry::start();
    let owner = key_file(&registry, "owner");
    publish_demo(&registry, &owner.key);
    registry
        .docket(&["package-set", "update", "demo@1.0.0"])
        .expect_code(0)
        .expect("Released the package set 1.1.0");
    let set = crate::http::get_json(&registry.url("/api/v1/package-sets/latest"));
    assert_eq!(
        (set["version"].as_str(), set["packages"]["demo"].as_str()),
        (Some("1.1.0"), Some("1.0.0"))
    );
    assert_eq!(
        commits(&registry, "registry").last().map(String::as_str),
        Some("Release 1.1.0 package set.")
    );
    registry
        .docket(&["package-set", "update", "demo@1.0.0"])
        .expect_code(1)
        .expect("Cannot be added or updated");
    registry
        .docket(&["package-set", "update", "--remove", "demo"])
        .expect_code(2)
        .expect("trustee");
}

#[test]
fn the_repositories_follow_to_their_remotes() {
    let registry = Registry::start_with("", |dir| {
        for name in ["registry-remote", "index-remote"] {
            let bare = dir.join(name);
            fs::create_dir(&bare).unwrap();
            crate::git::git(&bare, &dir.join("home"), &["init", "--quiet", "--bare"]);
        }
        let text = fs::read_to_string(dir.join("docket.toml")).unwrap();
        let remotes = format!(
            "{text}\n[git]\nregistry_remote = \"file://{0}/registry-remote\"\nindex_remote = \"file://{0}/index-remote\"\n",
            dir.display()
        );
        fs::write(dir.join("docket.toml"), remotes).unwrap();
    });
    let owner = key_file(&registry, "owner");
    publish_demo(&registry, &owner.key);
    for (remote, last) in [
        ("registry-remote", "Update metadata for demo"),
        ("index-remote", "Update manifest for demo@1.0.0"),
    ] {
        let bare = registry.path(remote);
        crate::harness::wait_for("the push", || {
            let log = crate::harness::run(
                crate::git::command(&registry.path("home"))
                    .current_dir(&bare)
                    .args(["log", "-1", "--format=%s", "main"]),
            );
            log.out.trim().eq(last).then_some(())
        });
    }
    crate::harness::run(registry.docketd().arg("doctor")).expect("0 changes wait");
}
