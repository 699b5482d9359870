//! Every route gives the same of a log after it was archived as before.

use docket_jobs::{JobId, Level, archive_storage};
use docket_test_support::on_both_databases;
use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use crate::served::{Served, header, json, problem};

/// Enough for several parts.
const LINES: usize = 20_000;

async fn long_job(served: &Served) -> JobId {
    let id = served.finished_job(|run| async move {
        for number in 1..=LINES {
            let level = if number % 5_000 == 0 {
                Level::Warn
            } else {
                Level::Info
            };
            run.log
                .write(level, format!("line {number} \u{1b}[31m\nand more"));
        }
        Ok(())
    });
    id.await
}

/// Moves parts of a log, as the task does, until `parts` are moved or all are.
async fn archive(served: &Served, id: JobId, parts: usize) {
    let archive = archive_storage(&served.storage);
    for _ in 0..parts {
        let Some(part) = served.jobs.next_part(id).await.unwrap() else {
            break;
        };
        let digest = archive.put(part.blob().clone()).await.unwrap();
        let mut tx = served.jobs.db().write().await.unwrap();
        assert!(served.jobs.archive(&mut tx, id, &part, digest).await.unwrap());
        tx.commit().await.unwrap();
    }
}

/// All messages of a websocket, and how it was closed.
async fn websocket(served: &Served, path: &str) -> (Vec<String>, Option<CloseCode>) {
    let url = format!("{}{path}", served.url.replace("http", "ws"));
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let mut texts = Vec::new();
    loop {
        match socket.next().await.expect("the server says goodbye").unwrap() {
            Message::Text(text) => texts.push(text.to_string()),
            Message::Close(frame) => return (texts, frame.map(|frame| frame.code)),
            _ => {}
        }
    }
}

/// What each route says of a log.
async fn readings(served: &Served, id: JobId) -> Vec<(String, String)> {
    let jobs = format!("/api/v1/jobs/{id}");
    let time = json(
        served
            .get(&format!("{jobs}/logs?after=9000&limit=1"))
            .send()
            .await
            .unwrap(),
    )
    .await;
    let time = time["lines"][0]["timestamp"].as_str().unwrap().to_owned();
    let mut readings = Vec::new();
    for (path, accept) in [
        (format!("{jobs}/logs?after=0&limit=10"), "*/*"),
        (format!("{jobs}/logs?after=19990"), "*/*"),
        (format!("{jobs}/logs?after=7000&limit=10000"), "*/*"),
        (format!("{jobs}/logs?level=WARN"), "*/*"),
        (format!("{jobs}/logs?search=LINE+1999"), "*/*"),
        (format!("{jobs}?since={time}"), "*/*"),
        (format!("{jobs}?order=DESC&level=WARN"), "*/*"),
        (format!("{jobs}/logs/download"), "*/*"),
        (format!("{jobs}/logs/download?format=ndjson"), "*/*"),
        (format!("{jobs}/logs/events?after=15000"), "*/*"),
        (format!("/logs/{id}"), "*/*"),
        (
            format!("/logs/{id}?after=7999&search=9&level=INFO"),
            "application/x-ndjson",
        ),
        (format!("/logs/{id}"), "text/html"),
        (format!("/logs/{id}?after=10000&level=WARN"), "text/html"),
    ] {
        let response = served.get(&path).header("accept", accept).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let body = response.text().await.unwrap();
        assert!(body.contains("line "), "{path}: {}", &body[..body.len().min(500)]);
        readings.push((path, body));
    }
    let path = format!("{jobs}/logs/ws?after=3");
    let (texts, code) = websocket(served, &path).await;
    assert_eq!((texts.len(), code), (LINES - 3 + 1, Some(CloseCode::Normal)));
    readings.push((path, texts.join("\n")));
    readings
}

on_both_databases! {
    /// Paging, levels, search, `since`, downloads, streams and the page: byte for byte.
    async fn every_route_reads_an_archived_log_as_before(db: TestDb) {
        let served = Served::start(db).await;
        let id = long_job(&served).await;
        let before = readings(&served, id).await;
        for parts in [1, usize::MAX] {
            archive(&served, id, parts).await;
            for (before, after) in before.iter().zip(readings(&served, id).await) {
                assert!(before.1 == after.1, "{} is other than before", before.0);
            }
        }
        assert!(served.jobs.next_part(id).await.unwrap().is_none());
    }

    /// Where archived lines are lost every route says so in its way, and none gives half a log for a whole one.
    async fn a_damaged_archive_is_told(db: TestDb) {
        let served = Served::start(db).await;
        let id = long_job(&served).await;
        archive(&served, id, usize::MAX).await;
        let archive = archive_storage(&served.storage);
        for blob in archive.list(None, 10).await.unwrap() {
            archive.remove(blob.digest).await.unwrap();
        }
        for path in [format!("/api/v1/jobs/{id}/logs"), format!("/logs/{id}")] {
            let refused = problem(served.get(&path).header("accept", "text/html,application/json").send().await.unwrap(), 500).await;
            assert_eq!(refused["type"], "/docs/problems#log-damaged");
            assert!(refused["detail"].as_str().unwrap().contains("docketd doctor"));
        }
        for path in [format!("/api/v1/jobs/{id}/logs/download"), format!("/logs/{id}")] {
            let whole = async { served.get(&path).send().await?.text().await };
            assert!(whole.await.is_err(), "{path} breaks off");
        }
        let (texts, code) = websocket(&served, &format!("/api/v1/jobs/{id}/logs/ws")).await;
        assert_eq!((texts.len(), code), (0, Some(CloseCode::Error)));
        let events = served.get(&format!("/api/v1/jobs/{id}/logs/events")).send().await.unwrap().text().await.unwrap();
        assert!(events.contains("event: damaged") && !events.contains("event: end"), "{events}");
        let v1 = served.get(&format!("/api/v1/jobs/{id}")).send().await.unwrap();
        assert_eq!((v1.status().as_u16(), header(&v1, "content-type")), (500, "text/plain; charset=utf-8"));
    }

    /// Lines that need not be kept any more are removed: the page of JSON and that for people say so, and the rest is read.
    async fn removed_lines_are_told(db: TestDb) {
        let served = Served::start(db).await;
        let id = long_job(&served).await;
        archive(&served, id, usize::MAX).await;
        let later = served.jobs.clock().now().plus_millis(60_000);
        while served.jobs.remove_archived(later, 10).await.unwrap().1 > 0 {}
        let page = json(served.get(&format!("/api/v1/jobs/{id}/logs")).send().await.unwrap()).await;
        let expected = serde_json::json!({"lines": [], "next": LINES, "finished": true, "success": true, "removed": LINES});
        assert_eq!(page, expected);
        let page = served.get(&format!("/logs/{id}")).header("accept", "text/html").send().await.unwrap().text().await.unwrap();
        assert!(page.contains("The lines up to 20000 were removed: the job ended too long ago."), "{page}");
        let text = served.get(&format!("/logs/{id}")).send().await.unwrap().text().await.unwrap();
        assert_eq!(text, "-- succeeded --\n");
    }
}
