//! Watchers that do not take what they are sent.

use docket_jobs::{JobId, Level};
use docket_test_support::on_both_databases;
use futures_util::StreamExt;
use serde_json::{Value, json as value};
use tokio_tungstenite::tungstenite::Message;

use crate::served::{EFFECT, Served};

/// Enough that it does not fit into what the system keeps of a connection.
const LINES: usize = 20_000;
const PADDING: usize = 1_000;

/// Runs the job to its end, while nobody reads.
async fn write(served: &Served, id: JobId) {
    served.work(|run| async move {
        for number in 1..=LINES {
            run.log.info(format!("line {number} {}", "x".repeat(PADDING)));
            if number % 1000 == 0 {
                run.log.flush().await;
            }
        }
        Ok(())
    });
    let mut tail = served.jobs.tail(id, LINES as i64, Level::Error);
    while tail.next().await.unwrap().unwrap().finished.is_none() {}
}

/// Every line came once, in order, and at least one of them said that the watcher was behind.
fn check(lines: &[Value], told: &[i64]) {
    let seqs: Vec<_> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=LINES as u64).collect::<Vec<_>>());
    assert!(!told.is_empty() && told.len() < 100, "{told:?}");
    assert!(
        told.iter().all(|behind| (1..=LINES as i64).contains(behind)),
        "{told:?}"
    );
}

on_both_databases! {
    /// On a websocket the next line says how many wait. There is no other message than there always was.
    async fn a_websocket_that_does_not_read_is_told_and_misses_nothing(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.publish(EFFECT).await;
        let url = format!("{}/api/v1/jobs/{id}/logs/ws", served.url.replace("http", "ws"));
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        write(&served, id).await;
        let mut lines: Vec<Value> = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = message {
                lines.push(serde_json::from_str(&text).unwrap());
            }
        }
        assert_eq!(lines.pop(), Some(value!({"finished": true, "success": true})));
        let told: Vec<_> = lines.iter().filter_map(|line| line["behind"].as_i64()).collect();
        check(&lines, &told);
        assert!(lines.iter().all(|line| line["message"].is_string() && line["level"] == "INFO"));
    }

    /// In an event stream it is an event of its own, which changes nothing for those who do not listen for it.
    async fn an_event_stream_that_is_not_read_is_told_and_misses_nothing(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.publish(EFFECT).await;
        let response = served.get(&format!("/api/v1/jobs/{id}/logs/events")).send().await.unwrap();
        write(&served, id).await;
        let text = response.text().await.unwrap();
        let (mut lines, mut told): (Vec<Value>, Vec<i64>) = (Vec::new(), Vec::new());
        for event in text.split_terminator("\n\n") {
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
            let Some(data) = field("data: ") else { continue };
            let data: Value = serde_json::from_str(data).unwrap();
            match field("event: ") {
                Some("behind") => {
                    assert_eq!(field("id: "), None, "a browser resumes behind the last line");
                    told.push(data["behind"].as_i64().unwrap());
                }
                Some(_) => assert_eq!(data, value!({"finished": true, "success": true})),
                None => lines.push(data),
            }
        }
        check(&lines, &told);
        assert!(lines.iter().all(|line| line.get("behind").is_none()));
    }

    /// Text is nothing but lines, whoever reads it.
    async fn text_that_is_not_read_misses_nothing(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.publish(EFFECT).await;
        let response = served.get(&format!("/logs/{id}")).send().await.unwrap();
        write(&served, id).await;
        let text = response.text().await.unwrap();
        let numbers = text.lines().filter_map(|line| line.split(' ').skip_while(|word| *word != "line").nth(1));
        assert_eq!(numbers.map(|number| number.parse::<usize>().unwrap()).collect::<Vec<_>>(), (1..=LINES).collect::<Vec<_>>());
        assert_eq!(text.lines().count(), LINES + 1);
        assert!(text.ends_with("-- succeeded --\n"));
    }
}
