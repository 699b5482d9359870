//! `POST publish` (registry.md §1.2 and §1.4).

use docket_test_support::on_both_databases;

use crate::served::{EFFECT, Served, header, json, problem, record_effect};

on_both_databases! {
    /// spago takes 200 and nothing else, and what it gets is the job's id.
    async fn a_publish_is_answered_with_200_and_a_job_id(db: TestDb) {
        let served = Served::start(db).await;
        let response = served.post_publish(EFFECT).header("content-type", "text/plain").send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), "application/json");
        let reply = json(response).await;
        assert_eq!(reply["disposition"], "created");
        let id = reply["jobId"].as_str().unwrap();
        let job = json(served.get(&format!("/api/v1/jobs/{id}")).send().await.unwrap()).await;
        assert_eq!(job["payload"].to_string(), EFFECT);
    }

    /// A client that got no answer sends its request again and gets the same job; other whitespace and order of keys change nothing.
    async fn the_same_request_again_is_the_same_job(db: TestDb) {
        let served = Served::start(db).await;
        let first = served.publish(EFFECT).await;
        let value: serde_json::Value = serde_json::from_str(EFFECT).unwrap();
        assert_eq!(served.publish(EFFECT).await, first);
        let again = json(served.post_publish(EFFECT).send().await.unwrap()).await;
        assert_eq!(again["disposition"], "duplicate");
        assert_eq!(served.publish(&serde_json::to_string_pretty(&value).unwrap()).await, first);
        assert_ne!(served.publish(&EFFECT.replace("v4.0.0", "main")).await, first, "another ref is another request");
    }

    /// Many copies of a request at once are one job.
    async fn copies_that_arrive_at_once_are_one_job(db: TestDb) {
        let served = Served::start(db).await;
        let first = served.publish(EFFECT).await;
        let copies = (0..16).map(|_| served.publish(EFFECT));
        let ids = futures_util::future::join_all(copies).await;
        assert!(ids.iter().all(|id| *id == first), "{ids:?}");
    }

    /// After success too, for as long as the version is published.
    async fn a_request_that_succeeded_names_its_job_again(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|run| async move {
            let mut tx = run.begin().await?;
            record_effect(&mut tx).await;
            tx.commit().await?;
            Ok(())
        }).await;
        assert_eq!(served.publish(EFFECT).await, id);
    }

    /// A failed publish can be repeated.
    async fn a_request_that_failed_becomes_a_new_job(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|_| async {
            Err(docket_jobs::Failure::Rejected { code: "test", detail: "No.".to_owned() })
        }).await;
        assert_ne!(served.publish(EFFECT).await, id);
    }

    /// A body that is no publish operation is a 400 that says which field is wrong and why.
    async fn an_undecodable_body_is_a_400_that_helps(db: TestDb) {
        let served = Served::start(db).await;
        let base = r#""name":"effect","ref":"v4.0.0","version":"4.0.0""#;
        for (body, hint) in [
            (String::new(), "not valid JSON"),
            ("{".to_owned(), "not valid JSON"),
            ("[]".to_owned(), "a publish object"),
            ("{}".to_owned(), "missing field"),
            (format!("{{{base}}} {{}}"), "not valid JSON"),
            (r#"{"ref":"v4.0.0","version":"4.0.0"}"#.to_owned(), "name"),
            (r#"{"name":"effect","version":"4.0.0"}"#.to_owned(), "ref"),
            (r#"{"name":"Effect","ref":"v4.0.0","version":"4.0.0"}"#.to_owned(), "name"),
            (r#"{"name":"effect","ref":"v4.0.0","version":"v4.0.0"}"#.to_owned(), "version"),
            (r#"{"name":"effect","ref":4,"version":"4.0.0"}"#.to_owned(), "ref"),
            (r#"{"name":null,"ref":"v4.0.0","version":"4.0.0"}"#.to_owned(), "name"),
            (format!(r#"{{{base},"compiler":null}}"#), "compiler"),
            (format!(r#"{{{base},"location":null}}"#), "location"),
            (format!(r#"{{{base},"location":{{"githubOwner":"lab"}}}}"#), "location"),
            (format!(r#"{{{base},"resolutions":null}}"#), "resolutions"),
            (format!(r#"{{{base},"resolutions":{{"prelude":"six"}}}}"#), "resolutions.prelude"),
        ] {
            let response = served.post_publish(body.clone()).send().await.unwrap();
            assert_eq!(response.status(), 400, "{body}");
            assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
            let text = response.text().await.unwrap();
            assert!(text.contains(hint), "{body} is answered with: {text}");
            let response = served.post_publish(body).header("accept", "application/json").send().await.unwrap();
            let problem = problem(response, 400).await;
            assert_eq!(problem["detail"], text);
            assert_eq!(problem["type"], "/docs/problems#undecodable-operation");
        }
        let response = served.post_publish(vec![b'{', 0xff, b'}']).send().await.unwrap();
        assert_eq!(response.status(), 400, "not UTF-8");
    }

    /// Fields we do not know are ignored, whatever is in them.
    async fn an_unknown_field_is_ignored(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.publish(EFFECT).await;
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for mood in ["null", "1e999", "[{}]", r#"{"name":7}"#, r#""\u0000""#, &deep] {
            let body = EFFECT.replacen('{', &format!(r#"{{"mood":{mood},"#), 1);
            assert_eq!(served.publish(&body).await, id, "{}", &body[..20]);
        }
    }

    /// Text that is made to hurt a decoder is a 400 like any other, and the server goes on.
    async fn a_body_made_to_hurt_is_a_400(db: TestDb) {
        let served = Served::start(db).await;
        for body in [
            "[".repeat(500_000),
            r#"{"a":"#.repeat(100_000),
            EFFECT.replace(r#""v4.0.0""#, &format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))),
            EFFECT.replace("v4.0.0", r"\ud800"),
            format!("\u{feff}{EFFECT}"),
            EFFECT.replacen('{', r#"{"name":"prelude","#, 1),
            EFFECT.replace("4.0.0", &"9".repeat(100_000)),
            EFFECT.replace("effect\"", &format!("{}\"", "e".repeat(400_000))),
        ] {
            let response = served.post_publish(body.clone()).send().await.unwrap();
            assert_eq!(response.status(), 400, "{}", &body[..60]);
            let text = response.text().await.unwrap();
            assert!(text.len() < 1000, "{} bytes answer {}", text.len(), &body[..60]);
        }
        served.publish(EFFECT).await;
    }

    /// The longest name and the highest version are taken, and what is one more is refused with the rule.
    async fn names_and_versions_are_taken_up_to_their_limits(db: TestDb) {
        let served = Served::start(db).await;
        let body = |name: &str, version: &str| {
            format!(r#"{{"location":{{"githubOwner":"lab","githubRepo":"demo"}},"name":"{name}","ref":"v1","version":"{version}"}}"#)
        };
        for (name, version, hint) in [
            ("a".repeat(150), "1.0.0", None),
            ("a".repeat(151), "1.0.0", Some("at most 150")),
            ("a".to_owned(), "0.0.0", None),
            (String::new(), "1.0.0", Some("name")),
            ("a".to_owned(), "2147483647.2147483647.2147483647", None),
            ("a".to_owned(), "1.0.2147483648", Some("2147483647")),
            ("a".to_owned(), "2147483648.0.0", Some("2147483647")),
            ("a".to_owned(), "99999999999999999999.0.0", Some("2147483647")),
            ("a".to_owned(), "01.0.0", Some("leading zeros")),
        ] {
            let response = served.post_publish(body(&name, version)).send().await.unwrap();
            let (status, text) = (response.status(), response.text().await.unwrap());
            assert_eq!(status, if hint.is_none() { 200 } else { 400 }, "{name} {version}: {text}");
            assert!(text.contains(hint.unwrap_or_default()), "{name} {version}: {text}");
        }
    }

    /// A body of exactly 1 MiB is read, one byte more is refused, whether or not its length is announced.
    async fn the_size_of_a_body_is_limited(db: TestDb) {
        const LIMIT: usize = 1024 * 1024;
        let served = Served::start(db).await;
        let padded = |size: usize| EFFECT.to_owned() + &" ".repeat(size - EFFECT.len());
        let response = served.post_publish(padded(LIMIT)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let response = served.post_publish(padded(LIMIT + 1)).send().await.unwrap();
        assert_eq!(response.status(), 413);
        assert!(response.text().await.unwrap().contains("1048576 bytes"));
        let chunked = |size| {
            let text = padded(size);
            let chunks = text.as_bytes().chunks(64 * 1024).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()));
            reqwest::Body::wrap_stream(futures_util::stream::iter(chunks.collect::<Vec<_>>()))
        };
        assert_eq!(served.post_publish(chunked(LIMIT)).send().await.unwrap().status(), 200);
        assert_eq!(served.post_publish(chunked(LIMIT + 1)).send().await.unwrap().status(), 413);
    }
}
