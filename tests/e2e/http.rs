//! Plain HTTP: what released clients rely on (registry spec, appendix C).

use std::sync::Once;
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{DEADLINE, Registry};
use crate::publish::demo;

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}: {}", self.status, self.text()))
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }
}

/// Sends one request and waits for the answer.
pub(crate) fn call(
    method: Method,
    url: &str,
    change: impl FnOnce(RequestBuilder) -> RequestBuilder,
) -> Answer {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = Client::builder().no_proxy().timeout(DEADLINE).build().unwrap();
        let response = change(client.request(method, url)).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer {
            status,
            headers,
            body: response.bytes().await.unwrap().to_vec(),
        }
    })
}

pub(crate) fn get(url: &str) -> Answer {
    call(Method::GET, url, |request| request)
}

/// Returns what a URL holds; panics when it is not there or not JSON.
pub(crate) fn get_json(url: &str) -> Value {
    let answer = get(url);
    assert_eq!(answer.status, 200, "{url}: {}", answer.text());
    answer.json()
}

/// Posts a body to the publish route.
pub(crate) fn post_publish(registry: &Registry, body: &str) -> Answer {
    call(Method::POST, &registry.url("/api/v1/publish"), |request| {
        request.body(body.to_owned())
    })
}

/// The request that spago sends for the package `demo`.
fn publish_body() -> String {
    json!({
        "compiler": "0.15.15",
        "location": { "githubOwner": "lab", "githubRepo": "purescript-demo" },
        "name": "demo",
        "ref": "v1.0.0",
        "resolutions": { "prelude": "6.0.1" },
        "version": "1.0.0",
    })
    .to_string()
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ`, nothing else: spago reads no other form.
fn assert_is_time(value: &Value) {
    let pattern = "0000-00-00T00:00:00.000Z";
    let text = value.as_str().unwrap();
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, pattern, "{text}");
}

#[test]
fn a_publish_is_accepted_with_200_in_time_and_the_same_request_names_the_same_job() {
    let registry = Registry::start();
    demo(&registry).push();
    let start = Instant::now();
    let first = post_publish(&registry, &publish_body());
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "spago asks again after two seconds"
    );
    assert_eq!(first.status, 200, "spago takes 201 for an error");
    assert_eq!(first.header("content-type"), "application/json");
    let job = first.json()["jobId"].as_str().unwrap().to_owned();
    assert_eq!(
        first.text(),
        format!(r#"{{"jobId":"{job}","disposition":"created"}}"#),
        "compact, without a newline"
    );
    assert_eq!(
        post_publish(&registry, &publish_body()).json()["jobId"],
        job.as_str()
    );
    registry.wait_for_job(&job);
    assert_eq!(
        post_publish(&registry, &publish_body()).json()["jobId"],
        job.as_str(),
        "also when it has succeeded"
    );
}

#[test]
fn a_job_never_shows_null_and_its_times_have_three_digits() {
    let registry = Registry::start();
    demo(&registry).push();
    let id = post_publish(&registry, &publish_body()).json()["jobId"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut job = registry.job(&id);
    loop {
        assert!(!has_null(&job), "{job}");
        assert_eq!((&job["jobType"], &job["jobId"]), (&json!("publish"), &json!(id)));
        assert_eq!(
            (&job["packageName"], &job["packageVersion"]),
            (&json!("demo"), &json!("1.0.0"))
        );
        assert_eq!(
            job["payload"],
            serde_json::from_str::<Value>(&publish_body()).unwrap()
        );
        for time in ["createdAt", "startedAt", "finishedAt"]
            .iter()
            .filter_map(|name| job.get(*name))
        {
            assert_is_time(time);
        }
        if job.get("finishedAt").is_some() {
            break;
        }
        assert_eq!(job["success"], false, "not before the end");
        job = registry.job(&id);
    }
    assert_eq!(job["success"], true, "{job}");

    let log = registry.log(&id, "DEBUG");
    let seqs: Vec<_> = log.iter().map(|line| line["seq"].as_i64().unwrap()).collect();
    assert_eq!(
        seqs,
        (1..=i64::try_from(log.len()).unwrap()).collect::<Vec<_>>(),
        "seq is dense"
    );
    for pair in log.windows(2) {
        assert_is_time(&pair[0]["timestamp"]);
        assert!(
            pair[0]["timestamp"].as_str() < pair[1]["timestamp"].as_str(),
            "times rise: {pair:?}"
        );
    }

    let list = get_json(&registry.url("/api/v1/jobs?include_completed=true"));
    assert!(!has_null(&list));
    assert_eq!(list[0]["logs"], json!([]), "a list comes without logs");
    assert_eq!(
        get_json(&registry.url("/api/v1/jobs")),
        json!([]),
        "and without what has ended, unless asked"
    );
}

#[test]
fn polling_by_time_as_spago_does_shows_every_line_once_and_the_end_with_the_last() {
    let registry = Registry::start();
    demo(&registry).push();
    let id = post_publish(&registry, &publish_body()).json()["jobId"]
        .as_str()
        .unwrap()
        .to_owned();
    let (mut shown, mut since) = (Vec::new(), String::new());
    loop {
        let job = get_json(&registry.url(&format!("/api/v1/jobs/{id}?{since}level=INFO")));
        for line in job["logs"].as_array().unwrap() {
            shown.push(line["timestamp"].as_str().unwrap().to_owned());
        }
        if let Some(last) = shown.last() {
            since = format!("since={}&", one_millisecond_later(last).replace(':', "%3A"));
        }
        if job.get("finishedAt").is_some() {
            break;
        }
    }
    let all: Vec<_> = registry
        .log(&id, "INFO")
        .iter()
        .map(|line| line["timestamp"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(shown, all);
}

fn one_millisecond_later(time: &str) -> String {
    let time: docket_core::time::Timestamp = time.parse().unwrap();
    docket_core::time::Timestamp::from_millis(time.millis() + 1).to_string()
}

#[test]
fn parameters_that_do_not_parse_count_as_absent() {
    let registry = Registry::start();
    demo(&registry).push();
    let id = post_publish(&registry, &publish_body()).json()["jobId"]
        .as_str()
        .unwrap()
        .to_owned();
    registry.wait_for_job(&id);
    let path = format!("/api/v1/jobs/{id}");
    let plain = get_json(&registry.url(&path));
    for query in [
        "since=yesterday",
        "level=info",
        "order=down",
        "until=2026-02-01T00:00:00Z",
        "what=ever",
        "&&=&%",
    ] {
        assert_eq!(
            get_json(&registry.url(&format!("{path}?{query}"))),
            plain,
            "{query}"
        );
    }
    let reversed = get_json(&registry.url(&format!("{path}?order=DESC")));
    assert_eq!(
        reversed["logs"].as_array().unwrap().last(),
        plain["logs"].as_array().unwrap().first()
    );
    let errors = get_json(&registry.url(&format!("{path}?level=ERROR")));
    assert_eq!(errors["logs"], json!([]));
}

#[test]
fn what_is_not_there_is_404_without_a_body() {
    let registry = Registry::start();
    for (method, path) in [
        (Method::GET, "/api/v1/publish"),
        (Method::DELETE, "/api/v1/jobs"),
        (Method::POST, "/api/v1/status"),
        (Method::GET, "/api/v1/jobs/9607c6e5-a040-41c4-a015-cee4a838d32d"),
        (Method::GET, "/api/v1/jobs/nonsense"),
        (Method::GET, "/api/v1/jobs/"),
        (Method::GET, "/api/v1/Jobs"),
    ] {
        let answer = call(method.clone(), &registry.url(path), |request| request);
        assert_eq!(
            (answer.status, answer.text()),
            (404, String::new()),
            "{method} {path}"
        );
    }
}

#[test]
fn a_body_that_does_not_decode_is_400_and_says_why() {
    let registry = Registry::start();
    let null = publish_body().replace(r#""resolutions":{"prelude":"6.0.1"}"#, r#""resolutions":null"#);
    for body in [
        "",
        "{",
        "[]",
        r#"{"name":"demo"}"#,
        &publish_body().replace("1.0.0", "01.0.0"),
        &null,
    ] {
        let answer = post_publish(&registry, body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(
            answer.header("content-type").starts_with("text/plain"),
            "spago prints the body: {body}"
        );
        assert!(!answer.body.is_empty(), "{body}");
    }
    let more = publish_body().replacen('{', r#"{"unknown":[1],"#, 1);
    assert_eq!(
        post_publish(&registry, &more).status,
        200,
        "unknown fields are ignored"
    );
    let answer = call(Method::POST, &registry.url("/api/v1/publish"), |request| {
        request.header("accept", "application/json").body("{")
    });
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json()["status"], 400);
}

#[test]
fn pages_of_other_sites_may_read_the_api() {
    let registry = Registry::start();
    let answer = call(Method::OPTIONS, &registry.url("/api/v1/publish"), |request| {
        request
    });
    assert_eq!((answer.status, answer.text()), (204, String::new()));
    assert_eq!(answer.header("access-control-allow-headers"), "Content-Type");
    assert_eq!(answer.header("access-control-max-age"), "86400");
    for answer in [
        answer,
        get(&registry.url("/api/v1/jobs")),
        get(&registry.url("/api/v1/publish")),
    ] {
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(
            answer.header("access-control-allow-methods"),
            "GET, HEAD, POST, OPTIONS"
        );
        assert_eq!(answer.header("vary"), "Origin");
    }
    assert_eq!(
        get(&registry.url("/api/v1/nowhere")).header("access-control-allow-origin"),
        ""
    );
}

#[test]
fn the_status_route_answers_get_and_head() {
    let registry = Registry::start();
    for method in [Method::GET, Method::HEAD] {
        let answer = call(method, &registry.url("/api/v1/status"), |request| request);
        assert_eq!((answer.status, answer.text()), (200, String::new()));
    }
}
