//! kill -9 at each step of a publish: another run finishes it, and nothing is published twice.
//!
//! Where a step is met is no matter of luck: a program or the database that the step needs waits there for us.

use std::collections::BTreeSet;
use std::process::Command;

use docket_db::{Db, sqlx};

use crate::asking::{assert_dense, message, publish};
use crate::gate::Gate;
use crate::harness::{Registry, run, wait_for};
use crate::http::{get, get_json};
use crate::publish::demo;

/// Without a sandbox, because the compiler plays its part outside of it; with a short lease, because the next run waits
/// for it to lapse.
const CONFIGURATION: &str = "[worker]\nsandbox = \"none\"\nlease_secs = 3\n";

/// Changes the database behind the server's back.
fn sql(registry: &Registry, statement: &'static str) {
    let url = format!("sqlite:{}", registry.path("data/docket.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = Db::connect(&url).await.unwrap();
        let mut tx = db.write().await.unwrap();
        docket_db::execute!(&mut tx, sqlx::query(statement)).unwrap();
        tx.commit().await.unwrap();
        db.close().await;
    });
}

/// The names of the blobs.
fn blobs(registry: &Registry) -> BTreeSet<String> {
    let files = run(Command::new("find").arg(registry.path("data/blobs")).args([
        "-type",
        "f",
        "-regextype",
        "posix-extended",
        "-regex",
        ".*/[0-9a-f]{64}",
    ]));
    files.out.lines().map(ToOwned::to_owned).collect()
}

pub(crate) fn is_published(registry: &Registry) -> bool {
    get(&registry.url("/index/de/mo/demo")).status == 200
}

/// Asserts that the job ends well in its second attempt, tells of both, and has published `demo` once.
pub(crate) fn assert_finished_by_another_run(registry: &Registry, id: &str) {
    let job = registry.wait_for_job(id);
    let log = registry.log(id, "DEBUG");
    assert_eq!(job["success"], true, "{log:#?}");
    assert_dense(&log);
    let count = |text: &str| log.iter().filter(|line| message(line).contains(text)).count();
    assert_eq!(count("Attempt 2 begins."), 1, "{log:#?}");
    assert_eq!(count("Attempt 3"), 0, "{log:#?}");
    assert_eq!(
        count("Fetching demo@1.0.0"),
        if count("by an earlier attempt") == 1 { 1 } else { 2 },
        "{log:#?}"
    );

    let jobs = get_json(&registry.url("/api/v1/jobs?include_completed=true"));
    assert_eq!(jobs.as_array().unwrap().len(), 1, "it is the same job");
    assert_eq!(get(&registry.url("/index/de/mo/demo")).text().lines().count(), 1);
    assert_eq!(get(&registry.url("/demo/1.0.0.tar.gz")).status, 200);
    assert_eq!(blobs(registry).len(), 2, "one tarball, beside the fixture's");
    for (repository, file) in [
        ("registry", "metadata/demo.json"),
        ("registry-index", "de/mo/demo"),
    ] {
        let clone = registry.path("work").join(repository);
        let url = registry.url(&format!("/git/{repository}.git"));
        let home = registry.path("home");
        crate::git::git(
            &registry.path("work"),
            &home,
            &["clone", "--quiet", &url, clone.to_str().unwrap()],
        );
        let commits = crate::git::git(&clone, &home, &["log", "--oneline", "--", file]);
        assert_eq!(commits.out.lines().count(), 1, "{}", commits.out);
    }
}

#[test]
fn a_publish_survives_kill_9_while_the_source_is_fetched() {
    let mut registry = Registry::start();
    demo(&registry).push();
    registry.terminate();
    Gate::Fetch.prepare(&registry.path(""));
    let docketd = |registry: &Registry| {
        let mut docketd = registry.docketd();
        docketd
            .env("PATH", registry.search_path())
            .env("DOCKET__WORKER__LEASE_SECS", "3");
        docketd
    };
    registry.resume_by(docketd(&registry), "127.0.0.1:0".parse().unwrap());
    let id = publish(&registry, "purescript-demo", "v1.0.0");
    Gate::Fetch.wait(&registry, &id);
    registry.kill();
    Gate::Fetch.open(&registry);
    registry.resume_by(docketd(&registry), "127.0.0.1:0".parse().unwrap());
    assert_finished_by_another_run(&registry, &id);
}

#[test]
fn a_publish_survives_kill_9_while_the_package_is_packed() {
    let mut registry = Registry::start_with(CONFIGURATION, |dir| Gate::Pack.prepare(dir));
    demo(&registry).push();
    let before = blobs(&registry);
    let id = publish(&registry, "purescript-demo", "v1.0.0");
    Gate::Pack.wait(&registry, &id);
    registry.kill();
    assert_eq!(blobs(&registry), before, "nothing was stored");
    Gate::Pack.open(&registry);
    registry.resume();
    assert_finished_by_another_run(&registry, &id);
}

/// The database never comes to the end of writing the version's row: the blob is there, and no row names it.
#[test]
fn a_publish_survives_kill_9_between_the_blob_and_the_rows() {
    let mut registry = Registry::start_with(CONFIGURATION, |_| {});
    demo(&registry).push();
    sql(
        &registry,
        "CREATE TRIGGER never_ends BEFORE INSERT ON package_version BEGIN
           WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up) SELECT count(*) FROM up;
         END",
    );
    let before = blobs(&registry);
    let id = publish(&registry, "purescript-demo", "v1.0.0");
    wait_for("the blob", || (blobs(&registry) != before).then_some(()));
    assert!(!is_published(&registry));
    registry.kill();
    sql(&registry, "DROP TRIGGER never_ends");
    registry.resume();
    assert_finished_by_another_run(&registry, &id);
}

/// The database takes the effects, and then refuses the end of the job, and with it the last lines, for as long as we like.
#[test]
fn a_publish_survives_kill_9_between_its_effects_and_the_end_of_the_job() {
    let mut registry = Registry::start_with(CONFIGURATION, |_| {});
    demo(&registry).push();
    sql(
        &registry,
        "CREATE TRIGGER not_yet BEFORE UPDATE OF state ON job WHEN NEW.state = 'succeeded' BEGIN
           SELECT RAISE(ABORT, 'the test stops here');
         END",
    );
    let id = publish(&registry, "purescript-demo", "v1.0.0");
    wait_for("the effects", || is_published(&registry).then_some(()));
    let job = registry.job(&id);
    assert!(job.get("finishedAt").is_none(), "{job}");
    registry.kill();
    sql(&registry, "DROP TRIGGER not_yet");
    registry.resume();
    assert_finished_by_another_run(&registry, &id);
    let log = registry.log(&id, "DEBUG");
    let done = log
        .iter()
        .filter(|line| message(line).contains("was published by an earlier attempt"));
    assert_eq!(done.count(), 1, "{log:#?}");
}
