//! `GET /logs/{id}`: a log for people.

use docket_jobs::{JobId, Level};
use docket_test_support::on_both_databases;

use crate::served::{DEADLINE, EFFECT, Served, header, json, problem};

/// Lines that would like to be more than text.
const WICKED: [&str; 4] = [
    "<script>alert(1)</script> & \"quotes\" '",
    "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}",
    "left \u{202e}thgir\u{2066} mark\u{200f} \u{61c}",
    "over\rwritten \u{9b}2J",
];

async fn wicked_job(served: &Served) -> JobId {
    served
        .finished_job(|run| async move {
            for line in WICKED {
                run.log.info(line);
            }
            run.log.write(Level::Debug, "details");
            Ok(())
        })
        .await
}

fn is_tame(text: &str) -> bool {
    text.chars().all(|c| {
        matches!(c, '\n' | '\t')
            || !(c.is_control()
                || ('\u{200e}'..='\u{202e}').contains(&c)
                || matches!(c, '\u{61c}' | '\u{2066}'..='\u{2069}'))
    })
}

on_both_databases! {
    /// `curl` gets text whose control characters are visible and harmless, and a last line that tells the outcome.
    async fn the_text_cannot_drive_a_terminal(db: TestDb) {
        let served = Served::start(db).await;
        let id = wicked_job(&served).await;
        let response = served.get(&format!("/logs/{id}")).header("accept", "*/*").send().await.unwrap();
        assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
        assert_eq!(header(&response, "x-robots-tag"), "noindex");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "text of others must not become a page");
        let text = response.text().await.unwrap();
        assert!(is_tame(&text), "{text:?}");
        assert!(text.contains("\\u{1b}[31mred") && text.contains("INFO   <script>alert(1)"), "{text}");
        assert!(text.ends_with("-- succeeded --\n"), "{text}");
        assert!(!text.contains("details"), "DEBUG lines come only when asked for");
        let text = served.get(&format!("/logs/{id}?level=debug&after=4")).send().await.unwrap().text().await.unwrap();
        assert_eq!((text.lines().count(), text.contains("details")), (2, true), "{text}");
    }

    /// The text follows a running job: each line arrives before the job has ended.
    async fn the_text_follows_a_running_job(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.publish(EFFECT).await;
        let mut response = served.get(&format!("/logs/{id}")).send().await.unwrap();
        let (go, gate) = tokio::sync::watch::channel(false);
        served.work(move |run| {
            let mut gate = gate.clone();
            async move {
                run.log.info("before");
                gate.wait_for(|open| *open).await.unwrap();
                Err(docket_jobs::Failure::Rejected { code: "test", detail: "No.".to_owned() })
            }
        });
        let chunk = tokio::time::timeout(DEADLINE, response.chunk()).await.unwrap().unwrap().unwrap();
        assert!(chunk.ends_with(b"before\n"), "{chunk:?}");
        go.send(true).unwrap();
        let rest = response.text().await.unwrap();
        assert!(rest.contains("ERROR  No.\n") && rest.ends_with("-- failed --\n"), "{rest}");
    }

    /// Programs get the lines exactly as they were written, one JSON document each, and the end.
    async fn json_lines_are_exact(db: TestDb) {
        let served = Served::start(db).await;
        let id = wicked_job(&served).await;
        let response = served.get(&format!("/logs/{id}")).header("accept", "application/x-ndjson").send().await.unwrap();
        assert_eq!(header(&response, "content-type"), "application/x-ndjson");
        assert_eq!(header(&response, "x-robots-tag"), "noindex");
        let text = response.text().await.unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), WICKED.len() + 1);
        for (line, wicked) in lines.iter().zip(WICKED) {
            assert_eq!(line["message"], wicked);
        }
        assert_eq!(lines[WICKED.len()], serde_json::json!({"finished": true, "success": true}));
    }

    /// A browser gets a page on which lines are nothing but text, and which runs no script but those of this server.
    async fn the_page_shows_lines_as_text(db: TestDb) {
        let served = Served::start(db).await;
        let id = wicked_job(&served).await;
        let response = served.get(&format!("/logs/{id}")).header("accept", "text/html,*/*").send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, "text/html; charset=utf-8"));
        assert_eq!(header(&response, "x-robots-tag"), "noindex");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        let policy = header(&response, "content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
        let page = response.text().await.unwrap();
        assert!(!page.contains("<script>"), "{page}");
        assert!(page.contains("&#60;script&#62;alert(1)") || page.contains("&lt;script&gt;alert(1)"), "{page}");
        assert!(is_tame(&page), "{page:?}");
        assert!(page.contains("<span class=\"ink-1\">red</span> <span class=\"escape\">\\u{1b}</span>"), "colours are classes: {page}");
        assert!(page.contains("details"), "the page has the DEBUG lines too");
        assert!(!page.contains("http-equiv=\"refresh\""), "a finished job does not change any more");
    }

    /// The page of a job that goes on looks again by itself.
    async fn the_page_of_a_waiting_job_looks_again(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.publish(EFFECT).await;
        let page = served.get(&format!("/logs/{id}")).header("accept", "text/html").send().await.unwrap().text().await.unwrap();
        assert!(page.contains("http-equiv=\"refresh\"") && page.contains("effect@4.0.0"), "{page}");
    }

    /// The page and the JSON route tell the same steps; the piece of the page that is asked for again knows the first error.
    async fn steps_and_the_first_error_are_told(db: TestDb) {
        let served = Served::start(db).await;
        let id = served
            .finished_job(|run| async move {
                run.log.info("hello");
                run.log.step("Compile");
                run.log.info("compiling");
                Err(docket_jobs::Failure::Rejected { code: "test", detail: "<b>No.</b>".to_owned() })
            })
            .await;
        let page: serde_json::Value = json(served.get(&format!("/api/v1/jobs/{id}/logs")).send().await.unwrap()).await;
        let step = &page["steps"][0];
        assert_eq!((&step["name"], &step["seq"], &step["attempt"]), (&"Compile".into(), &2.into(), &1.into()));
        assert!(step["startedAt"].is_string() && step["endedAt"].is_string(), "{step}");
        let head = served.get(&format!("/logs/{id}/head")).send().await.unwrap();
        assert_eq!(header(&head, "x-robots-tag"), "noindex");
        let head = head.text().await.unwrap();
        assert!(head.contains("data-first-error=\"3\"") && head.contains("This job has failed after "), "{head}");
        let page = served.get(&format!("/logs/{id}")).header("accept", "text/html").send().await.unwrap().text().await.unwrap();
        assert!(page.contains("<span class=\"name\">Compile</span>"), "{page}");
        problem(served.get("/logs/nothing/head").send().await.unwrap(), 404).await;
    }

    /// Our page may have lines in pieces, cut to what is shown; who asks for one line has all of it. Others have lines as they were written.
    async fn lines_in_pieces_are_asked_for(db: TestDb) {
        let served = Served::start(db).await;
        let long = "x".repeat(5000);
        let written = long.clone();
        let id = served
            .finished_job(move |run| {
                let long = written.clone();
                async move {
                    run.log.info(long);
                    Ok(())
                }
            })
            .await;
        let url = format!("/api/v1/jobs/{id}/logs?spans=true");
        let page: serde_json::Value = json(served.get(&url).send().await.unwrap()).await;
        let line = &page["lines"][0];
        assert_eq!(line["cut"], 1000);
        assert_eq!(line["spans"], serde_json::json!([{ "text": &long[..4000], "class": "" }]));
        let page: serde_json::Value = json(served.get(&format!("{url}&limit=1")).send().await.unwrap()).await;
        assert_eq!((&page["lines"][0]["spans"][0]["text"], page["lines"][0].get("cut")), (&long.as_str().into(), None));
        let page: serde_json::Value = json(served.get(&format!("/api/v1/jobs/{id}/logs")).send().await.unwrap()).await;
        assert_eq!((page["lines"][0]["message"].as_str(), page.get("steps")), (Some(long.as_str()), None));
    }

    /// A job that does not exist is a page for browsers and a problem document for the rest.
    async fn an_unknown_job_is_a_404_of_the_right_kind(db: TestDb) {
        let served = Served::start(db).await;
        let path = format!("/logs/{}", JobId::new(docket_core::time::Timestamp::from_millis(1)));
        problem(served.get(&path).send().await.unwrap(), 404).await;
        let response = served.get(&path).header("accept", "text/html").send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "content-type")), (404, "text/html; charset=utf-8"));
        assert!(header(&response, "content-security-policy").contains("default-src 'none'"));
    }

    /// The pages for people work: first page, package page, style sheet, and what crawlers may read.
    async fn the_pages_for_people_are_there(db: TestDb) {
        let served = Served::start(db).await;
        served.record_effect().await;
        let id = served.publish(&EFFECT.replace("4.0.0", "4.0.1")).await;
        let home = served.get("/").send().await.unwrap().text().await.unwrap();
        assert!(home.contains(&format!("/logs/{id}")), "{home}");
        let package = served.get("/packages/effect").send().await.unwrap();
        assert!(header(&package, "content-security-policy").contains("default-src 'none'"));
        assert!(package.text().await.unwrap().contains("/effect/4.0.0.tar.gz"));
        assert_eq!(served.get("/packages/other").send().await.unwrap().status(), 404);
        assert_eq!(header(&served.get("/styles/docket.css").send().await.unwrap(), "content-type"), "text/css; charset=utf-8");
        assert!(served.get("/robots.txt").send().await.unwrap().text().await.unwrap().contains("Disallow: /logs/"));
    }
}
