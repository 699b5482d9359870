//! Paths, methods and header rules of the v1 routes (registry.md §1.2).

use docket_test_support::on_both_databases;

use crate::served::{EFFECT, Served, header};

const KNOWN: [&str; 4] = [
    "/api/v1/publish",
    "/api/v1/jobs",
    "/api/v1/jobs/x",
    "/api/v1/status",
];

fn has_cors(response: &reqwest::Response) -> bool {
    let found = [
        header(response, "access-control-allow-origin"),
        header(response, "access-control-allow-methods"),
        header(response, "vary"),
    ];
    found == ["*", "GET, HEAD, POST, OPTIONS", "Origin"]
}

on_both_databases! {
    /// A wrong method on a known path is a 404 without a body, and other sites may read it.
    async fn a_wrong_method_is_an_empty_404(db: TestDb) {
        let served = Served::start(db).await;
        for path in KNOWN {
            for method in ["DELETE", "PUT", "PATCH", if path.ends_with("publish") { "GET" } else { "POST" }] {
                let response = served.request(method, path).send().await.unwrap();
                assert_eq!(response.status(), 404, "{method} {path}");
                assert!(has_cors(&response), "{method} {path}");
                assert_eq!(response.text().await.unwrap(), "", "{method} {path}");
            }
        }
    }

    /// An unknown path, a trailing slash, another case or one segment more is a 404 without a body and without CORS headers.
    async fn an_unknown_path_is_an_empty_404_without_cors_headers(db: TestDb) {
        let served = Served::start(db).await;
        let paths = [
            "/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/publish/", "/api/v1/jobs/", "/api/v1/status/",
            "/api/v1/Publish", "/API/v1/jobs", "/api/v1/jobs/x/", "/api/v1/jobs/x/y", "/api/v1/status/x", "/api/v2/jobs", "/a/b/c/d",
        ];
        for path in paths {
            for method in ["GET", "POST", "OPTIONS"] {
                let response = served.request(method, path).send().await.unwrap();
                assert_eq!(response.status(), 404, "{method} {path}");
                assert_eq!(header(&response, "access-control-allow-origin"), "", "{method} {path}");
                assert_eq!(response.text().await.unwrap(), "", "{method} {path}");
            }
        }
    }

    /// A browser that asks first may post JSON.
    async fn options_on_a_known_path_is_a_preflight_answer(db: TestDb) {
        let served = Served::start(db).await;
        for path in KNOWN {
            let response = served.request("OPTIONS", path).send().await.unwrap();
            assert_eq!(response.status(), 204, "{path}");
            assert!(has_cors(&response), "{path}");
            assert_eq!(header(&response, "access-control-allow-headers"), "Content-Type");
            assert_eq!(header(&response, "access-control-max-age"), "86400");
            assert_eq!(response.text().await.unwrap(), "");
        }
    }

    /// Whatever the status, a page of another site may read the answer of a known path.
    async fn every_answer_of_a_known_path_has_cors_headers(db: TestDb) {
        let served = Served::start(db).await;
        for request in [
            served.get("/api/v1/jobs"),
            served.get("/api/v1/status"),
            served.get("/api/v1/jobs/00000000-0000-0000-0000-000000000000"),
            served.get("/api/v1/jobs/x/logs"),
            served.post_publish("nonsense"),
            served.post_publish(EFFECT),
        ] {
            let response = request.send().await.unwrap();
            assert!(has_cors(&response), "{} {}", response.url(), response.status());
        }
    }

    /// Liveness: 200 and nothing in it, for GET and for HEAD.
    async fn status_is_an_empty_200(db: TestDb) {
        let served = Served::start(db).await;
        for method in ["GET", "HEAD"] {
            let response = served.request(method, "/api/v1/status").send().await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.text().await.unwrap(), "");
        }
    }

    /// Beside v1 every error is a problem document, also those that a handler never sees.
    async fn errors_beside_v1_are_problem_documents(db: TestDb) {
        let served = Served::start(db).await;
        for (path, status) in [
            ("/api/v1/jobs/x/logs", 404),
            ("/api/v1/jobs/%FF/logs", 404),
            ("/api/v1/jobs/x/logs?after=soon", 400),
            ("/api/v1/jobs/x/logs?limit=-1", 400),
            ("/api/v1/jobs/x/logs/events?after=soon", 400),
            ("/logs/x", 404),
            ("/logs/x?after=soon", 400),
            ("/index/pr/el/prelude", 404),
            ("/index/%FF", 404),
            ("/prelude/1.0.0.tar.gz", 404),
            ("/%FF/1.0.0.tar.gz", 404),
            ("/git/other.git/info/refs?service=git-upload-pack", 404),
        ] {
            let problem = crate::served::problem(served.get(path).send().await.unwrap(), status).await;
            assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{path}: {problem}");
        }
    }

    /// The documentation is a page for browsers and Markdown for all others; its links lead to pages of the same server.
    async fn the_book_is_read_by_people_and_by_programs(db: TestDb) {
        let served = Served::start(db).await;
        for path in ["/book/", "/book/tutorial", "/book/how-to/import", "/book/reference/configuration", "/book/benchmarks/"] {
            let html = served.get(path).header("accept", "text/html").send().await.unwrap();
            assert_eq!(html.status(), 200, "{path}");
            assert!(header(&html, "content-type").starts_with("text/html"), "{path}");
            let html = html.text().await.unwrap();
            assert!(html.contains("aria-current=\"page\"") && html.contains("href=\"/book/deployment\""), "{html}");
            let text = served.get(path).send().await.unwrap();
            assert!(header(&text, "content-type").starts_with("text/markdown"), "{path}");
            assert!(text.text().await.unwrap().starts_with("# "), "{path}");
        }
        let chart = served.get("/book/benchmarks/log-read.svg").send().await.unwrap();
        assert_eq!(header(&chart, "content-type"), "image/svg+xml");
        assert_eq!(served.get("/book/nothing").send().await.unwrap().status(), 404);
    }
}
