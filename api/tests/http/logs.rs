//! Following a log: JSON pages, websocket and event stream.

use docket_jobs::{JobId, Level};
use docket_test_support::on_both_databases;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json as value};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

use crate::served::{DEADLINE, EFFECT, Served, header, json, problem};

/// Writes `count` lines and ends.
async fn job_of(served: &Served, count: usize) -> JobId {
    served
        .finished_job(move |run| async move {
            for number in 1..=count {
                run.log.info(format!("line {number}"));
            }
            Ok(())
        })
        .await
}

async fn watch(served: &Served, id: JobId, query: &str) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let url = format!(
        "{}/api/v1/jobs/{id}/logs/ws{query}",
        served.url.replace("http", "ws")
    );
    tokio_tungstenite::connect_async(url).await.unwrap().0
}

/// The next JSON message, or the code of the close frame.
async fn next(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Result<Value, u16> {
    let message = async {
        loop {
            match socket.next().await.expect("the server says goodbye").unwrap() {
                Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => return Err(frame.map_or(0, |frame| frame.code.into())),
                _ => {}
            }
        }
    };
    tokio::time::timeout(DEADLINE, message)
        .await
        .expect("a message comes")
}

/// All messages until the close frame, and its code.
async fn rest(mut socket: WebSocketStream<MaybeTlsStream<TcpStream>>) -> (Vec<Value>, u16) {
    let mut messages = Vec::new();
    loop {
        match next(&mut socket).await {
            Ok(message) => messages.push(message),
            Err(code) => return (messages, code),
        }
    }
}

fn seqs(lines: &[Value]) -> Vec<i64> {
    lines.iter().map(|line| line["seq"].as_i64().unwrap()).collect()
}

on_both_databases! {
    /// Pages go on after the last `seq`, and only the last one says that the job has ended.
    async fn pages_go_on_after_the_last_line(db: TestDb) {
        let served = Served::start(db).await;
        let id = job_of(&served, 25).await;
        let (mut after, mut seen, mut pages) = (0, Vec::new(), 0);
        loop {
            let page = json(served.get(&format!("/api/v1/jobs/{id}/logs?after={after}&limit=10")).send().await.unwrap()).await;
            seen.extend(seqs(page["lines"].as_array().unwrap()));
            after = page["next"].as_i64().unwrap();
            pages += 1;
            if page["finished"] == true {
                assert_eq!(page["success"], true);
                break;
            }
            assert!(page.get("success").is_none());
        }
        assert_eq!((seen, pages, after), ((1..=25).collect(), 3, 25));
        let page = json(served.get(&format!("/api/v1/jobs/{id}/logs?after=25")).send().await.unwrap()).await;
        assert_eq!(page, value!({"lines": [], "next": 25, "finished": true, "success": true}));
    }

    /// The level is a minimum, INFO unless told otherwise, in either case of letters; what is no level is refused.
    async fn pages_are_filtered_by_level(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|run| async move {
            run.log.write(Level::Debug, "small");
            run.log.write(Level::Info, "plain");
            run.log.write(Level::Warn, "loud");
            Ok(())
        }).await;
        for (query, expected) in [("", vec![2, 3]), ("?level=DEBUG", vec![1, 2, 3]), ("?level=warn", vec![3]), ("?level=ERROR", vec![])] {
            let page = json(served.get(&format!("/api/v1/jobs/{id}/logs{query}")).send().await.unwrap()).await;
            assert_eq!(seqs(page["lines"].as_array().unwrap()), expected, "{query}");
            assert_eq!(page["finished"], true);
        }
        let refused = problem(served.get(&format!("/api/v1/jobs/{id}/logs?level=deafening")).send().await.unwrap(), 400).await;
        assert_eq!(refused["type"], "/docs/problems#invalid-level");
    }

    /// A job that has not begun has an empty first page that does not claim an end.
    async fn a_waiting_job_has_an_empty_page(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.publish(EFFECT).await;
        let page = json(served.get(&format!("/api/v1/jobs/{id}/logs")).send().await.unwrap()).await;
        assert_eq!(page, value!({"lines": [], "next": 0, "finished": false}));
    }

    /// The websocket brings every line in its place, then the end, then a normal close.
    async fn a_websocket_brings_lines_then_the_end(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.publish(EFFECT).await;
        let socket = watch(&served, id, "").await;
        served.work(|run| async move {
            for number in 1..=1500 {
                run.log.info(format!("line {number}\nand more"));
            }
            Ok(())
        });
        let (mut messages, code) = rest(socket).await;
        assert_eq!(code, 1000);
        assert_eq!(messages.pop(), Some(value!({"finished": true, "success": true})));
        assert_eq!(seqs(&messages), (1..=1500).collect::<Vec<_>>());
        let keys: Vec<_> = messages[0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["level", "message", "seq", "timestamp"]);
        assert_eq!(messages[0]["message"], "line 1\nand more");
    }

    /// A watcher whose connection is lost goes on after its last line: nothing is lost and nothing comes twice.
    async fn a_watcher_that_reconnects_loses_and_repeats_nothing(db: TestDb) {
        let served = Served::start(db).await;
        let (allow, allowed) = tokio::sync::watch::channel(10);
        served.work(move |run| {
            let mut allowed = allowed.clone();
            async move {
                for number in 1..=40 {
                    allowed.wait_for(|allowed| *allowed >= number).await.unwrap();
                    run.log.info(format!("line {number}"));
                }
                Ok(())
            }
        });
        let id = served.publish(EFFECT).await;
        let mut seen = Vec::new();
        for stop in [5, 10, 23] {
            allow.send_modify(|allowed| *allowed = stop.max(*allowed));
            let mut socket = watch(&served, id, &format!("?after={}", seen.len())).await;
            while seen.len() < stop {
                seen.push(next(&mut socket).await.unwrap());
            }
            drop(socket);
        }
        allow.send(40).unwrap();
        let (mut messages, code) = rest(watch(&served, id, &format!("?after={}", seen.len())).await).await;
        assert_eq!((messages.pop(), code), (Some(value!({"finished": true, "success": true})), 1000));
        seen.extend(messages);
        assert_eq!(seqs(&seen), (1..=40).collect::<Vec<_>>());
    }

    /// Watching a job that has ended brings the rest at once; failure is told as such.
    async fn a_late_watcher_of_a_failed_job_gets_everything(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|run| async move {
            run.log.info("began");
            Err(docket_jobs::Failure::Rejected { code: "test", detail: "No.".to_owned() })
        }).await;
        let (messages, code) = rest(watch(&served, id, "?level=ERROR").await).await;
        assert_eq!((messages.len(), code), (2, 1000));
        assert_eq!((messages[0]["level"].as_str(), messages[0]["message"].as_str()), (Some("ERROR"), Some("No.")));
        assert_eq!(messages[1], value!({"finished": true, "success": false}));
    }

    /// What a watcher sends is ignored, and does not cost it the last lines.
    async fn a_talkative_watcher_loses_nothing(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.publish(EFFECT).await;
        let mut socket = watch(&served, id, "").await;
        for number in 0..50 {
            socket.send(Message::text(format!("hello {number}"))).await.unwrap();
        }
        served.work(|run| async move { run.log.info("line"); Ok(()) });
        let (messages, code) = rest(socket).await;
        assert_eq!((messages.len(), code), (2, 1000));
    }

    /// A server that stops sends its watchers away with a code that means "come back".
    async fn a_stopping_server_tells_watchers_to_come_back(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.publish(EFFECT).await;
        let socket = watch(&served, id, "").await;
        served.stopping.cancel();
        assert_eq!(rest(socket).await, (vec![], 1012));
    }

    /// The websocket of a job that does not exist, and a plain request to it, are refused with a reason.
    async fn a_websocket_that_cannot_be_is_refused(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.publish(EFFECT).await;
        let refused = problem(served.get(&format!("/api/v1/jobs/{id}/logs/ws")).send().await.unwrap(), 400).await;
        assert_eq!(refused["type"], "/docs/problems#websocket-expected");
        let url = format!("{}/api/v1/jobs/{}/logs/ws", served.url.replace("http", "ws"), JobId::new(docket_core::time::Timestamp::from_millis(1)));
        match tokio_tungstenite::connect_async(url).await {
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => assert_eq!(response.status(), 404),
            other => panic!("{other:?}"),
        }
    }

    /// The event stream numbers each line, resumes after the number a browser sends back, and ends with `end`.
    async fn events_resume_after_the_last_id(db: TestDb) {
        let served = Served::start(db).await;
        let id = job_of(&served, 5).await;
        let path = format!("/api/v1/jobs/{id}/logs/events");
        let response = served.get(&path).send().await.unwrap();
        assert_eq!(header(&response, "content-type"), "text/event-stream");
        let text = response.text().await.unwrap();
        let events: Vec<_> = text.split_terminator("\n\n").collect();
        assert_eq!(events.len(), 6, "{text}");
        for (event, number) in events.iter().zip(1..=5) {
            let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
            assert!(event.lines().any(|line| line == format!("id: {number}")), "{event}");
            assert_eq!(serde_json::from_str::<Value>(data).unwrap()["message"], format!("line {number}"));
        }
        let end: std::collections::BTreeSet<_> = events[5].lines().collect();
        assert_eq!(end, ["event: end", r#"data: {"finished":true,"success":true}"#].into());
        for (query, last_event, expected) in [("", "3", 3), ("?after=1", "4", 2), ("?after=4", "garbage", 2), ("", "5", 1)] {
            let response = served.get(&format!("{path}{query}")).header("last-event-id", last_event).send().await.unwrap();
            let text = response.text().await.unwrap();
            assert_eq!(text.split_terminator("\n\n").count(), expected, "{query} {last_event}: {text}");
        }
    }
}
