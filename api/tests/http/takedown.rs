//! `/legal/takedown` and what trustees do with notices.

use std::collections::BTreeMap;

use docket_core::time::Timestamp;
use docket_index::takedown::{self, FIELDS, MAX_PER_HOUR, Notice, Sent};
use docket_test_support::on_both_databases;
use reqwest::Response;
use serde_json::json;

use crate::{
    control::{post, start},
    served::{Served, header, json as body_of, now, problem},
};

const TOKEN: &str = "Bearer the-token-of-a-test-0001";

fn fields(name: &str) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("name", name.to_owned()),
        ("email", "ada@example.org".to_owned()),
        ("organisation", String::new()),
        ("work", "My book\r\nof 1843".to_owned()),
        ("material", "effect@4.0.0: <script>alert(1)</script>".to_owned()),
        ("signature", "Ada".to_owned()),
    ])
}

fn encoded(fields: &BTreeMap<&'static str, String>) -> String {
    let mut address = reqwest::Url::parse("http://x").unwrap();
    address.query_pairs_mut().extend_pairs(fields);
    address.query().unwrap().to_owned()
}

async fn send(served: &Served, fields: &BTreeMap<&'static str, String>) -> Response {
    served
        .request("POST", "/legal/takedown")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(encoded(fields))
        .send()
        .await
        .unwrap()
}

async fn cases(served: &Served, path: &str) -> serde_json::Value {
    let response = served
        .get(path)
        .header("authorization", TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "{path}");
    assert_eq!(header(&response, "cache-control"), "no-store");
    body_of(response).await
}

on_both_databases! {
    /// A notice becomes a case: trustees read and answer it, and whoever sent it finds the answer where the form led to.
    async fn a_notice_is_answered(db: TestDb) {
        let served = start(db).await;
        let page = served.page("/legal/takedown").await;
        for (field, _, max) in FIELDS {
            assert!(page.contains(&format!("name=\"{field}\"")) && page.contains(&format!("maxlength=\"{max}\"")), "{field}: {page}");
        }
        let response = send(&served, &fields("Ada")).await;
        assert_eq!(response.status(), 200, "the form leads to the case");
        let id = response.url().path().strip_prefix("/legal/takedown/").unwrap().to_owned();
        assert_eq!(header(&response, "x-robots-tag"), "noindex");
        let page = response.text().await.unwrap();
        assert!(page.contains("waits for a trustee") && !page.contains("effect@4.0.0"), "the notice itself is for trustees: {page}");

        let listed = cases(&served, "/api/v1/takedown-cases").await;
        assert_eq!(listed["cases"][0]["id"], id.as_str());
        assert_eq!(listed["cases"][0]["state"], "open");
        assert_eq!(listed["cases"][0]["notice"]["work"], "My book\nof 1843");
        let answer = json!({ "decision": "removed", "text": "We <b>unpublished</b> it.\n\nSorry." });
        let answered = post(&served, &format!("/api/v1/takedown-cases/{id}/answer"), &answer).await;
        assert_eq!(answered.status(), 200);
        let case = cases(&served, &format!("/api/v1/takedown-cases/{id}")).await;
        assert_eq!(case["answer"]["answeredBy"], "trustee by the registry's token");
        let page = served.page(&format!("/legal/takedown/{id}")).await;
        assert!(page.contains("What you named is removed.") && page.contains("<p>We &#60;b&#62;unpublished&#60;/b&#62; it.</p><p>Sorry.</p>"), "{page}");
        assert!(!page.contains("registry&#39;s token"), "who answered is not told: {page}");
    }

    /// Without a token nobody sees a notice or answers one; a case that is not there is not there.
    async fn cases_are_for_trustees(db: TestDb) {
        let served = start(db).await;
        send(&served, &fields("Ada")).await;
        let none = "00000000-0000-4000-8000-000000000000";
        for path in ["/api/v1/takedown-cases".to_owned(), format!("/api/v1/takedown-cases/{none}")] {
            let refused = problem(served.get(&path).send().await.unwrap(), 401).await;
            assert!(refused["type"].as_str().unwrap().ends_with("#token-required"), "{refused}");
        }
        let body = json!({ "decision": "rejected", "text": "no" }).to_string();
        let path = format!("/api/v1/takedown-cases/{none}/answer");
        problem(served.request("POST", &path).body(body).send().await.unwrap(), 401).await;
        problem(post(&served, &path, &json!({ "decision": "rejected", "text": "no" })).await, 404).await;
        served.refused_page(&format!("/legal/takedown/{none}"), 404).await;
        served.refused_page("/legal/takedown/none", 404).await;
        for (text, fits) in [("", false), ("a", true), (&"ä".repeat(10_000), true), (&"ä".repeat(10_001), false), ("a\0", false)] {
            let response = post(&served, &path, &json!({ "decision": "rejected", "text": text })).await;
            assert_eq!(response.status(), if fits { 404 } else { 400 });
        }
        problem(post(&served, &path, &json!({ "decision": "burnt", "text": "no" })).await, 400).await;
    }

    /// The list goes on behind a case, newest first.
    async fn cases_have_pages(db: TestDb) {
        let served = start(db).await;
        for place in 0..3 {
            let notice = notice(&format!("Ada {place}"));
            takedown::send(served.jobs.db(), &notice, now().plus_millis(place)).await.unwrap();
        }
        let first = cases(&served, "/api/v1/takedown-cases?limit=2").await;
        let names = |listed: &serde_json::Value| -> Vec<String> {
            listed["cases"].as_array().unwrap().iter().map(|case| case["notice"]["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&first), ["Ada 2", "Ada 1"]);
        let last = first["cases"][1]["id"].as_str().unwrap();
        let second = cases(&served, &format!("/api/v1/takedown-cases?limit=2&after={last}")).await;
        assert_eq!(names(&second), ["Ada 0"]);
        for (limit, fits) in [(0, false), (1, true), (100, true), (101, false)] {
            let path = format!("/api/v1/takedown-cases?limit={limit}");
            let response = served.get(&path).header("authorization", TOKEN).send().await.unwrap();
            assert_eq!(response.status(), if fits { 200 } else { 400 }, "{limit}");
        }
    }

    /// What does not fit is said beside its field, with what was typed kept, and nothing is stored.
    async fn what_is_wrong_is_said_beside_the_field(db: TestDb) {
        let served = start(db).await;
        let mut wrong = fields("<script>alert(1)</script>");
        wrong.insert("email", "nowhere".to_owned());
        let response = send(&served, &wrong).await;
        assert_eq!(response.status(), 422);
        let page = response.text().await.unwrap();
        assert!(page.contains("id=\"email-wrong\">This is not the address of a mailbox.") && page.contains("value=\"&#60;script&#62;"), "{page}");
        let mut trapped = fields("Robot");
        trapped.insert("website", "https://spam.example".to_owned());
        assert_eq!(send(&served, &trapped).await.status(), 422);
        let mut long = fields("Ada");
        long.insert("work", "a".repeat(200 * 1024));
        assert_eq!(send(&served, &long).await.status(), 413);
        let listed = cases(&served, "/api/v1/takedown-cases").await;
        assert_eq!(listed["cases"], json!([]));
        // As many letters as a field takes, all of them long ones, still fit into the form.
        let mut longest = fields("Ada");
        longest.insert("work", "😀".repeat(5_000));
        longest.insert("material", "😀".repeat(5_000));
        assert_eq!(send(&served, &longest).await.status(), 200);
    }

    /// The same notice again within a day is the same case; in an hour only so many are taken, from everybody together.
    async fn floods_are_stopped(db: TestDb) {
        let served = start(db).await;
        let db = served.jobs.db();
        let at = |millis: i64| Timestamp::from_millis(now().millis() + millis);
        let first = takedown::send(db, &notice("Ada"), at(0)).await.unwrap();
        assert_eq!(takedown::send(db, &notice("Ada"), at(24 * 3_600_000)).await.unwrap(), first);
        for place in 1..MAX_PER_HOUR {
            let sent = takedown::send(db, &notice(&format!("Ada {place}")), at(0)).await.unwrap();
            assert!(matches!(sent, Sent::Case(_)), "{place}");
        }
        assert_eq!(takedown::send(db, &notice("One more"), at(3_600_000 - 1)).await.unwrap(), Sent::TooMany);
        assert_eq!(takedown::send(db, &notice("Ada"), at(0)).await.unwrap(), first, "the same is no more");
        assert!(matches!(takedown::send(db, &notice("One more"), at(3_600_000)).await.unwrap(), Sent::Case(_)));
        let again = takedown::send(db, &notice("Ada"), at(24 * 3_600_000 + 1)).await.unwrap();
        assert_ne!(again, first, "after a day it is another case");
    }

    /// Whoever comes when too many came is told when to come again.
    async fn who_is_too_many_is_told_so(db: TestDb) {
        let served = start(db).await;
        let now = served.jobs.clock().now();
        let db = served.jobs.db();
        for place in 0..MAX_PER_HOUR {
            takedown::send(db, &notice(&format!("Ada {place}")), now).await.unwrap();
        }
        let response = send(&served, &fields("One more")).await;
        assert_eq!(response.status(), 429);
        assert_eq!(header(&response, "retry-after"), "3600");
        let page = response.text().await.unwrap();
        assert!(page.contains("More than 30 notices arrived") && page.contains("value=\"One more\""), "{page}");
    }
}

fn notice(name: &str) -> Notice {
    let given = fields(name)
        .into_iter()
        .map(|(field, text)| (field.to_owned(), text))
        .collect();
    Notice::from_fields(&given).unwrap()
}
