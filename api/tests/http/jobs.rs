//! The two job reads (registry.md §1.7, §1.8 and §1.10).

use docket_api::Rules;
use docket_core::time::Timestamp;
use docket_jobs::{Failure, Level};
use docket_test_support::on_both_databases;
use serde_json::Value;

use crate::served::{DEADLINE, EFFECT, Served, header, json};

/// The keys of an object, as they come.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn time(value: &Value) -> Timestamp {
    let text = value.as_str().unwrap();
    Timestamp::parse_strict(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn request(number: usize) -> String {
    EFFECT.replace("v4.0.0", &format!("v4.0.0-{number}"))
}

async fn list(served: &Served, query: &str) -> Vec<Value> {
    let response = served.get(&format!("/api/v1/jobs{query}")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), "application/json");
    json(response).await.as_array().unwrap().clone()
}

fn ids(jobs: &[Value]) -> Vec<&str> {
    jobs.iter().map(|job| job["jobId"].as_str().unwrap()).collect()
}

on_both_databases! {
    /// A dry run is a job of its own kind, which no publish waits for, and of which clients that know no such kind hear nothing.
    async fn a_dry_run_is_a_job_of_its_own_kind(db: TestDb) {
        let served = Served::start(db).await;
        let publish = served.publish(EFFECT).await;
        let ask = async || {
            let reply = served.request("POST", "/api/v1/publish/check").body(EFFECT).send().await.unwrap();
            assert_eq!(reply.status(), 200);
            json(reply).await
        };
        let (first, second) = (ask().await, ask().await);
        assert_eq!((first["disposition"].as_str(), second["disposition"].as_str()), (Some("created"), Some("duplicate")));
        assert_eq!(first["jobId"], second["jobId"]);
        let id = first["jobId"].as_str().unwrap();
        assert_ne!(id, publish.to_string());
        assert_eq!(ids(&list(&served, "").await), [publish.to_string()]);
        let listed = list(&served, "?kind=publish-check").await;
        assert_eq!((ids(&listed), listed[0]["jobType"].as_str()), (vec![id], Some("publish-check")));
        let why = json(served.get(&format!("/api/v1/jobs/{id}/why")).send().await.unwrap()).await;
        assert!(why.get("lock").is_none(), "it waits for no lock of the publish: {why}");

        let refused = served.request("POST", "/api/v1/publish/check").body("{}").send().await.unwrap();
        assert_eq!(refused.status(), 400);
        assert_eq!(header(&refused, "content-type"), "application/problem+json");
    }

    /// What has no value is left out, never null: spago cannot decode `"startedAt": null`.
    async fn a_waiting_job_has_no_keys_without_a_value(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.publish(EFFECT).await;
        let text = served.get(&format!("/api/v1/jobs/{id}")).send().await.unwrap().text().await.unwrap();
        assert!(!text.contains("null"), "{text}");
        let job: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(keys(&job), ["createdAt", "jobId", "jobType", "logs", "packageName", "packageVersion", "payload", "state", "success"]);
        assert_eq!((job["jobType"].as_str(), job["success"].as_bool()), (Some("publish"), Some(false)));
        assert_eq!(job["payload"].to_string(), EFFECT);
        time(&job["createdAt"]);
    }

    /// A finished job has all keys in the order of the alphabet, and times with exactly three digits and a `Z`.
    async fn a_finished_job_has_all_keys_and_strict_times(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|run| async move { run.log.info("done"); Ok(()) }).await;
        let text = served.get(&format!("/api/v1/jobs/{id}")).send().await.unwrap().text().await.unwrap();
        let places = ["createdAt", "finishedAt", "jobId", "jobType", "logs", "packageName", "packageVersion", "payload", "startedAt", "state", "success"]
            .map(|key| text.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} is missing: {text}")));
        assert!(places.is_sorted(), "{text}");
        let job: Value = serde_json::from_str(&text).unwrap();
        let (created, started, finished) = (time(&job["createdAt"]), time(&job["startedAt"]), time(&job["finishedAt"]));
        assert!(created <= started && started <= finished, "{text}");
        assert_eq!(job["success"], true);
        let line = &job["logs"][0];
        assert_eq!(keys(line), ["jobId", "level", "message", "timestamp"]);
        assert_eq!((line["jobId"].as_str(), line["level"].as_str(), line["message"].as_str()), (Some(id.to_string().as_str()), Some("INFO"), Some("done")));
        time(&line["timestamp"]);
    }

    /// A failed job is finished without success, and its last line says why.
    async fn a_failed_job_says_why_in_its_last_line(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|_| async { Err(Failure::Rejected { code: "test", detail: "Change this.".to_owned() }) }).await;
        let job = json(served.get(&format!("/api/v1/jobs/{id}")).send().await.unwrap()).await;
        assert_eq!((job["success"].as_bool(), job["finishedAt"].is_string()), (Some(false), true));
        assert_eq!((job["logs"][0]["level"].as_str(), job["logs"][0]["message"].as_str()), (Some("ERROR"), Some("Change this.")));
    }

    /// No job, and no possible job, is a 404 without a body.
    async fn an_unknown_job_is_an_empty_404(db: TestDb) {
        let served = Served::start(db).await;
        for id in ["00000000-0000-0000-0000-000000000000", "x", "%FF", "%00", "'; DROP TABLE job"] {
            let response = served.get(&format!("/api/v1/jobs/{id}")).send().await.unwrap();
            assert_eq!(response.status(), 404, "{id}");
            assert_eq!(header(&response, "access-control-allow-origin"), "*");
            assert_eq!(response.text().await.unwrap(), "", "{id}");
        }
    }

    /// spago's way to read a log: pages of at most 100 lines, each from a millisecond after the last, until `finishedAt` appears.
    async fn a_poller_sees_all_of_250_lines_before_it_sees_the_end(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|run| async move {
            for number in 1..=250 {
                run.log.info(format!("line {number}"));
            }
            Ok(())
        }).await;
        let (mut since, mut seen, mut sizes) = (String::new(), Vec::new(), Vec::new());
        loop {
            let job = json(served.get(&format!("/api/v1/jobs/{id}?level=INFO&since={since}")).send().await.unwrap()).await;
            let lines = job["logs"].as_array().unwrap();
            sizes.push(lines.len());
            seen.extend(lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()));
            if job.get("finishedAt").is_some() {
                assert_eq!(job["success"], true);
                break;
            }
            assert_eq!(job["success"], false, "a job that looks unfinished has no success either");
            let last = time(&lines.last().expect("a page before the end has lines")["timestamp"]);
            since = last.next_millisecond().to_string().replace(':', "%3A");
        }
        assert_eq!(sizes, [100, 100, 50]);
        assert_eq!(seen, (1..=250).map(|number| format!("line {number}")).collect::<Vec<_>>());
    }

    /// `finishedAt` comes with a last page of exactly 100 lines, which leaves nothing to ask for.
    async fn a_full_last_page_carries_the_end(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|run| async move {
            for number in 1..=100 {
                run.log.info(format!("line {number}"));
            }
            Ok(())
        }).await;
        let job = json(served.get(&format!("/api/v1/jobs/{id}")).send().await.unwrap()).await;
        assert_eq!((job["logs"].as_array().unwrap().len(), job["finishedAt"].is_string()), (100, true));
    }

    /// The level is a minimum, INFO unless told otherwise; what is no level counts as none; the order can be turned.
    async fn lines_are_filtered_by_level_and_ordered(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|run| async move {
            for level in [Level::Debug, Level::Info, Level::Warn, Level::Notice, Level::Error] {
                run.log.write(level, level.as_str());
            }
            Ok(())
        }).await;
        for (query, expected) in [
            ("", "INFO WARN NOTICE ERROR"),
            ("?level=DEBUG", "DEBUG INFO WARN NOTICE ERROR"),
            ("?level=INFO", "INFO WARN NOTICE ERROR"),
            ("?level=WARN", "WARN NOTICE ERROR"),
            ("?level=NOTICE", "NOTICE ERROR"),
            ("?level=ERROR", "ERROR"),
            ("?level=error", "INFO WARN NOTICE ERROR"),
            ("?level=ERROR&level=DEBUG", "ERROR"),
            ("?level=LOUD&order=down&since=now&until=later", "INFO WARN NOTICE ERROR"),
            ("?order=DESC", "ERROR NOTICE WARN INFO"),
            ("?order=ASC", "INFO WARN NOTICE ERROR"),
            ("?until=2026-02-01T00:00:00.000Z", ""),
            ("?since=2100-01-01T00:00:00.000Z", ""),
            ("?since=2100-01-01T00:00:00.00Z", "INFO WARN NOTICE ERROR"),
            ("?since=2100-01-01T00:00:00.000%2B00:00", "INFO WARN NOTICE ERROR"),
        ] {
            let job = json(served.get(&format!("/api/v1/jobs/{id}{query}")).send().await.unwrap()).await;
            let levels: Vec<_> = job["logs"].as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap()).collect();
            assert_eq!(levels.join(" "), expected, "{query}");
        }
    }

    /// `since` includes its millisecond, `until` does not.
    async fn the_lower_bound_is_inclusive_and_the_upper_exclusive(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|run| async move {
            for number in 1..=3 {
                run.log.info(format!("{number}"));
            }
            Ok(())
        }).await;
        let job = json(served.get(&format!("/api/v1/jobs/{id}")).send().await.unwrap()).await;
        let at = |line: usize| job["logs"][line]["timestamp"].as_str().unwrap().to_owned();
        let query = format!("/api/v1/jobs/{id}?since={}&until={}", at(1), at(2));
        let job = json(served.get(&query).send().await.unwrap()).await;
        assert_eq!(job["logs"].as_array().unwrap().len(), 1);
        assert_eq!(job["logs"][0]["message"], "2");
    }

    /// The list has waiting jobs, oldest first, without logs; ended ones only when asked for.
    async fn the_list_leaves_out_ended_jobs_unless_asked(db: TestDb) {
        let served = Served::start(db).await;
        let done = served.finished_job(|run| async move {
            if run.job.payload.contains("wait") {
                std::future::pending::<()>().await;
            }
            run.log.info("done");
            Ok(())
        }).await.to_string();
        let first = served.publish(&EFFECT.replace("v4.0.0", "wait-1")).await.to_string();
        let second = served.publish(&EFFECT.replace("v4.0.0", "wait-2")).await.to_string();
        let waiting = list(&served, "").await;
        assert_eq!(ids(&waiting), [&first, &second]);
        assert!(waiting.iter().all(|job| job.get("finishedAt").is_none()));
        let all = list(&served, "?include_completed=true").await;
        assert_eq!(ids(&all), [&done, &first, &second]);
        assert_eq!((all[0]["logs"].to_string(), all[0]["success"].as_bool(), all[0]["finishedAt"].is_string()), ("[]".to_owned(), Some(true), true));
        assert_eq!(ids(&list(&served, "?include_completed=true&order=DESC").await), [&second, &first, &done]);
        for none in ["?include_completed=false", "?include_completed=TRUE", "?include_completed=1", "?include_completed", "?other=x"] {
            assert_eq!(ids(&list(&served, none).await), [&first, &second], "{none}");
        }
    }

    /// At most 100 jobs come at once; the next ones come from moving `since`.
    async fn the_list_has_at_most_100_jobs(db: TestDb) {
        let rules = Rules { active_jobs_per_package: 105, ..Rules::default() };
        let served = Served::start_with_rules(db, rules).await;
        for number in 0..105 {
            served.publish(&request(number)).await;
        }
        let page = list(&served, "").await;
        assert_eq!(page.len(), 100);
        let last = page[99]["createdAt"].as_str().unwrap();
        let rest = list(&served, &format!("?since={}", last.replace(':', "%3A"))).await;
        assert!((6..=105).contains(&rest.len()), "the bound is inclusive");
        assert_eq!(list(&served, &format!("?until={last}&order=DESC")).await[0]["createdAt"].as_str().map(|at| at < last), Some(true));
        assert_eq!(list(&served, "?until=2026-02-01T00:00:00.000Z").await.len(), 0);
    }

    /// A client that polls gives up at the first 5xx, so it never gets one while the job runs.
    async fn polling_a_running_job_never_fails(db: TestDb) {
        let served = Served::start(db).await;
        served.work(|run| async move {
            for number in 1..=500 {
                run.log.info(format!("line {number}"));
                if number % 50 == 0 {
                    run.log.flush().await;
                }
            }
            Ok(())
        });
        let id = served.publish(EFFECT).await;
        let poll = async {
            loop {
                let response = served.get(&format!("/api/v1/jobs/{id}?order=DESC")).send().await.unwrap();
                assert_eq!(response.status(), 200);
                if json(response).await.get("finishedAt").is_some() {
                    break;
                }
            }
        };
        tokio::time::timeout(DEADLINE, poll).await.expect("the job ends");
    }
}
