//! Why jobs wait, and what trustees do to them.

use docket_api::{Authority, TrustedToken};
use docket_jobs::{Failure, JobId, JobState, Level, LineFilter};
use docket_test_support::{TestDb, on_both_databases};
use reqwest::Response;
use serde_json::{Value, json};

use crate::served::{DEADLINE, EFFECT, Served, json as body_of, problem};

const TOKEN: &str = "the-token-of-a-test-0001";

/// Who that is, in words.
const TRUSTEE: &str = "trustee by the registry's token";

pub(crate) async fn start(db: TestDb) -> Served {
    let authority = Authority {
        token: Some(TrustedToken::new(TOKEN)),
        ..Authority::default()
    };
    Served::start_with(db, authority).await
}

/// Posts as a trustee.
pub(crate) async fn post(served: &Served, path: &str, body: &Value) -> Response {
    served
        .request("POST", path)
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(body.to_string())
        .send()
        .await
        .unwrap()
}

pub(crate) async fn get(served: &Served, path: &str) -> Value {
    let response = served.get(path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    body_of(response).await
}

async fn state(served: &Served, id: JobId) -> JobState {
    let mut tx = served.jobs.db().read().await.unwrap();
    served.jobs.find(&mut tx, id).await.unwrap().unwrap().state
}

async fn log(served: &Served, id: JobId) -> Vec<String> {
    let filter = LineFilter::after(0, Level::Debug, 100);
    let lines = served.jobs.lines(id, &filter).await.unwrap();
    lines.into_iter().map(|line| line.message).collect()
}

/// Waits until a job runs.
async fn running(served: &Served, id: JobId) {
    let begun = async {
        while state(served, id).await != JobState::Running {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, begun)
        .await
        .expect("the job begins");
}

on_both_databases! {
    /// One sentence and its parts: who has the lock, since when, and the place in line; what runs, and what is over.
    async fn a_job_says_why_it_waits(db: TestDb) {
        let served = start(db).await;
        let first = served.publish(EFFECT).await;
        let why = get(&served, &format!("/api/v1/jobs/{first}/why")).await;
        assert_eq!((why["state"].as_str(), why["reason"]["kind"].as_str()), (Some("queued"), Some("slot")));
        let (go, gate) = tokio::sync::watch::channel(false);
        served.work(move |_| {
            let mut gate = gate.clone();
            async move {
                gate.wait_for(|open| *open).await.unwrap();
                Ok(())
            }
        });
        running(&served, first).await;
        let second = served.publish(&EFFECT.replace("v4.0.0", "v4.0.0-2")).await;
        let third = served.publish(&EFFECT.replace("v4.0.0", "v4.0.0-3")).await;
        let why = get(&served, &format!("/api/v1/jobs/{third}/why")).await;
        let reason = &why["reason"];
        assert_eq!((why["jobId"].as_str(), why["state"].as_str()), (Some(third.to_string().as_str()), Some("queued")));
        assert_eq!((&reason["kind"], &reason["name"], &reason["ahead"]), (&json!("lock"), &json!("package/effect"), &json!(1)));
        assert_eq!((&reason["holder"]["jobId"], &reason["holder"]["what"]), (&json!(first.to_string()), &json!("publish of effect@4.0.0")));
        assert!(reason["holder"]["since"].is_string());
        let sentence = why["sentence"].as_str().unwrap();
        assert!(sentence.starts_with("It waits for the lock package/effect, which publish of effect@4.0.0 (job ") && sentence.ends_with("1 job is ahead of it in the line."), "{sentence}");
        let page = served.get(&format!("/logs/{third}")).header("accept", "text/html").send().await.unwrap().text().await.unwrap();
        assert!(page.contains("It waits for the lock package/effect, which publish of effect@4.0.0"), "{page}");
        let why = get(&served, &format!("/api/v1/jobs/{first}/why")).await;
        assert_eq!((&why["state"], &why["reason"]["kind"], &why["reason"]["attempt"]), (&json!("running"), &json!("running"), &json!(1)));
        go.send(true).unwrap();
        for id in [first, second, third] {
            served.finished(id).await;
        }
        let why = get(&served, &format!("/api/v1/jobs/{first}/why")).await;
        let over = json!({"jobId": first.to_string(), "state": "succeeded", "sentence": "It has ended well.", "reason": {"kind": "over"}});
        assert_eq!(why, over);
        let page = served.get(&format!("/logs/{first}")).header("accept", "text/html").send().await.unwrap().text().await.unwrap();
        assert!(!page.contains("class=\"why\""), "{page}");
    }

    /// Only trustees change anything: without a token, or with one that nobody knows, all stays as it was.
    async fn nobody_else_changes_anything(db: TestDb) {
        let served = start(db).await;
        let id = served.publish(EFFECT).await;
        let gone = served.publish(&EFFECT.replace("effect", "aff")).await;
        served.jobs.cancel(gone, "nobody").await.unwrap();
        for (path, body) in [
            (format!("/api/v1/jobs/{id}/cancel"), json!({})),
            (format!("/api/v1/jobs/{gone}/retry"), json!({})),
            (format!("/api/v1/jobs/{id}/priority"), json!({"priority": 9})),
            ("/api/v1/jobs/retry".to_owned(), json!({"code": "cancelled"})),
            ("/api/v1/job-kinds/publish/pause".to_owned(), json!({})),
            ("/api/v1/job-kinds/publish/resume".to_owned(), json!({})),
            ("/api/v1/job-kinds/publish/limit".to_owned(), json!({"maxRunning": 1})),
        ] {
            let request = || served.request("POST", &path).body(body.to_string());
            let refused = problem(request().send().await.unwrap(), 401).await;
            assert_eq!(refused["type"], "/docs/problems#token-required", "{path}");
            for (token, code) in [("Bearer another-token", "token-unknown"), ("Bearer a b", "token-malformed"), ("Basic x", "token-malformed")] {
                let refused = problem(request().header("authorization", token).send().await.unwrap(), 401).await;
                assert_eq!(refused["type"], format!("/docs/problems#{code}"), "{path}");
            }
            for method in ["GET", "DELETE"] {
                assert_eq!(served.request(method, &path).send().await.unwrap().status(), 404, "{method} {path}");
            }
        }
        assert_eq!((state(&served, id).await, state(&served, gone).await), (JobState::Queued, JobState::Cancelled));
        assert!(log(&served, id).await.is_empty());
        let mut tx = served.jobs.db().read().await.unwrap();
        assert_eq!(served.jobs.find(&mut tx, id).await.unwrap().unwrap().priority, 0);
        drop(tx);
        assert!(served.jobs.kind_settings().await.unwrap().is_empty());
    }

    /// A waiting job ends at once, and its log says who wanted it so; one that has ended is told apart, and one that there is not.
    async fn a_trustee_cancels_a_job_and_queues_it_again(db: TestDb) {
        let served = start(db).await;
        let id = served.publish(EFFECT).await;
        let cancel = format!("/api/v1/jobs/{id}/cancel");
        let retry = format!("/api/v1/jobs/{id}/retry");
        let refused = problem(post(&served, &retry, &json!({})).await, 409).await;
        assert_eq!(refused["type"], "/docs/problems#job-not-failed");
        let done = post(&served, &cancel, &json!({})).await;
        assert_eq!(done.status(), 200);
        assert_eq!(body_of(done).await, json!({"jobId": id.to_string(), "state": "cancelled"}));
        let refused = problem(post(&served, &cancel, &json!({})).await, 409).await;
        assert_eq!(refused["type"], "/docs/problems#job-over");
        assert!(refused["detail"].as_str().unwrap().contains("(cancelled)"), "{refused}");
        let done = body_of(post(&served, &retry, &json!({})).await).await;
        assert_eq!(done, json!({"jobId": id.to_string(), "state": "queued"}));
        assert_eq!(log(&served, id).await, [format!("Cancelled by {TRUSTEE}."), format!("Queued again by {TRUSTEE}.")]);
        // The same operation again, while the first is cancelled.
        post(&served, &cancel, &json!({})).await;
        let twin = served.publish(EFFECT).await;
        assert_ne!(twin, id);
        let refused = problem(post(&served, &retry, &json!({})).await, 409).await;
        assert_eq!(refused["type"], "/docs/problems#job-superseded");
        assert!(refused["detail"].as_str().unwrap().contains(&twin.to_string()), "{refused}");
        for what in ["cancel", "retry", "why"] {
            for id in ["nonsense".to_owned(), JobId::new(docket_core::time::Timestamp::from_millis(1)).to_string()] {
                let path = format!("/api/v1/jobs/{id}/{what}");
                let response = if what == "why" { served.get(&path).send().await.unwrap() } else { post(&served, &path, &json!({})).await };
                problem(response, 404).await;
            }
        }
    }

    /// A running job is asked to end; one whose effects are there is left alone.
    async fn a_running_job_is_asked_to_end(db: TestDb) {
        let served = start(db).await;
        served.work(move |run| async move {
            if run.job.payload.contains("effect") {
                run.begin().await?.commit().await?;
                run.log.notice("done");
                run.log.flush().await;
            }
            std::future::pending().await
        });
        let id = served.publish(&EFFECT.replace("effect", "aff")).await;
        running(&served, id).await;
        let asked = post(&served, &format!("/api/v1/jobs/{id}/cancel"), &json!({})).await;
        assert_eq!(asked.status(), 202);
        assert_eq!(body_of(asked).await["state"], "running");
        served.finished(id).await;
        assert_eq!(state(&served, id).await, JobState::Cancelled);
        let id = served.publish(EFFECT).await;
        let done = async {
            while log(&served, id).await.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, done).await.expect("the job takes effect");
        let refused = problem(post(&served, &format!("/api/v1/jobs/{id}/cancel"), &json!({})).await, 409).await;
        assert_eq!(refused["type"], "/docs/problems#job-took-effect");
    }

    /// What failed for one reason is queued again together: of a kind, and only so many, if that is asked for.
    async fn jobs_are_queued_again_by_their_code(db: TestDb) {
        let served = start(db).await;
        let mut ids = Vec::new();
        for number in 0..3 {
            ids.push(served.publish(&EFFECT.replace("v4.0.0", &format!("v4.0.0-{number}"))).await);
        }
        let (fail, broken) = tokio::sync::watch::channel(true);
        served.work(move |_| {
            let broken = *broken.borrow();
            async move {
                if broken { Err(Failure::Rejected { code: "broken", detail: "No.".to_owned() }) } else { Ok(()) }
            }
        });
        for id in &ids {
            served.finished(*id).await;
        }
        fail.send(false).unwrap();
        let retry = async |body: Value| post(&served, "/api/v1/jobs/retry", &body).await;
        for body in [
            json!({}), json!([]), json!({"code": "broken", "kinds": "publish"}), json!({"code": "Not a code"}), json!({"code": "a\0b"}),
            json!({"code": "broken", "kind": "nonsense"}), json!({"code": "broken", "limit": 0}), json!({"code": "broken", "limit": 1001}),
            json!({"code": "broken", "limit": -1}),
        ] {
            let refused = problem(retry(body.clone()).await, 400).await;
            assert_eq!(refused["type"], "/docs/problems#invalid-body", "{body}");
        }
        let none = json!({"jobIds": []});
        assert_eq!(body_of(retry(json!({"code": "other"})).await).await, none);
        assert_eq!(body_of(retry(json!({"code": "broken", "kind": "transfer"})).await).await, none);
        let one = body_of(retry(json!({"code": "broken", "kind": "publish", "limit": 1})).await).await;
        assert_eq!(one, json!({"jobIds": [ids[0].to_string()]}));
        let rest = body_of(retry(json!({"code": "broken"})).await).await;
        assert_eq!(rest, json!({"jobIds": [ids[1].to_string(), ids[2].to_string()]}));
        for id in ids {
            served.finished(id).await;
            assert_eq!(state(&served, id).await, JobState::Succeeded);
        }
    }

    /// A waiting job can go first; one that has ended cannot.
    async fn a_priority_is_for_jobs_that_wait(db: TestDb) {
        let served = start(db).await;
        let id = served.publish(EFFECT).await;
        let path = format!("/api/v1/jobs/{id}/priority");
        for body in [json!({}), json!({"priority": "high"}), json!({"priority": 1.5}), json!({"priority": 1, "by": "me"})] {
            problem(post(&served, &path, &body).await, 400).await;
        }
        let done = body_of(post(&served, &path, &json!({"priority": -7})).await).await;
        assert_eq!(done, json!({"jobId": id.to_string(), "priority": -7}));
        served.jobs.cancel(id, "nobody").await.unwrap();
        let refused = problem(post(&served, &path, &json!({"priority": 7})).await, 409).await;
        assert_eq!(refused["type"], "/docs/problems#job-not-waiting");
        problem(post(&served, "/api/v1/jobs/nonsense/priority", &json!({"priority": 7})).await, 404).await;
    }
}
