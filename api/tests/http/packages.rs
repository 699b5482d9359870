//! Reads of packages, versions and package sets beside v1.

use docket_test_support::on_both_databases;
use serde_json::json;

use crate::served::{Served, header, json as body_of, problem, record_effect};

on_both_databases! {
    /// A package is its metadata, a version what depends on it and which sets hold it; asked again with its tag it is not sent again.
    async fn a_package_and_its_versions_can_be_read(db: TestDb) {
        let served = Served::start(db).await;
        let mut tx = served.jobs.db().write().await.unwrap();
        record_effect(&mut tx).await;
        tx.commit().await.unwrap();
        let package = body_of(served.get("/api/v1/packages/effect").send().await.unwrap()).await;
        assert_eq!(package["name"], "effect");
        assert_eq!(package["unpublished"], json!({}));
        assert!(package["published"]["4.0.0"]["hash"].is_string());

        let response = served.get("/api/v1/packages/effect/4.0.0").send().await.unwrap();
        let etag = header(&response, "etag").to_owned();
        let version = body_of(response).await;
        assert_eq!(version["status"], "published");
        assert_eq!(version["manifest"]["name"], "effect");
        assert_eq!(version["dependants"], json!([]));
        assert_eq!(version["packageSets"], json!([]));
        let again = served.get("/api/v1/packages/effect/4.0.0").header("if-none-match", etag);
        assert_eq!(again.send().await.unwrap().status(), 304);
    }

    /// The grid has what metadata lists and what was tried here, with the first error and its job.
    async fn the_matrix_has_a_cell_for_each_trial(db: TestDb) {
        let served = Served::start(db).await;
        let mut tx = served.jobs.db().write().await.unwrap();
        record_effect(&mut tx).await;
        let build = docket_index::Build {
            name: "effect".parse().unwrap(),
            version: "4.0.0".parse().unwrap(),
            compiler: "0.15.10".parse().unwrap(),
            outcome: docket_index::Outcome::Fails,
            error: Some("No such thing".to_owned()),
            job_id: "job".to_owned(),
            at: "2026-08-18T07:02:11.004Z".parse().unwrap(),
        };
        assert!(docket_index::record_build(&mut tx, &build).await.unwrap());
        tx.commit().await.unwrap();
        let grid = body_of(served.get("/api/v1/packages/effect/matrix").send().await.unwrap()).await;
        assert_eq!((&grid["name"], &grid["compilers"]), (&json!("effect"), &json!(["0.15.10", "0.15.15"])));
        let cells = &grid["versions"]["4.0.0"];
        assert_eq!(cells["0.15.15"]["outcome"], "compiles");
        assert_eq!(cells["0.15.10"], json!({
            "outcome": docket_index::Outcome::Fails.as_str(), "error": "No such thing", "jobId": "job", "at": "2026-08-18T07:02:11.004Z",
        }));
        problem(served.get("/api/v1/packages/nothing/matrix").send().await.unwrap(), 404).await;
    }

    /// What is not there is a 404 that says what is missing.
    async fn what_is_not_there_is_told_apart(db: TestDb) {
        let served = Served::start(db).await;
        let mut tx = served.jobs.db().write().await.unwrap();
        record_effect(&mut tx).await;
        tx.commit().await.unwrap();
        for (path, words) in [
            ("packages/nothing", "no package nothing"),
            ("packages/No_Name", "not a package name"),
            ("packages/effect/4.0.1", "never published"),
            ("packages/effect/latest", "not a version"),
            ("package-sets/latest", "no package set latest"),
            ("package-sets/1.0.0", "no package set 1.0.0"),
        ] {
            let response = served.get(&format!("/api/v1/{path}")).send().await.unwrap();
            let problem = problem(response, 404).await;
            assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
        }
        let sets = body_of(served.get("/api/v1/package-sets").send().await.unwrap()).await;
        assert_eq!(sets, json!({ "packageSets": [] }));
    }
}
