//! What a watcher of the healthchecks.io kind hears.

#![allow(clippy::unwrap_used, reason = "clippy sees tests only inside test functions")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use docket_jobs::worker::Progress;
use docket_worker::ping::{self, Ping};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(30);

/// A stand-in for healthchecks.io: tells what it is asked, and answers as it was told, then with 200.
async fn watcher(answers: &[u16]) -> (String, mpsc::UnboundedReceiver<String>) {
    let (heard, hears) = mpsc::unbounded_channel();
    let answers: Arc<Mutex<VecDeque<u16>>> = Arc::new(Mutex::new(answers.iter().copied().collect()));
    let answer = move |request: Request| {
        let (heard, answers) = (heard.clone(), answers.clone());
        async move {
            let path = request.uri().path().to_owned();
            let body = axum::body::to_bytes(request.into_body(), 1 << 16).await.unwrap();
            let _ = heard.send(format!("{path} {}", String::from_utf8_lossy(&body)));
            let status = answers.lock().unwrap().pop_front().unwrap_or(200);
            StatusCode::from_u16(status).unwrap()
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/uuid", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    (url, hears)
}

async fn next(hears: &mut mpsc::UnboundedReceiver<String>) -> String {
    tokio::time::timeout(DEADLINE, hears.recv())
        .await
        .expect("a ping comes")
        .unwrap()
}

#[tokio::test]
async fn start_success_and_failure_are_told_apart() {
    let (url, mut hears) = watcher(&[]).await;
    let ping = Ping::new(&url).unwrap();
    ping.start();
    assert_eq!(next(&mut hears).await, "/uuid/start ");
    ping.success("https://registry.example.org/logs/1".to_owned());
    assert_eq!(
        next(&mut hears).await,
        "/uuid https://registry.example.org/logs/1"
    );
    ping.fail("https://registry.example.org/logs/2".to_owned());
    assert_eq!(
        next(&mut hears).await,
        "/uuid/fail https://registry.example.org/logs/2"
    );
}

/// A task may take less time than a ping; a watcher that heard of its end first would wait for it for ever.
#[tokio::test]
async fn pings_come_in_the_order_of_what_they_tell() {
    let (url, mut hears) = watcher(&[]).await;
    let ping = Ping::new(&url).unwrap();
    for number in 0..20 {
        ping.start();
        ping.success(number.to_string());
    }
    for number in 0..20 {
        assert_eq!(next(&mut hears).await, "/uuid/start ");
        assert_eq!(next(&mut hears).await, format!("/uuid {number}"));
    }
}

#[tokio::test]
async fn a_watcher_that_never_answers_delays_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ping = Ping::new(&format!("http://{}/uuid", listener.local_addr().unwrap())).unwrap();
    // More than wait for it: the rest is left out.
    for _ in 0..1000 {
        ping.success(String::new());
    }
    let (_held, _) = tokio::time::timeout(DEADLINE, listener.accept())
        .await
        .expect("the first one is sent")
        .unwrap();
}

#[tokio::test]
async fn a_watcher_that_fails_for_long_is_still_asked() {
    let (url, mut hears) = watcher(&[500; 20]).await;
    let ping = Ping::new(&url).unwrap();
    for number in 0..25 {
        ping.success(number.to_string());
        assert_eq!(next(&mut hears).await, format!("/uuid {number}"));
    }
}

/// A worker that is alive but gets nowhere leaves the alarm to the watcher, and is well again with the next thing it achieves.
#[tokio::test]
async fn a_worker_is_pinged_only_while_it_makes_progress() {
    let (url, mut hears) = watcher(&[]).await;
    let progress = Progress::default();
    let shutdown = CancellationToken::new();
    let looks = Duration::from_millis(20);
    let watch = tokio::spawn(ping::watch(
        Ping::new(&url).unwrap(),
        progress.clone(),
        looks,
        shutdown.clone(),
    ));
    assert_eq!(next(&mut hears).await, "/uuid/start ");
    assert_eq!(next(&mut hears).await, "/uuid ", "it has just begun");
    // Many looks long, nothing is heard.
    let silence = tokio::time::timeout(looks * 10, hears.recv()).await;
    assert!(silence.is_err(), "{silence:?}");
    progress.made();
    assert_eq!(next(&mut hears).await, "/uuid ");
    let silence = tokio::time::timeout(looks * 10, hears.recv()).await;
    assert!(silence.is_err(), "one achievement, one ping: {silence:?}");
    shutdown.cancel();
    tokio::time::timeout(DEADLINE, watch)
        .await
        .expect("it ends")
        .unwrap();
}

#[test]
fn what_is_no_address_is_refused_without_repeating_it() {
    for url in [
        "",
        "secret",
        "ftp://example.org/secret",
        "mailto:secret@example.org",
    ] {
        let error = Ping::new(url).err().expect(url).to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
