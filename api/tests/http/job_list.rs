//! The list of jobs beyond registry.md §1.7: filters, and pages that fit together.

use docket_jobs::{Actor, NewJob, Role};
use docket_test_support::on_both_databases;
use reqwest::Response;
use serde_json::Value;

use crate::served::{EFFECT, Served, header, json, problem};

async fn enqueue(served: &Served, new: NewJob) -> String {
    let mut tx = served.jobs.db().write().await.unwrap();
    let enqueued = served.jobs.enqueue(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    enqueued.job.to_string()
}

fn new(kind: &'static str, number: usize) -> NewJob {
    NewJob::new(kind, "{}".to_owned(), format!("{kind}/{number}"))
}

async fn list(served: &Served, query: &str) -> Response {
    let response = served.get(&format!("/api/v1/jobs{query}")).send().await.unwrap();
    assert_eq!(response.status(), 200, "{query}");
    response
}

async fn ids(response: Response) -> Vec<String> {
    let jobs = json(response).await;
    let id = |job: &Value| job["jobId"].as_str().unwrap().to_owned();
    jobs.as_array().unwrap().iter().map(id).collect()
}

/// Where the list goes on.
fn next(response: &Response) -> Option<String> {
    let link = header(response, "link");
    let next = link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"");
    Some(next.unwrap_or_else(|| panic!("{link}")).to_owned())
}

on_both_databases! {
    /// Each filter shows what it names, several mean all of them, and the old parameters keep their meaning beside them.
    async fn jobs_are_found_by_kind_state_package_parent_and_who(db: TestDb) {
        let served = Served::start(db).await;
        let effect = served.publish(EFFECT).await;
        let cancelled = served.publish(&EFFECT.replace("effect", "aff")).await;
        served.jobs.cancel(cancelled, "nobody").await.unwrap();
        let (effect, cancelled) = (effect.to_string(), cancelled.to_string());
        let actor = Actor { role: Role::Trustee, name: "ann+bob of GitHub".to_owned(), key: None };
        let ours = enqueue(&served, NewJob { parent: Some(effect.parse().unwrap()), actor: Some(actor), ..new("github-issue", 1) }).await;
        for (query, expected) in [
            (String::new(), vec![&effect]),
            ("?kind=publish".to_owned(), vec![&effect]),
            ("?kind=publish&include_completed=true".to_owned(), vec![&effect, &cancelled]),
            ("?kind=github-issue".to_owned(), vec![&ours]),
            ("?kind=matrix".to_owned(), vec![]),
            ("?kind=all&include_completed=true".to_owned(), vec![&effect, &cancelled, &ours]),
            (format!("?parent={effect}&kind=all"), vec![&ours]),
            ("?state=cancelled".to_owned(), vec![&cancelled]),
            ("?state=queued".to_owned(), vec![&effect]),
            ("?state=queued&include_completed=true".to_owned(), vec![&effect]),
            ("?code=cancelled".to_owned(), vec![&cancelled]),
            ("?code=livelocked".to_owned(), vec![]),
            ("?package=aff".to_owned(), vec![]),
            ("?package=aff&include_completed=true".to_owned(), vec![&cancelled]),
            (format!("?parent={effect}&kind=github-issue"), vec![&ours]),
            (format!("?parent={effect}"), vec![]),
            ("?who=ann%2Bbob+of%20GitHub&kind=github-issue".to_owned(), vec![&ours]),
            ("?who=ann&kind=github-issue".to_owned(), vec![]),
            ("?kind=publish&kind=nonsense".to_owned(), vec![&effect]),
            ("?kind=publish&since=yesterday&order=down&include_completed=1".to_owned(), vec![&effect]),
        ] {
            let found = ids(list(&served, &query).await).await;
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
        }
    }

    /// A new parameter that does not parse is refused with what is allowed: as text, or as a problem for those who ask for JSON.
    async fn a_filter_that_does_not_parse_is_refused(db: TestDb) {
        let served = Served::start(db).await;
        served.publish(EFFECT).await;
        let other_order = "a0198a5c6-7c1e-7d3a-9a55-2f4d0a9b1c2d";
        for (query, allowed) in [
            ("kind=nonsense", "github-issue"),
            ("kind=", "publish, publish-check, unpublish"),
            ("kind=publish%00", "publish, publish-check, unpublish"),
            ("state=done", "queued, running, succeeded, failed or cancelled"),
            ("state=", "queued"),
            ("package=Effect", "`package`"),
            ("parent=x", "the id of a job"),
            ("who=", "300 bytes"),
            ("who=a%00b", "control characters"),
            ("who=%ff", "UTF-8"),
            ("code=Not%20a%20code", "compile-failed"),
            ("cursor=", "Link header"),
            ("cursor=next", "Link header"),
            (&format!("order=DESC&cursor={other_order}"), "the other order"),
        ] {
            let path = format!("/api/v1/jobs?{query}");
            let response = served.get(&path).send().await.unwrap();
            assert_eq!(response.status(), 400, "{query}");
            assert!(header(&response, "content-type").starts_with("text/plain"), "{query}");
            let text = response.text().await.unwrap();
            assert!(text.contains(allowed), "{query}: {text}");
            let problem = problem(served.get(&path).header("accept", "application/json").send().await.unwrap(), 400).await;
            assert_eq!(problem["type"], "/docs/problems#invalid-query", "{query}");
        }
    }

    /// Whoever goes from page to page meets each job once, whatever is asked for meanwhile; the last page names no other.
    async fn pages_show_each_job_once_while_others_come(db: TestDb) {
        let served = Served::start(db).await;
        for order in ["ASC", "DESC"] {
            let (package, mut expected) = (format!("demo-{}", order.to_lowercase()), Vec::new());
            let publish = |number| NewJob { package_name: Some(package.parse().unwrap()), ..NewJob::new("publish", "{}".to_owned(), format!("{order}/{number}")) };
            for number in 0..250 {
                expected.push(enqueue(&served, publish(number)).await);
            }
            if order == "DESC" {
                expected.reverse();
            }
            let (mut query, mut seen) = (format!("?package={package}&order={order}"), Vec::new());
            let mut number = 1000;
            loop {
                let page = list(&served, &query).await;
                let next = next(&page);
                let page = ids(page).await;
                assert!(page.len() == 100 || next.is_none());
                seen.extend(page);
                enqueue(&served, publish(number)).await;
                number += 1;
                match next {
                    Some(next) => {
                        assert!(next.contains(&format!("package={package}&order={order}&cursor=")), "{next}");
                        query = next;
                    }
                    None => break,
                }
            }
            seen.truncate(250);
            assert_eq!(seen, expected, "{order}");
        }
    }

    /// The link is there without new parameters too, and holds nothing that could end it early.
    async fn the_link_survives_what_was_asked(db: TestDb) {
        let served = Served::start(db).await;
        for number in 0..101 {
            enqueue(&served, new("publish", number)).await;
        }
        let page = list(&served, "").await;
        assert_eq!(header(&page, "access-control-expose-headers"), "Link");
        let rest = list(&served, &next(&page).unwrap()).await;
        assert_eq!((next(&rest), ids(rest).await.len()), (None, 1));
        let page = list(&served, "?x=%3E;%22>&&y=a+b&order=ASC").await;
        let link = next(&page).unwrap();
        assert!(link.starts_with("?x=%3E;%22%3E&y=a+b&order=ASC&cursor="), "{link}");
    }
}
