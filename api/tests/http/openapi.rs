//! The API's description.

use std::path::Path;

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
