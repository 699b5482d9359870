//! A served registry for one test, and what tests ask of it.

use std::{path::Path, process::Command, sync::Arc, time::Duration};

use bytes::Bytes;
use docket_api::{ApiState, Authority, Limits, Rules, Webhook};
use docket_core::{
    digest::Sha256, manifest::Manifest, metadata::PublishedVersion, time::Timestamp, version::Version,
};
use docket_http::Door;
use docket_index::{ByJob, Publication, git::GitViews, tarballs::Tarballs};
use docket_jobs::{
    Clock, Every, Failure, JobId, Jobs, Run, Schedule,
    worker::{self, Config, Handler},
};
use docket_storage::Storage;
use docket_test_support::TestDb;
use reqwest::{RequestBuilder, Response};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long a condition may take before the test fails; it is reached within milliseconds.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A publish request as spago sends it.
pub const EFFECT: &str = r#"{"compiler":"0.15.15","location":{"githubOwner":"lab","githubRepo":"purescript-effect"},"name":"effect","ref":"v4.0.0","version":"4.0.0"}"#;

/// When things happen that tests record themselves.
pub fn now() -> Timestamp {
    "2026-08-18T07:02:11.004Z".parse().unwrap()
}

/// A served registry; it stops when it is dropped.
pub struct Served {
    pub url: String,
    pub jobs: Jobs,
    pub storage: Storage,
    pub http: reqwest::Client,
    pub stopping: CancellationToken,
    pub server: JoinHandle<()>,
    pub folder: tempfile::TempDir,
    _stop: DropGuard,
    _db: TestDb,
}

impl Served {
    /// Serves an empty registry whose jobs wait.
    pub async fn start(db: TestDb) -> Self {
        Self::start_with(db, Authority::default()).await
    }

    /// The same, trusting others than the owners of packages too.
    pub async fn start_with(db: TestDb, authority: Authority) -> Self {
        Self::start_all(db, authority, None).await
    }

    /// The same, told of issues by GitHub.
    pub async fn start_with_webhook(db: TestDb, webhook: Webhook) -> Self {
        Self::start_all(db, Authority::default(), Some(Arc::new(webhook))).await
    }

    /// The same under other rules.
    pub async fn start_with_rules(db: TestDb, rules: Rules) -> Self {
        Self::start_under(db, Authority::default(), None, rules).await
    }

    async fn start_all(db: TestDb, authority: Authority, webhook: Option<Arc<Webhook>>) -> Self {
        Self::start_under(db, authority, webhook, Rules::default()).await
    }

    async fn start_under(
        db: TestDb,
        authority: Authority,
        webhook: Option<Arc<Webhook>>,
        rules: Rules,
    ) -> Self {
        db.migrate(&[docket_jobs::TABLES, docket_index::TABLES]).await;
        let mut tx = db.db.write().await.unwrap();
        docket_index::bootstrap(&mut tx, now()).await.unwrap();
        tx.commit().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::local(folder.path().join("blobs")).unwrap();
        let views = GitViews::new(folder.path().join("git"), db.db.clone(), storage.clone());
        let jobs = Jobs::new(db.db.clone(), Clock::system()).with_storage(&storage);
        let stopping = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = ApiState {
            jobs: jobs.clone(),
            tarballs: Tarballs::new(db.db.clone(), storage.clone()).unwrap(),
            views,
            authority,
            schedules: Arc::from([Schedule {
                task: "tidy",
                every: Every::Minutes(5),
            }]),
            kinds: Arc::from([
                "publish",
                "publish-check",
                "unpublish",
                "transfer",
                "matrix",
                "packageset",
                "github-issue",
            ]),
            webhook,
            legal: Arc::default(),
            sets: Default::default(),
            limits: Arc::new(Limits::new(rules)),
            public_url: Arc::from(url.as_str()),
            stopping: stopping.clone(),
        };
        let server = tokio::spawn(docket_api::serve(listener, state, Door::default()));
        // reqwest is built without a TLS provider; the first test of the process installs one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(DEADLINE)
            .build()
            .unwrap();
        Self {
            url,
            jobs,
            storage,
            http,
            server,
            folder,
            _stop: stopping.clone().drop_guard(),
            stopping,
            _db: db,
        }
    }

    /// Runs the jobs with `run`, until the registry stops.
    pub fn work<F, R>(&self, run: F)
    where
        F: Fn(Run) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let run = Arc::new(run);
        let handlers = ["publish", "unpublish", "transfer", "packageset"].map(|kind| {
            let run = run.clone();
            Handler::new(kind, 60, 1, move |attempt| run(attempt))
        });
        let config = Config {
            concurrency: 2,
            background_concurrency: 1,
            lease_secs: 60,
            drain_secs: 0,
            retry_millis: 1,
            name: "test".to_owned(),
            progress: Default::default(),
        };
        tokio::spawn(worker::run(
            self.jobs.clone(),
            config,
            handlers.to_vec(),
            self.stopping.clone(),
        ));
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.http
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
    }

    pub fn post_publish(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.request("POST", "/api/v1/publish").body(body)
    }

    /// Posts a publish operation and returns the job's id.
    pub async fn publish(&self, body: &str) -> JobId {
        let reply = self.post_publish(body.to_owned()).send().await.unwrap();
        assert_eq!(reply.status(), 200);
        let reply: serde_json::Value = json(reply).await;
        reply["jobId"].as_str().unwrap().parse().unwrap()
    }

    /// Waits for the end of a job by following its log.
    pub async fn finished(&self, id: JobId) {
        let mut tail = self.jobs.tail(id, 0, docket_jobs::Level::Debug);
        let end = async {
            while tail
                .next()
                .await
                .unwrap()
                .expect("the job exists")
                .finished
                .is_none()
            {}
        };
        tokio::time::timeout(DEADLINE, end).await.expect("the job ends");
    }

    /// Posts a publish operation that `run` carries out, and waits for its end.
    pub async fn finished_job<F, R>(&self, run: F) -> JobId
    where
        F: Fn(Run) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.work(run);
        let id = self.publish(EFFECT).await;
        self.finished(id).await;
        id
    }

    /// Records a version whose tarball holds these files, and returns it.
    pub async fn publish_files(&self, manifest: &Manifest, files: &[(&str, &str)]) -> Bytes {
        let gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(gz);
        for (path, text) in files {
            let mut head = tar::Header::new_gnu();
            head.set_size(text.len() as u64);
            head.set_mode(0o644);
            let path = format!("{}-{}/{path}", manifest.name, manifest.version);
            builder.append_data(&mut head, path, text.as_bytes()).unwrap();
        }
        let tarball = Bytes::from(builder.into_inner().unwrap().finish().unwrap());
        self.storage.put(tarball.clone()).await.unwrap();
        let mut tx = self.jobs.db().write().await.unwrap();
        record(&mut tx, manifest, &tarball, now()).await;
        tx.commit().await.unwrap();
        tarball
    }

    /// Reads a page.
    pub async fn page(&self, path: &str) -> String {
        let response = self.get(path).header("accept", "text/html").send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(
            header(&response, "content-type"),
            "text/html; charset=utf-8",
            "{path}"
        );
        let policy = header(&response, "content-security-policy").to_owned();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        let text = response.text().await.unwrap();
        assert!(
            !text.contains(" style=") && !text.contains("<style"),
            "{path} has styles that the policy forbids"
        );
        assert!(
            !text.contains("<script>") && !text.contains(" onclick"),
            "{path} has a script that the policy forbids"
        );
        text
    }

    /// Reads a page that says no with this status.
    pub async fn refused_page(&self, path: &str, status: u16) -> String {
        let response = self.get(path).header("accept", "text/html").send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(
            header(&response, "content-type"),
            "text/html; charset=utf-8",
            "{path}"
        );
        response.text().await.unwrap()
    }

    /// Records `effect@4.0.0` with a tarball, as a publish job does.
    pub async fn record_effect(&self) -> Bytes {
        let tarball = Bytes::from_static(b"the bytes of a tarball");
        self.storage.put(tarball.clone()).await.unwrap();
        let mut tx = self.jobs.db().write().await.unwrap();
        record_effect(&mut tx).await;
        tx.commit().await.unwrap();
        tarball
    }
}

/// The manifest of `effect@4.0.0`.
pub fn effect() -> Manifest {
    let json = r#"{"name":"effect","version":"4.0.0","license":"MIT","location":{"githubOwner":"lab","githubRepo":"purescript-effect"},"ref":"v4.0.0","dependencies":{}}"#;
    Manifest::from_stored(json).unwrap()
}

/// Records `effect@4.0.0` in `tx`.
pub async fn record_effect(tx: &mut docket_db::Tx) {
    record(tx, &effect(), b"the bytes of a tarball", now()).await;
}

/// Records a version in `tx`, published at `at` with purs 0.15.15.
pub async fn record(tx: &mut docket_db::Tx, manifest: &Manifest, tarball: &[u8], at: Timestamp) {
    let entry = PublishedVersion {
        bytes: tarball.len() as u64,
        compilers: vec!["0.15.15".parse::<Version>().unwrap()],
        hash: Sha256::of(tarball),
        published_time: at,
        git_ref: String::new(),
    };
    let publication = Publication {
        manifest,
        entry: &entry,
        by: ByJob {
            job_id: "job".to_owned(),
            at,
        },
    };
    docket_index::publish(tx, &publication).await.unwrap();
}

/// A manifest of `name` with these dependencies, as JSON, and this description.
pub fn manifest(name: &str, version: &str, description: &str, dependencies: &serde_json::Value) -> Manifest {
    let json = serde_json::json!({
        "name": name, "version": version, "license": "MIT", "description": description,
        "location": { "githubOwner": "lab", "githubRepo": format!("purescript-{name}") },
        "ref": format!("v{version}"), "dependencies": dependencies,
    });
    Manifest::from_stored(&json.to_string()).unwrap()
}

/// Returns a header's text; empty when it is absent.
pub fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

/// Reads a JSON body.
pub async fn json(response: Response) -> serde_json::Value {
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Checks that an error is a problem document with this status, and returns it.
pub async fn problem(response: Response, status: u16) -> serde_json::Value {
    assert_eq!(response.status(), status);
    assert_eq!(header(&response, "content-type"), "application/problem+json");
    let problem = json(response).await;
    assert_eq!(problem["status"], status);
    problem
}

/// Runs git without any configuration of this machine.
pub async fn git(folder: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0");
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}
