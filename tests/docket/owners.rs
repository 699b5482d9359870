//! `docket unpublish` and `docket transfer`.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::program::{Key, Said, docket, run};
use crate::stand_in::{PUBLIC_URL, StandIn, slug};

const UNPUBLISH: [&str; 4] = ["unpublish", "slug@1.2.0", "--reason", "leaks a key"];
const TRANSFER: [&str; 4] = ["transfer", "slug", "--to", "guild/slug"];

fn ask(server: &StandIn, operation: &[&str], more: &[&str]) -> Said {
    run(docket(server, &[operation, more].concat()))
}

#[test]
fn unpublish_signs_posts_and_follows_the_job() {
    let (server, key) = (StandIn::start(), Key::new());
    let said = ask(&server, &UNPUBLISH, &["--key", &key.path(), "--yes"]).expect_code(0);
    assert_eq!(
        key.signed(&server),
        json!({ "name": "slug", "reason": "leaks a key", "version": "1.2.0" })
    );
    assert_eq!(server.posted().line, "POST /api/v1/unpublish");
    assert!(said.out.contains("NOTICE looked at it\n"), "{}", said.out);
    assert!(said.out.ends_with("unpublished slug@1.2.0\n"), "{}", said.out);
}

#[test]
fn what_is_affected_stands_there_before_anything_is_signed() {
    let (server, key) = (StandIn::start(), Key::new());
    let said = ask(&server, &UNPUBLISH, &["--key", &key.path()])
        .expect_code(1)
        .explains(&format!("slug@1.2.0 is to be withdrawn from {PUBLIC_URL}"))
        .explains("leaks a key")
        .explains("blog@2.0.0 needs >=1.0.0 <2.0.0")
        .explains("80.8.0")
        .explains(&key.public().fingerprint())
        .explains("nobody is there to ask; nothing was sent")
        .explains("--yes");
    assert!(server.requests("POST").is_empty());
    assert!(said.out.is_empty());
}

#[test]
fn what_others_wrote_cannot_drive_the_terminal() {
    let server = StandIn::start();
    let mut version = slug();
    version["dependants"][0]["range"] = json!("\u{1b}[2J");
    version["dependants"].as_array_mut().unwrap().truncate(1);
    server.answers("GET /api/v1/packages/slug/1.2.0", 200, &version);
    let said = ask(&server, &UNPUBLISH, &["--key", &Key::new().path()]).explains("\\x1b[2J");
    assert!(!said.err.contains('\u{1b}'));
}

#[test]
fn transfer_signs_posts_and_follows_the_job() {
    let (server, key) = (StandIn::start(), Key::new());
    let said = ask(&server, &TRANSFER, &["--key", &key.path(), "--yes"])
        .expect_code(0)
        .explains("from           lab/slug")
        .explains("to             guild/slug");
    assert_eq!(
        key.signed(&server),
        json!({ "name": "slug", "newLocation": { "githubOwner": "guild", "githubRepo": "slug" } })
    );
    assert_eq!(server.posted().line, "POST /api/v1/transfer");
    assert!(
        said.out.ends_with("transferred slug to guild/slug\n"),
        "{}",
        said.out
    );
}

#[test]
fn a_package_that_is_there_already_is_not_moved() {
    let server = StandIn::start();
    run(docket(
        &server,
        &[
            "transfer",
            "slug",
            "--to",
            "lab/slug",
            "--yes",
            "--key",
            &Key::new().path(),
        ],
    ))
    .expect_code(1)
    .explains("slug comes from lab/slug already");
    assert!(server.requests("POST").is_empty());
}

#[test]
fn the_exit_code_is_that_of_the_job() {
    let (server, key) = (StandIn::start(), Key::new());
    server.job_ends(false);
    for (operation, advice) in [
        (UNPUBLISH, "nothing was withdrawn"),
        (TRANSFER, "stays where it was"),
    ] {
        ask(&server, &operation, &["--key", &key.path(), "--yes"])
            .expect_code(1)
            .explains("job job-1 failed")
            .explains(advice);
    }
}

#[test]
fn without_waiting_the_job_id_is_all_that_is_printed() {
    let (server, key) = (StandIn::start(), Key::new());
    let said = ask(&server, &TRANSFER, &["--key", &key.path(), "--yes", "--no-wait"]).expect_code(0);
    assert_eq!(said.out, "job-1\n");
}

#[test]
fn programs_get_json_and_are_not_asked() {
    let (server, key) = (StandIn::start(), Key::new());
    let said = ask(&server, &UNPUBLISH, &["--key", &key.path(), "--yes", "--json"]).expect_code(0);
    let lines: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0], json!({ "jobId": "job-1" }));
    assert_eq!(lines[1]["message"], "looked at it");
    assert_eq!(lines[2], json!({ "finished": true, "success": true }));
    assert_eq!(said.err, "");
    let said = ask(&server, &UNPUBLISH, &["--key", &key.path(), "--json"]).expect_code(1);
    let error: Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(error["error"], "nobody is there to ask; nothing was sent");
    assert!(error["advice"].as_str().unwrap().contains("--yes"));
}

#[test]
fn every_kind_of_key_file_signs() {
    for options in [
        &["-t", "ed25519", "-N", ""][..],
        &["-t", "rsa", "-b", "2048", "-N", ""],
        &["-t", "ecdsa", "-b", "521", "-N", ""],
        // The format from before OpenSSH had its own.
        &["-t", "rsa", "-b", "2048", "-N", "", "-m", "PEM"],
    ] {
        let (server, key) = (StandIn::start(), Key::with(options));
        ask(&server, &TRANSFER, &["--key", &key.path(), "--yes"]).expect_code(0);
        key.signed(&server);
    }
}

#[test]
fn a_public_key_signs_through_the_agent() {
    let (server, key) = (StandIn::start(), Key::with(&["-t", "ed25519", "-N", "sesame"]));
    let public = key.file("key.pub");
    let without_agent = ask(&server, &TRANSFER, &["--key", public.to_str().unwrap(), "--yes"]);
    without_agent
        .expect_code(1)
        .explains("ssh-keygen did not sign")
        .explains("ssh-add -l");
    assert!(server.requests("POST").is_empty());

    // An agent in the foreground ends with the command that it is given.
    let socket = key.file("agent");
    let askpass = key.file("askpass");
    fs::write(&askpass, "#!/bin/sh\necho sesame\n").unwrap();
    let docket = docket(
        &server,
        &[&TRANSFER[..], &["--key", public.to_str().unwrap(), "--yes"]].concat(),
    );
    let mut agent = Command::new("ssh-agent");
    agent
        .arg("-a")
        .arg(&socket)
        .args([
            "sh",
            "-c",
            "chmod 700 \"$SSH_ASKPASS\" && ssh-add -q \"$KEY\" </dev/null && exec \"$@\"",
            "sh",
        ])
        .arg(docket.get_program())
        .args(docket.get_args())
        .env("KEY", key.path())
        .env("SSH_ASKPASS", &askpass)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("DOCKET_URL", &server.url);
    run(agent).expect_code(0);
    key.signed(&server);
}

#[test]
fn an_encrypted_key_needs_somebody_who_knows_its_passphrase() {
    let (server, key) = (StandIn::start(), Key::with(&["-t", "ed25519", "-N", "sesame"]));
    ask(&server, &TRANSFER, &["--key", &key.path(), "--yes"])
        .expect_code(1)
        .explains("is encrypted, and nobody is there to ask")
        .explains("ssh-add");
    assert!(server.requests("POST").is_empty());
}

#[test]
fn what_is_no_key_is_named_before_the_registry_is_asked() {
    let (server, key) = (StandIn::start(), Key::new());
    fs::write(key.file("notes"), "to do: find the key").unwrap();
    fs::write(key.file("broken"), "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n").unwrap();
    let short = Key::with(&["-t", "rsa", "-b", "1024", "-N", ""]);
    for (file, reason) in [
        (key.file("notes"), "not an OpenSSH public key"),
        (key.file("broken"), "not a private key"),
        (key.file("missing"), "cannot be read"),
        (short.file("key"), "the RSA key has 1024 bits"),
    ] {
        ask(&server, &TRANSFER, &["--key", file.to_str().unwrap(), "--yes"])
            .expect_code(1)
            .explains(reason)
            .explains(file.to_str().unwrap());
    }
    assert!(server.requests("").is_empty());
}

#[test]
fn a_trustee_sends_a_token_and_signs_nothing() {
    let (server, folder) = (StandIn::start(), tempfile::tempdir().unwrap());
    let file = folder.path().join("token");
    fs::write(&file, "sesame\n").unwrap();
    let said = ask(
        &server,
        &UNPUBLISH,
        &["--token-file", file.to_str().unwrap(), "--yes"],
    )
    .expect_code(0)
    .explains("the token of a trustee");
    assert!(!said.err.contains("sesame") && !said.out.contains("sesame"));
    let posted = server.posted();
    assert_eq!(posted.authorization.as_deref(), Some("Bearer sesame"));
    let body: Value = serde_json::from_str(&posted.body).unwrap();
    assert_eq!(body["signature"], "");
    assert!(
        server
            .requests("GET")
            .iter()
            .all(|request| request.authorization.is_none())
    );

    let mut command = docket(&server, &[&TRANSFER[..], &["--yes", "--no-wait"]].concat());
    command.env("DOCKET_TOKEN_FILE", &file);
    run(command).expect_code(0);
    assert!(server.requests("POST")[1].authorization.is_some());

    fs::write(&file, " \n").unwrap();
    ask(
        &server,
        &UNPUBLISH,
        &["--token-file", file.to_str().unwrap(), "--yes"],
    )
    .expect_code(1)
    .explains("there is no token in");
}

#[test]
fn whoever_signs_keeps_the_token() {
    let (server, key) = (StandIn::start(), Key::new());
    fs::write(key.file("token"), "sesame").unwrap();
    let mut command = docket(
        &server,
        &[&TRANSFER[..], &["--yes", "--key", &key.path()]].concat(),
    );
    command.env("DOCKET_TOKEN_FILE", key.file("token"));
    run(command).expect_code(0);
    assert_eq!(server.posted().authorization, None);
    key.signed(&server);
}

#[test]
fn neither_key_nor_token_is_wrong_usage() {
    let server = StandIn::start();
    for operation in [UNPUBLISH, TRANSFER] {
        ask(&server, &operation, &["--yes"])
            .expect_code(2)
            .explains("--key")
            .explains("--token-file");
    }
}

#[test]
fn a_signature_for_another_registry_is_not_made() {
    let (server, key) = (StandIn::start(), Key::new());
    let audience = |url: &str| {
        ask(
            &server,
            &TRANSFER,
            &["--key", &key.path(), "--yes", "--audience", url],
        )
    };
    audience("https://other.example.org")
        .expect_code(1)
        .explains("https://registry.example.org")
        .explains("do not sign");
    assert!(server.requests("POST").is_empty());
    audience("https://registry.example.org/").expect_code(0);
}

#[test]
fn the_refusal_of_the_registry_is_shown_with_what_to_do() {
    let (server, key) = (StandIn::start(), Key::new());
    let problem = json!({ "title": "Signature refused", "detail": "that key may not sign for this" });
    server.answers("POST /api/v1/unpublish", 403, &problem);
    ask(&server, &UNPUBLISH, &["--key", &key.path(), "--yes"])
        .expect_code(1)
        .explains("403 Forbidden: Signature refused: that key may not sign for this")
        .explains("Sign with the key of an owner");
}

#[test]
fn a_version_that_is_not_there_is_named() {
    let (server, key) = (StandIn::start(), Key::new());
    run(docket(
        &server,
        &[
            "unpublish",
            "slug@9.9.9",
            "--reason",
            "x",
            "--yes",
            "--key",
            &key.path(),
        ],
    ))
    .expect_code(1)
    .explains("knows no version slug@9.9.9")
    .explains("Check the spelling");
}
