//! What `GET /NAME/VERSION.tar.gz` promises when the tarball is elsewhere, on both databases.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
    routing::get,
};
use docket_api::ApiState;
use docket_core::{
    digest::Sha256,
    location::Location,
    metadata::{Metadata, PublishedVersion},
};
use docket_index::{
    git::GitViews,
    import::{self, Sources},
    tarballs::Tarballs,
};
use docket_jobs::{Clock, Jobs};
use docket_storage::Storage;
use docket_test_support::{TestDb, on_both_databases};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const RIGHT: &str = "the bytes that were published";

/// Serves `text` as every tarball, and returns the URL.
async fn upstream(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().route("/{name}/{file}", get(move || std::future::ready(text)));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

/// Imports prelude 1.0.0 with its tarball at `url`, and returns status, media type and body of our answer for it.
async fn tarball(db: &TestDb, url: &str) -> (StatusCode, String, String) {
    db.migrate(&[docket_jobs::TABLES, docket_index::TABLES]).await;
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::local(folder.path().join("blobs")).unwrap();
    let now = Clock::system().now();
    let mut metadata = Metadata::new(Location::github("lab", "prelude", None).unwrap());
    let entry = PublishedVersion {
        bytes: RIGHT.len() as u64,
        compilers: vec!["0.15.15".parse().unwrap()],
        hash: Sha256::of(RIGHT.as_bytes()),
        published_time: now,
        git_ref: String::new(),
    };
    metadata.published.insert("1.0.0".parse().unwrap(), entry);
    let (registry, index) = (folder.path().join("registry"), folder.path().join("index"));
    fs::create_dir_all(registry.join("metadata")).unwrap();
    fs::create_dir_all(&index).unwrap();
    fs::write(registry.join("metadata/prelude.json"), metadata.to_text()).unwrap();
    let tarballs = Some(url.parse().unwrap());
    let sources = Sources {
        registry,
        index,
        tarballs,
    };
    import::import(&db.db, &storage, &sources, now, |_| {})
        .await
        .unwrap();

    let state = ApiState {
        jobs: Jobs::new(db.db.clone(), Clock::system()),
        tarballs: Tarballs::new(db.db.clone(), storage.clone()).unwrap(),
        views: GitViews::new(folder.path().join("git"), db.db.clone(), storage),
        authority: docket_api::Authority::default(),
        schedules: Arc::from([]),
        webhook: None,
        public_url: "http://docket.invalid".into(),
        stopping: CancellationToken::new(),
    };
    let request = Request::get("/prelude/1.0.0.tar.gz").body(Body::empty()).unwrap();
    let response = docket_api::router(state).oneshot(request).await.unwrap();
    let status = response.status();
    let media_type = response.headers()[header::CONTENT_TYPE]
        .to_str()
        .unwrap()
        .to_owned();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, media_type, String::from_utf8(body.to_vec()).unwrap())
}

on_both_databases! {
    /// A tarball that nobody has needed yet is fetched and served.
    async fn a_tarball_is_served_from_the_tarball_source(db: TestDb) {
        let answer = tarball(&db, &upstream(RIGHT).await).await;
        assert_eq!(answer, (StatusCode::OK, "application/gzip".to_owned(), RIGHT.to_owned()));
    }

    /// Other bytes than were published are never served.
    async fn wrong_bytes_of_the_tarball_source_are_not_served(db: TestDb) {
        let (status, media_type, body) = tarball(&db, &upstream("the bytes that were PUBLISHED").await).await;
        assert_eq!((status, media_type.as_str()), (StatusCode::BAD_GATEWAY, "application/problem+json"));
        assert!(body.contains("#tarball-source-unavailable"), "{body}");
    }

    /// A tarball source that is away is not the client's fault, and its address is not the client's business.
    async fn a_tarball_source_that_is_away_is_a_bad_gateway(db: TestDb) {
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let (status, media_type, body) = tarball(&db, &format!("http://{nobody}")).await;
        assert_eq!((status, media_type.as_str()), (StatusCode::BAD_GATEWAY, "application/problem+json"));
        assert!(body.contains("#tarball-source-unavailable") && !body.contains("127.0.0.1"), "{body}");
    }
}
