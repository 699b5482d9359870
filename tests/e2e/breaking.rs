//! Everything around the server breaks: disks, compilers, repositories, databases. Each trouble ends in one clear sentence
//! and publishes nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::asking::{accepted, ask_in_vain, assert_dense, message, publish};
use crate::gate::Gate;
use crate::harness::{DOCKETD, Registry, Said, program, run, wait_for};
use crate::http::{get, post_publish};
use crate::publish::demo;

/// Waits for the end of a job that must fail, and returns its only error.
fn only_error(registry: &Registry, id: &str) -> String {
    let job = registry.wait_for_job(id);
    assert_eq!(job["success"], false, "{job}");
    let errors = registry.log(id, "ERROR");
    assert_eq!(errors.len(), 1, "one clear error: {errors:#?}");
    assert_nothing_published(registry);
    message(&errors[0])
}

fn assert_nothing_published(registry: &Registry) {
    for path in ["/index/de/mo/demo", "/demo/1.0.0.tar.gz"] {
        assert_eq!(get(&registry.url(path)).status, 404, "{path}");
    }
}

/// A registry whose only compiler does this when it is asked for anything but its version.
fn with_compiler(configuration: &str, behaviour: &str) -> Registry {
    let script = format!("case \"$1\" in --version) echo 0.15.15; exit 0;; esac\n{behaviour}");
    Registry::start_with(configuration, |dir| {
        let compiler = dir.join("compilers/purs-0_15_15");
        fs::remove_file(&compiler).unwrap();
        program(&compiler, &script);
    })
}

/// Publishes with a compiler that does this, and asserts that the job's only error says `expected`.
fn assert_ends_with_one_error(configuration: &str, behaviour: &str, expected: &str) {
    let registry = with_compiler(configuration, behaviour);
    demo(&registry).push();
    let error = only_error(&registry, &publish(&registry, "purescript-demo", "v1.0.0"));
    assert!(error.contains(expected), "`{behaviour}`: {error}");
    assert!(error.len() < 4000, "`{behaviour}`: {} bytes", error.len());
    let left = fs::read_dir(registry.path("data/work")).unwrap().count();
    assert_eq!(left, 0, "`{behaviour}` left something behind");
}

#[test]
fn a_compiler_that_crashes_or_babbles_ends_the_job_with_one_error() {
    for (behaviour, expected) in [
        ("kill -SEGV $$", "crashed (signal 11)"),
        ("echo out of luck >&2; exit 3", "out of luck"),
        ("printf 'no \\000 JSON \\377\\376'; exit 1", "not a report"),
    ] {
        assert_ends_with_one_error("", behaviour, expected);
    }
}

#[test]
fn a_compiler_that_prints_or_writes_a_gigabyte_ends_the_job_with_one_error() {
    for behaviour in [
        "exec head -c 1073741824 /dev/zero",
        "exec head -c 1073741824 /dev/zero >&2",
        // Into a file, and with no graph before that.
        r#"[ $1 = graph ] && {
            echo '{"warnings":[],"errors":[{"message":"no","errorCode":"X","errorLink":"","filename":"x"}]}'
            exit 1
        }
        exec head -c 1073741824 /dev/zero > big"#,
    ] {
        assert_ends_with_one_error("", behaviour, "produced more than");
    }
}

#[test]
fn a_compiler_that_hangs_ends_the_job_with_one_error() {
    for behaviour in ["exec sleep 1000", "trap '' TERM HUP INT; while :; do :; done"] {
        assert_ends_with_one_error(
            "[worker]\ncompile_timeout_secs = 1\n",
            behaviour,
            "did not finish within 1 s",
        );
    }
}

#[test]
fn a_source_that_is_not_there_ends_the_job_with_one_error() {
    let registry = Registry::start();
    demo(&registry).push();
    registry.repository("lab", "purescript-empty");
    for (repo, git_ref) in [
        ("purescript-demo", "v9.9.9"),
        ("purescript-demo", "--upload-pack=touch"),
        ("purescript-empty", "v1.0.0"),
        ("purescript-nowhere", "v1.0.0"),
    ] {
        let error = only_error(&registry, &publish(&registry, repo, git_ref));
        assert!(
            error.contains(repo) || error.contains(git_ref),
            "{repo} {git_ref}: {error}"
        );
    }
    // None of this is remembered against the package.
    let id = publish(&registry, "purescript-demo", "v1.0.0");
    assert_eq!(registry.wait_for_job(&id)["success"], true);
}

/// Text that does not compress well.
fn noise(bytes: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + (state % 64) as u8)
    };
    (0..bytes).map(letter).collect()
}

/// Puts a directory with all that is in it on a disk of its own, which only the server sees that is started by the returned command.
fn on_small_disk(registry: &Registry, directory: &Path, size: &str) -> Command {
    let script = r#"saved=$2.saved && cp -a "$2" "$saved" && mount -t tmpfs -o size="$1" tmpfs "$2" && cp -a "$saved"/. "$2" && shift 2 && exec "$@""#;
    let mut docketd = Command::new("unshare");
    docketd.arg("--mount");
    if !is_root() {
        docketd.arg("--map-root-user");
    }
    docketd
        .args(["sh", "-c", script, "sh", size])
        .arg(directory)
        .arg(DOCKETD);
    docketd.arg("--config").arg(registry.path("docket.toml"));
    docketd.arg("--data").arg(registry.path("data"));
    docketd.env("HOME", registry.path("home"));
    docketd
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).out.trim() == "0"
}

/// Runs a command where the server sees its small disk.
fn beside_the_server(registry: &Registry, command: &Command) -> Said {
    let mut nsenter = Command::new("nsenter");
    nsenter.arg("--mount");
    if !is_root() {
        nsenter.args(["--user", "--preserve-credentials"]);
    }
    nsenter
        .args(["--target", &registry.pid().to_string()])
        .arg(command.get_program())
        .args(command.get_args());
    run(&mut nsenter)
}

#[test]
fn a_disk_that_is_full_under_sqlite_loses_no_job() {
    let configuration = "[worker]\nsandbox = \"none\"\nlease_secs = 3\n";
    let mut registry = Registry::start_with(configuration, |dir| Gate::Compile.prepare(dir));
    demo(&registry).push();
    registry.terminate();
    let docketd = on_small_disk(&registry, &registry.path("data"), "16m");
    registry.resume_by(docketd, "127.0.0.1:0".parse().unwrap());
    let running = publish(&registry, "purescript-demo", "v1.0.0");
    Gate::Compile.wait(&registry, &running);
    let filler = registry.path("data").join("filler");
    let mut fill = Command::new("sh");
    fill.args(["-c", "cat /dev/zero >\"$0\""]).arg(&filler);
    beside_the_server(&registry, &fill).expect("No space left on device");

    // Nothing can be stored: what cannot be accepted is refused with a reason, and what runs goes on waiting.
    let (mut jobs, mut numbers) = (vec![running.clone()], 1..);
    let refused = wait_for("a refusal", || {
        let answer = ask_in_vain(&registry, numbers.next()?);
        if answer.status == 200 {
            jobs.push(accepted(&answer));
            return None;
        }
        Some(answer)
    });
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(get(&registry.url("/healthz/live")).status, 200);
    Gate::Compile.open(&registry);
    assert!(registry.job(&running).get("finishedAt").is_none());

    // With room again everything that was accepted ends.
    let mut empty = Command::new("rm");
    empty.arg(&filler);
    beside_the_server(&registry, &empty).expect_code(0);
    jobs.push(wait_for("an accepted job", || {
        let answer = ask_in_vain(&registry, numbers.next()?);
        (answer.status == 200).then(|| accepted(&answer))
    }));
    for id in &jobs {
        let job = registry.wait_for_job(id);
        let log = registry.log(id, "DEBUG");
        assert_eq!(job["success"], *id == running, "{log:#?}");
        assert_dense(&log);
    }
    let mut doctor = registry.docketd();
    doctor.arg("doctor");
    beside_the_server(&registry, &doctor).expect_code(0);
}

#[test]
fn a_disk_that_is_full_delays_a_publish_and_leaves_nothing_half_done() {
    // Full while the source is written.
    let size = "2m";
    let mut registry = Registry::start();
    let demo = demo(&registry);
    demo.commit(&[("README.md", &noise(1_500_000))])
        .tag("v1.0.0")
        .push();
    registry.terminate();
    let work = registry.path("data").join("work");
    fs::create_dir_all(&work).unwrap();

    let docketd = on_small_disk(&registry, &work, size);
    registry.resume_by(docketd, "127.0.0.1:0".parse().unwrap());

    let id = publish(&registry, "purescript-demo", "v1.0.0");
    let said = wait_for("a line about the disk", || {
        let path = format!("/api/v1/jobs/{id}/logs?level=WARN");
        let page = get(&registry.url(&path)).json();
        let lines = page["lines"].as_array().unwrap();
        lines.iter().map(message).find(|text| text.contains("attempt"))
    });
    assert!(
        said.contains("The worker could not write the source: its disk is full."),
        "{size}: {said}"
    );
    assert_nothing_published(&registry);

    // With room again the same job, or the same request, goes through.
    registry.terminate();
    demo.commit(&[("README.md", "# small\n")]).tag("v1.0.0").push();
    registry.resume();
    let again = publish(&registry, "purescript-demo", "v1.0.0");
    assert_eq!(registry.wait_for_job(&again)["success"], true, "{size}");
}

#[test]
fn sigterm_ends_the_server_with_0_and_gives_the_running_job_back() {
    let configuration = "[worker]\nsandbox = \"none\"\ndrain_secs = 0\n";
    let mut registry = Registry::start_with(configuration, |dir| Gate::Compile.prepare(dir));
    demo(&registry).push();
    let id = publish(&registry, "purescript-demo", "v1.0.0");
    Gate::Compile.wait(&registry, &id);
    assert_eq!(registry.terminate(), Some(0));
    Gate::Compile.open(&registry);
    // The lease is a minute long: only a job that was given back runs at once.
    registry.resume();
    assert_eq!(registry.wait_for_job(&id)["success"], true);
    let log = registry.log(&id, "WARN");
    assert!(
        log.iter().any(|line| message(line).contains("given back")),
        "{log:#?}"
    );
}

#[test]
fn a_database_that_cannot_be_reached_is_one_line_without_the_password() {
    let registry = Registry::start();
    let said = run(registry.docketd().env(
        "DOCKET__DATABASE__URL",
        "postgres://docket:hunter2@127.0.0.1:1/docket",
    ))
    .expect_code(78)
    .expect("127.0.0.1:1/docket");
    assert_eq!(said.all().trim().lines().count(), 1, "{}", said.all());
    assert!(!said.all().contains("hunter2"), "{}", said.all());
}

#[test]
fn a_body_of_10_mb_is_refused_and_the_server_goes_on() {
    let registry = Registry::start();
    let answer = post_publish(&registry, &format!("\"{}\"", "x".repeat(10_000_000)));
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(!answer.text().is_empty());
    assert_eq!(get(&registry.url("/api/v1/status")).status, 200);
}

#[test]
fn the_next_page_of_a_filtered_log_begins_behind_the_hidden_lines() {
    let registry = Registry::start();
    demo(&registry).push();
    let id = publish(&registry, "purescript-demo", "v1.0.0");
    registry.wait_for_job(&id);
    let all = registry.log(&id, "DEBUG").len();
    let page = get(&registry.url(&format!("/api/v1/jobs/{id}/logs?level=ERROR"))).json();
    assert_eq!((&page["lines"], &page["next"]), (&json!([]), &json!(all)));
}
