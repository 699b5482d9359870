//! What the registry holds.

use docket_client::{Client, Error};

use crate::server::{Server, Step};

fn json(body: &str) -> Step {
    Step::Answer(200, "application/json", body.to_owned())
}

fn not_found() -> Step {
    Step::Answer(
        404,
        "application/problem+json",
        r#"{"title":"Not found"}"#.to_owned(),
    )
}

#[tokio::test]
async fn a_version_comes_with_who_depends_on_it() {
    let body = r#"{"name":"demo","version":"1.0.0","status":"published","publishedTime":"2026-08-18T07:02:11.004Z",
        "compilers":["0.15.15"],"dependants":[{"name":"wiki","version":"2.0.0","range":">=1.0.0 <1.0.1","breaks":true}],
        "packageSets":["80.8.0"],"newer":1}"#;
    let server = Server::start([json(body), not_found()]).await;
    let client = Client::new(server.address()).unwrap();
    let (name, version) = ("demo".parse().unwrap(), "1.0.0".parse().unwrap());
    let found = client.get_package_version(&name, version).await.unwrap();
    assert!(found.dependants[0].breaks);
    assert_eq!(found.package_sets, ["80.8.0".parse().unwrap()]);
    assert_eq!(found.more["newer"], 1, "fields newer than this client are kept");
    let error = client.get_package_version(&name, version).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{} knows no version demo@1.0.0", server.address())
    );
    assert_eq!(server.requests(), ["GET /api/v1/packages/demo/1.0.0"; 2]);
}

#[tokio::test]
async fn a_package_comes_with_its_location() {
    let body = r#"{"name":"demo","location":{"githubOwner":"lab","githubRepo":"purescript-demo"},"published":{},
        "unpublished":{}}"#;
    let server = Server::start([json(body)]).await;
    let client = Client::new(server.address()).unwrap();
    let found = client.get_package(&"demo".parse().unwrap()).await.unwrap();
    assert_eq!(found.location.to_string(), "lab/purescript-demo");
    assert_eq!(server.requests(), ["GET /api/v1/packages/demo"]);
}

#[tokio::test]
async fn packages_are_listed_and_searched_page_by_page() {
    let page = r#"{"packages":[{"name":"aff","version":"8.0.0","publishedTime":"2026-08-18T07:02:11.004Z","license":"MIT","newer":1}],"next":"aff"}"#;
    let server = Server::start([json(page), json(r#"{"packages":[]}"#), json(page)]).await;
    let client = Client::new(server.address()).unwrap();
    let first = client.list_packages(None, 1).await.unwrap();
    assert_eq!(
        (
            first.packages[0].description.as_str(),
            &first.packages[0].more["newer"]
        ),
        ("", &1.into())
    );
    let last = client.list_packages(first.next.as_deref(), 1).await.unwrap();
    assert_eq!(last.next, None);
    client
        .search_packages("web & html", Some("2-aff"), 5)
        .await
        .unwrap();
    assert_eq!(
        server.requests(),
        [
            "GET /api/v1/packages?limit=1",
            "GET /api/v1/packages?limit=1&cursor=aff",
            "GET /api/v1/search?q=web+%26+html&limit=5&cursor=2-aff"
        ]
    );
}

#[tokio::test]
async fn metadata_and_the_index_file_of_a_package_are_read() {
    let metadata = r#"{"name":"demo","location":{"githubOwner":"lab","githubRepo":"demo"},"published":{},"unpublished":{}}"#;
    let lines = Step::Answer(200, "text/plain", "{}\n".to_owned());
    let server = Server::start([json(metadata), lines, not_found()]).await;
    let client = Client::new(server.address()).unwrap();
    let name = "demo".parse().unwrap();
    assert_eq!(client.get_metadata(&name).await.unwrap().latest(), None);
    assert_eq!(
        client.find_index_file(&name).await.unwrap().as_deref(),
        Some("{}\n")
    );
    assert_eq!(client.find_index_file(&name).await.unwrap(), None);
    assert_eq!(server.requests()[1], "GET /index/de/mo/demo");
}

#[tokio::test]
async fn package_sets_are_listed_and_read() {
    let set =
        r#"{"version":"80.8.0","compiler":"0.15.15","published":"2026-08-18","packages":{"aff":"8.0.0"}}"#;
    let list =
        r#"{"packageSets":[{"version":"80.8.0","compiler":"0.15.15","published":"2026-08-18","next":null}]}"#;
    let server = Server::start([json(list), json(set), json(set), not_found()]).await;
    let client = Client::new(server.address()).unwrap();
    let sets = client.list_package_sets().await.unwrap();
    assert_eq!(sets[0].version.to_string(), "80.8.0");
    let latest = client.get_package_set(None).await.unwrap();
    assert_eq!(latest.packages.len(), 1);
    assert_eq!(
        client.get_package_set(Some(latest.version)).await.unwrap(),
        latest
    );
    let error = client.get_package_set(Some(latest.version)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert_eq!(
        server.requests()[..3],
        [
            "GET /api/v1/package-sets",
            "GET /api/v1/package-sets/latest",
            "GET /api/v1/package-sets/80.8.0"
        ]
    );
}

#[tokio::test]
async fn the_public_url_is_the_address_in_front_of_the_api() {
    for (api, url) in [
        (
            "https://registry.example.org/api/v1",
            "https://registry.example.org",
        ),
        (
            "https://example.org/packages/api/v1/",
            "https://example.org/packages",
        ),
    ] {
        let server = Server::start([json(&format!(r#"{{"api":"{api}","tarball":"x"}}"#))]).await;
        let client = Client::new(server.address()).unwrap();
        assert_eq!(client.public_url().await.unwrap(), url);
        assert_eq!(server.requests(), ["GET /index/config.json"]);
    }
    for api in ["https://registry.example.org", "/api/v1", "registry/api/v1", ""] {
        let server = Server::start([json(&format!(r#"{{"api":"{api}"}}"#))]).await;
        let error = Client::new(server.address())
            .unwrap()
            .public_url()
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Undecodable { .. }), "{api}: {error}");
    }
}
