//! kill -9 at each step of a publish: another run finishes it, and nothing is published twice.
//!
//! Where a step is met is no matter of luck: a program or the database that the step needs waits there for us.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use docket_db::{Db, sqlx};

use crate::breaking::{message, publish};
use crate::harness::{Registry, before_the_compiler, program, run, wait_for};
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

/// Waits until the running job has said `text`.
pub(crate) fn wait_for_line(registry: &Registry, id: &str, text: &str) {
    wait_for(text, || {
        let page = get_json(&registry.url(&format!("/api/v1/jobs/{id}/logs?level=DEBUG&limit=1000")));
        let lines = page["lines"].as_array().unwrap();
        lines
            .iter()
            .any(|line| message(line).contains(text))
            .then_some(())
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
    let seqs: Vec<_> = log.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert!(
        seqs.iter().copied().eq(1..=log.len() as u64),
        "the log is dense: {seqs:?}"
    );
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
    // The first git on the path waits where it is to fetch.
    let found = run(Command::new("sh").args(["-c", "command -v git"])).expect_code(0);
    program(
        &registry.path("bin/git"),
        &format!(
            "dir={}\ncase \" $* \" in *\" fetch --quiet --depth=1 \"*)\n  : > $dir/entered\n  while [ ! -e $dir/open ]; do /bin/sleep 0.05; done\nesac\nexec {} \"$@\"\n",
            registry.path("").display(),
            found.out.trim()
        ),
    );
    let path = format!(
        "{}:{}",
        registry.path("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let docketd = |registry: &Registry| {
        let mut docketd = registry.docketd();
        docketd.env("PATH", &path).env("DOCKET__WORKER__LEASE_SECS", "3");
        docketd
    };
    registry.resume_by(docketd(&registry), "127.0.0.1:0".parse().unwrap());
    let id = publish(&registry, "purescript-demo", "v1.0.0");
    wait_for("git to fetch", || registry.path("entered").exists().then_some(()));
    registry.kill();
    fs::write(registry.path("open"), "").unwrap();
    registry.resume_by(docketd(&registry), "127.0.0.1:0".parse().unwrap());
    assert_finished_by_another_run(&registry, &id);
}

/// The compiler leaves a named pipe among the files of the package, which nobody ever writes to: packing cannot get past it.
#[test]
fn a_publish_survives_kill_9_while_the_package_is_packed() {
    let mut registry = Registry::start_with(CONFIGURATION, |dir| {
        before_the_compiler(
            dir,
            "if [ \"$1\" = compile ] && [ ! -e $dir/open ]; then mkfifo demo-1.0.0/pipe; fi",
        );
    });
    demo(&registry).push();
    let before = blobs(&registry);
    let id = publish(&registry, "purescript-demo", "v1.0.0");
    wait_for_line(&registry, &id, "Packaging and uploading demo@1.0.0");
    registry.kill();
    assert_eq!(blobs(&registry), before, "nothing was stored");
    fs::write(registry.path("open"), "").unwrap();
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
