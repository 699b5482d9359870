//! Operations that need authority.

use docket_client::{Client, Error, Operation};
use docket_core::operation::{PackageSetRequest, Signed};

use crate::server::{Server, Step};

fn created() -> Step {
    Step::Answer(200, "application/json", r#"{"jobId":"abc"}"#.to_owned())
}

fn signed() -> Signed {
    Signed {
        payload: r#"{"name":"demo"}"#.to_owned(),
        signature: "0b4e".to_owned(),
    }
}

/// The body of a request.
fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn a_signed_payload_arrives_byte_for_byte() {
    let server = Server::start([created(), created(), created()]).await;
    let client = Client::new(server.address()).unwrap();
    assert_eq!(client.unpublish(&signed()).await.unwrap().as_str(), "abc");
    assert_eq!(client.transfer(&signed()).await.unwrap().as_str(), "abc");
    let request = PackageSetRequest {
        payload: r#"{"packages":{}}"#.to_owned(),
        signature: None,
    };
    assert_eq!(client.update_package_set(&request).await.unwrap().as_str(), "abc");
    assert_eq!(
        server.requests(),
        [
            "POST /api/v1/unpublish",
            "POST /api/v1/transfer",
            "POST /api/v1/package-sets"
        ]
    );
    let requests = server.whole_requests();
    let envelope = r#"{"payload":"{\"name\":\"demo\"}","signature":"0b4e"}"#;
    assert_eq!(body(&requests[0]), envelope);
    assert_eq!(body(&requests[1]), envelope);
    assert_eq!(body(&requests[2]), r#"{"payload":"{\"packages\":{}}"}"#);
}

#[tokio::test]
async fn a_token_is_sent_with_operations_and_with_nothing_else() {
    let page = r#"{"packageSets":[]}"#.to_owned();
    let server = Server::start([created(), Step::Answer(200, "application/json", page)]).await;
    let client = Client::new(server.address())
        .unwrap()
        .with_token("sesame")
        .unwrap();
    client.unpublish(&signed()).await.unwrap();
    client.list_package_sets().await.unwrap();
    let requests = server.whole_requests();
    assert!(
        requests[0].contains("authorization: Bearer sesame\r\n"),
        "{}",
        requests[0]
    );
    assert!(!requests[1].contains("sesame"), "{}", requests[1]);
    assert!(
        !format!("{client:?}").contains("sesame"),
        "no log shows the token"
    );
}

#[tokio::test]
async fn a_token_with_a_line_break_is_not_sent() {
    let client = Client::new("http://127.0.0.1:1").unwrap();
    let error = client.with_token("sesame\r\nx-more: 1").unwrap_err();
    assert!(matches!(error, Error::Token));
    assert!(!error.to_string().contains("sesame"));
}

#[tokio::test]
async fn a_refused_signature_is_shown_with_the_words_of_the_server_and_not_sent_again() {
    let problem = r#"{"type":"about:blank","title":"Not authorised","status":403,"detail":"sign with the key of an owner"}"#;
    let server = Server::start([Step::Answer(403, "application/problem+json", problem.to_owned())]).await;
    let client = Client::new(server.address()).unwrap();
    let error = client.unpublish(&signed()).await.unwrap_err();
    assert!(!error.is_temporary());
    assert_eq!(
        error.to_string(),
        "the registry answered 403 Forbidden: Not authorised: sign with the key of an owner"
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_signed_operation_is_sent_again_unchanged_when_no_answer_comes() {
    let server = Server::start([Step::Answer(502, "text/html", String::new()), created()]).await;
    let client = Client::new(server.address()).unwrap();
    client.transfer(&signed()).await.unwrap();
    let requests = server.whole_requests();
    assert_eq!(
        requests[0], requests[1],
        "so that the server sees that it is the same"
    );
}

#[tokio::test]
async fn a_new_job_is_told_from_that_of_an_earlier_request() {
    let signed = signed();
    let ask = async |steps: Vec<Step>| {
        let server = Server::start(steps).await;
        let client = Client::new(server.address()).unwrap();
        client.ask(Operation::Unpublish(&signed)).await.unwrap().created
    };
    let answer = |status, body: &str| Step::Answer(status, "application/json", body.to_owned());
    let duplicate = || answer(200, r#"{"jobId":"abc","disposition":"duplicate"}"#);
    assert!(ask(vec![answer(200, r#"{"jobId":"abc","disposition":"created"}"#)]).await);
    assert!(!ask(vec![duplicate()]).await);
    assert!(
        ask(vec![answer(201, r#"{"jobId":"abc"}"#)]).await,
        "as other servers say it"
    );
    assert!(!ask(vec![created()]).await);
    let lost = Step::Answer(502, "text/html", String::new());
    assert!(
        ask(vec![lost, duplicate()]).await,
        "the job may be that of our own first try"
    );
}
