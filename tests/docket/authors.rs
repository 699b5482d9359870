//! What authors do on their own machine: `docket init`, `docket key` and `docket owner`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use docket_core::manifest::Manifest;
use docket_core::owner::Owner;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Key, Said, docket, run};
use crate::stand_in::StandIn;
use crate::terminal::Terminal;

fn ask(server: &StandIn, args: &[&str]) -> Said {
    run(docket(server, args))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn git(dir: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(dir)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    assert!(command.status().unwrap().success());
}

/// A folder with a folder `purescript-slug` of this licence, whose repository is on GitHub.
fn slug(files: &[(&str, &str)]) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("purescript-slug");
    fs::create_dir(&package).unwrap();
    git(&package, &["init", "--quiet"]);
    git(
        &package,
        &[
            "remote",
            "add",
            "origin",
            "git@github.com:lab/purescript-slug.git",
        ],
    );
    for (name, text) in files {
        fs::write(package.join(name), text).unwrap();
    }
    (folder, package)
}

const MIT: (&str, &str) = ("LICENSE", include_str!("../../LICENSE-MIT"));

fn written(package: &Path) -> Manifest {
    Manifest::from_purs_json(&fs::read_to_string(package.join("purs.json")).unwrap()).unwrap()
}

#[test]
fn a_manifest_is_made_of_what_can_be_guessed() {
    let (server, (_folder, package)) = (StandIn::start(), slug(&[MIT]));
    let said = ask(&server, &["init", "--yes", text(&package)])
        .expect_code(0)
        .explains("`git tag v0.1.0`");
    assert!(said.out.ends_with("purs.json\n"), "{}", said.out);
    let line = concat!(
        r#"{"name":"slug","version":"0.1.0","license":"MIT","location":{"githubOwner":"lab","githubRepo":"purescript-slug"},"#,
        r#""ref":"v0.1.0","dependencies":{}}"#
    );
    assert_eq!(written(&package).to_line(), line);
    ask(&server, &["init", "--yes", text(&package)])
        .expect_code(1)
        .explains("is there already");
    assert_eq!(written(&package).to_line(), line, "nothing is overwritten");
}

#[test]
fn what_spago_knows_is_taken_over_and_ranges_are_found() {
    let spago = "package:\n  name: slugs\n  description: Turns text into slugs\n  dependencies:\n    - prelude: \">=6.0.0 <7.0.0\"\n    - strings\n  \
                 publish:\n    version: 2.0.0\n    license: BSD-3-Clause\n";
    let (server, (_folder, package)) = (StandIn::start(), slug(&[MIT, ("spago.yaml", spago)]));
    let hash = "sha256-n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=";
    let entry = json!({ "bytes": 1, "compilers": ["0.15.15"], "hash": hash, "publishedTime": "2026-08-18T07:02:11.004Z", "ref": "" });
    server.answers(
        "GET /api/v1/packages/strings",
        200,
        &json!({
            "name": "strings", "location": { "githubOwner": "lab", "githubRepo": "strings" },
            "published": { "5.0.0": entry, "6.0.1": entry }, "unpublished": {},
        }),
    );
    ask(&server, &["init", "--yes", text(&package)])
        .expect_code(0)
        .explains("strings >=6.0.1 <7.0.0, since its highest version is 6.0.1");
    let manifest = written(&package);
    assert_eq!(
        (manifest.name.as_str(), manifest.license.as_str()),
        ("slugs", "BSD-3-Clause")
    );
    assert_eq!(
        (manifest.version.to_string().as_str(), manifest.git_ref.as_str()),
        ("2.0.0", "v2.0.0")
    );
    assert_eq!(
        json!(manifest.dependencies),
        json!({ "prelude": ">=6.0.0 <7.0.0", "strings": ">=6.0.1 <7.0.0" })
    );
}

#[test]
fn what_cannot_be_guessed_is_asked_until_the_answer_is_one() {
    let (server, (_folder, package)) = (StandIn::start(), slug(&[]));
    ask(&server, &["init", "--yes", text(&package)])
        .expect_code(1)
        .explains("the licence cannot be guessed");
    ask(&server, &["init", text(&package)])
        .expect_code(1)
        .explains("nobody is there to say what the manifest shall say")
        .explains("--yes");
    let mut terminal = Terminal::start(&server, &format!("init {}", text(&package)));
    terminal
        .sees("name [slug]:")
        .types("Slug")
        .sees("name [slug]:")
        .types("")
        .sees("version [0.1.0]:")
        .types("1.0.0")
        .sees("licence:")
        .types("GPL-3.0")
        .sees("write `GPL-3.0-only`")
        .sees("licence:")
        .types("GPL-3.0-only")
        .sees("description:")
        .types("Turns text into slugs")
        .sees("location [lab/purescript-slug]:")
        .types("")
        .sees("wrote ");
    assert_eq!(terminal.code(), Some(0));
    let manifest = written(&package);
    assert_eq!(
        (manifest.name.as_str(), manifest.license.as_str()),
        ("slug", "GPL-3.0-only")
    );
    assert_eq!(manifest.git_ref, "v1.0.0");
}

#[test]
fn a_key_is_made_for_its_owner_alone() {
    let (server, folder) = (StandIn::start(), tempfile::tempdir().unwrap());
    let generate = |more: &[&str]| {
        let mut command = docket(&server, &[&["key", "generate"], more].concat());
        command.env("HOME", folder.path()).env("USER", "me");
        run(command)
    };
    generate(&[])
        .expect_code(1)
        .explains("nobody is there to say a passphrase for the key")
        .explains("--no-passphrase");
    let said = generate(&["--no-passphrase"]).expect_code(0);
    let ssh = folder.path().join(".ssh");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&ssh), mode(&ssh.join("id_ed25519"))), (0o700, 0o600));
    let listed = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(ssh.join("id_ed25519"))
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let fingerprint = listed.split(' ').nth(1).unwrap();
    assert!(said.out.contains(fingerprint), "{}\n{listed}", said.out);
    assert!(
        fs::read_to_string(ssh.join("id_ed25519.pub"))
            .unwrap()
            .ends_with(" me\n")
    );
    let before = fs::read(ssh.join("id_ed25519")).unwrap();
    generate(&["--no-passphrase"])
        .expect_code(1)
        .explains("id_ed25519 is there already");
    assert_eq!(fs::read(ssh.join("id_ed25519")).unwrap(), before);
}

#[test]
fn the_passphrase_of_a_new_key_is_asked_for_twice() {
    let (server, folder) = (StandIn::start(), tempfile::tempdir().unwrap());
    let file = folder.path().join("key");
    let mut terminal = Terminal::start(
        &server,
        &format!("key generate {} --comment me@example.org", text(&file)),
    );
    terminal
        .sees("passphrase for")
        .types("sesame")
        .sees("the same again")
        .types("barley")
        .sees("these were not the same")
        .sees("passphrase for")
        .types("sesame")
        .sees("the same again")
        .types("sesame")
        .sees("SHA256:");
    assert_eq!(terminal.code(), Some(0));
    let open = |passphrase: &str| {
        let mut keygen = Command::new("ssh-keygen");
        keygen
            .args(["-y", "-P", passphrase, "-f"])
            .arg(&file)
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(open("sesame") && !open(""));
}

/// What the server knows of `slug`, which this key owns.
fn owned(server: &StandIn, key: &Key) {
    server.answers(
        "GET /api/v1/packages/slug",
        200,
        &json!({
            "name": "slug", "location": { "githubOwner": "lab", "githubRepo": "slug" }, "owners": [Owner::from(&key.public())],
            "published": {}, "unpublished": {},
        }),
    );
}

#[test]
fn keys_are_listed_with_where_they_are_and_what_they_own() {
    let (server, key, other) = (StandIn::start(), Key::new(), Key::new());
    owned(&server, &key);
    let ssh = key.folder.path().join(".ssh");
    fs::create_dir(&ssh).unwrap();
    fs::copy(key.file("key.pub"), ssh.join("mine.pub")).unwrap();
    fs::copy(other.file("key.pub"), ssh.join("other.pub")).unwrap();
    fs::write(ssh.join("broken.pub"), "no key").unwrap();
    let mut command = docket(&server, &["key", "list", "--package", "slug"]);
    command.env("HOME", key.folder.path());
    let said = run(command).expect_code(0);
    let row = |key: &Key| {
        let fingerprint = key.public().fingerprint();
        let line = said.out.lines().find(|line| line.starts_with(&fingerprint));
        line.unwrap_or_else(|| panic!("{}", said.out)).to_owned()
    };
    assert!(row(&key).contains("owns slug") && row(&key).contains("mine.pub"));
    assert!(!row(&other).contains("owns") && row(&other).contains("me@example.org"));
    assert_eq!(said.out.lines().count(), 3, "{}", said.out);
    let mut command = docket(&server, &["key", "list", "--json", "--package", "slug"]);
    command.env("HOME", key.folder.path());
    let said = run(command).expect_code(0);
    let first: Value = serde_json::from_str(said.out.lines().next().unwrap()).unwrap();
    assert_eq!(first["owns"], true);
}

#[test]
fn owners_are_listed_as_the_registry_knows_them() {
    let (server, key) = (StandIn::start(), Key::new());
    owned(&server, &key);
    let said = ask(&server, &["owner", "list", "slug"]).expect_code(0);
    assert!(
        said.out.contains(&key.public().fingerprint()) && said.out.contains("me@example.org"),
        "{}",
        said.out
    );
    server.answers(
        "GET /api/v1/packages/slug",
        200,
        &json!({ "name": "slug", "location": { "githubOwner": "lab", "githubRepo": "slug" }, "published": {}, "unpublished": {} }),
    );
    ask(&server, &["owner", "list", "slug"])
        .expect_code(0)
        .explains("nobody owns slug");
}

#[test]
fn owners_are_added_to_and_removed_from_a_purs_json() {
    let (server, key, other) = (StandIn::start(), Key::new(), Key::new());
    let folder = crate::publish::demo();
    let change = |command: &str, key: &str| {
        ask(
            &server,
            &["owner", command, "demo", key, "--dir", text(folder.path())],
        )
    };
    let owners = || written(folder.path()).owners.unwrap_or_default();
    let file = text(&key.file("key.pub")).to_owned();
    change("add", &file)
        .expect_code(0)
        .explains("the next version that is published carries it");
    assert_eq!(owners(), [Owner::from(&key.public())]);
    change("add", &file).expect_code(1).explains("already");
    change("add", text(&other.file("key.pub"))).expect_code(0);
    change("remove", &other.public().fingerprint()).expect_code(0);
    assert_eq!(owners(), [Owner::from(&key.public())]);
    change("remove", "you@example.org")
        .expect_code(1)
        .explains("names no owner");
    change("remove", "me@example.org")
        .expect_code(0)
        .explains("nobody owns demo");
    assert!(owners().is_empty());
    change("add", &key.path())
        .expect_code(1)
        .explains("is not a public key");
    ask(
        &server,
        &["owner", "add", "slug", &file, "--dir", text(folder.path())],
    )
    .expect_code(1)
    .explains("is the manifest of demo, not of slug");
    assert!(
        server.requests("").is_empty(),
        "nothing of this is the registry's"
    );
}

#[test]
fn what_is_not_ours_to_write_is_said() {
    let (server, key) = (StandIn::start(), Key::new());
    let spago = "package:\n  name: demo\n  dependencies: []\n  publish:\n    version: 1.0.0\n    license: MIT\n    location:\n      githubOwner: lab\n      \
                 githubRepo: demo\n";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("spago.yaml"), spago).unwrap();
    let add = [
        "owner",
        "add",
        "demo",
        text(&key.file("key.pub")),
        "--dir",
        text(folder.path()),
    ]
    .map(str::to_owned);
    let add: Vec<&str> = add.iter().map(String::as_str).collect();
    let said = ask(&server, &add).expect_code(0).explains("is yours to write");
    // What is said is what spago and we read.
    let whole = spago.to_owned() + said.out.strip_prefix("package:\n  publish:\n").unwrap();
    let manifest = docket_core::manifest::spago_yaml::parse(&whole, "v1.0.0").unwrap();
    assert_eq!(manifest.owners, Some(vec![Owner::from(&key.public())]));
    assert_eq!(
        fs::read_to_string(folder.path().join("spago.yaml")).unwrap(),
        spago
    );

    // A field that we do not know would be lost.
    let folder = crate::publish::demo();
    let file = folder.path().join("purs.json");
    let mut manifest: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    manifest["homepage"] = json!("https://example.org");
    fs::write(&file, manifest.to_string()).unwrap();
    let add = [
        "owner",
        "add",
        "demo",
        text(&key.file("key.pub")),
        "--dir",
        text(folder.path()),
    ]
    .map(str::to_owned);
    let add: Vec<&str> = add.iter().map(String::as_str).collect();
    let said = ask(&server, &add).expect_code(0);
    assert!(said.out.contains("\"owners\": [{"), "{}", said.out);
    assert_eq!(fs::read_to_string(&file).unwrap(), manifest.to_string());
}
