//! Reading what is stored of a log: searched, and as a file.

use docket_jobs::{JobId, Level};
use docket_test_support::on_both_databases;
use reqwest::Response;
use serde_json::Value;

use crate::served::{EFFECT, Served, header, json, problem};

/// A log whose lines are of all levels.
async fn varied_job(served: &Served) -> JobId {
    let id = served.finished_job(|run| async move {
        run.log.write(Level::Debug, "Fetching the SOURCE");
        run.log.write(Level::Info, "fetched\nthe source");
        run.log
            .write(Level::Warn, "<b>a source</b> of trouble & \u{1b}[31mred");
        run.log.write(Level::Error, "broken");
        Ok(())
    });
    id.await
}

/// A job that runs for as long as the test, and has written two lines.
async fn running_job(served: &Served) -> JobId {
    served.work(|run| async move {
        run.log.info("one");
        run.log.debug("two");
        std::future::pending().await
    });
    let id = served.publish(EFFECT).await;
    let mut tail = served.jobs.tail(id, 0, Level::Debug);
    let mut seen = 0;
    while seen < 2 {
        seen += tail.next().await.unwrap().unwrap().lines.len();
    }
    id
}

async fn get(served: &Served, path: &str, accept: &str) -> Response {
    let response = served.get(path).header("accept", accept).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response
}

async fn text(served: &Served, path: &str, accept: &str) -> String {
    get(served, path, accept).await.text().await.unwrap()
}

fn seqs(lines: &[Value]) -> Vec<i64> {
    lines.iter().filter_map(|line| line["seq"].as_i64()).collect()
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

on_both_databases! {
    /// A search is for plain text in any case of letters, on every route, and together with a level.
    async fn every_route_can_be_searched(db: TestDb) {
        let served = Served::start(db).await;
        let id = varied_job(&served).await;
        for (query, expected) in [
            ("search=source", vec![2, 3]),
            ("search=SOURCE&level=debug", vec![1, 2, 3]),
            ("search=source&level=warn", vec![3]),
            ("search=source&level=debug&after=1", vec![2, 3]),
            ("search=so.rce&level=debug", vec![]),
            ("search=d%0Athe+s&level=debug", vec![2]),
            ("search=&level=", vec![2, 3, 4]),
        ] {
            let page = json(served.get(&format!("/api/v1/jobs/{id}/logs?{query}")).send().await.unwrap()).await;
            assert_eq!(seqs(page["lines"].as_array().unwrap()), expected, "{query}");
            assert_eq!((page["next"].as_i64(), page["finished"].as_bool(), page.get("more")), (Some(4), Some(true), None), "{query}");
            let lines = text(&served, &format!("/logs/{id}?{query}"), "application/x-ndjson").await;
            assert_eq!(seqs(&json_lines(&lines)), expected, "{query}");
            let events = text(&served, &format!("/api/v1/jobs/{id}/logs/events?{query}"), "*/*").await;
            assert_eq!(events.matches("id: ").count(), expected.len(), "{query}: {events}");
            let lines = text(&served, &format!("/logs/{id}?{query}"), "*/*").await;
            assert!(lines.ends_with("-- succeeded --\n"), "{query}: {lines}");
        }
    }

    /// A page that ends before what is stored says that there is more.
    async fn a_page_says_that_there_is_more(db: TestDb) {
        let served = Served::start(db).await;
        let id = varied_job(&served).await;
        let path = format!("/api/v1/jobs/{id}/logs?search=e&level=debug&limit=2");
        let page = json(served.get(&path).send().await.unwrap()).await;
        assert_eq!((page["next"].as_i64(), page["more"].as_bool(), page["finished"].as_bool()), (Some(2), Some(true), Some(false)));
        let page = json(served.get(&format!("{path}&after=2")).send().await.unwrap()).await;
        assert_eq!((seqs(page["lines"].as_array().unwrap()), page.get("more"), page["finished"].as_bool()), (vec![3, 4], None, Some(true)));
    }

    /// A search that is too long is refused, and what is just short enough is not.
    async fn a_search_has_a_longest_length(db: TestDb) {
        let served = Served::start(db).await;
        let id = varied_job(&served).await;
        for path in [format!("/api/v1/jobs/{id}/logs"), format!("/logs/{id}"), format!("/api/v1/jobs/{id}/logs/download")] {
            let fits = served.get(&format!("{path}?search={}", "x".repeat(200))).send().await.unwrap();
            assert_eq!(fits.status(), 200);
            let refused = served.get(&format!("{path}?search={}", "x".repeat(201))).send().await.unwrap();
            assert_eq!(problem(refused, 400).await["type"], "/docs/problems#invalid-search");
        }
    }

    /// The page has a form that works without a script, shows what it was sent, and links to the same lines as files.
    async fn the_page_is_searched_by_a_form(db: TestDb) {
        let served = Served::start(db).await;
        let id = varied_job(&served).await;
        let response = get(&served, &format!("/logs/{id}?search=%3Cb%3Ea&level=WARN"), "text/html").await;
        assert!(header(&response, "content-security-policy").contains("form-action 'self'"));
        let page = response.text().await.unwrap();
        assert!(page.contains("<form class=\"log-filter\" method=\"get\" role=\"search\" aria-label=\"This log\">"), "{page}");
        assert!(page.contains("value=\"&#60;b&#62;a\""), "{page}");
        assert!(page.contains("<option value=\"WARN\" selected>"), "{page}");
        assert!(page.contains("id=\"L3\"") && !page.contains("id=\"L2\"") && !page.contains("id=\"L4\""), "{page}");
        let link = format!("/api/v1/jobs/{id}/logs/download?level=WARN&#38;search=%3Cb%3Ea&#38;format=ndjson");
        assert!(page.contains(&link), "{page}");
        let file = text(&served, &link.replace("&#38;", "&"), "*/*").await;
        assert_eq!(seqs(&json_lines(&file)), [3]);
        let page = text(&served, &format!("/logs/{id}?search=nowhere&level="), "text/html").await;
        assert!(page.contains("No such lines here.") && !page.contains("Go on"), "{page}");
        let page = text(&served, &format!("/logs/{id}"), "text/html").await;
        assert!(page.contains("id=\"L1\"") && page.contains("<option value=\"DEBUG\" selected>"), "{page}");
    }

    /// A long log is shown in pages of 1,000 lines, each with links to those before and behind.
    async fn the_page_leads_to_the_next_lines(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|run| async move {
            for number in 1..=10_001 {
                run.log.info(format!("line {number}"));
            }
            Ok(())
        }).await;
        let page = text(&served, &format!("/logs/{id}?level=INFO"), "text/html").await;
        assert!(page.contains("id=\"L1000\"") && !page.contains("id=\"L1001\"") && !page.contains("Lines before"));
        assert!(page.contains("href=\"?level=INFO&#38;after=1000\">Go on"), "{}", &page[page.len() - 500..]);
        let page = text(&served, &format!("/logs/{id}?level=INFO&after=10000"), "text/html").await;
        assert!(page.contains("id=\"L10001\"") && !page.contains("Go on"), "{page}");
        assert!(page.contains("href=\"?level=INFO&#38;after=9000\">Lines before"), "{page}");
        let page = text(&served, &format!("/logs/{id}?level=INFO&after=9001"), "text/html").await;
        assert!(page.contains("id=\"L10001\"") && !page.contains("Go on"), "what fits one page is one page");
    }

    /// A download is every line of the log, as a file with a name that says which job it is.
    async fn a_download_is_the_whole_log(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|run| async move {
            for number in 1..=5_000 {
                run.log.write(if number % 2 == 0 { Level::Debug } else { Level::Info }, format!("line {number} \u{1b}[31m\nand more"));
            }
            Ok(())
        }).await;
        let path = format!("/api/v1/jobs/{id}/logs/download");
        let response = get(&served, &format!("{path}?format=ndjson"), "*/*").await;
        assert_eq!(header(&response, "content-type"), "application/x-ndjson");
        assert_eq!(header(&response, "content-disposition"), format!("attachment; filename=\"job-{id}.ndjson\""));
        assert_eq!((header(&response, "x-robots-tag"), header(&response, "x-content-type-options")), ("noindex", "nosniff"));
        let lines = json_lines(&response.text().await.unwrap());
        assert_eq!(seqs(&lines), (1..=5_000).collect::<Vec<_>>());
        assert_eq!(lines[0]["message"], "line 1 \u{1b}[31m\nand more", "exactly as it was written");
        let response = get(&served, &path, "*/*").await;
        assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
        assert_eq!(header(&response, "content-disposition"), format!("attachment; filename=\"job-{id}.log\""));
        let file = response.text().await.unwrap();
        let followed = text(&served, &format!("/logs/{id}?level=debug"), "*/*").await;
        assert_eq!(followed.strip_suffix("-- succeeded --\n"), Some(file.as_str()), "the same lines as are followed");
        let part = text(&served, &format!("{path}?format=ndjson&level=info&search=line+49&after=4950"), "*/*").await;
        assert_eq!(seqs(&json_lines(&part)), (4951..5000).step_by(2).collect::<Vec<_>>());
    }

    /// The download of a job that runs ends with what is stored, and its name says so.
    async fn a_download_does_not_wait(db: TestDb) {
        let served = Served::start(db).await;
        let id = running_job(&served).await;
        let response = get(&served, &format!("/api/v1/jobs/{id}/logs/download"), "*/*").await;
        assert_eq!(header(&response, "content-disposition"), format!("attachment; filename=\"job-{id}-up-to-line-2.log\""));
        assert_eq!(response.text().await.unwrap().lines().count(), 2);
    }

    /// A download that cannot be is refused with a reason.
    async fn a_download_that_cannot_be_is_refused(db: TestDb) {
        let served = Served::start(db).await;
        let id = varied_job(&served).await;
        let refused = served.get(&format!("/api/v1/jobs/{id}/logs/download?format=pdf")).send().await.unwrap();
        assert_eq!(problem(refused, 400).await["type"], "/docs/problems#invalid-format");
        let unknown = JobId::new(docket_core::time::Timestamp::from_millis(1));
        problem(served.get(&format!("/api/v1/jobs/{unknown}/logs/download")).send().await.unwrap(), 404).await;
    }
}
