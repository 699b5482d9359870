//! Why jobs wait, what trustees do to them, and lists that go on.

use docket_client::{Client, Error, JobFilter};
use serde_json::json;

use crate::server::{Server, Step};

fn answer(status: u16, body: &serde_json::Value) -> Step {
    Step::Answer(status, "application/json", body.to_string())
}

fn problem(status: u16, title: &str, detail: &str) -> Step {
    let body = json!({ "type": "about:blank", "title": title, "status": status, "detail": detail });
    Step::Answer(status, "application/problem+json", body.to_string())
}

fn trustee(server: &Server) -> Client {
    let client = Client::new(server.address()).unwrap();
    client.with_token("sesame").unwrap()
}

fn body(request: &str) -> serde_json::Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn why_keeps_parts_that_are_newer_than_the_client() {
    let why = json!({
        "jobId": "abc", "state": "queued", "sentence": "It waits.", "reason": { "kind": "moon", "phase": 3 }, "expectedSecs": 90, "tide": "high"
    });
    let server = Server::start([answer(200, &why)]).await;
    let found = Client::new(server.address())
        .unwrap()
        .why(&"abc".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(
        (found.sentence.as_str(), found.expected_secs),
        ("It waits.", Some(90))
    );
    assert_eq!(serde_json::to_value(found).unwrap(), why);
    assert_eq!(server.requests(), ["GET /api/v1/jobs/abc/why"]);
}

#[tokio::test]
async fn each_wish_of_a_trustee_is_sent_once_with_the_token() {
    let kind = answer(200, &json!({ "kind": "publish", "queued": 2, "running": 1 }));
    let server = Server::start([
        answer(202, &json!({ "jobId": "abc", "state": "running" })),
        answer(200, &json!({ "jobId": "abc", "state": "queued" })),
        answer(200, &json!({ "jobId": "abc", "priority": -3 })),
        answer(200, &json!({ "jobIds": ["a", "b"] })),
        kind.clone(),
        kind.clone(),
        kind.clone(),
        kind,
    ])
    .await;
    let (client, job) = (trustee(&server), "abc".parse().unwrap());
    assert_eq!(client.cancel_job(&job).await.unwrap(), "running");
    client.retry_job(&job).await.unwrap();
    client.set_job_priority(&job, -3).await.unwrap();
    let retried = client
        .retry_failed("unavailable", Some("push"), 20)
        .await
        .unwrap();
    assert_eq!(retried, ["a".parse().unwrap(), "b".parse().unwrap()]);
    client.pause_job_kind("publish").await.unwrap();
    client.resume_job_kind("publish").await.unwrap();
    client.limit_job_kind("publish", Some(4)).await.unwrap();
    let kind = client.limit_job_kind("publish", None).await.unwrap();
    assert_eq!((kind.queued, kind.running, kind.max_running), (2, 1, None));
    assert_eq!(
        server.requests(),
        [
            "POST /api/v1/jobs/abc/cancel",
            "POST /api/v1/jobs/abc/retry",
            "POST /api/v1/jobs/abc/priority",
            "POST /api/v1/jobs/retry",
            "POST /api/v1/job-kinds/publish/pause",
            "POST /api/v1/job-kinds/publish/resume",
            "POST /api/v1/job-kinds/publish/limit",
            "POST /api/v1/job-kinds/publish/limit",
        ]
    );
    let requests = server.whole_requests();
    for request in &requests {
        assert!(request.contains("authorization: Bearer sesame\r\n"), "{request}");
    }
    assert_eq!(body(&requests[2]), json!({ "priority": -3 }));
    assert_eq!(
        body(&requests[3]),
        json!({ "code": "unavailable", "kind": "push", "limit": 20 })
    );
    assert_eq!(body(&requests[6]), json!({ "maxRunning": 4 }));
    assert_eq!(
        body(&requests[7]),
        json!({ "maxRunning": null }),
        "said, not left out"
    );
}

#[tokio::test]
async fn kinds_are_read_without_the_token() {
    let paused = json!({
        "kind": "matrix", "queued": 7, "running": 0, "pausedSince": "2026-08-18T07:02:11.004Z", "pausedBy": "trustee ann", "maxRunning": 2
    });
    let server = Server::start([answer(200, &json!([paused]))]).await;
    let kinds = trustee(&server).list_job_kinds().await.unwrap();
    assert_eq!(
        (kinds[0].paused_by.as_deref(), kinds[0].max_running),
        (Some("trustee ann"), Some(2))
    );
    assert_eq!(serde_json::to_value(&kinds[0]).unwrap(), paused);
    assert!(!server.whole_requests()[0].contains("sesame"));
}

#[tokio::test]
async fn a_wish_that_is_refused_is_shown_with_the_words_of_the_server_and_not_sent_again() {
    let server = Server::start([
        problem(409, "Job is over", "The job has ended before (succeeded)."),
        problem(404, "Not found", "There is no job with this id."),
        problem(503, "Trustees cannot be asked for", "Try again in a while."),
        problem(404, "Not found", "There are publish and push."),
    ])
    .await;
    let (client, job) = (trustee(&server), "abc".parse().unwrap());
    let error = client.cancel_job(&job).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the registry answered 409 Conflict: Job is over: The job has ended before (succeeded)."
    );
    assert!(matches!(
        client.cancel_job(&job).await.unwrap_err(),
        Error::NoSuchJob { .. }
    ));
    assert!(client.retry_job(&job).await.unwrap_err().is_temporary());
    let error = client.pause_job_kind("publsh").await.unwrap_err();
    assert!(
        error.to_string().ends_with("There are publish and push."),
        "{error}"
    );
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_kind_cannot_leave_its_place_in_an_address() {
    let kind = answer(200, &json!({ "kind": "x", "queued": 0, "running": 0 }));
    let server = Server::start([kind]).await;
    trustee(&server).pause_job_kind("../jobs/abc?x=").await.unwrap();
    assert_eq!(
        server.requests(),
        ["POST /api/v1/job-kinds/..%2Fjobs%2Fabc%3Fx=/pause"]
    );
}

#[tokio::test]
async fn a_list_goes_on_where_the_server_says() {
    let page = |link: &str| Step::Linked(link.to_owned(), "[]".to_owned());
    let server = Server::start([
        page(r#"<?kind=push,x&cursor=d17.a%2Bb>; rel="next""#),
        page(
            r#"<https://elsewhere.example.org/api/v1/jobs?page=1>; rel="prev", </api/v1/jobs?cursor=second&kind=push>; rel="next""#,
        ),
        page(r#"<?cursor=third>; rel="prev""#),
    ])
    .await;
    let client = Client::new(server.address()).unwrap();
    let filter = JobFilter {
        kind: Some("push".to_owned()),
        state: Some("failed".to_owned()),
        package: Some("demo".parse().unwrap()),
        parent: Some("abc".parse().unwrap()),
        who: Some("ann+bob of GitHub".to_owned()),
        code: Some("unavailable".to_owned()),
        ..JobFilter::default()
    };
    let (mut cursor, mut cursors) = (None, Vec::new());
    loop {
        let page = client.list_jobs_from(&filter, cursor.as_deref()).await.unwrap();
        cursor = page.next;
        match &cursor {
            Some(next) => cursors.push(next.clone()),
            None => break,
        }
    }
    assert_eq!(cursors, ["d17.a+b", "second"]);
    let asked = "GET /api/v1/jobs?order=ASC&include_completed=false&kind=push&state=failed&package=demo&parent=abc&who=ann%2Bbob+of+GitHub&code=unavailable";
    assert_eq!(
        server.requests(),
        [
            asked.to_owned(),
            format!("{asked}&cursor=d17.a%2Bb"),
            format!("{asked}&cursor=second")
        ]
    );
}
