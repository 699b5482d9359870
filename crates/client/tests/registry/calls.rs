//! Single calls and the refusals of servers.

use docket_client::{Client, Error, JobFilter, Level, LogFilter, Order};
use docket_core::operation::Publish;

use crate::server::{Server, Step};

fn publish() -> Publish {
    serde_json::from_str(r#"{"name":"demo","ref":"v1.0.0","version":"1.0.0"}"#).unwrap()
}

fn json(body: &str) -> Step {
    Step::Answer(200, "application/json", body.to_owned())
}

#[tokio::test]
async fn publishing_returns_the_job() {
    let server = Server::start([json(r#"{"jobId":"abc"}"#)]).await;
    let job = Client::new(server.address())
        .unwrap()
        .publish(&publish())
        .await
        .unwrap();
    assert_eq!(job.as_str(), "abc");
    assert_eq!(server.requests(), ["POST /api/v1/publish"]);
}

#[tokio::test]
async fn publishing_is_asked_again_when_a_proxy_has_a_bad_moment() {
    let server = Server::start([
        Step::Answer(503, "text/html", String::new()),
        json(r#"{"jobId":"abc"}"#),
    ])
    .await;
    let job = Client::new(server.address())
        .unwrap()
        .publish(&publish())
        .await
        .unwrap();
    assert_eq!(job.as_str(), "abc");
}

#[tokio::test]
async fn a_refusal_is_shown_with_the_words_of_the_server() {
    let server = Server::start([Step::Answer(
        400,
        "text/plain",
        "the name has a capital".to_owned(),
    )])
    .await;
    let error = Client::new(server.address())
        .unwrap()
        .publish(&publish())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the registry answered 400 Bad Request: the name has a capital"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let client = Client::new("http://127.0.0.1:1").unwrap();
    let error = client.list_jobs(&JobFilter::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "http://127.0.0.1:1 did not answer");
}

#[tokio::test]
async fn something_that_is_no_registry_is_told_apart() {
    let server = Server::start([json("<html>")]).await;
    let error = Client::new(server.address())
        .unwrap()
        .list_jobs(&JobFilter::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Undecodable { .. }), "{error}");
}

#[tokio::test]
async fn filters_are_sent_as_the_v1_routes_read_them() {
    let job = concat!(
        r#"{"createdAt":"2026-08-18T07:02:11.004Z","jobId":"abc","jobType":"publish","logs":[{"jobId":"abc","#,
        r#""level":"ERROR","message":"no","timestamp":"2026-08-18T07:02:12.004Z"}],"packageName":"demo","#,
        r#""packageVersion":"1.0.0","payload":{},"success":false}"#
    );
    let server = Server::start([json(job), json(&format!("[{job}]"))]).await;
    let client = Client::new(server.address()).unwrap();

    let filter = LogFilter {
        level: Level::Error,
        order: Order::Descending,
        ..LogFilter::default()
    };
    let found = client.get_job(&"abc".parse().unwrap(), &filter).await.unwrap();
    assert_eq!(found.logs[0].message, "no");

    let filter = JobFilter {
        since: Some("2026-08-18T07:02:11Z".parse().unwrap()),
        include_completed: true,
        ..JobFilter::default()
    };
    assert_eq!(client.list_jobs(&filter).await.unwrap(), [found]);
    assert_eq!(
        server.requests(),
        [
            "GET /api/v1/jobs/abc?order=DESC&level=ERROR",
            "GET /api/v1/jobs?since=2026-08-18T07%3A02%3A11.000Z&order=ASC&include_completed=true",
        ]
    );
}
