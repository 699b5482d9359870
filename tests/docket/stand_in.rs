//! A stand-in for a registry: fixed answers by route, and every request kept.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `POST /api/v1/unpublish`.
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) behalf: Option<String>,
    pub(crate) body: String,
}

/// Status, further lines of the head, and body, by route or by route and query.
type Answers = HashMap<String, (u16, String, String)>;

/// A server on loopback; ends with the test.
pub(crate) struct StandIn {
    pub(crate) url: String,
    answers: Arc<Mutex<Answers>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// What the stand-in calls itself in public.
pub(crate) const PUBLIC_URL: &str = "https://registry.example.org";

impl StandIn {
    /// A registry with the package `slug` 1.2.0, whose jobs all succeed.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stand_in = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            answers: Arc::default(),
            requests: Arc::default(),
        };
        let (answers, requests) = (stand_in.answers.clone(), stand_in.requests.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, requests) = (answers.clone(), requests.clone());
                thread::spawn(move || serve(stream.unwrap(), &answers, &requests));
            }
        });
        stand_in.answers(
            "GET /index/config.json",
            200,
            &json!({ "api": format!("{PUBLIC_URL}/api/v1"), "tarball": "x" }),
        );
        stand_in.answers(
            "GET /api/v1/packages/slug",
            200,
            &json!({ "name": "slug", "location": { "githubOwner": "lab", "githubRepo": "slug" } }),
        );
        stand_in.answers("GET /api/v1/packages/slug/1.2.0", 200, &slug());
        for operation in ["publish", "unpublish", "transfer", "package-sets"] {
            let route = format!("POST /api/v1/{operation}");
            stand_in.answers(&route, 200, &json!({ "jobId": "job-1" }));
        }
        stand_in.job_ends(true);
        stand_in
    }

    /// Sets the answer of a route.
    pub(crate) fn answers(&self, route: &str, status: u16, body: &Value) {
        self.answers_with(route, status, "", body);
    }

    /// Sets an answer that is not JSON.
    pub(crate) fn answers_text(&self, route: &str, text: &str) {
        let answer = (200, String::new(), text.to_owned());
        self.answers.lock().unwrap().insert(route.to_owned(), answer);
    }

    /// Sets the answer of a route, or of a route with this query, with lines for its head.
    pub(crate) fn answers_with(&self, route: &str, status: u16, head: &str, body: &Value) {
        let answer = (status, head.to_owned(), body.to_string());
        self.answers.lock().unwrap().insert(route.to_owned(), answer);
    }

    /// Sets how the job ends.
    pub(crate) fn job_ends(&self, success: bool) {
        self.log_is(&json!({ "lines": [log_line()], "next": 1, "finished": true, "success": success }));
    }

    /// Lets the job go on until [`StandIn::job_ends`].
    pub(crate) fn job_runs(&self) {
        self.log_is(&json!({ "lines": [log_line()], "next": 1, "finished": false }));
    }

    fn log_is(&self, page: &Value) {
        self.answers("GET /api/v1/jobs/job-1/logs", 200, page);
    }

    /// The requests with this method that came so far.
    pub(crate) fn requests(&self, method: &str) -> Vec<Request> {
        let requests = self.requests.lock().unwrap();
        let of_method = requests.iter().filter(|request| request.line.starts_with(method));
        of_method.cloned().collect()
    }

    /// The only operation that was posted.
    #[track_caller]
    pub(crate) fn posted(&self) -> Request {
        let posts = self.requests("POST");
        assert_eq!(posts.len(), 1, "{posts:?}");
        posts[0].clone()
    }
}

/// What the job writes.
fn log_line() -> Value {
    json!({ "seq": 1, "timestamp": "2026-08-18T07:02:11.004Z", "level": "NOTICE", "message": "looked at it" })
}

/// `slug` 1.2.0: one package breaks without it, one does not.
pub(crate) fn slug() -> Value {
    json!({
        "name": "slug", "version": "1.2.0", "status": "published", "publishedTime": "2026-08-18T07:02:11.004Z",
        "compilers": ["0.15.15"], "packageSets": ["80.8.0"],
        "dependants": [
            { "name": "blog", "version": "2.0.0", "range": ">=1.0.0 <2.0.0", "breaks": false },
            { "name": "wiki", "version": "1.0.0", "range": ">=1.2.0 <1.2.1", "breaks": true },
        ],
    })
}

fn serve(mut stream: TcpStream, answers: &Mutex<Answers>, requests: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        head.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let line = head[0].trim_end_matches(" HTTP/1.1");
    let route = line.split('?').next().unwrap().to_owned();
    requests.lock().unwrap().push(Request {
        line: line.to_owned(),
        authorization: header("authorization"),
        behalf: header("docket-on-behalf-of"),
        body: String::from_utf8(body).unwrap(),
    });
    let known = answers.lock().unwrap();
    let answer = known.get(line).or_else(|| known.get(&route)).cloned();
    drop(known);
    let nothing = || (404, String::new(), r#"{"title":"Not found"}"#.to_owned());
    let (status, more, body) = answer.unwrap_or_else(nothing);
    let _ = write!(
        stream,
        "HTTP/1.1 {status} Whatever\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{more}connection: close\r\n\r\n{body}",
        body.len()
    );
}
