//! Reads of packages, versions and package sets beside v1.

use docket_test_support::on_both_databases;
use serde_json::json;

use crate::served::{Served, header, json as body_of, manifest, now, problem, record, record_effect};

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

    /// Both lists are read page by page, each with a tag of its content; one goes by name, the other by how well the words fit.
    async fn packages_are_listed_and_searched_page_by_page(db: TestDb) {
        let served = Served::start(db).await;
        assert_eq!(body_of(served.get("/api/v1/packages").send().await.unwrap()).await, json!({ "packages": [] }));
        let mut tx = served.jobs.db().write().await.unwrap();
        for (name, description) in [("aff", "Asynchronous"), ("halogen-aff", ""), ("tea", "Made of aff")] {
            record(&mut tx, &manifest(name, "1.0.0", description, &json!({})), name.as_bytes(), now()).await;
        }
        tx.commit().await.unwrap();
        for (list, names) in [("packages", ["aff", "halogen-aff", "tea"]), ("search?q=AFF", ["aff", "halogen-aff", "tea"])] {
            let with = if list.contains('?') { '&' } else { '?' };
            let mut path = format!("/api/v1/{list}{with}limit=2");
            let first = served.get(&path).send().await.unwrap();
            let etag = header(&first, "etag").to_owned();
            let again = served.get(&path).header("if-none-match", etag).send().await.unwrap();
            assert_eq!(again.status(), 304);
            let first = body_of(first).await;
            assert_eq!(first["packages"][0], json!({
                "name": "aff", "version": "1.0.0", "publishedTime": "2026-08-18T07:02:11.004Z", "license": "MIT", "description": "Asynchronous",
            }));
            assert_eq!(first["packages"][1]["name"], names[1]);
            assert_eq!(first["packages"][1]["description"], json!(null), "what is empty is absent");
            path.push_str(&format!("&cursor={}", first["next"].as_str().unwrap()));
            let last = body_of(served.get(&path).send().await.unwrap()).await;
            assert_eq!(last["packages"].as_array().unwrap().len(), 1);
            assert_eq!((&last["packages"][0]["name"], &last["next"]), (&json!(names[2]), &json!(null)));
        }
        let found = body_of(served.get("/api/v1/search?q=made+of").send().await.unwrap()).await;
        assert_eq!(found["packages"][0]["name"], "tea");
        let found = body_of(served.get("/api/v1/search?q=%25").send().await.unwrap()).await;
        assert_eq!(found, json!({ "packages": [] }));
        let long = format!("search?q={}", "a".repeat(101));
        for (path, words) in [
            ("packages?cursor=No_Name", "`next` of the page before"), ("packages?limit=many", "limit"),
            ("search", "`q`"), ("search?q=a&cursor=aff", "`next` of the page before"), (&long, "at most 100 characters"),
        ] {
            let problem = problem(served.get(&format!("/api/v1/{path}")).send().await.unwrap(), 400).await;
            assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
        }
    }

    /// Whoever plays the feed from its beginning, in pages of any size, has each change once, with the files as the repositories have them.
    async fn the_change_feed_is_read_from_any_place(db: TestDb) {
        let served = Served::start(db).await;
        let all = body_of(served.get("/api/v1/changes?limit=100").send().await.unwrap()).await;
        let before = all["next"].as_i64().unwrap();
        let nothing = served.get(&format!("/api/v1/changes?after={before}")).send().await.unwrap();
        let etag = header(&nothing, "etag").to_owned();
        assert_eq!(body_of(nothing).await, json!({ "changes": [], "next": before, "more": false }));
        let mut tx = served.jobs.db().write().await.unwrap();
        record_effect(&mut tx).await;
        tx.commit().await.unwrap();

        let first = served.get(&format!("/api/v1/changes?after={before}&limit=1")).header("if-none-match", etag);
        let first = body_of(first.send().await.unwrap()).await;
        let change = &first["changes"][0];
        assert_eq!((&change["seq"], &change["repository"], &change["jobId"]), (&json!(before + 1), &json!("registry"), &json!("job")));
        assert_eq!(change["files"][0]["path"], "metadata/effect.json");
        assert!(change["message"].as_str().unwrap().contains("effect"), "{change}");
        assert_eq!((&first["next"], &first["more"]), (&json!(before + 1), &json!(true)));
        let second = body_of(served.get(&format!("/api/v1/changes?after={}", before + 1)).send().await.unwrap()).await;
        let file = &second["changes"][0]["files"][0];
        assert_eq!((&file["path"], &second["more"]), (&json!("ef/fe/effect"), &json!(false)));
        let index = served.get("/index/ef/fe/effect").send().await.unwrap().text().await.unwrap();
        assert_eq!(file["content"], index);
        problem(served.get("/api/v1/changes?after=yesterday").send().await.unwrap(), 400).await;
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
