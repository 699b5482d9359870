//! How much one client may ask for.

use std::num::NonZeroU32;

use docket_api::Rules;
use docket_test_support::on_both_databases;
use reqwest::{Response, StatusCode};

use crate::served::{DEADLINE, Served, problem};

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

/// Asks as a proxy on this machine does for `client`.
async fn ask_for(served: &Served, client: &str, path: &str) -> Response {
    served
        .get(path)
        .header("x-forwarded-for", client)
        .send()
        .await
        .unwrap()
}

fn operation(name: &str, version: &str) -> String {
    format!(
        r#"{{"name":"{name}","version":"{version}","ref":"v{version}","location":{{"githubOwner":"lab","githubRepo":"{name}"}}}}"#
    )
}

async fn publish(served: &Served, name: &str, version: &str) -> Response {
    let url = format!("{}/api/v1/publish", served.url);
    served
        .http
        .post(url)
        .body(operation(name, version))
        .send()
        .await
        .unwrap()
}

on_both_databases! {
    /// Every answer tells how much is left, a refusal when to come again, and others are not meant.
    async fn who_asks_too_often_is_told_when_to_ask_again(db: TestDb) {
        let rules = Rules {
            requests_per_minute: NonZeroU32::new(3),
            trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
            ..Rules::default()
        };
        let served = Served::start_with_rules(db, rules).await;
        for remaining in ["2", "1", "0"] {
            let response = ask_for(&served, "192.0.2.1", "/api/v1/packages").await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(header(&response, "ratelimit-limit"), "3");
            assert_eq!(header(&response, "ratelimit-remaining"), remaining);
        }
        let refused = ask_for(&served, "192.0.2.1", "/api/v1/packages").await;
        let wait: u32 = header(&refused, "retry-after").parse().unwrap();
        assert!((1..=21).contains(&wait), "three in a minute is one in twenty seconds: {wait}");
        let problem = problem(refused, 429).await;
        assert_eq!(problem["type"], "/docs/problems#too-many-requests");

        // Released clients print what they get.
        let text = ask_for(&served, "192.0.2.1", "/api/v1/jobs").await;
        assert_eq!(text.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(header(&text, "content-type").starts_with("text/plain"));

        for other in ["192.0.2.2", "2001:db8::1"] {
            assert_eq!(ask_for(&served, other, "/api/v1/packages").await.status(), StatusCode::OK);
        }
        assert_eq!(ask_for(&served, "192.0.2.1", "/healthz/live").await.status(), StatusCode::OK, "who watches the server");
    }

    /// Whoever is no proxy of ours says nothing of others.
    async fn nobody_else_is_believed(db: TestDb) {
        let rules = Rules { requests_per_minute: NonZeroU32::new(1), ..Rules::default() };
        let served = Served::start_with_rules(db, rules).await;
        for _ in 0..5 {
            let response = ask_for(&served, "192.0.2.1", "/api/v1/packages").await;
            assert_eq!(response.status(), StatusCode::OK, "it is this machine that asks");
        }
    }

    /// One package does not fill the queue; what is asked for again takes no room, and others have theirs.
    async fn a_package_has_so_many_jobs_and_no_more(db: TestDb) {
        let served = Served::start_with_rules(db, Rules { active_jobs_per_package: 2, ..Rules::default() }).await;
        for version in ["1.0.0", "1.1.0", "1.1.0"] {
            assert_eq!(publish(&served, "demo", version).await.status(), StatusCode::OK);
        }
        let refused = publish(&served, "demo", "1.2.0").await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(header(&refused, "retry-after"), "60");
        assert!(refused.text().await.unwrap().starts_with("2 jobs like this one wait or run"));
        assert_eq!(publish(&served, "other", "1.0.0").await.status(), StatusCode::OK);
        served.work(|_| async { Ok(()) });
        let accepted = async { while publish(&served, "demo", "1.2.0").await.status() != StatusCode::OK {} };
        tokio::time::timeout(DEADLINE, accepted).await.expect("there is room once the others have ended");
    }

    /// A place is taken while somebody follows, by whatever way, and free when they go.
    async fn so_many_logs_are_followed_and_no_more(db: TestDb) {
        let served = Served::start_with_rules(db, Rules { watchers: 1, ..Rules::default() }).await;
        let job = served.publish(&operation("demo", "1.0.0")).await;
        let path = format!("/api/v1/jobs/{job}/logs/events");
        let first = served.get(&path).send().await.unwrap();
        assert_eq!(first.status(), StatusCode::OK);
        let refused = served.get(&path).send().await.unwrap();
        assert_eq!(header(&refused, "retry-after"), "10");
        assert_eq!(problem(refused, 503).await["type"], "/docs/problems#too-many-watchers");
        let page = served.get(&format!("/api/v1/jobs/{job}/logs")).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK, "a page of it can be read");
        drop(first);
        let free = async { while served.get(&path).send().await.unwrap().status() != StatusCode::OK {} };
        tokio::time::timeout(DEADLINE, free).await.expect("the place is free again");
    }
}
