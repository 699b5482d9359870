//! What the program tells about packages, about problems and about itself.

use serde_json::{Value, json};

use crate::program::{Said, docket, run};
use crate::stand_in::StandIn;
use crate::terminal::Terminal;

fn ask(server: &StandIn, args: &[&str]) -> Said {
    run(docket(server, args))
}

fn summary(name: &str, description: &str) -> Value {
    json!({
        "name": name, "version": "1.2.0", "publishedTime": "2026-08-18T07:02:11.004Z", "license": "MIT", "description": description,
    })
}

/// A registry in which three packages are found, on two pages.
fn found() -> StandIn {
    let server = StandIn::start();
    server.answers(
        "GET /api/v1/search?q=web+text&limit=30",
        200,
        &json!({ "packages": [summary("slug", "Turns text into slugs"), summary("a-long-name", "\u{1b}[2J")], "next": "3-slug" }),
    );
    server.answers(
        "GET /api/v1/search?q=web+text&limit=28&cursor=3-slug",
        200,
        &json!({ "packages": [summary("web", "")] }),
    );
    server
}

#[test]
fn a_search_lists_what_is_found_in_columns() {
    let said = ask(&found(), &["search", "web", "text"]).expect_code(0);
    assert_eq!(
        said.out,
        "NAME         VERSION  PUBLISHED   LICENCE  DESCRIPTION\n\
         slug         1.2.0    2026-08-18  MIT      Turns text into slugs\n\
         a-long-name  1.2.0    2026-08-18  MIT      \\x1b[2J\n\
         web          1.2.0    2026-08-18  MIT\n"
    );
    assert_eq!(said.err, "");
}

#[test]
fn a_search_says_when_there_is_nothing_and_when_there_is_more() {
    let server = found();
    server.answers(
        "GET /api/v1/search?q=nothing&limit=30",
        200,
        &json!({ "packages": [] }),
    );
    ask(&server, &["search", "nothing"])
        .expect_code(0)
        .explains("no package has these words");
    server.answers(
        "GET /api/v1/search?q=web&limit=1",
        200,
        &json!({ "packages": [summary("slug", "")], "next": "3-slug" }),
    );
    let said = ask(&server, &["search", "web", "--limit", "1"])
        .expect_code(0)
        .explains("there are more than 1");
    assert_eq!(said.out.lines().count(), 2);
}

#[test]
fn a_search_for_programs_is_an_object_in_each_line() {
    let said = ask(&found(), &["search", "web", "text", "--json"]).expect_code(0);
    let names: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].clone())
        .collect();
    assert_eq!(names, ["slug", "a-long-name", "web"]);
    assert!(!said.out.contains('\u{1b}'));
}

/// A registry with a package that has everything.
fn full() -> StandIn {
    let server = StandIn::start();
    let hash = "sha256-n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=";
    let time = "2026-08-18T07:02:11.004Z";
    let entry = json!({ "bytes": 1234, "compilers": ["0.15.10", "0.15.15"], "hash": hash, "publishedTime": time, "ref": "" });
    server.answers(
        "GET /api/v1/packages/slug",
        200,
        &json!({
            "name": "slug", "location": { "githubOwner": "lab", "githubRepo": "slug" },
            "owners": [{ "id": "me@example.org", "keytype": "ssh-ed25519", "public": "AAAA" }],
            "published": { "1.1.0": entry, "1.2.0": entry }, "unpublished": {},
        }),
    );
    let mut version = crate::stand_in::slug();
    version["bytes"] = json!(1234);
    version["hash"] = json!(hash);
    version["manifest"] = json!({
        "name": "slug", "version": "1.2.0", "license": "MIT", "description": "Turns text\ninto slugs",
        "location": { "githubOwner": "lab", "githubRepo": "slug" }, "ref": "v1.2.0",
        "dependencies": { "prelude": ">=6.0.0 <7.0.0", "strings": ">=6.0.0 <7.0.0" },
    });
    server.answers("GET /api/v1/packages/slug/1.2.0", 200, &version);
    server
}

#[test]
fn info_shows_a_package_with_its_highest_version() {
    let server = full();
    let said = ask(&server, &["info", "slug"])
        .expect_code(0)
        .explains("spago install slug");
    assert_eq!(
        said.out,
        format!(
            "slug@1.2.0\n\
             Turns text\n\
             into slugs\n\
             location      lab/slug\n\
             published     2026-08-18T07:02:11.004Z\n\
             licence       MIT\n\
             depends on    prelude >=6.0.0 <7.0.0\n              strings >=6.0.0 <7.0.0\n\
             tarball       1234 bytes, sha256-n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=\n\
             compilers     0.15.15\n\
             package sets  80.8.0\n\
             dependants    2 versions\n\
             owners        me@example.org (ssh-ed25519)\n\
             versions      1.2.0, 1.1.0\n\
             page          {}/packages/slug\n",
            server.url
        )
    );
}

#[test]
fn info_shows_one_version_with_who_depends_on_it() {
    let said = ask(&full(), &["info", "slug@1.2.0"]).expect_code(0);
    for line in [
        "location      lab/slug at v1.2.0",
        "dependants    blog@2.0.0 needs >=1.0.0 <2.0.0",
        "              wiki@1.0.0 needs >=1.2.0 <1.2.1",
    ] {
        assert!(said.out.contains(&format!("{line}\n")), "{}", said.out);
    }
    let said = ask(&full(), &["info", "slug@1.2.0", "--json"]).expect_code(0);
    let object: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&object["status"], &object["bytes"]),
        (&json!("published"), &json!(1234))
    );
}

#[test]
fn a_code_is_explained_without_a_registry() {
    let mut command = docket(&StandIn::start(), &["explain", "license-differs"]);
    command.env("DOCKET_URL", "not an address");
    let said = run(command).expect_code(0);
    assert!(
        said.out.starts_with("license-differs\n") && said.out.contains("\nWhat to do: Name every licence"),
        "{}",
        said.out
    );
    let server = StandIn::start();
    let all = ask(&server, &["explain"]).expect_code(0);
    assert!(
        all.out.lines().count() > 80 && all.out.contains("license-differs"),
        "{}",
        all.out
    );
    ask(&server, &["explain", "licence-differs"])
        .expect_code(2)
        .explains("no problem has the code \"licence-differs\"")
        .explains("Is it license-differs");
}

#[test]
fn a_failure_names_its_code_and_the_command_that_explains_it() {
    let server = StandIn::start();
    server.job_ends(false);
    server.answers(
        "GET /api/v1/jobs/job-1",
        200,
        &json!({
            "createdAt": "2026-08-18T07:02:11.004Z", "jobId": "job-1", "jobType": "publish", "logs": [], "payload": {}, "success": false,
            "error": { "code": "license-differs", "message": "…" },
        }),
    );
    let folder = crate::publish::demo();
    let publish = ["publish", folder.path().to_str().unwrap()];
    ask(&server, &publish)
        .expect_code(1)
        .explains("error: job job-1 failed with license-differs; the log above says why")
        .explains("`docket explain license-differs` tells more.");
    let said = ask(&server, &[&publish[..], &["--json"]].concat()).expect_code(1);
    let end: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    assert_eq!(end["error"]["code"], "license-differs");
    let error: Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(error["code"], "license-differs");

    let problem = json!({ "type": "/docs/problems#invalid-query", "title": "Invalid query", "detail": "…" });
    server.answers("GET /api/v1/search", 400, &problem);
    ask(&server, &["search", "x"])
        .expect_code(1)
        .explains("`docket explain invalid-query` tells more.");
}

#[test]
fn colours_are_used_where_they_were_asked_for() {
    let server = found();
    let coloured = |args: &[&str], no_colour: bool| {
        let mut command = docket(&server, args);
        command.env("TERM", "xterm");
        if no_colour {
            command.env("NO_COLOR", "1");
        }
        run(command).expect_code(0).out.contains('\u{1b}')
    };
    let search = ["search", "web", "text"];
    assert!(!coloured(&search, false), "a pipe has none");
    assert!(coloured(&["search", "web", "text", "--color", "always"], true));
    let on_a_terminal = |more: &str| {
        let terminal = Terminal::of_kind("xterm", &server, &format!("search web text {more}"));
        terminal.ends().0.contains('\u{1b}')
    };
    assert!(on_a_terminal(""));
    assert!(!on_a_terminal("--color never"));
}

#[test]
fn shells_get_completions_and_man_its_pages() {
    let server = StandIn::start();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = ask(&server, &["completions", shell]).expect_code(0);
        assert!(said.out.contains("package-set"), "{shell}");
    }
    let page = ask(&server, &["man"]).expect_code(0).out;
    assert!(page.contains(".TH docket 1"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    ask(&server, &["man", folder.path().to_str().unwrap()]).expect_code(0);
    let page = std::fs::read_to_string(folder.path().join("docket-job-logs.1")).unwrap();
    assert!(page.contains("Print the log of a job"), "{page}");
}
