//! One log, however it is asked for.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::harness::Registry;
use crate::http::call;
use crate::publish::demo;

/// Starts to publish and returns the job, which is running or about to.
fn running(registry: &Registry) -> String {
    let demo = demo(registry);
    demo.push();
    let said = registry
        .docket(&["publish", "--no-wait", demo.work().to_str().unwrap()])
        .expect_code(0);
    said.out.trim().to_owned()
}

fn body(registry: &Registry, path: &str, accept: &str) -> String {
    // The answer ends only when the job does.
    call(Method::GET, &registry.url(path), |request| {
        request.header("accept", accept)
    })
    .text()
}

#[test]
fn a_websocket_brings_every_line_then_the_outcome_then_closes() {
    let registry = Registry::start();
    let job = running(&registry);
    let url = registry
        .url(&format!("/api/v1/jobs/{job}/logs/ws?after=0&level=DEBUG"))
        .replace("http:", "ws:");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (mut texts, close) = runtime.block_on(async {
        let (mut socket, _) = connect_async(url).await.unwrap();
        let mut texts: Vec<Value> = Vec::new();
        loop {
            match socket.next().await.unwrap().unwrap() {
                Message::Text(text) => texts.push(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => break (texts, frame.unwrap().code),
                _ => {}
            }
        }
    });
    assert_eq!(close, CloseCode::Normal);
    assert_eq!(texts.pop().unwrap(), json!({ "finished": true, "success": true }));
    assert_eq!(texts, registry.log(&job, "DEBUG"));
}

#[test]
fn text_json_lines_and_events_tell_the_same() {
    let registry = Registry::start();
    let job = running(&registry);
    let ndjson = body(
        &registry,
        &format!("/logs/{job}?level=DEBUG"),
        "application/x-ndjson",
    );
    let mut lines: Vec<Value> = ndjson
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.pop().unwrap()["success"], true);
    let log = registry.log(&job, "DEBUG");
    assert_eq!(lines, log);

    let text = body(&registry, &format!("/logs/{job}?level=DEBUG"), "*/*");
    let events = body(
        &registry,
        &format!("/api/v1/jobs/{job}/logs/events?level=DEBUG"),
        "text/event-stream",
    );
    for line in &log {
        assert_eq!(
            text.matches(line["timestamp"].as_str().unwrap()).count(),
            1,
            "{line} in {text}"
        );
        assert_eq!(
            events.matches(&format!("id: {}\n", line["seq"])).count(),
            1,
            "{line} in {events}"
        );
    }
    assert!(events.contains("event: end\n"), "{events}");

    let last = log.last().unwrap();
    let resumed = call(
        Method::GET,
        &registry.url(&format!("/api/v1/jobs/{job}/logs/events?level=DEBUG")),
        |request| request.header("last-event-id", (last["seq"].as_i64().unwrap() - 1).to_string()),
    );
    assert_eq!(
        resumed.text().matches("id: ").count(),
        1,
        "a browser goes on where it was: {}",
        resumed.text()
    );
}

#[test]
fn the_page_of_a_job_is_for_people_and_not_for_crawlers() {
    let registry = Registry::start();
    let job = running(&registry);
    registry.wait_for_job(&job);
    let page = call(Method::GET, &registry.url(&format!("/logs/{job}")), |request| {
        request.header("accept", "text/html")
    });
    assert_eq!(page.status, 200);
    assert!(page.text().contains("demo@1.0.0"), "{}", page.text());
    assert_eq!(page.headers["x-robots-tag"], "noindex");
}
