//! Which answers are compressed, and that nobody waits for an encoder.

use std::io::Read;

use docket_test_support::on_both_databases;
use futures_util::StreamExt;
use tokio::sync::Semaphore;

use crate::served::{DEADLINE, EFFECT, Served, header, manifest};

/// Asks for a page as browsers do, with this `Accept-Encoding`.
fn asked(served: &Served, path: &str, codings: &str) -> reqwest::RequestBuilder {
    served
        .get(path)
        .header("accept", "text/html")
        .header("accept-encoding", codings)
}

fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// What is made anew for each request, and what is compressed once.
const TEXTS: [&str; 6] = [
    "/packages/effect",
    "/feeds/versions.atom",
    "/openapi.json",
    "/docs/problems",
    "/book/jobs",
    "/styles/docket.css",
];

on_both_databases! {
    /// A text has the same content in every coding, and says that it depends on what the client takes.
    async fn a_text_is_compressed_for_who_takes_it(db: TestDb) {
        let served = Served::start(db).await;
        for number in 0..10 {
            let manifest = manifest("effect", &format!("{number}.0.0"), "Effects, which are what programs are for.", &serde_json::json!({}));
            served.publish_files(&manifest, &[]).await;
        }
        for path in TEXTS {
            let plain = asked(&served, path, "identity").send().await.unwrap();
            assert_eq!(header(&plain, "content-encoding"), "", "{path}");
            assert!(header(&plain, "vary").contains("accept-encoding"), "{path}");
            let plain = plain.text().await.unwrap();
            for coding in ["gzip", "br", "zstd"] {
                let answer = asked(&served, path, coding).send().await.unwrap();
                assert_eq!((answer.status().as_u16(), header(&answer, "content-encoding")), (200, coding), "{path}");
                assert!(header(&answer, "vary").contains("accept-encoding"), "{path}");
                let bytes = answer.bytes().await.unwrap();
                assert!(bytes.len() * 2 < plain.len(), "{path} in {coding}: {} of {}", bytes.len(), plain.len());
                if coding == "gzip" {
                    assert_eq!(unpacked(&bytes), plain, "{path}");
                }
            }
            let refused = asked(&served, path, "gzip;q=0").send().await.unwrap();
            assert_eq!(header(&refused, "content-encoding"), "", "{path}");
            let head = served.request("HEAD", path).header("accept", "text/html").header("accept-encoding", "gzip").send().await.unwrap();
            assert_eq!((head.status().as_u16(), header(&head, "content-encoding")), (200, "gzip"), "{path}");
            assert_eq!(head.bytes().await.unwrap(), "", "{path}");
        }
    }

    /// Whoever has a text in one coding is not sent it again in another.
    async fn a_tag_holds_for_every_coding(db: TestDb) {
        let served = Served::start(db).await;
        served.record_effect().await;
        for path in ["/scripts/live.js", "/book/jobs", "/openapi.json", "/index/ef/fe/effect", "/api/v1/packages/effect"] {
            for coding in ["identity", "gzip"] {
                let first = asked(&served, path, coding).send().await.unwrap();
                let etag = header(&first, "etag").to_owned();
                assert!(etag.starts_with("W/\""), "{path}: {etag}");
                for other in ["identity", "gzip", "br"] {
                    let again = asked(&served, path, other).header("if-none-match", &etag).send().await.unwrap();
                    assert_eq!((again.status().as_u16(), header(&again, "etag")), (304, etag.as_str()), "{path}");
                    assert!(header(&again, "vary").contains("accept-encoding"), "{path}");
                    assert_eq!(again.bytes().await.unwrap(), "", "{path}");
                }
            }
        }
    }

    /// A tarball is what its hash says, byte for byte, and a short answer gains nothing.
    async fn tarballs_and_short_answers_stay_as_they_are(db: TestDb) {
        let served = Served::start(db).await;
        let tarball = served.publish_files(&manifest("effect", "4.0.0", "", &serde_json::json!({})), &[("README.md", &"a".repeat(5000))]).await;
        for path in ["/effect/4.0.0.tar.gz", "/robots.txt", "/api/v1/packages/effect/4.0.0"] {
            let answer = asked(&served, path, "gzip, br, zstd").send().await.unwrap();
            assert_eq!((answer.status().as_u16(), header(&answer, "content-encoding")), (200, ""), "{path}");
            let bytes = answer.bytes().await.unwrap();
            assert!(!path.ends_with(".gz") || bytes == tarball);
        }
    }

    /// A line reaches who follows a log before the job goes on, whatever the client says of codings.
    async fn no_encoder_holds_a_line_back(db: TestDb) {
        let served = Served::start(db).await;
        let going_on = std::sync::Arc::new(Semaphore::new(0));
        let permits = going_on.clone();
        served.work(move |run| {
            let permits = permits.clone();
            async move {
                run.log.info(format!("first {}", "and long enough to be worth it ".repeat(100)));
                permits.acquire().await.unwrap().forget();
                run.log.info("last");
                Ok(())
            }
        });
        let id = served.publish(EFFECT).await;
        let mut followers = Vec::new();
        for (path, form) in [
            (format!("/logs/{id}"), "text/plain"),
            (format!("/logs/{id}"), "application/x-ndjson"),
            (format!("/api/v1/jobs/{id}/logs/events"), "text/event-stream"),
        ] {
            let request = served.get(&path).header("accept", form).header("accept-encoding", "gzip, br, zstd");
            let answer = request.send().await.unwrap();
            assert_eq!(header(&answer, "content-encoding"), "", "{form}");
            followers.push((form, answer.bytes_stream(), String::new()));
        }
        for (form, stream, seen) in &mut followers {
            let first = async {
                while !seen.contains("first") {
                    *seen += std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap();
                }
            };
            tokio::time::timeout(DEADLINE, first).await.unwrap_or_else(|_| panic!("{form}: no line came"));
        }
        going_on.add_permits(1);
        for (form, stream, seen) in &mut followers {
            let rest = async {
                while let Some(bytes) = stream.next().await {
                    *seen += std::str::from_utf8(&bytes.unwrap()).unwrap();
                }
            };
            tokio::time::timeout(DEADLINE, rest).await.unwrap_or_else(|_| panic!("{form}: no end came"));
            assert!(seen.contains("last"), "{form}: {seen}");
        }
    }

    /// What is stored waits for nothing, so a file of it is compressed.
    async fn a_download_of_a_log_is_compressed(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.finished_job(|run| async move {
            for number in 0..2000 {
                run.log.info(format!("line {number}"));
            }
            Ok(())
        }).await;
        let path = format!("/api/v1/jobs/{id}/logs/download");
        let plain = asked(&served, &path, "identity").send().await.unwrap().text().await.unwrap();
        let answer = asked(&served, &path, "gzip").send().await.unwrap();
        assert_eq!(header(&answer, "content-encoding"), "gzip");
        let bytes = answer.bytes().await.unwrap();
        assert!(bytes.len() * 4 < plain.len());
        assert_eq!(unpacked(&bytes), plain);
    }
}
