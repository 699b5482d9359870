//! Atom feeds, read by a parser of others.

use atom_syndication::Feed;
use docket_test_support::on_both_databases;
use serde_json::json;

use crate::served::{Served, header, manifest, now, record};

async fn feed(served: &Served, path: &str) -> Feed {
    let response = served.get(path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    assert_eq!(
        header(&response, "content-type"),
        "application/atom+xml; charset=utf-8"
    );
    let text = response.text().await.unwrap();
    let feed: Feed = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(feed.id, format!("{}{path}", served.url), "its id is its address");
    let own = feed.links.iter().find(|link| link.rel == "self").unwrap();
    assert_eq!(own.href, feed.id);
    assert!(
        !feed.authors.is_empty(),
        "every entry needs an author, or else the feed"
    );
    for entry in &feed.entries {
        assert!(
            entry.id.starts_with(&served.url) && !entry.title.value.is_empty() && !entry.links.is_empty(),
            "{entry:?}"
        );
    }
    feed
}

on_both_databases! {
    /// The newest version comes first; a feed without entries is valid too.
    async fn new_versions_are_told_newest_first(db: TestDb) {
        let served = Served::start(db).await;
        for path in ["/feeds/versions.atom", "/feeds/package-sets.atom"] {
            assert!(feed(&served, path).await.entries.is_empty());
        }
        let wicked = "<b>bold</b> & \u{1}\u{b}\u{ffff}]]> done";
        let mut tx = served.jobs.db().write().await.unwrap();
        for (name, version, later) in [("effect", "4.0.0", 0), ("aff", "8.0.0", 1), ("effect", "4.0.1", 2)] {
            let at = now().plus_millis(later * 60_000);
            record(&mut tx, &manifest(name, version, wicked, &json!({})), format!("{name}{version}").as_bytes(), at).await;
        }
        tx.commit().await.unwrap();
        let all = feed(&served, "/feeds/versions.atom").await;
        let titles: Vec<&str> = all.entries.iter().map(|entry| entry.title.value.as_str()).collect();
        assert_eq!(titles, ["effect 4.0.1", "aff 8.0.0", "effect 4.0.0"]);
        assert_eq!(all.entries[0].id, format!("{}/packages/effect/4.0.1", served.url));
        assert_eq!(all.entries[0].summary.as_ref().unwrap().value, "<b>bold</b> & ]]> done");
        assert_eq!(all.updated, all.entries[0].updated);
        assert_eq!(all.updated.timestamp_millis(), now().plus_millis(120_000).millis());

        let of_one = feed(&served, "/packages/effect/versions.atom").await;
        let titles: Vec<&str> = of_one.entries.iter().map(|entry| entry.title.value.as_str()).collect();
        assert_eq!(titles, ["effect 4.0.1", "effect 4.0.0"]);
    }

    /// Pages name their feeds, so that readers find them.
    async fn pages_name_their_feeds(db: TestDb) {
        let served = Served::start(db).await;
        served.record_effect().await;
        for (page, feed) in [
            ("/", "/feeds/versions.atom"),
            ("/packages", "/feeds/versions.atom"),
            ("/package-sets", "/feeds/package-sets.atom"),
            ("/packages/effect", "/packages/effect/versions.atom"),
        ] {
            let text = served.page(page).await;
            let link = text.split("<link rel=\"alternate\" type=\"application/atom+xml\"").nth(1);
            assert!(link.is_some_and(|rest| rest.split('>').next().unwrap().contains(feed)), "{page}: {text}");
            assert!(text.contains("<meta property=\"og:title\" content=\""), "{page}: {text}");
        }
    }
}
