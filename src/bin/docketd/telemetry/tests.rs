//! Traces, sent to a stand-in for a collector of OpenTelemetry.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use docket_core::redact::Redactor;
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;

use super::Traces;
use crate::config::Telemetry;

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
                let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
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
            let resource = body["resourceSpans"][0]["resource"].to_string();
            assert!(resource.contains("docketd"), "{resource}");
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

/// Each request and each job is a span of the forms of OTLP; what is in it has no secret; and the last ones are sent before the server ends.
#[tokio::test(flavor = "multi_thread")]
async fn spans_are_sent_without_secrets_before_the_end() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let collector = CollectorStandIn::start();
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("collector");
    fs::write(&token_file, "the-collectors-token\n").unwrap();
    let to = Telemetry {
        url: Some(collector.url.clone()),
        token_file: Some(token_file),
    };
    let redactor = Redactor::new(["the-collectors-token".to_owned(), "geheim".to_owned()]);
    let traces = Traces::start(&to, redactor).unwrap().unwrap();
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    tracing::subscriber::with_default(subscriber, || {
        let request = tracing::info_span!("request", http.path = "/geheim").entered();
        tracing::error!("the-collectors-token was refused");
        drop(request);
        let _job = tracing::info_span!("job", job.attempt = 1_i64).entered();
    });
    traces.flush().await;

    let spans = collector.spans();
    let named = |name: &str| spans.iter().find(|span| span["name"] == name).unwrap();
    let (request, job) = (named("request"), named("job"));
    assert_eq!(
        (&request["kind"], attribute(request, "http.path").unwrap()),
        (&2.into(), &"/[redacted]".into())
    );
    assert_eq!(request["status"]["code"], 2, "an error is one of ours");
    assert_eq!(request["events"][0]["name"], "[redacted] was refused");
    assert_eq!(
        attribute(job, "job.attempt").unwrap(),
        "1",
        "64 bits are written as text"
    );
    assert_eq!(
        (
            job["traceId"].as_str().unwrap().len(),
            job["spanId"].as_str().unwrap().len()
        ),
        (32, 16)
    );
    let time = |key: &str| job[key].as_str().unwrap().parse::<u128>().unwrap();
    assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"));
    let whole = format!("{spans:?}");
    assert!(!whole.contains("the-collectors-token") && !whole.contains("geheim"));
}
