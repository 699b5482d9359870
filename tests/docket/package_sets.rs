//! `docket package-set`.

use std::fs;

use serde_json::{Value, json};

use crate::program::{Key, Said, docket, run};
use crate::stand_in::StandIn;

fn package_set(server: &StandIn, args: &[&str]) -> Said {
    run(docket(server, &[&["package-set"], args].concat()))
}

fn registry() -> StandIn {
    let server = StandIn::start();
    let summary = json!({ "version": "80.8.0", "compiler": "0.15.15", "published": "2026-08-18" });
    server.answers(
        "GET /api/v1/package-sets",
        200,
        &json!({ "packageSets": [summary] }),
    );
    let mut set = summary;
    set["packages"] = json!({ "aff": "8.0.0", "slug": "3.0.0" });
    for version in ["latest", "80.8.0"] {
        server.answers(&format!("GET /api/v1/package-sets/{version}"), 200, &set);
    }
    server
}

#[test]
fn package_sets_are_listed_and_shown() {
    let server = registry();
    let said = package_set(&server, &["list"]).expect_code(0);
    assert_eq!(
        said.out,
        "VERSION       PUBLISHED   COMPILER\n80.8.0        2026-08-18  0.15.15\n"
    );
    for args in [&["show"][..], &["show", "80.8.0"]] {
        let said = package_set(&server, args).expect_code(0);
        assert_eq!(
            said.out,
            "version    80.8.0\ncompiler   0.15.15\npublished  2026-08-18\npackages   2\n  aff@8.0.0\n  slug@3.0.0\n"
        );
    }
    let said = package_set(&server, &["show", "--json"]).expect_code(0);
    assert_eq!(
        serde_json::from_str::<Value>(&said.out).unwrap()["packages"]["aff"],
        "8.0.0"
    );
    package_set(&server, &["show", "1.0.0"])
        .expect_code(1)
        .explains("knows no package set 1.0.0");
}

#[test]
fn anyone_may_ask_to_add_and_raise_packages() {
    let server = registry();
    let said = package_set(&server, &["update", "slug@3.0.1", "effect@4.0.1"]).expect_code(0);
    let posted = server.posted();
    assert_eq!(posted.line, "POST /api/v1/package-sets");
    assert_eq!(
        serde_json::from_str::<Value>(&posted.body).unwrap(),
        json!({ "payload": r#"{"packages":{"effect":"4.0.1","slug":"3.0.1"}}"# })
    );
    assert!(said.out.ends_with("updated the package set\n"), "{}", said.out);
}

#[test]
fn removing_and_choosing_the_compiler_take_authority() {
    let (server, key) = (registry(), Key::new());
    for args in [
        &["update", "--remove", "argonaut"][..],
        &["update", "slug@3.0.1", "--compiler", "0.15.16"],
    ] {
        package_set(&server, args)
            .expect_code(2)
            .explains("only the registry's own key or a trustee")
            .explains("--key FILE");
    }
    assert!(server.requests("POST").is_empty());
    package_set(
        &server,
        &[
            "update",
            "--remove",
            "argonaut",
            "ha",
            "--compiler",
            "0.15.16",
            "--key",
            &key.path(),
        ],
    )
    .expect_code(0);
    assert_eq!(
        key.signed(&server),
        json!({ "compiler": "0.15.16", "packages": { "argonaut": null, "ha": null } })
    );
}

#[test]
fn a_trustee_removes_packages_with_a_token() {
    let (server, folder) = (registry(), tempfile::tempdir().unwrap());
    let file = folder.path().join("token");
    fs::write(&file, "sesame").unwrap();
    package_set(
        &server,
        &[
            "update",
            "--remove",
            "argonaut",
            "--token-file",
            file.to_str().unwrap(),
        ],
    )
    .expect_code(0);
    let posted = server.posted();
    assert_eq!(posted.authorization.as_deref(), Some("Bearer sesame"));
    let body: Value = serde_json::from_str(&posted.body).unwrap();
    assert!(body.get("signature").is_none(), "{body}");
}

#[test]
fn a_failed_update_says_that_the_set_stays_as_it_is() {
    let server = registry();
    server.job_ends(false);
    package_set(&server, &["update", "slug@3.0.1"])
        .expect_code(1)
        .explains("the latest set is the one before");
}
