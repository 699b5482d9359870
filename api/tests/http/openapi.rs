//! The API's description.

use std::path::Path;

use docket_test_support::on_both_databases;

use crate::served::{Served, header};

/// What the server sends is the file that people read in the repository: a change of the API is a change of that file.
#[test]
fn the_description_is_the_one_in_docs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let description = docket_api::description() + "\n";
    if std::env::var_os("DOCKET_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &description).expect("docs can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == description,
        "docs/openapi.json is not what the handlers say of themselves; run this test with DOCKET_UPDATE_DOCS=1 and look at the difference"
    );
}

on_both_databases! {
    /// Programs read the description, people a page that is made of it.
    async fn the_description_is_there_for_programs_and_for_people(db: TestDb) {
        let served = Served::start(db).await;
        let response = served.get("/openapi.json").send().await.unwrap();
        assert_eq!(header(&response, "content-type"), "application/json");
        let description: serde_json::Value = response.json().await.unwrap();
        assert_eq!(description["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
        let page = served.get("/docs").send().await.unwrap().text().await.unwrap();
        for (path, item) in description["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(page.contains(path), "{method} {path}");
                let tag = operation["tags"][0].as_str().unwrap();
                assert!(page.contains(&format!("id=\"{tag}\"")), "{method} {path} is in the group {tag}");
            }
        }
        // Links lead somewhere.
        for link in page.split("href=\"#").skip(1) {
            let anchor = link.split('"').next().unwrap();
            assert!(page.contains(&format!("id=\"{anchor}\"")), "{anchor}");
        }
    }
}
