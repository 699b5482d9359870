//! Tarballs and the HTTP index.

use docket_test_support::on_both_databases;

use crate::served::{Served, effect, header, json, problem};

on_both_databases! {
    /// A published tarball comes with its exact bytes and a tag that never changes.
    async fn a_tarball_comes_as_it_was_stored(db: TestDb) {
        let served = Served::start(db).await;
        let tarball = served.record_effect().await;
        let response = served.get("/effect/4.0.0.tar.gz").send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), "application/gzip");
        assert_eq!(header(&response, "content-length"), tarball.len().to_string());
        assert_eq!(header(&response, "content-encoding"), "", "a client must not unpack it on the way");
        let etag = header(&response, "etag").to_owned();
        assert_eq!(response.bytes().await.unwrap(), tarball);
        for known in [etag.clone(), format!("\"other\", {etag}"), format!("W/{etag}"), "*".to_owned()] {
            let response = served.get("/effect/4.0.0.tar.gz").header("if-none-match", &known).send().await.unwrap();
            assert_eq!(response.status(), 304, "{known}");
            assert_eq!(header(&response, "etag"), etag);
            assert_eq!(response.bytes().await.unwrap(), "");
        }
        let response = served.get("/effect/4.0.0.tar.gz").header("if-none-match", "\"other\"").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let response = served.request("HEAD", "/effect/4.0.0.tar.gz").send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "content-length")), (200, tarball.len().to_string().as_str()));
    }

    /// What is not published is a 404 that says so.
    async fn an_unpublished_tarball_is_a_404(db: TestDb) {
        let served = Served::start(db).await;
        served.record_effect().await;
        for path in ["/effect/4.0.1.tar.gz", "/other/4.0.0.tar.gz", "/effect/v4.0.0.tar.gz", "/effect/4.0.tar.gz", "/Effect/4.0.0.tar.gz"] {
            let problem = problem(served.get(path).send().await.unwrap(), 404).await;
            assert_eq!(problem["type"], "/docs/problems#not-found", "{path}");
        }
    }

    /// A version whose tarball was never imported is told apart from one that does not exist.
    async fn a_tarball_that_is_not_here_is_told_apart(db: TestDb) {
        let served = Served::start(db).await;
        served.record_effect().await;
        std::fs::remove_dir_all(served.folder.path().join("blobs")).unwrap();
        let problem = problem(served.get("/effect/4.0.0.tar.gz").send().await.unwrap(), 404).await;
        assert_eq!(problem["type"], "/docs/problems#tarball-missing");
    }

    /// The index over HTTP has the bytes of the git repository.
    async fn an_index_file_has_the_bytes_of_the_repository(db: TestDb) {
        let served = Served::start(db).await;
        served.record_effect().await;
        let response = served.get("/index/ef/fe/effect").send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "cache-control")), (200, "no-cache"));
        let etag = header(&response, "etag").to_owned();
        assert_eq!(response.text().await.unwrap(), effect().to_line() + "\n");
        let response = served.get("/index/ef/fe/effect").header("if-none-match", &etag).send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "etag")), (304, etag.as_str()));
        for path in ["/index/effect", "/index/ef/fe/other", "/index/ef/fe/effect/", "/index/EF/FE/effect", "/index/README.md", "/index/..%2Fef%2Ffe%2Feffect"] {
            problem(served.get(path).send().await.unwrap(), 404).await;
        }
    }

    /// A client that knows only the index finds everything else from it.
    async fn the_index_says_where_the_rest_is(db: TestDb) {
        let served = Served::start(db).await;
        let config = json(served.get("/index/config.json").send().await.unwrap()).await;
        assert_eq!(config["api"], format!("{}/api/v1", served.url));
        assert_eq!(config["tarball"], format!("{}/{{name}}/{{version}}.tar.gz", served.url));
    }
}
