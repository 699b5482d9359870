//! Every kind of trouble has a clear answer, in time.

use std::time::Duration;

use docket_github::{Client, Error};
use docket_test_support::github_stand_in::Fault;
use http::StatusCode;

use crate::fixture::{Fixture, START, after, repository};

async fn with_repository() -> Fixture {
    let it = Fixture::start().await;
    it.github.repository("lab/demo");
    it
}

async fn ask(client: &Client) -> Result<(), Error> {
    client.current_name(&repository("lab/demo")).await.map(|_| ())
}

#[tokio::test]
async fn a_used_up_rate_limit_says_when_to_come_back_and_github_is_left_alone_until_then() {
    let it = with_repository().await;
    let client = it.client();
    it.github.fail_next(Fault::RateLimited {
        reset: START / 1_000 + 120,
    });
    for _ in 0..3 {
        let error = ask(&client).await.unwrap_err();
        assert_eq!(error.retry_at(), Some(after(120)), "{error}");
        assert!(error.is_temporary());
    }
    assert_eq!(it.asked().len(), 1, "one call, and none after it was told");
    it.pass(119);
    assert!(ask(&client.clone()).await.is_err(), "clones keep away too");
    it.pass(1);
    ask(&client).await.unwrap();
}

#[tokio::test]
async fn a_secondary_rate_limit_is_respected_too() {
    let it = with_repository().await;
    let client = it.client();
    it.github.fail_next(Fault::RetryAfter { secs: 7 });
    assert_eq!(ask(&client).await.unwrap_err().retry_at(), Some(after(7)));
    assert!(ask(&client).await.is_err());
    assert_eq!(it.asked().len(), 1);
    it.pass(7);
    ask(&client).await.unwrap();
}

#[tokio::test]
async fn trouble_of_github_that_passes_is_not_seen() {
    let it = with_repository().await;
    it.github.fail_next(Fault::Status(502));
    it.github.fail_next(Fault::Status(500));
    ask(&it.client()).await.unwrap();
    assert_eq!(it.asked().len(), 3);
}

#[tokio::test]
async fn trouble_of_github_that_stays_is_told_after_three_attempts() {
    let it = with_repository().await;
    for _ in 0..4 {
        it.github.fail_next(Fault::Status(503));
    }
    let error = ask(&it.client()).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Broken {
                status: StatusCode::SERVICE_UNAVAILABLE
            }
        ),
        "{error}"
    );
    assert!(error.is_temporary());
    assert_eq!(it.asked().len(), 3);
}

#[tokio::test]
async fn a_comment_is_never_sent_twice() {
    let it = with_repository().await;
    let issue = it.github.issue("lab/demo", "alice", "hello");
    it.github.fail_next(Fault::Status(502));
    let error = it
        .client()
        .create_comment(&repository("lab/demo"), issue, "hi")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error}");
    assert_eq!(it.asked().len(), 1, "it may have arrived");
}

#[tokio::test]
async fn closing_an_issue_is_tried_again() {
    let it = with_repository().await;
    let issue = it.github.issue("lab/demo", "alice", "hello");
    it.github.fail_next(Fault::Status(502));
    it.client()
        .close_issue(&repository("lab/demo"), issue)
        .await
        .unwrap();
    assert!(it.github.is_closed("lab/demo", issue));
}

#[tokio::test]
async fn an_answer_that_never_comes_hangs_nobody() {
    let mut it = with_repository().await;
    it.config.limits.call_timeout = Duration::from_millis(150);
    it.github.fail_next(Fault::Silence);
    let error = ask(&it.client()).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    assert!(error.is_temporary());
    assert_eq!(it.asked().len(), 1);
}

#[tokio::test]
async fn the_deadline_holds_for_all_attempts_together() {
    let mut it = with_repository().await;
    it.config.limits.call_timeout = Duration::from_millis(150);
    it.config.limits.retry_pauses = vec![Duration::from_secs(3_600)];
    it.github.fail_next(Fault::Status(500));
    assert!(matches!(ask(&it.client()).await, Err(Error::TimedOut { .. })));
}

#[tokio::test]
async fn garbage_is_named_as_such() {
    let it = with_repository().await;
    it.github.fail_next(Fault::Garbage);
    let error = ask(&it.client()).await.unwrap_err();
    assert!(matches!(error, Error::Undecodable(_)), "{error}");
    it.github.fail_next(Fault::Garbage);
    let error = it.client().tags(&repository("lab/demo")).await.unwrap_err();
    assert!(matches!(error, Error::Undecodable(_)), "{error}");
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let mut it = with_repository().await;
    it.config.limits.response_bytes = 64 * 1024;
    it.github.fail_next(Fault::Huge(1 << 20));
    let error = ask(&it.client()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the answer of GitHub is longer than 65536 bytes"
    );
}

#[tokio::test]
async fn our_token_goes_to_no_other_server() {
    let (it, other) = (with_repository().await, with_repository().await);
    it.github
        .fail_next(Fault::Redirect(format!("{}/repos/lab/demo", other.github.url())));
    let error = ask(&it.client()).await.unwrap_err();
    assert!(matches!(error, Error::Elsewhere { .. }), "{error}");
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let it = with_repository().await;
    for _ in 0..9 {
        it.github
            .fail_next(Fault::Redirect(format!("{}/repos/lab/demo", it.github.url())));
    }
    assert!(matches!(ask(&it.client()).await, Err(Error::Undecodable(_))));
    assert_eq!(it.asked().len(), 4);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let mut it = with_repository().await;
    // A port that was free a moment ago.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    it.config.api_url = format!("http://{closed}");
    let error = ask(&it.client()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error}");
    assert!(error.is_temporary());
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_refused_at_once() {
    for url in [
        "github",
        "ftp://github.invalid",
        "https://user:pw@github.invalid",
        "https://github.invalid/?a",
    ] {
        let mut it = with_repository().await;
        it.config.api_url = url.to_owned();
        assert!(
            matches!(
                Client::new(&it.config, it.clock.clone()),
                Err(Error::Address { .. })
            ),
            "{url}"
        );
    }
}

#[tokio::test]
async fn no_error_shows_the_token() {
    let mut it = with_repository().await;
    it.config.token = Some("a-very-secret-token".parse().unwrap());
    let client = it.client();
    let unauthorized = ask(&client).await.unwrap_err();
    assert!(matches!(unauthorized, Error::Unauthorized), "{unauthorized}");
    it.github.fail_next(Fault::Garbage);
    let undecodable = ask(&client).await.unwrap_err();
    let text = format!("{unauthorized:?} {undecodable:?} {client:?} {:?}", it.config);
    assert!(!text.contains("secret"), "{text}");
}
