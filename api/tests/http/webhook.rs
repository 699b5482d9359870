//! Deliveries of GitHub's webhook.

use docket_api::Webhook;
use docket_github::webhook::{MAX_BODY_BYTES, Secret};
use docket_jobs::JobFilter;
use docket_test_support::{TestDb, github_stand_in::sign, on_both_databases};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::served::Served;

const SECRET: &str = "stand-in-webhook-secret";

async fn start(db: TestDb) -> Served {
    let webhook = Webhook {
        secret: Secret::new(SECRET).unwrap(),
        bot: Some("docket-bot".parse().unwrap()),
    };
    Served::start_with_webhook(db, webhook).await
}

fn comment(text: &str) -> Value {
    json!({
        "action": "created",
        "issue": { "number": 7, "body": "hello", "user": { "login": "alice", "type": "User" } },
        "comment": { "id": 99, "body": text, "user": { "login": "alice", "type": "User" } },
        "repository": { "full_name": "lab/registry" },
        "sender": { "login": "alice", "type": "User" },
    })
}

async fn deliver(served: &Served, kind: &str, body: Vec<u8>, signature: Option<String>) -> Response {
    let url = format!("{}/api/v1/github/webhook", served.url);
    let mut request = served.http.post(url).header("x-github-event", kind).body(body);
    if let Some(signature) = signature {
        request = request.header("x-hub-signature-256", signature);
    }
    request.send().await.unwrap()
}

async fn deliver_signed(served: &Served, kind: &str, event: &Value) -> (StatusCode, Value) {
    let body = event.to_string().into_bytes();
    let signature = sign(SECRET, &body);
    let response = deliver(served, kind, body, Some(signature)).await;
    (response.status(), response.json().await.unwrap())
}

/// Sends a signed comment and returns the first bytes of the answer, also when the server does not want the rest of the body: a client may then see
/// only that it could not send.
async fn send_by_hand(served: &Served, body: &[u8]) -> String {
    let address = served.url.strip_prefix("http://").unwrap();
    let (mut answer, mut request) = TcpStream::connect(address).await.unwrap().into_split();
    let head = format!(
        "POST /api/v1/github/webhook HTTP/1.1\r\nhost: docket\r\nx-github-event: issue_comment\r\n\
         x-hub-signature-256: {}\r\ncontent-length: {}\r\n\r\n",
        sign(SECRET, body),
        body.len()
    );
    let message = [head.as_bytes(), body].concat();
    let sending = tokio::spawn(async move {
        let _ = request.write_all(&message).await;
        request
    });
    let mut first = [0; 64];
    let length = answer.read(&mut first).await.unwrap();
    sending.abort();
    String::from_utf8_lossy(&first[..length]).into_owned()
}

/// The payloads of the jobs about issues.
async fn jobs(served: &Served) -> Vec<Value> {
    let mut tx = served.jobs.db().read().await.unwrap();
    let filter = JobFilter {
        include_finished: true,
        kinds: vec!["github-issue"],
        ..JobFilter::default()
    };
    let jobs = served.jobs.list(&mut tx, &filter).await.unwrap();
    jobs.iter()
        .map(|job| serde_json::from_str(&job.payload).unwrap())
        .collect()
}

on_both_databases! {
    /// A comment that asks for something becomes a job at once; sent again, it names the same job.
    async fn a_request_becomes_a_job(db: TestDb) {
        let served = start(db).await;
        let event = comment("/docket publish slug@1.2.0");
        let (status, first) = deliver_signed(&served, "issue_comment", &event).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        let (_, again) = deliver_signed(&served, "issue_comment", &event).await;
        assert_eq!(first["jobId"], again["jobId"]);
        let jobs = jobs(&served).await;
        assert_eq!(jobs.len(), 1);
        assert_eq!(jobs[0], json!({
            "repository": "lab/registry", "issue": 7, "comment": 99, "sender": "alice",
            "text": "/docket publish slug@1.2.0",
        }));
        let listed: Value = served.get("/api/v1/jobs").send().await.unwrap().json().await.unwrap();
        assert_eq!(listed, json!([]), "released clients know no such jobs");
    }

    /// What nobody asked us makes no job.
    async fn whatever_is_not_for_us_is_ignored(db: TestDb) {
        let served = start(db).await;
        let mut ours = comment("/docket publish slug@1.2.0");
        ours["sender"]["login"] = "docket-bot".into();
        let mut edited = comment("/docket publish slug@1.2.0");
        edited["action"] = "edited".into();
        for (kind, event) in [
            ("issue_comment", comment("Thanks!")),
            ("issue_comment", ours),
            ("issue_comment", edited),
            ("ping", json!({ "zen": "Design for failure." })),
            ("push", json!({})),
        ] {
            let (status, reply) = deliver_signed(&served, kind, &event).await;
            assert_eq!(status, StatusCode::OK, "{event}");
            assert!(reply["ignored"].is_string(), "{reply}");
        }
        assert!(jobs(&served).await.is_empty());
    }

    /// Nothing is believed without proof.
    async fn whatever_github_did_not_sign_is_refused(db: TestDb) {
        let served = start(db).await;
        let body = comment("/docket publish slug@1.2.0").to_string().into_bytes();
        for signature in [
            None,
            Some(String::new()),
            Some("sha256=00".to_owned()),
            Some(sign("another secret", &body)),
            Some(sign(SECRET, b"another body")),
            Some(sign(SECRET, &body).replace("sha256", "sha1")),
        ] {
            let response = deliver(&served, "issue_comment", body.clone(), signature.clone()).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{signature:?}");
            let problem: Value = response.json().await.unwrap();
            assert!(problem["type"].as_str().unwrap().ends_with("#webhook-not-proved"), "{problem}");
            assert!(!problem.to_string().contains(SECRET));
        }
        assert!(jobs(&served).await.is_empty());
    }

    /// A signed body may be nonsense all the same.
    async fn a_signed_body_that_is_no_event_is_refused(db: TestDb) {
        let served = start(db).await;
        for body in [b"payload=%7B%7D".to_vec(), b"[]".to_vec(), vec![0xff; 64]] {
            let signature = sign(SECRET, &body);
            let response = deliver(&served, "issues", body, Some(signature)).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        }
    }

    /// GitHub sends nothing larger.
    async fn a_body_beyond_githubs_limit_is_refused(db: TestDb) {
        let served = start(db).await;
        // Padded to the limit, and by one byte beyond it.
        let padded = |length: usize| {
            let mut body = comment("/docket publish slug@1.2.0").to_string().into_bytes();
            body.resize(length, b' ');
            body
        };
        let largest = padded(MAX_BODY_BYTES);
        let signature = sign(SECRET, &largest);
        let response = deliver(&served, "issue_comment", largest, Some(signature)).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        assert_eq!(jobs(&served).await.len(), 1);

        let too_large = padded(MAX_BODY_BYTES + 1);
        let answer = send_by_hand(&served, &too_large).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert_eq!(jobs(&served).await.len(), 1);
    }

    /// Without a secret there is no such address.
    async fn without_a_secret_nothing_is_taken(db: TestDb) {
        let served = Served::start(db).await;
        let body = comment("/docket publish slug@1.2.0").to_string().into_bytes();
        let response = deliver(&served, "issue_comment", body.clone(), Some(sign("", &body))).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
}
