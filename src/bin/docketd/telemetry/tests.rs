//! Traces, sent to a real collector of OpenTelemetry, and to a stand-in that keeps what real ones do not tell.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
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
        let request = tracing::info_span!("request", url.path = "/geheim").entered();
        tracing::error!("the-collectors-token was refused");
        drop(request);
        let _job = tracing::info_span!("job", job.attempt = 1_i64).entered();
    });
    traces.flush().await;

    let spans = collector.spans();
    let named = |name: &str| spans.iter().find(|span| span["name"] == name).unwrap();
    let (request, job) = (named("request"), named("job"));
    assert_eq!(
        (&request["kind"], attribute(request, "url.path").unwrap()),
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

/// A real collector, which prints what it takes; tests/tools.sh installs it. It ends with this value.
struct Rotel {
    process: Child,
    url: String,
}

impl Rotel {
    async fn start(folder: &Path) -> Self {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/rotel/lib");
        let python = fs::read_dir(&tools).ok().and_then(|mut versions| versions.next());
        let python = python.expect("rotel is installed: run tests/tools.sh").unwrap();
        // It takes no port of the system's choice, so we ask for two and give them back.
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [http, grpc] = ports.map(|port| port.local_addr().unwrap().to_string());
        let mut process = Command::new(python.path().join("site-packages/rotel/rotel-agent"))
            .args(["start", "--exporter", "blackhole", "--debug-log", "traces"])
            .args(["--debug-log-verbosity", "detailed"])
            .args(["--otlp-http-endpoint", &http, "--otlp-grpc-endpoint", &grpc])
            .arg("--pid-file")
            .arg(folder.join("rotel.pid"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        while TcpStream::connect(&http).is_err() {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "rotel ended before it listened: {ended:?}");
            tokio::task::yield_now().await;
        }
        Self {
            process,
            url: format!("http://{http}"),
        }
    }

    /// What it prints, up to a line with `last`.
    async fn printed_until(&mut self, last: &'static str) -> String {
        let output = BufReader::new(self.process.stdout.take().unwrap());
        let read = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            for line in output.lines().map(Result::unwrap) {
                text += &line;
                text.push('\n');
                if line.contains(last) {
                    break;
                }
            }
            text
        });
        tokio::time::timeout(Duration::from_secs(60), read)
            .await
            .expect("it prints what it takes")
            .unwrap()
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_of_opentelemetry_takes_our_spans() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let mut collector = Rotel::start(folder.path()).await;
    let to = Telemetry {
        url: Some(collector.url.clone()),
        token_file: None,
    };
    let traces = Traces::start(&to, Redactor::new(["geheim".to_owned()]))
        .unwrap()
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    tracing::subscriber::with_default(subscriber, || {
        let _request = tracing::info_span!(
            "request",
            url.path = "/geheim",
            http.response.status_code = 404_i64
        )
        .entered();
    });
    traces.flush().await;

    let printed = collector.printed_until("http.response.status_code").await;
    for told in [
        "service.name: Str(docketd)",
        "Name           : request",
        "Kind           : SPAN_KIND_SERVER",
        "url.path: Str(/[redacted])",
        "http.response.status_code: Int(404)",
    ] {
        assert!(printed.contains(told), "{told}: {printed}");
    }
}
