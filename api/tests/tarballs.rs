//! What `GET /NAME/VERSION.tar.gz` promises when the tarball is elsewhere, on both databases.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path, sync::Arc, time::Duration};

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
use docket_storage::{S3Limits, S3Settings, Storage};
use docket_test_support::{S3Server, TestDb, on_both_databases};
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
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::local(folder.path().join("blobs")).unwrap();
    let router = registry(db, url, storage, folder.path()).await;
    let request = Request::get("/prelude/1.0.0.tar.gz").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let media_type = response.headers()[header::CONTENT_TYPE]
        .to_str()
        .unwrap()
        .to_owned();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, media_type, String::from_utf8(body.to_vec()).unwrap())
}

/// A registry in `folder` whose blobs are in `storage`, with prelude 1.0.0, whose tarball is at `url`.
async fn registry(db: &TestDb, url: &str, storage: Storage, folder: &Path) -> Router {
    db.migrate(&[docket_jobs::TABLES, docket_index::TABLES]).await;
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
    let (registry, index) = (folder.join("registry"), folder.join("index"));
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
        views: GitViews::new(folder.join("git"), db.db.clone(), storage),
        authority: docket_api::Authority::default(),
        schedules: Arc::from([]),
        kinds: Arc::from([]),
        webhook: None,
        legal: Arc::default(),
        sets: Default::default(),
        limits: Arc::new(docket_api::Limits::new(docket_api::Rules::default())),
        public_url: "http://docket.invalid".into(),
        stopping: CancellationToken::new(),
    };
    docket_api::router(state)
}

/// A bucket of its own that anybody can read at `public_url`.
fn bucket(server: &S3Server, public_url: Option<&str>) -> Storage {
    Storage::s3(&S3Settings {
        endpoint: server.endpoint(),
        bucket: S3Server::BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
        access_key_id: S3Server::ACCESS_KEY_ID.to_owned(),
        secret_access_key: S3Server::SECRET_ACCESS_KEY.to_owned(),
        path_style: true,
        allow_http: true,
        public_url: public_url.map(ToOwned::to_owned),
        limits: S3Limits {
            retry_pauses: vec![Duration::from_millis(10)],
            ..S3Limits::default()
        },
    })
    .unwrap()
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

    /// Bytes that changed in the bucket reach nobody; while the bucket is away a client hears that it is our turn, and afterwards gets its
    /// tarball again. Nothing of our insides is told.
    async fn trouble_with_the_bucket_is_told(db: TestDb) {
        let mut server = S3Server::start();
        let folder = tempfile::tempdir().unwrap();
        let storage = bucket(&server, None);
        let url = upstream(RIGHT).await;
        let router = registry(&db, &url, storage, folder.path()).await;
        let get = async || {
            let request = Request::get("/prelude/1.0.0.tar.gz").body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            let status = response.status();
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        };
        assert_eq!(get().await, (StatusCode::OK, RIGHT.to_owned()));
        let hex = Sha256::of(RIGHT.as_bytes()).hex();
        server.overwrite(&format!("{}/{}/{hex}", &hex[0..2], &hex[2..4]), &RIGHT.replace("bytes", "bites"));
        let (status, body) = get().await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.contains("#internal") && !body.contains("bites"), "{body}");
        server.stop();
        let (status, body) = get().await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("#storage-unavailable") && !body.contains("127.0.0.1"), "{body}");
        server.resume();
        assert_eq!(get().await, (StatusCode::OK, RIGHT.to_owned()));
    }

    /// A client is sent to the bucket when the tarball is there and anybody can read it; until then, and without a public URL, it gets the
    /// bytes from us. Who has the bytes already is told so in both cases.
    async fn a_client_is_sent_to_a_public_bucket(db: TestDb) {
        let server = S3Server::start();
        let folder = tempfile::tempdir().unwrap();
        let storage = bucket(&server, Some("https://blobs.example.org"));
        let sent_there = registry(&db, &upstream(RIGHT).await, storage.clone(), folder.path()).await;
        let get = async |router: &Router, etag: &str| {
            let request = Request::get("/prelude/1.0.0.tar.gz").header(header::IF_NONE_MATCH, etag);
            router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
        };
        // Nobody has needed it, so it is not in the bucket.
        assert_eq!(get(&sent_there, "").await.status(), StatusCode::OK);
        let digest = Sha256::of(RIGHT.as_bytes());
        assert!(storage.contains(digest).await.unwrap());
        let sent = get(&sent_there, "").await;
        let hex = digest.hex();
        let place = format!("https://blobs.example.org/{}/{}/{hex}", &hex[0..2], &hex[2..4]);
        assert_eq!((sent.status(), sent.headers()[header::LOCATION].to_str().unwrap()), (StatusCode::FOUND, place.as_str()));
        let etag = format!("\"{hex}\"");
        assert_eq!(sent.headers()[header::ETAG].to_str().unwrap(), etag);
        assert_eq!(get(&sent_there, &etag).await.status(), StatusCode::NOT_MODIFIED);

        let storage = bucket(&server, None);
        let tarballs = Tarballs::new(db.db.clone(), storage.clone()).unwrap();
        let entry = PublishedVersion {
            bytes: RIGHT.len() as u64,
            compilers: vec!["0.15.15".parse().unwrap()],
            hash: digest,
            published_time: Clock::system().now(),
            git_ref: String::new(),
        };
        assert_eq!(tarballs.find_public_url(&entry).await.unwrap(), None);
        let bytes = tarballs.find(&"prelude".parse().unwrap(), "1.0.0".parse().unwrap(), &entry).await.unwrap();
        assert_eq!(bytes.unwrap(), RIGHT);
    }
}
