//! A stand-in for Pursuit: real HTTP on loopback, Pursuit's addresses, headers and answers, and trouble on demand. It keeps what is uploaded and
//! shows nothing of it but the versions.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use flate2::read::GzDecoder;
use serde_json::Value;
use tokio::net::TcpListener;

/// The token of the one account that it knows. Nobody's real token.
pub const PURSUIT_TOKEN: &str = "pursuit-stand-in-token";

/// What goes wrong with the next request.
#[derive(Debug, Clone)]
pub enum PursuitFault {
    /// This status, and this body.
    Status(u16, &'static str),
    /// A redirect to another server.
    Redirect(String),
    /// The upload is kept, but the answer is a 502.
    LostAnswer,
}

#[derive(Default)]
struct Kept {
    url: String,
    packages: BTreeMap<(String, String), Value>,
    faults: VecDeque<PursuitFault>,
    upload_faults: VecDeque<PursuitFault>,
    requests: Vec<String>,
    down: bool,
}

/// The stand-in; it ends with the test.
#[derive(Clone)]
pub struct PursuitStandIn {
    url: String,
    kept: Arc<Mutex<Kept>>,
}

impl PursuitStandIn {
    /// Starts it on a port that the system picks.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let url = format!("http://{address}");
        let kept = Arc::new(Mutex::new(Kept {
            url: url.clone(),
            ..Kept::default()
        }));
        let router = Router::new()
            .route("/packages", post(upload))
            .route("/packages/{name}/available-versions", get(versions))
            .with_state(kept.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, kept }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was uploaded for a version, such as `purescript-prelude`, `6.0.1`.
    pub fn package(&self, name: &str, version: &str) -> Option<Value> {
        let key = (name.to_owned(), version.to_owned());
        self.kept().packages.get(&key).cloned()
    }

    /// Forgets a version.
    pub fn forget(&self, name: &str, version: &str) {
        self.kept()
            .packages
            .remove(&(name.to_owned(), version.to_owned()));
    }

    /// Lets the next request go wrong.
    pub fn fail_next(&self, fault: PursuitFault) {
        self.kept().faults.push_back(fault);
    }

    /// Lets the next upload go wrong, whatever is asked before.
    pub fn fail_upload(&self, fault: PursuitFault) {
        self.kept().upload_faults.push_back(fault);
    }

    /// Answers everything with 503 from now on, or no longer.
    pub fn set_down(&self, down: bool) {
        self.kept().down = down;
    }

    /// The requests so far: `GET /packages/purescript-prelude/available-versions`.
    pub fn requests(&self) -> Vec<String> {
        self.kept().requests.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no test panicked in here")
    }
}

type Shared = State<Arc<Mutex<Kept>>>;

async fn versions(State(kept): Shared, Path(name): Path<String>) -> Response {
    let mut kept = kept.lock().expect("no test panicked in here");
    kept.requests
        .push(format!("GET /packages/{name}/available-versions"));
    if kept.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if let Some(fault) = kept.faults.pop_front() {
        return answer(&fault);
    }
    let listed: Vec<[String; 2]> = kept
        .packages
        .keys()
        .filter(|(known, _)| *known == name)
        .map(|(_, version)| {
            let page = format!("{}/packages/{name}/{version}", kept.url);
            [version.clone(), page]
        })
        .collect();
    Json(listed).into_response()
}

async fn upload(State(kept): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let mut kept = kept.lock().expect("no test panicked in here");
    kept.requests.push("POST /packages".to_owned());
    if kept.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let fault = kept.faults.pop_front().or_else(|| kept.upload_faults.pop_front());
    match fault {
        Some(PursuitFault::LostAnswer) | None => {}
        Some(fault) => return answer(&fault),
    }
    let is = |name, expected: &str| headers.get(name).is_some_and(|value| value == expected);
    if !is(AUTHORIZATION, &format!("token {PURSUIT_TOKEN}")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if !is(ACCEPT, "application/json") || !is(CONTENT_ENCODING, "gzip") {
        return (StatusCode::BAD_REQUEST, "not the headers of an upload").into_response();
    }
    let mut text = String::new();
    let read = GzDecoder::new(&body[..]).read_to_string(&mut text);
    let Some(package) = read.ok().and_then(|_| serde_json::from_str::<Value>(&text).ok()) else {
        return (
            StatusCode::BAD_REQUEST,
            "The file you submitted was not valid JSON.",
        )
            .into_response();
    };
    let (Some(name), Some(version)) = (
        package["packageMeta"]["name"].as_str(),
        package["version"].as_str(),
    ) else {
        return (StatusCode::BAD_REQUEST, "At the path: [\"packageMeta\"]").into_response();
    };
    let page = format!("{}/packages/{name}/{version}", kept.url);
    let key = (name.to_owned(), version.to_owned());
    // Uploading a version again replaces it.
    kept.packages.insert(key, package);
    match fault {
        Some(fault) => answer(&fault),
        None => (StatusCode::CREATED, [(LOCATION, page)]).into_response(),
    }
}

fn answer(fault: &PursuitFault) -> Response {
    match fault {
        PursuitFault::Status(status, body) => {
            let status = StatusCode::from_u16(*status).expect("a test names a status");
            (status, *body).into_response()
        }
        PursuitFault::Redirect(to) => (StatusCode::FOUND, [(LOCATION, to.clone())]).into_response(),
        PursuitFault::LostAnswer => StatusCode::BAD_GATEWAY.into_response(),
    }
}
