//! `docketd` with its blobs in a bucket.

use std::fs;
use std::path::Path;

use docket_test_support::S3Server;

use crate::git::git;
use crate::harness::{Registry, run};
use crate::publish::demo;

/// The section for a bucket, with the secret in the file `secret` of the registry's directory.
pub(crate) fn section(server: &S3Server, bucket: &str) -> String {
    format!(
        "[storage]\nkind = \"s3\"\nendpoint = \"{}\"\nbucket = \"{bucket}\"\naccess_key_id = \"{}\"\nsecret_access_key_file = \"secret\"\nallow_http = true\n",
        server.endpoint(),
        S3Server::ACCESS_KEY_ID
    )
}

pub(crate) fn write_secret(dir: &Path) {
    fs::write(dir.join("secret"), S3Server::SECRET_ACCESS_KEY).unwrap();
}

/// What is imported and what is published is in the bucket, nothing of it in the data directory, and clients get it from there: tarballs,
/// and the history that the repositories had before.
#[test]
fn a_package_is_published_to_a_bucket_and_downloaded_from_it() {
    let server = S3Server::start();
    let registry = Registry::start_with(&section(&server, S3Server::BUCKET), |dir| {
        write_secret(dir);
        for arguments in [
            &["init", "-q"][..],
            &["add", "-A"],
            &["commit", "-q", "-m", "As it was"],
        ] {
            git(&dir.join("fixture/registry"), &dir.join("home"), arguments);
        }
    });
    let demo = demo(&registry);
    demo.push();
    registry
        .docket(&["publish", demo.work().to_str().unwrap()])
        .expect_code(0)
        .expect("published demo@1.0.0");
    for path in ["/demo/1.0.0.tar.gz", "/prelude/6.0.1.tar.gz"] {
        let answer = crate::http::get(&registry.url(path));
        assert_eq!(answer.status, 200, "{path}");
        let hex = docket_core::digest::Sha256::of(&answer.body).hex();
        let key = format!("{}/{}/{hex}", &hex[0..2], &hex[2..4]);
        assert!(server.object(&key).is_some(), "{path}");
    }
    assert!(!registry.path("data/blobs").exists());
    let (clone, url) = (registry.path("clone"), registry.url("/git/registry.git"));
    let home = registry.path("home");
    git(&home, &home, &["clone", "-q", &url, clone.to_str().unwrap()]);
    assert!(clone.join("metadata/demo.json").exists());
    git(&clone, &home, &["log", "--format=%s"]).expect("As it was");
    run(registry.docketd().arg("doctor"))
        .expect("ok      storage: a blob can be written to and removed from the bucket blobs at http://");
}

/// A bucket that cannot be used ends the start at once, with one line that says why and shows no secret.
#[test]
fn a_bucket_that_cannot_be_used_ends_the_start() {
    let mut server = S3Server::start();
    let dir = tempfile::tempdir().unwrap();
    write_secret(dir.path());
    let start = |bucket: &str, server: &S3Server| {
        fs::write(dir.path().join("docket.toml"), section(server, bucket)).unwrap();
        let mut docketd = std::process::Command::new(crate::harness::DOCKETD);
        let said = run(docketd.args(["--listen", "127.0.0.1:0"]).current_dir(dir.path())).expect_code(78);
        let lines: Vec<_> = said.err.lines().collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            !said.all().contains(S3Server::SECRET_ACCESS_KEY)
                && !said.all().contains("another-secret")
                && !said.all().contains("X-Amz"),
            "{lines:?}"
        );
        lines[0].to_owned()
    };
    let line = start("elsewhere", &server);
    assert!(
        line.contains("the bucket elsewhere at http://") && line.contains("create the bucket"),
        "{line}"
    );
    fs::write(dir.path().join("secret"), "another-secret").unwrap();
    let line = start(S3Server::BUCKET, &server);
    assert!(line.contains("check storage.secret_access_key_file"), "{line}");
    server.stop();
    let line = start(S3Server::BUCKET, &server);
    assert!(line.contains("did not answer"), "{line}");
}
