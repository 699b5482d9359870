//! Who hears the token of a remote, with git's own server behind real HTTP.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::any};
use base64::Engine;
use docket_core::time::Timestamp;
use docket_index::{
    Repository, TABLES, bootstrap,
    git::{
        GitViews, git,
        remote::{PushError, Remote, Remotes},
    },
};
use docket_storage::Storage;
use docket_test_support::{TestDb, on_both_databases};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// A server of git repositories that demands a token.
#[derive(Clone)]
struct Host {
    url: String,
    folder: PathBuf,
    credentials: String,
    /// Where everything is sent instead.
    moved_to: Option<String>,
    /// The `Authorization` of each request.
    heard: Arc<Mutex<Vec<Option<String>>>>,
}

impl Host {
    async fn start(folder: &Path, token: &str, moved_to: Option<&Host>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = folder.join(token);
        std::fs::create_dir(&folder).unwrap();
        git(&folder, &["init", "--quiet", "--bare", "-b", "main", "r.git"])
            .await
            .unwrap();
        let host = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            folder,
            credentials: credentials(token),
            moved_to: moved_to.map(|host| host.url.clone()),
            heard: Arc::default(),
        };
        let router = Router::new()
            .route("/{*path}", any(answer))
            .with_state(host.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        host
    }

    fn remote(&self, token: &str) -> Remote {
        Remote::new(format!("{}/r.git", self.url), Some(token.to_owned()))
    }

    fn heard(&self) -> Vec<Option<String>> {
        self.heard.lock().unwrap().clone()
    }

    async fn subjects(&self) -> String {
        git(&self.folder.join("r.git"), &["log", "--format=%s", "main"])
            .await
            .unwrap()
    }
}

/// What GitHub takes a token as.
fn credentials(token: &str) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
    format!("Basic {encoded}")
}

async fn answer(State(host): State<Host>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let text = |name| {
        let value = head.headers.get(name);
        value.map(|value: &header::HeaderValue| value.to_str().unwrap().to_owned())
    };
    let authorization = text(header::AUTHORIZATION);
    host.heard.lock().unwrap().push(authorization.clone());
    if let Some(elsewhere) = &host.moved_to {
        let to = format!("{elsewhere}{}", head.uri);
        return (StatusCode::FOUND, [(header::LOCATION, to)]).into_response();
    }
    if authorization.as_ref() != Some(&host.credentials) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic")]).into_response();
    }
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_PROJECT_ROOT", &host.folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", "docket")
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    for (variable, name) in [
        ("CONTENT_TYPE", header::CONTENT_TYPE),
        ("HTTP_CONTENT_ENCODING", header::CONTENT_ENCODING),
        (
            "HTTP_GIT_PROTOCOL",
            header::HeaderName::from_static("git-protocol"),
        ),
    ] {
        command.env(variable, text(name).unwrap_or_default());
    }
    let mut child = command.spawn().unwrap();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&body).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap().stdout;
    let end = output
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a CGI program prints headers");
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = match name {
            "Status" => response.status(&value[..3]),
            _ => response.header(name, value),
        };
    }
    response.body(Body::from(output[end + 4..].to_vec())).unwrap()
}

fn now() -> Timestamp {
    "2026-08-18T07:02:11.004Z".parse().unwrap()
}

/// A new registry, with these remotes.
async fn registry(db: &TestDb, folder: &Path, remotes: Vec<(Repository, Remote)>) -> Remotes {
    db.migrate(&[TABLES]).await;
    let mut tx = db.db.write().await.unwrap();
    bootstrap(&mut tx, now()).await.unwrap();
    tx.commit().await.unwrap();
    let storage = Storage::local(folder.join("blobs")).unwrap();
    let views = GitViews::new(folder.join("git"), db.db.clone(), storage);
    Remotes::new(views, db.db.clone(), folder.join("push"), remotes)
}

/// Pushes the registry in vain, and returns what is said and written down about it.
async fn refusal(remotes: &Remotes) -> String {
    let error = remotes.push(Repository::Registry, now()).await.unwrap_err();
    assert!(matches!(error, PushError::Remote { .. }), "{error:?}");
    let (state, _) = remotes.state(Repository::Registry).await.unwrap();
    format!("{error} {error:?} {state:?}")
}

on_both_databases! {
    async fn each_remote_hears_its_own_token_and_no_other(db: TestDb) {
        let folder = tempfile::tempdir().unwrap();
        let first = Host::start(folder.path(), "token-of-the-first", None).await;
        let second = Host::start(folder.path(), "token-of-the-second", None).await;
        let remotes = registry(&db, folder.path(), vec![
            (Repository::Registry, first.remote("token-of-the-first")),
            (Repository::RegistryIndex, second.remote("token-of-the-second")),
        ]).await;
        for (repository, host) in [(Repository::Registry, &first), (Repository::RegistryIndex, &second)] {
            assert_eq!(remotes.push(repository, now()).await.unwrap().commits, 1);
            assert_eq!(host.subjects().await, "Begin\n");
            let heard = host.heard();
            assert!(!heard.is_empty() && heard.iter().all(|heard| heard.as_ref() == Some(&host.credentials)), "{heard:?}");
        }
    }

    /// A host that sends us elsewhere gets no answer there, and whoever is there hears nothing.
    async fn a_redirect_leads_the_token_nowhere(db: TestDb) {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = Host::start(folder.path(), "token-of-elsewhere", None).await;
        let host = Host::start(folder.path(), "token-of-the-host", Some(&elsewhere)).await;
        let remotes = registry(&db, folder.path(), vec![(Repository::Registry, host.remote("token-of-the-host"))]).await;
        let told = refusal(&remotes).await;
        assert!(!host.heard().is_empty());
        assert_eq!(elsewhere.heard(), Vec::<Option<String>>::new());
        assert!(!told.contains("token-of-the-host") && !told.contains(&host.credentials), "{told}");
    }

    async fn a_token_that_is_refused_is_told_nowhere(db: TestDb) {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::start(folder.path(), "token-of-the-host", None).await;
        let remotes = registry(&db, folder.path(), vec![(Repository::Registry, host.remote("another-token"))]).await;
        let told = refusal(&remotes).await;
        assert!(!told.contains("another-token") && !told.contains(&credentials("another-token")), "{told}");
    }
}
