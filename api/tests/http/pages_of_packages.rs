//! `/packages` and below: looking packages up, and what the page of one shows.

use docket_core::time::Timestamp;
use docket_index::{Build, Outcome};
use docket_jobs::Failure;
use docket_test_support::on_both_databases;
use serde_json::json;

use crate::served::{EFFECT, Served, header, manifest, now, record, record_effect};

/// Text of others that would like to be more.
const WICKED: &str = "<script>alert(1)</script> \"quoted\" & 'so'";

async fn record_all(served: &Served, names: &[(&str, &str)]) {
    let mut tx = served.jobs.db().write().await.unwrap();
    for (name, description) in names {
        record(
            &mut tx,
            &manifest(name, "1.0.0", description, &json!({})),
            name.as_bytes(),
            now(),
        )
        .await;
    }
    tx.commit().await.unwrap();
}

/// The names of the packages that a list shows, in its order.
fn names(page: &str) -> Vec<String> {
    page.split("<a class=\"name\" href=\"/packages/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

on_both_databases! {
    /// The name itself goes first, then names that begin with the words or hold them, then descriptions; every word must be there.
    async fn the_best_match_comes_first(db: TestDb) {
        let served = Served::start(db).await;
        let all = [("aff", "Asynchronous"), ("affjax", "HTTP for aff"), ("halogen-aff", ""), ("tea", "Made of AFF and 100%_pure"), ("web-html", "")];
        record_all(&served, &all).await;
        for (query, found) in [
            ("aff", vec!["aff", "affjax", "halogen-aff", "tea"]),
            ("AFF%20http", vec!["affjax"]),
            ("web+html", vec!["web-html"]),
            ("%25_", vec!["tea"]),
            ("aff_", vec![]),
            ("nothing-like-it", vec![]),
            ("", vec!["aff", "affjax", "halogen-aff", "tea", "web-html"]),
        ] {
            let page = served.page(&format!("/packages?q={query}")).await;
            assert_eq!(names(&page), found, "{query}");
            let part = served.page(&format!("/packages?q={query}&part=results")).await;
            assert_eq!(names(&part), found, "{query}");
            assert!(!part.contains("<html") && part.contains("data-told"), "only what changes is sent: {part}");
        }
    }

    /// A list goes on from page to page and shows everything once.
    async fn a_long_list_has_pages(db: TestDb) {
        let served = Served::start(db).await;
        let all: Vec<String> = (0..101).map(|number| format!("package-{number:03}")).collect();
        let rows: Vec<(&str, &str)> = all.iter().map(|name| (name.as_str(), "")).collect();
        record_all(&served, &rows).await;
        for query in ["", "package"] {
            let mut next = Some(format!("/packages?q={query}"));
            let mut seen = Vec::new();
            let mut pages = 0;
            while let Some(path) = next {
                let page = served.page(&path).await;
                seen.extend(names(&page));
                next = page.split("rel=\"next\"").next().filter(|_| page.contains("rel=\"next\"")).map(|before| {
                    before.rsplit("href=\"").next().unwrap().split('"').next().unwrap().replace("&#38;", "&")
                });
                pages += 1;
            }
            assert_eq!((seen, pages), (all.clone(), 3), "{query}");
        }
    }

    /// What cannot be searched for, and a cursor that is none, are refused by a page that says so; the longest text is taken.
    async fn what_does_not_fit_is_said(db: TestDb) {
        let served = Served::start(db).await;
        served.page(&format!("/packages?q={}", "a".repeat(100))).await;
        let page = served.refused_page(&format!("/packages?q={}", "a".repeat(101)), 400).await;
        assert!(page.contains("at most 100 characters"), "{page}");
        let page = served.refused_page("/packages?cursor=here", 400).await;
        assert!(page.contains("cursor"), "{page}");
        served.refused_page("/packages?q=%00", 400).await;
    }

    /// The page of a package shows what its newest version says, who needs it, where it stands, and how it was asked for.
    async fn a_package_shows_its_newest_version(db: TestDb) {
        let served = Served::start(db).await;
        let mut tx = served.jobs.db().write().await.unwrap();
        record_effect(&mut tx).await;
        let newer = manifest("effect", "4.1.0", "Native effects", &json!({}));
        record(&mut tx, &newer, b"another tarball", now()).await;
        record(&mut tx, &manifest("aff", "8.0.0", "", &json!({ "effect": ">=4.0.0 <5.0.0" })), b"aff", now()).await;
        record(&mut tx, &manifest("old", "1.0.0", "", &json!({ "effect": ">=4.0.0 <5.0.0" })), b"old", now()).await;
        record(&mut tx, &manifest("old", "2.0.0", "", &json!({})), b"old2", now()).await;
        tx.commit().await.unwrap();
        served.publish(EFFECT).await;

        let page = served.page("/packages/effect").await;
        for part in ["effect <small>4.1.0</small>", "Native effects", "spago install effect<", "/effect/4.1.0.tar.gz", "sha256-", ">MIT<",
                     "https://github.com/lab/purescript-effect", "/packages/effect/4.0.0", "/packages/aff\"", "Dependants <small>1</small>", "publish effect@4.0.0"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("/packages/old\""), "only what the newest version needs counts: {page}");

        let page = served.page("/packages/effect/4.0.0").await;
        assert!(page.contains("not the newest version") && page.contains("spago install effect@4.0.0"), "{page}");
        let page = served.page("/packages/aff").await;
        assert!(page.contains("effect <small>&#62;=4.0.0 &#60;5.0.0</small>"), "{page}");
        let page = served.page("/packages/effect/dependants").await;
        assert!(page.contains("/packages/aff\"") && !page.contains("/packages/old\""), "{page}");
    }

    /// The type of a problem document leads to its place in a list, which is a page for people and Markdown for programs.
    async fn problems_are_explained_on_a_page(db: TestDb) {
        let served = Served::start(db).await;
        let page = served.page("/docs/problems").await;
        assert!(page.contains("id=\"token-required\""), "{page}");
        let text = served.get("/docs/problems").send().await.unwrap();
        assert_eq!(header(&text, "content-type"), "text/markdown; charset=utf-8");
        let nowhere = served.refused_page("/nowhere", 404).await;
        assert!(nowhere.contains("nothing at this address"), "{nowhere}");
    }

    /// What is not there is said on a page, by its reason.
    async fn what_is_not_there_is_a_page(db: TestDb) {
        let served = Served::start(db).await;
        served.record_effect().await;
        for (path, words) in [
            ("/packages/nothing", "no package with this name"),
            ("/packages/No_Name", "not the name of a package"),
            ("/packages/effect/4.0.1", "never published"),
            ("/packages/effect/latest", "not a version"),
            ("/packages/nothing/dependants", "no package"),
            ("/packages/nothing/versions.atom", "no package"),
            ("/packages/effect/4.0.0/compilers/0.15.4", "not tried"),
        ] {
            let page = served.refused_page(path, 404).await;
            assert!(page.contains(words), "{path}: {page}");
        }
    }

    /// Names, descriptions and READMEs of others stay text, or lose what could run or load something.
    async fn text_of_others_stays_text(db: TestDb) {
        let served = Served::start(db).await;
        let readme = "# Hello\n\n<script>alert(1)</script>\n\n![x](https://evil.example/x.png) [docs](docs/a.md)\n\n<img src=x onerror=alert(1)>";
        served.publish_files(&manifest("effect", "4.0.0", WICKED, &json!({})), &[("README.md", readme)]).await;
        for path in ["/packages", "/packages/effect", "/packages?q=alert", "/"] {
            let page = served.page(path).await;
            assert!(page.contains("&#60;script&#62;alert(1)"), "{path}: {page}");
        }
        let page = served.page("/packages/effect").await;
        assert!(page.contains("<h3>Hello</h3>"), "{page}");
        assert!(page.contains("https://github.com/lab/purescript-effect/blob/v4.0.0/docs/a.md"), "{page}");
        assert!(!page.contains("<img") && !page.contains("evil.example"), "{page}");
        let page = served.page(&format!("/packages?q={}", "%3Cscript%3E")).await;
        assert!(page.contains("value=\"&#60;script&#62;\""), "{page}");
    }

    /// A README that is missing or too long is said in words, and so is a tarball that is not here.
    async fn a_readme_that_cannot_be_shown_is_said(db: TestDb) {
        let served = Served::start(db).await;
        let mut tx = served.jobs.db().write().await.unwrap();
        record(&mut tx, &manifest("lost", "1.0.0", "", &json!({})), b"a tarball that is nowhere", now()).await;
        tx.commit().await.unwrap();
        served.publish_files(&manifest("none", "1.0.0", "", &json!({})), &[("src/Main.purs", "")]).await;
        let long = "a".repeat(256 * 1024 + 1);
        served.publish_files(&manifest("long", "1.0.0", "", &json!({})), &[("README.md", &long)]).await;
        for (name, words) in [("lost", "was not imported"), ("none", "has no README"), ("long", "longer than 262.1 kB")] {
            let page = served.page(&format!("/packages/{name}")).await;
            assert!(page.contains(words), "{name}: {page}");
        }
    }

    /// A red cell of the compilers leads to the first error of its log.
    async fn a_red_cell_leads_to_the_first_error(db: TestDb) {
        let served = Served::start(db).await;
        served.record_effect().await;
        let job = served.finished_job(|run| async move {
            run.log.info("trying");
            run.log.error("Unknown value x");
            run.log.error("and more");
            Err(Failure::Rejected { code: "compile-failed", detail: "It does not compile.".to_owned() })
        }).await;
        let mut tx = served.jobs.db().write().await.unwrap();
        for (compiler, outcome) in [("0.15.10", Outcome::Fails), ("0.15.4", Outcome::NoPlan)] {
            let build = Build {
                name: "effect".parse().unwrap(),
                version: "4.0.0".parse().unwrap(),
                compiler: compiler.parse().unwrap(),
                outcome,
                error: Some(WICKED.to_owned()).filter(|_| outcome == Outcome::Fails),
                job_id: job.to_string(),
                at: now(),
            };
            docket_index::record_build(&mut tx, &build).await.unwrap();
        }
        tx.commit().await.unwrap();
        let page = served.page("/packages/effect").await;
        assert!(page.contains("href=\"/packages/effect/4.0.0/compilers/0.15.10\" title=\"&#60;script"), "{page}");
        assert!(!page.contains("compilers/0.15.15\"") && !page.contains("compilers/0.15.4\""), "the others have no error: {page}");

        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let address = format!("{}/packages/effect/4.0.0/compilers/0.15.10", served.url);
        let answer = client.get(address).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        let leads_to = header(&answer, "location").to_owned();
        let seq: i64 = leads_to.strip_prefix(&format!("/logs/{job}#L")).unwrap_or_else(|| panic!("{leads_to}")).parse().unwrap();
        let mut filter = docket_jobs::LineFilter::after(seq - 1, docket_jobs::Level::Debug, 1);
        filter.up_to_seq = seq;
        let lines = served.jobs.lines(job, &filter).await.unwrap();
        assert_eq!(lines[0].message, "Unknown value x");
    }

    /// A version that was taken back is still shown, with the reason.
    async fn an_unpublished_version_says_why(db: TestDb) {
        let served = Served::start(db).await;
        served.record_effect().await;
        let mut tx = served.jobs.db().write().await.unwrap();
        let withdrawal = docket_index::Withdrawal {
            name: &"effect".parse().unwrap(),
            version: "4.0.0".parse().unwrap(),
            reason: &WICKED.parse().unwrap(),
            by: docket_index::ByJob { job_id: "job".to_owned(), at: Timestamp::from_millis(now().millis() + 1) },
        };
        docket_index::unpublish(&mut tx, &withdrawal).await.unwrap();
        tx.commit().await.unwrap();
        let page = served.page("/packages/effect").await;
        assert!(page.contains("was unpublished on") && page.contains("&#60;script&#62;"), "{page}");
        assert!(!page.contains("spago install"), "{page}");
        assert!(names(&served.page("/packages").await).is_empty(), "it cannot be installed");
    }
}
