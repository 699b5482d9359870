//! An unmodified spago 1.0.4 publishes to our registry and installs from it. See `spago/README.md` for how it gets there.

mod client;
mod proxy;

use std::fs;

use crate::harness::Registry;
use crate::operations::{commits, key_file};
use client::{Spago, manifest};

/// A licence that no manifest here names, short enough to write down.
const ISC: &str = "ISC License

Copyright 2026 Lab

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted,
provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED \"AS IS\" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.
";
const DEMO: &str = "module Demo where\n\nimport Prelude\n\ndemo :: Unit\ndemo = unit\n";

#[test]
fn spago_publishes_a_package_and_installs_it_elsewhere_from_a_fresh_cache() {
    let registry = Registry::start();
    let mut spago = Spago::new(&registry);
    let demo = spago.project(
        "demo",
        &[("spago.yaml", &manifest("1.0.0", "")), ("src/Demo.purs", DEMO)],
    );
    demo.tag("v1.0.0");
    spago
        .run(demo.work(), &["publish"])
        .expect_code(0)
        .expect("Registry finished processing the package. Your package was published successfully!");

    spago.forget_everything();
    let app = spago.project(
        "app",
        &[
            (
                "spago.yaml",
                "package:\n  name: app\n  dependencies:\n    - demo: \">=1.0.0 <2.0.0\"\nworkspace: {}\n",
            ),
            ("src/Main.purs", "module Main where\n\nimport Demo\n"),
        ],
    );
    spago
        .run(app.work(), &["install"])
        .expect_code(0)
        .expect("Fetching package demo@1.0.0");
    let installed = app.work().join(".spago/p/demo-1.0.0/src/Demo.purs");
    assert_eq!(fs::read_to_string(installed).unwrap(), DEMO);
    assert!(
        app.work()
            .join(".spago/p/prelude-6.0.1/src/Prelude.purs")
            .is_file(),
        "what demo depends on came along"
    );
    spago
        .run(app.work(), &["build"])
        .expect_code(0)
        .expect("Build succeeded");

    spago
        .run(app.work(), &["registry", "info", "demo", "--json"])
        .expect_code(0)
        .expect(r#""githubRepo": "purescript-demo""#)
        .expect(r#""1.0.0": {"#);
}

#[test]
fn spago_reads_what_the_registry_knows() {
    let registry = Registry::start();
    let spago = Spago::new(&registry);
    let demo = spago.project(
        "demo",
        &[("spago.yaml", &manifest("1.0.0", "")), ("src/Demo.purs", DEMO)],
    );
    spago
        .run(demo.work(), &["registry", "info", "prelude"])
        .expect_code(0)
        .expect("6.0.1");
    spago
        .run(demo.work(), &["registry", "package-sets"])
        .expect_code(0)
        .expect("| 1.0.0   | 2026-08-18 | 0.15.15  |");
    spago
        .run(demo.work(), &["registry", "info", "nowhere"])
        .expect_code(1)
        .expect("Could not find package nowhere");
}

#[test]
fn spago_shows_why_a_publish_was_rejected() {
    let registry = Registry::start();
    let spago = Spago::new(&registry);
    let files = [
        ("spago.yaml", manifest("1.0.0", "")),
        ("src/Demo.purs", DEMO.to_owned()),
        ("LICENSE", ISC.to_owned()),
    ];
    let demo = spago.project(
        "demo",
        &files.each_ref().map(|(name, text)| (*name, text.as_str())),
    );
    demo.tag("v1.0.0");
    spago
        .run(demo.work(), &["publish"])
        .expect_code(1)
        .expect("ISC")
        .expect("Registry finished processing the package, but it failed.");

    // An author mends it and publishes the same version: nothing of the failure is left.
    fs::remove_file(demo.work().join("LICENSE")).unwrap();
    demo.commit(&[]).tag("v1.0.0").git(&[
        "push",
        "--quiet",
        "--force",
        demo.bare().to_str().unwrap(),
        "v1.0.0",
    ]);
    spago
        .run(demo.work(), &["publish"])
        .expect_code(0)
        .expect("published successfully");
}

#[test]
fn spago_shows_every_line_of_a_log_with_more_than_250() {
    let registry = Registry::start();
    let spago = Spago::new(&registry);
    // Each of these excludes nothing, and the registry says so in a line of its own.
    let excludes: String = (0..300)
        .map(|number| format!("      - ../outside-{number:03}\n"))
        .collect();
    let yaml = manifest("1.0.0", &format!("    exclude:\n{excludes}"));
    let demo = spago.project("demo", &[("spago.yaml", &yaml), ("src/Demo.purs", DEMO)]);
    demo.tag("v1.0.0");
    let said = spago.run(demo.work(), &["publish"]).expect_code(0);

    let jobs = crate::http::get_json(&registry.url("/api/v1/jobs?include_completed=true"));
    let lines = registry.log(jobs[0]["jobId"].as_str().unwrap(), "INFO");
    assert!(lines.len() > 250, "only {} lines", lines.len());
    let shown = said.all();
    for line in &lines {
        let time = line["timestamp"].as_str().unwrap();
        assert_eq!(shown.matches(time).count(), 1, "{line} is shown once");
    }
}

#[test]
fn spago_moves_a_package_with_its_owners_key() {
    let registry = Registry::start();
    let spago = Spago::new(&registry);
    let owner = key_file(&registry, "owner");
    let public = owner.key.public.split(' ').nth(1).unwrap();
    let owners = format!(
        "    owners:\n      - id: owner@example.org\n        keytype: ssh-ed25519\n        public: {public}\n"
    );
    let yaml = manifest("1.0.0", &owners);
    let demo = spago.project("demo", &[("spago.yaml", &yaml), ("src/Demo.purs", DEMO)]);
    demo.tag("v1.0.0");
    spago.run(demo.work(), &["publish"]).expect_code(0);

    registry
        .repository("lab", "purescript-moved")
        .commit(&[("README.md", "moved\n")])
        .push();
    demo.commit(&[(
        "spago.yaml",
        &yaml.replace("githubRepo: purescript-demo", "githubRepo: purescript-moved"),
    )]);
    let key = owner.path.to_str().unwrap();
    spago
        .run(demo.work(), &["registry", "transfer", "-i", key])
        .expect_code(0)
        .expect("Transferred demo");
    assert_eq!(
        commits(&registry, "registry"),
        [
            "Import the registry",
            "Update metadata for demo",
            "Update metadata for demo"
        ]
    );
    assert_eq!(
        commits(&registry, "registry-index"),
        ["Import the registry-index", "Update manifest for demo@1.0.0"]
    );
    let package = crate::http::get_json(&registry.url("/api/v1/packages/demo"));
    assert_eq!(package["location"]["githubRepo"], "purescript-moved");
}
