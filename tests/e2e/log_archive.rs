//! Old logs in the storage, through the real programs.

use std::fs;

use docket_db::{Db, sqlx};
use docket_test_support::S3Server;
use reqwest::Method;

use crate::bucket::{section, write_secret};
use crate::harness::{Registry, run};
use crate::http::call;
use crate::publish::demo;

pub(crate) const TOKEN: &str = "the-token-of-a-test-0001";

fn registry(configuration: &str) -> Registry {
    let configuration = format!("[trustees]\ntoken_file = \"token\"\n{configuration}");
    Registry::start_with(&configuration, |dir| {
        fs::write(dir.join("token"), TOKEN).unwrap();
        write_secret(dir);
    })
}

/// Publishes `demo` 1.0.0 and returns the job.
fn publish(registry: &Registry) -> String {
    let demo = demo(registry);
    demo.push();
    let work = demo.work();
    let said = registry
        .docket(&["publish", "--no-wait", work.to_str().unwrap()])
        .expect_code(0);
    let job = said.out.trim().to_owned();
    registry.wait_for_job(&job);
    job
}

/// Makes all jobs look as if they had ended 31 days ago, through the database's file.
pub(crate) fn age(registry: &Registry) {
    let url = format!("sqlite:{}", registry.path("data/docket.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let db = Db::connect(&url).await.unwrap();
        let mut tx = db.write().await.unwrap();
        let sql = "UPDATE job SET finished_at = finished_at - 31 * 86400000 WHERE finished_at IS NOT NULL";
        docket_db::execute!(&mut tx, sqlx::query(sql)).unwrap();
        tx.commit().await.unwrap();
        db.close().await;
    });
}

pub(crate) fn archive(registry: &Registry) -> String {
    let token = registry.path("token");
    registry
        .docket(&[
            "schedule",
            "run",
            "archive-logs",
            "--token-file",
            token.to_str().unwrap(),
        ])
        .expect_code(0)
        .all()
}

/// What each route says of a log, without the page's times, which were changed.
fn readings(registry: &Registry, job: &str) -> Vec<(String, String)> {
    let mut readings = Vec::new();
    for (path, accept) in [
        (format!("/api/v1/jobs/{job}/logs?level=DEBUG"), "*/*"),
        (format!("/api/v1/jobs/{job}/logs?after=2&limit=3"), "*/*"),
        (format!("/api/v1/jobs/{job}/logs?search=DEMO&level=DEBUG"), "*/*"),
        (format!("/api/v1/jobs/{job}/logs/events?level=DEBUG"), "*/*"),
        (format!("/api/v1/jobs/{job}/logs/download"), "*/*"),
        (format!("/api/v1/jobs/{job}/logs/download?format=ndjson"), "*/*"),
        (format!("/logs/{job}"), "*/*"),
        (format!("/logs/{job}"), "application/x-ndjson"),
    ] {
        let answer = call(Method::GET, &registry.url(&path), |request| {
            request.header("accept", accept)
        });
        assert_eq!(answer.status, 200, "{path}");
        readings.push((path, answer.text()));
    }
    for args in [
        &["job", "logs", job, "--level", "debug"][..],
        &["job", "logs", job, "--search", "demo", "--follow"],
    ] {
        readings.push((args.join(" "), registry.docket(args).expect_code(0).out));
    }
    readings
}

/// A log that the timetable's task moved to the storage reads byte for byte as before, also after a restart; a later run has nothing to do,
/// the doctor finds nothing, and finds a blob that is lost.
#[test]
fn an_old_log_is_archived_and_reads_as_before() {
    let mut registry = registry("");
    let job = publish(&registry);
    assert!(archive(&registry).contains("Archived 0 logs"), "the job is young");
    age(&registry);
    let before = readings(&registry, &job);
    let said = archive(&registry);
    assert!(
        said.contains("Archived ") && !said.contains("Archived 0 logs"),
        "{said}"
    );
    assert!(readings(&registry, &job) == before);
    assert!(archive(&registry).contains("Archived 0 logs"), "nothing is left");
    registry.kill();
    registry.resume();
    assert!(readings(&registry, &job) == before);
    run(registry.docketd().arg("doctor"))
        .expect("ok      jobs: every log is whole and its archived parts are there");
    fs::remove_dir_all(registry.path("data/blobs/logs")).unwrap();
    run(registry.docketd().arg("doctor"))
        .expect_code(1)
        .expect("parts of archived logs have no blob: ");
}

/// In a bucket as in a folder.
#[test]
fn an_old_log_is_archived_in_a_bucket() {
    let server = S3Server::start();
    let registry = registry(&section(&server, S3Server::BUCKET));
    let job = publish(&registry);
    age(&registry);
    let before = readings(&registry, &job);
    assert!(!archive(&registry).contains("Archived 0 logs"));
    assert!(readings(&registry, &job) == before);
    assert!(!registry.path("data/blobs").exists());
    run(registry.docketd().arg("doctor"))
        .expect("ok      jobs: every log is whole and its archived parts are there");
}
