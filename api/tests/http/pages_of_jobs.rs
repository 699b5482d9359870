//! `/jobs` and `/`: what runs, what waits and why, what failed, and the service in numbers.

use docket_jobs::{Failure, NewJob};
use docket_test_support::on_both_databases;

use crate::{
    control::{post, start},
    served::{EFFECT, Served},
};

/// Jobs that wait, oldest first.
async fn waiting(served: &Served, number: usize) -> Vec<String> {
    let mut tx = served.jobs.db().write().await.unwrap();
    let mut ids = Vec::new();
    for place in 0..number {
        let new = NewJob {
            package_name: Some("effect".parse().unwrap()),
            locks: vec!["package/effect".to_owned()],
            ..NewJob::new("publish", "{}".to_owned(), format!("key/{place}"))
        };
        ids.push(served.jobs.enqueue(&mut tx, &new).await.unwrap().job.to_string());
    }
    tx.commit().await.unwrap();
    ids
}

/// The jobs that a page links to, in its order, each once.
fn jobs(page: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for rest in page.split("href=\"/logs/").skip(1) {
        let id = rest.split('"').next().unwrap().to_owned();
        if !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

on_both_databases! {
    /// Every job that waits comes with a sentence that says what for.
    async fn what_waits_says_why(db: TestDb) {
        let served = start(db).await;
        let page = served.page("/jobs").await;
        for words in ["Nothing runs at the moment", "Nothing waits", "Nothing failed", "<title id=\"depth-title\">", "<desc id=\"durations-told\">"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        let ids = waiting(&served, 3).await;
        let page = served.page("/jobs").await;
        assert_eq!(jobs(&page), ids, "in the order in which they start");
        assert!(page.contains("It waits for the lock package/effect; 1 job is ahead of it in the line."), "{page}");
        let answer = post(&served, "/api/v1/job-kinds/publish/pause", &serde_json::json!({})).await;
        assert_eq!(answer.status(), 200);
        let page = served.page("/jobs").await;
        assert!(page.contains("Jobs of kind publish have been paused by trustee by the registry&#39;s token since"), "{page}");
    }

    /// What runs names its attempt, and the lock that it has names who waits for it.
    async fn what_runs_and_what_it_holds_is_shown(db: TestDb) {
        let served = Served::start(db).await;
        let ids = waiting(&served, 2).await;
        let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
        served.work(move |_run| {
            let begun = begun.clone();
            async move {
                begun.send(()).await.unwrap();
                std::future::pending::<()>().await;
                Ok(())
            }
        });
        has_begun.recv().await.unwrap();
        let page = served.page("/jobs").await;
        assert!(page.contains("attempt 1") && page.contains("Running <small>1</small>"), "{page}");
        assert!(page.contains(&format!("<code>package/effect</code></td><td><a href=\"/logs/{}\">publish of effect</a>", ids[0])), "{page}");
        assert!(page.contains("data-label=\"Wait for it\">1</td>"), "{page}");
        assert!(page.contains(&format!("which <a href=\"/logs/{}\">publish of effect</a> has had for", ids[0])), "{page}");
    }

    /// What failed is on the overview, with its code, and what others wrote in it stays text.
    async fn what_failed_says_so(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|_run| async move {
            Err(Failure::Rejected { code: "compile-failed", detail: "<script>alert(1)</script>\nmore".to_owned() })
        }).await;
        let page = served.page("/jobs").await;
        assert_eq!(jobs(&page), [id.to_string()]);
        assert!(page.contains("compile-failed: &#60;script&#62;alert(1)&#60;/script&#62;<"), "{page}");
    }

    /// The form's fields filter the list; those that are empty mean nothing; what does not fit is said.
    async fn a_plain_form_filters(db: TestDb) {
        let served = Served::start(db).await;
        let failed = served.finished_job(|_run| async move {
            Err(Failure::Rejected { code: "compile-failed", detail: "no".to_owned() })
        }).await.to_string();
        for (query, found) in [
            ("kind=&state=&package=effect&since=&until=", true),
            ("state=failed", true),
            ("state=succeeded", false),
            ("kind=publish", true),
            ("kind=transfer", false),
            ("package=aff", false),
            ("since=2026-01-01", true),
            ("until=2025-12-31", false),
        ] {
            let page = served.page(&format!("/jobs?{query}")).await;
            assert_eq!(jobs(&page).contains(&failed), found, "{query}");
            assert!(!page.contains("depth-title"), "a list has no overview");
        }
        for query in ["kind=%3Cscript%3E", "state=lost", "package=No_Name", "since=yesterday", "until=2026-02-30", "after=here"] {
            let page = served.refused_page(&format!("/jobs?{query}"), 400).await;
            assert!(page.contains("not fit") || page.contains("not begin"), "{query}: {page}");
        }
    }

    /// A list goes on from page to page, with its filter, and shows every job once.
    async fn a_long_list_of_jobs_has_pages(db: TestDb) {
        let served = Served::start(db).await;
        let mut ids = waiting(&served, 51).await;
        ids.reverse();
        let first = served.page("/jobs?package=effect").await;
        assert_eq!(jobs(&first), ids[..50]);
        let next = format!("/jobs?package=effect&after={}", ids[49]);
        assert!(first.contains(&next.replace('&', "&#38;")), "{first}");
        let second = served.page(&next).await;
        assert_eq!(jobs(&second), ids[50..]);
        assert!(!second.contains("rel=\"next\""), "{second}");
        let page = served.page("/jobs").await;
        assert!(page.contains("Waiting <small>51</small>") && page.contains("/jobs?state=queued"), "{page}");
    }

    /// The front page counts what was published today, what waits, and names the newest versions.
    async fn the_front_page_has_the_numbers(db: TestDb) {
        let served = Served::start(db).await;
        let page = served.page("/").await;
        assert!(page.contains("<dd>0</dd><dt>published today") && page.contains("Nothing was published yet"), "{page}");
        served.record_effect().await;
        served.work(|_run| async { Ok(()) });
        let id = served.publish(EFFECT).await;
        served.finished(id).await;
        let page = served.page("/").await;
        for part in ["<dd>1</dd><dt><a href=\"/packages\">", "<dd>1</dd><dt>published today", " ms</dd>", "/packages/effect/4.0.0", &format!("docket publish --server {}", served.url)] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
