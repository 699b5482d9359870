//! What a registry promises that was imported with the URL of its tarballs, on both databases and with a real HTTP server.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{Router, extract::Path, http::StatusCode, routing::get};
use bytes::Bytes;
use docket_core::{
    digest::Sha256,
    manifest::Manifest,
    metadata::{Metadata, PublishedVersion},
    time::Timestamp,
};
use docket_db::Db;
use docket_index::{
    TABLES, bootstrap,
    export::{self, Targets},
    import::{self, Report, Sources},
    tarballs::{TarballError, Tarballs},
};
use docket_storage::Storage;
use docket_test_support::{TestDb, on_both_databases};
use tokio::net::TcpListener;

const RIGHT: &str = "the bytes that were published";

/// A server that has one answer for the tarball of prelude 1.0.0.
struct Upstream {
    url: String,
    requests: Arc<AtomicU32>,
}

impl Upstream {
    async fn answering(status: StatusCode, text: &'static str) -> Self {
        let requests = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&requests);
        let answer = move |Path((name, file)): Path<(String, String)>| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                assert_eq!((name.as_str(), file.as_str()), ("prelude", "1.0.0.tar.gz"));
                (status, text)
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/tarballs/", listener.local_addr().unwrap());
        let routes = Router::new().route("/tarballs/{name}/{file}", get(answer));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, requests }
    }

    fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }
}

struct Home {
    folder: tempfile::TempDir,
    storage: Storage,
    db: Db,
}

fn manifest() -> Manifest {
    let json = serde_json::json!({
        "name": "prelude", "version": "1.0.0", "license": "MIT",
        "location": { "githubOwner": "lab", "githubRepo": "prelude" }, "ref": "v1.0.0", "dependencies": {},
    });
    Manifest::from_stored(&json.to_string()).unwrap()
}

fn now() -> Timestamp {
    "2026-08-18T07:02:11.004Z".parse().unwrap()
}

fn entry() -> PublishedVersion {
    PublishedVersion {
        bytes: RIGHT.len() as u64,
        compilers: vec!["0.15.15".parse().unwrap()],
        hash: Sha256::of(RIGHT.as_bytes()),
        published_time: now(),
        git_ref: String::new(),
    }
}

async fn open(db: &TestDb) -> Home {
    db.migrate(&[TABLES]).await;
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::local(folder.path().join("blobs")).unwrap();
    let mut tx = db.db.write().await.unwrap();
    bootstrap(&mut tx, now()).await.unwrap();
    tx.commit().await.unwrap();
    Home {
        folder,
        storage,
        db: db.db.clone(),
    }
}

impl Home {
    /// Imports a registry of one version, whose tarballs are at `url`.
    async fn import(&self, url: Option<&str>) -> Report {
        let (registry, index) = (
            self.folder.path().join("registry"),
            self.folder.path().join("index"),
        );
        let manifest = manifest();
        let mut metadata = Metadata::new(manifest.location.clone());
        metadata.published.insert(manifest.version, entry());
        fs::create_dir_all(registry.join("metadata")).unwrap();
        fs::create_dir_all(index.join("pr/el")).unwrap();
        fs::write(registry.join("metadata/prelude.json"), metadata.to_text()).unwrap();
        fs::write(index.join("pr/el/prelude"), manifest.to_line() + "\n").unwrap();
        let tarballs = url.map(|url| url.parse().unwrap());
        let sources = Sources {
            registry,
            index,
            tarballs,
        };
        import::import(&self.db, &self.storage, &sources, now(), |_| {})
            .await
            .unwrap()
    }

    fn tarballs(&self) -> Tarballs {
        Tarballs::new(self.db.clone(), self.storage.clone()).unwrap()
    }
}

async fn find(tarballs: &Tarballs) -> Result<Option<Bytes>, TarballError> {
    let manifest = manifest();
    tarballs.find(&manifest.name, manifest.version, &entry()).await
}

on_both_databases! {
    /// The first to need a tarball has it fetched and kept; after that nobody asks upstream again.
    async fn a_tarball_is_fetched_once_and_kept(db: TestDb) {
        let home = open(&db).await;
        let upstream = Upstream::answering(StatusCode::OK, RIGHT).await;
        home.import(Some(&upstream.url)).await;
        assert_eq!(upstream.requests(), 0, "importing fetches nothing");
        assert_eq!(find(&home.tarballs()).await.unwrap().unwrap(), RIGHT);
        assert!(home.storage.contains(entry().hash).await.unwrap());
        assert_eq!(find(&home.tarballs()).await.unwrap().unwrap(), RIGHT);
        assert_eq!(upstream.requests(), 1);
    }

    /// Many who need the same tarball at once share one download.
    async fn those_who_ask_at_once_share_one_download(db: TestDb) {
        let home = open(&db).await;
        let upstream = Upstream::answering(StatusCode::OK, RIGHT).await;
        home.import(Some(&upstream.url)).await;
        let tarballs = home.tarballs();
        let asking: Vec<_> = (0..20).map(|_| tarballs.clone()).map(|tarballs| tokio::spawn(async move { find(&tarballs).await })).collect();
        for asked in asking {
            assert_eq!(asked.await.unwrap().unwrap().unwrap(), RIGHT);
        }
        assert_eq!(upstream.requests(), 1);
    }

    /// Bytes of another size or with another hash are refused and never stored, so that a later answer can be right.
    async fn wrong_bytes_are_refused_and_not_kept(db: TestDb) {
        let home = open(&db).await;
        let much_more: &'static str = "x".repeat(1_000_000).leak();
        for text in ["", "the bytes that were PUBLISHED", "short", much_more] {
            let upstream = Upstream::answering(StatusCode::OK, text).await;
            home.import(Some(&upstream.url)).await;
            let error = find(&home.tarballs()).await.unwrap_err();
            assert!(matches!(error, TarballError::Wrong { .. }), "{error}");
            assert!(error.to_string().starts_with("the tarball of prelude@1.0.0 has "), "{error}");
            assert!(!home.storage.contains(Sha256::of(text.as_bytes())).await.unwrap());
        }
        home.import(Some(&Upstream::answering(StatusCode::OK, RIGHT).await.url)).await;
        assert_eq!(find(&home.tarballs()).await.unwrap().unwrap(), RIGHT);
    }

    /// An upstream that fails is told apart from one that has no such tarball.
    async fn an_upstream_that_fails_is_not_one_without_the_tarball(db: TestDb) {
        let home = open(&db).await;
        let broken = Upstream::answering(StatusCode::SERVICE_UNAVAILABLE, "").await;
        home.import(Some(&broken.url)).await;
        let error = find(&home.tarballs()).await.unwrap_err();
        assert!(matches!(&error, TarballError::SourceUnavailable { url, .. } if url.ends_with("/tarballs/prelude/1.0.0.tar.gz")), "{error}");

        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        home.import(Some(&format!("http://{gone}"))).await;
        let error = find(&home.tarballs()).await.unwrap_err();
        assert!(matches!(error, TarballError::SourceUnavailable { .. }), "{error}");

        let without = Upstream::answering(StatusCode::NOT_FOUND, "").await;
        home.import(Some(&without.url)).await;
        assert_eq!(find(&home.tarballs()).await.unwrap(), None);
    }

    /// A registry that was imported without its tarballs learns where they are when it is imported again.
    async fn importing_again_can_add_the_url(db: TestDb) {
        let home = open(&db).await;
        assert!(!home.import(None).await.unchanged);
        assert_eq!(find(&home.tarballs()).await.unwrap(), None);
        let upstream = Upstream::answering(StatusCode::OK, RIGHT).await;
        assert!(home.import(Some(&upstream.url)).await.unchanged);
        assert_eq!(find(&home.tarballs()).await.unwrap().unwrap(), RIGHT);
    }

    /// An export is complete: it fetches what nobody has needed yet.
    async fn an_export_fetches_the_tarballs(db: TestDb) {
        let home = open(&db).await;
        let upstream = Upstream::answering(StatusCode::OK, RIGHT).await;
        home.import(Some(&upstream.url)).await;
        let out = home.folder.path().join("out");
        let targets = Targets { registry: out.join("registry"), index: out.join("index"), tarballs: Some(out.join("tarballs")) };
        let report = export::export(&home.db, &home.tarballs(), &targets).await.unwrap();
        assert_eq!((report.tarballs, report.missing_tarballs), (1, 0));
        assert_eq!(fs::read_to_string(out.join("tarballs/prelude/1.0.0.tar.gz")).unwrap(), RIGHT);
    }
}
