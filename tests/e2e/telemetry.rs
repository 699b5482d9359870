//! Traces, sent to a stand-in for a collector of OpenTelemetry.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::harness::Registry;
use crate::publish::demo;

/// Keeps what is posted to it.
struct CollectorStandIn {
    url: String,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl CollectorStandIn {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<(String, Value)>>>::default();
        let kept = requests.clone();
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if line.trim().is_empty() {
                        break;
                    }
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    head += &line;
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                kept.lock()
                    .unwrap()
                    .push((head, serde_json::from_slice(&body).unwrap()));
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { url, requests }
    }

    /// All spans so far.
    fn spans(&self) -> Vec<Value> {
        let requests = self.requests.lock().unwrap();
        let spans = requests.iter().flat_map(|(head, body)| {
            assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
            assert!(
                head.contains("authorization: Bearer the-collectors-token"),
                "{head}"
            );
            body["resourceSpans"][0]["scopeSpans"][0]["spans"]
                .as_array()
                .unwrap()
                .clone()
        });
        spans.collect()
    }
}

fn attribute<'a>(span: &'a Value, key: &str) -> Option<&'a Value> {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|attribute| attribute["key"] == key)?;
    found["value"].as_object().unwrap().values().next()
}

/// Each request and each attempt at a job is one span, whose ids and times have the forms of OTLP; and the last ones are sent before the server ends.
#[test]
fn requests_and_jobs_are_traced() {
    let collector = CollectorStandIn::start();
    let configuration = format!(
        "[telemetry]\nurl = \"{}\"\ntoken_file = \"collector\"\n",
        collector.url
    );
    let mut registry = Registry::start_with(&configuration, |dir| {
        fs::write(dir.join("collector"), "the-collectors-token\n").unwrap();
    });
    let demo = demo(&registry);
    demo.push();
    registry
        .docket(&["publish", demo.work().to_str().unwrap()])
        .expect_code(0);
    assert_eq!(registry.terminate(), Some(0));
    let spans = collector.spans();
    let job = spans.iter().find(|span| {
        span["name"] == "job" && attribute(span, "job.kind").is_some_and(|kind| kind == "publish")
    });
    let job = job.unwrap_or_else(|| panic!("the publish is a span: {spans:#?}"));
    assert_eq!(attribute(job, "package.name").unwrap(), "demo");
    assert_eq!(
        attribute(job, "job.attempt").unwrap(),
        "1",
        "64 bits are written as text"
    );
    assert_eq!(job["traceId"].as_str().unwrap().len(), 32);
    assert_eq!(job["spanId"].as_str().unwrap().len(), 16);
    let time = |key: &str| job[key].as_str().unwrap().parse::<u128>().unwrap();
    assert!(time("startTimeUnixNano") < time("endTimeUnixNano"));
    let request = spans.iter().find(|span| {
        span["name"] == "request"
            && attribute(span, "http.path").is_some_and(|path| path == "/api/v1/publish")
    });
    let request = request.unwrap_or_else(|| panic!("the request is a span: {spans:#?}"));
    assert_eq!(request["kind"], 2);
    let whole = format!("{spans:?}");
    assert!(!whole.contains("the-collectors-token"));
}
