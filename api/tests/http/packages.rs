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
