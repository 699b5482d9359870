//! `docketd prune`: says what can go, removes it when told so, and nothing else.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use docket_core::digest::Sha256;

use crate::asking::publish;
use crate::harness::{Registry, run};
use crate::http::{get, get_json};
use crate::log_archive::{TOKEN, age, archive};
use crate::publish::demo;

/// Makes a file or directory look as if nobody had touched it for two days.
fn make_old(path: &Path) {
    let before = SystemTime::now() - Duration::from_secs(2 * 24 * 60 * 60);
    File::open(path).unwrap().set_modified(before).unwrap();
}

fn write_old(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    make_old(path);
}

#[test]
fn what_nobody_needs_is_listed_and_removed_when_told_so() {
    let registry = Registry::start_with("[trustees]\ntoken_file = \"token\"\n", |dir| {
        fs::write(dir.join("token"), TOKEN).unwrap();
    });
    demo(&registry).push();
    let published = publish(&registry, "purescript-demo", "v1.0.0");
    registry.wait_for_job(&published);
    archive(&registry);
    age(&registry);
    let jobs = || {
        let jobs = get_json(&registry.url("/api/v1/jobs?include_completed=true&kind=archive-logs"));
        jobs.as_array().unwrap().len()
    };
    assert_eq!(jobs(), 1);

    let work_dir = registry.path("data/work/job-killed");
    write_old(&work_dir.join("file"), "half");
    make_old(&work_dir);
    let hex = Sha256::of(b"garbage").hex();
    let folder = registry.path("data/blobs").join(&hex[0..2]).join(&hex[2..4]);
    let (garbage, half) = (folder.join(&hex), folder.join(".tmp123"));
    write_old(&garbage, "garbage");
    write_old(&half, "gar");
    let young = folder.join(".tmp456");
    fs::write(&young, "").unwrap();
    let there = || [&work_dir, &garbage, &half, &young].map(|path| path.exists());

    let prune = |more: &[&str]| {
        run(registry
            .docketd()
            .args(["prune", "--own-jobs-after-days", "7"])
            .args(more))
    };
    prune(&["--dry-run"])
        .expect_code(0)
        .expect("       1           4 B  work directories of jobs whose worker was killed\n")
        .expect("       1           3 B  files that were to become a blob and did not\n")
        .expect("       1           7 B  blobs that no package and no repository names\n")
        .expect("  jobs that the registry gave itself and that ended long ago, with their logs\n")
        .expect("nothing was removed: this was a dry run");
    prune(&[]).expect_code(1).expect("say --yes to remove this");
    assert_eq!((there(), jobs()), ([true; 4], 1));

    prune(&["--yes", "--caches"])
        .expect_code(0)
        .expect("removed 2 directories and files, ")
        .expect(" 1 blobs (7 B)");
    assert_eq!((there(), jobs()), ([false, false, false, true], 0));
    assert_eq!(
        registry.job(&published)["success"],
        true,
        "what people asked for stays"
    );
    assert_eq!(get(&registry.url("/demo/1.0.0.tar.gz")).status, 200);
    prune(&["--yes"])
        .expect_code(0)
        .expect("there is nothing to prune");
    run(registry.docketd().arg("doctor")).expect_code(0);
}
