//! Many processes on one PostgreSQL: `docketd serve` and `docketd work`, which are killed, stopped, cut off and put off the clock. Whatever happens, each
//! accepted job ends once, and `docketd doctor` finds nothing.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::asking::{
    assert_dense, find_ended, message, publish, publish_in_vain, wait_for_end, wait_for_line,
};
use crate::gate::{Gate, Hold};
use crate::harness::{Program, Registry, run, wait_for};
use crate::http::get_json;
use crate::kill::{assert_finished_by_another_run, is_published};
use crate::postgres::{Proxy, Psql, Server, clock_library, new_database};
use crate::publish::demo;

/// Without a sandbox, because the compiler plays its part outside of it.
const WORKER: &str = "[worker]\nsandbox = \"none\"\nconcurrency = 2\n";

/// With a short lease, because the next run waits for it to lapse.
const SHORT_LEASE: &str = "lease_secs = 3\n";

/// A registry on this database that answers requests; no worker runs yet.
fn serve(url: &str, worker: &str, prepare: impl FnOnce(&Path)) -> Registry {
    let configuration = format!("[database]\nurl = \"{url}\"\n\n{WORKER}{worker}");
    let mut registry = Registry::prepare(&configuration, prepare);
    let docketd = docketd(&registry, "serve");
    registry.resume_by(docketd, "127.0.0.1:0".parse().unwrap());
    registry
}

/// A `docketd` of one role, which takes the programs in the registry's `bin` first.
pub(crate) fn docketd(registry: &Registry, role: &str) -> Command {
    let mut docketd = registry.docketd();
    docketd.env("PATH", registry.search_path()).arg(role);
    docketd
}

/// Starts a worker.
pub(crate) fn work(registry: &Registry) -> Program {
    let worker = Program::start(&mut docketd(registry, "work"));
    assert_eq!(worker.ready, "docketd working");
    worker
}

/// Starts one more server and returns where it answers.
fn another_server(registry: &Registry) -> (Program, String) {
    let server = Program::start(docketd(registry, "serve").args(["--listen", "127.0.0.1:0"]));
    let url = server.ready.strip_prefix("docketd listening on ").unwrap();
    let url = url.to_owned();
    (server, url)
}

/// Asserts that jobs, rows, repositories and blobs fit together.
pub(crate) fn assert_sound(registry: &Registry) {
    run(registry.docketd().arg("doctor")).expect_code(0);
}

/// The database notices after three seconds that nobody goes on with a transaction. It says so to connections from now on.
const NOTICE_SOON: &str = "
    DO $$ BEGIN
      EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = 3000', current_database());
    END $$";

/// Where the first attempt waits.
#[derive(Clone, Copy)]
enum Step {
    Program(Gate),
    Database(Hold),
}

impl Step {
    /// Starts a registry with this step barred, and a worker that comes to it with the returned job.
    fn begin(self) -> (Registry, Psql, Program, String) {
        let url = new_database();
        let registry = serve(&url, SHORT_LEASE, |dir| {
            if let Self::Program(gate) = self {
                gate.prepare(dir);
            }
        });
        let mut database = Psql::connect(&url);
        database.run(NOTICE_SOON);
        if let Self::Database(hold) = self {
            hold.prepare(&mut database);
        }
        demo(&registry).push();
        let worker = work(&registry);
        let job = publish(&registry, "purescript-demo", "v1.0.0");
        match self {
            Self::Program(gate) => gate.wait(&registry, &job),
            Self::Database(_) => Hold::wait(&mut database),
        }
        (registry, database, worker, job)
    }

    fn open(self, registry: &Registry, database: &mut Psql) {
        match self {
            Self::Program(gate) => gate.open(registry),
            Self::Database(_) => Hold::open(database),
        }
    }
}

/// A worker dies at this step, and another one finishes the job.
fn survives_kill(step: Step) {
    let (registry, mut database, first, job) = step.begin();
    let second = work(&registry);
    drop(first);
    step.open(&registry, &mut database);
    assert_finished_by_another_run(&registry, &job);
    assert_eq!(second.terminate(), Some(0));
    assert_sound(&registry);
}

/// A worker falls silent at this step for longer than its lease, and comes back when another one has finished the job: it writes nothing any more.
fn survives_stop(step: Step) {
    let (registry, mut database, first, job) = step.begin();
    first.signal("STOP");
    let second = work(&registry);
    // What it waited for is there when it comes back, so it goes on at once; in the middle of a transaction the database has to notice first that it does not.
    step.open(&registry, &mut database);
    assert_finished_by_another_run(&registry, &job);
    let log = registry.log(&job, "DEBUG");
    first.signal("CONT");
    assert_eq!(first.terminate(), Some(0), "it gives up what it has lost");
    assert_eq!(
        registry.log(&job, "DEBUG"),
        log,
        "nothing was written after the end"
    );
    assert_eq!(second.terminate(), Some(0));
    assert_sound(&registry);
}

#[test]
fn another_worker_finishes_what_was_killed_while_it_fetched() {
    survives_kill(Step::Program(Gate::Fetch));
}

#[test]
fn another_worker_finishes_what_was_killed_while_it_compiled() {
    survives_kill(Step::Program(Gate::Compile));
}

#[test]
fn another_worker_finishes_what_was_killed_while_it_packed() {
    survives_kill(Step::Program(Gate::Pack));
}

#[test]
fn another_worker_finishes_what_was_killed_while_it_wrote_rows() {
    survives_kill(Step::Database(Hold::Rows));
}

#[test]
fn another_worker_finishes_what_was_killed_while_it_ended_the_job() {
    survives_kill(Step::Database(Hold::End));
}

#[test]
fn a_worker_that_was_stopped_while_it_fetched_writes_nothing_when_it_comes_back() {
    survives_stop(Step::Program(Gate::Fetch));
}

#[test]
fn a_worker_that_was_stopped_while_it_compiled_writes_nothing_when_it_comes_back() {
    survives_stop(Step::Program(Gate::Compile));
}

#[test]
fn a_worker_that_was_stopped_while_it_packed_writes_nothing_when_it_comes_back() {
    survives_stop(Step::Program(Gate::Pack));
}

#[test]
fn a_worker_that_was_stopped_while_it_wrote_rows_keeps_the_job_from_nobody() {
    survives_stop(Step::Database(Hold::Rows));
}

#[test]
fn a_worker_that_was_stopped_while_it_ended_the_job_keeps_the_queue_from_nobody() {
    survives_stop(Step::Database(Hold::End));
}

/// How many jobs make a load.
const LOAD: usize = 24;

/// Asks for many jobs: one goes through, the others end with the reason why not.
fn load(registry: &Registry) -> Vec<String> {
    demo(registry).push();
    let mut jobs = vec![publish(registry, "purescript-demo", "v1.0.0")];
    jobs.extend((1..LOAD).map(|number| publish_in_vain(registry, number)));
    jobs
}

/// Asserts that every job ends once, with a dense log, and that the first one has published.
pub(crate) fn assert_all_end(registry: &Registry, jobs: &[String]) {
    for (number, id) in jobs.iter().enumerate() {
        let job = wait_for_end(registry, id);
        let log = registry.log(id, "DEBUG");
        assert_eq!(job["success"], number == 0, "{job}\n{log:#?}");
        assert_dense(&log);
    }
    assert!(is_published(registry));
}

fn count_ended(registry: &Registry, jobs: &[String]) -> usize {
    jobs.iter().filter_map(|id| find_ended(registry, id)).count()
}

#[test]
fn a_database_that_is_restarted_under_load_loses_no_job() {
    let server = Server::start();
    let registry = serve(&server.url(), SHORT_LEASE, |_| {});
    let workers = [work(&registry), work(&registry)];
    let jobs = load(&registry);
    for part in 1..3 {
        wait_for("some jobs to end", || {
            (count_ended(&registry, &jobs) >= part * LOAD / 4).then_some(())
        });
        server.crash();
        server.go_on();
    }
    assert_all_end(&registry, &jobs);
    for worker in workers {
        assert_eq!(worker.terminate(), Some(0));
    }
    assert_sound(&registry);
}

#[test]
fn a_database_that_is_restarted_while_workers_idle_finds_them_working() {
    let server = Server::start();
    let registry = serve(&server.url(), "", |_| {});
    let worker = work(&registry);
    server.crash();
    server.go_on();
    let jobs = load(&registry);
    assert_all_end(&registry, &jobs);
    assert_eq!(worker.terminate(), Some(0));
    assert_sound(&registry);
}

#[test]
fn connections_that_are_cut_lose_no_job() {
    let server = Server::start();
    let registry = serve(&server.url(), SHORT_LEASE, |_| {});
    let proxy = Proxy::to(server.address());
    let workers = [(), ()].map(|()| {
        let mut docketd = docketd(&registry, "work");
        docketd.env("DOCKET__DATABASE__URL", proxy.url());
        Program::start(&mut docketd)
    });
    let jobs = load(&registry);
    for part in 1..8 {
        wait_for("some jobs to end", || {
            (count_ended(&registry, &jobs) >= part * LOAD / 10).then_some(())
        });
        proxy.cut();
    }
    assert_all_end(&registry, &jobs);
    for worker in workers {
        assert_eq!(worker.terminate(), Some(0));
    }
    assert_sound(&registry);
}

#[test]
fn workers_whose_clocks_differ_by_minutes_do_not_take_each_others_jobs() {
    let url = new_database();
    let registry = serve(&url, SHORT_LEASE, |dir| Gate::Compile.prepare(dir));
    let mut database = Psql::connect(&url);
    demo(&registry).push();
    let with_clock = |offset: &str| {
        let mut docketd = docketd(&registry, "work");
        docketd
            .env("LD_PRELOAD", clock_library())
            .env("FAKETIME", offset)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Program::start(&mut docketd)
    };
    let behind = with_clock("-300s");
    let job = publish(&registry, "purescript-demo", "v1.0.0");
    Gate::Compile.wait(&registry, &job);
    let ahead = with_clock("+300s");
    // Its lease is renewed for longer than it lasts.
    let lease = "SELECT coalesce(max(lease_until), 0) FROM job WHERE state = 'running'";
    let first = database.number(lease);
    wait_for("renewals", || {
        (database.number(lease) > first + 6000).then_some(())
    });
    Gate::Compile.open(&registry);
    assert_eq!(wait_for_end(&registry, &job)["success"], true);
    let log = registry.log(&job, "DEBUG");
    let attempts = log.iter().filter(|line| message(line).contains("Attempt"));
    assert_eq!(attempts.count(), 0, "nobody took it over: {log:#?}");
    // The database's clock is everybody's.
    let off = "SELECT max(abs(started_at - created_at) + abs(finished_at - created_at)) FROM job";
    assert!(database.number(off) < 60_000, "{}", registry.job(&job));
    for worker in [behind, ahead] {
        assert_eq!(worker.terminate(), Some(0));
    }
    assert_sound(&registry);
}

#[test]
fn a_worker_that_is_told_to_stop_hands_its_job_to_another_one_at_once() {
    let url = new_database();
    // The lease is an hour long: only a job that was given back runs again.
    let registry = serve(&url, "lease_secs = 3600\ndrain_secs = 0\n", |dir| {
        Gate::Compile.prepare(dir);
    });
    demo(&registry).push();
    let first = work(&registry);
    let job = publish(&registry, "purescript-demo", "v1.0.0");
    Gate::Compile.wait(&registry, &job);
    let second = work(&registry);
    assert_eq!(first.terminate(), Some(0));
    Gate::Compile.open(&registry);
    assert_finished_by_another_run(&registry, &job);
    assert_eq!(second.terminate(), Some(0));
    assert_sound(&registry);
}

#[test]
fn a_log_goes_on_at_another_server_where_the_first_one_left_off() {
    let url = new_database();
    let registry = serve(&url, SHORT_LEASE, |dir| Gate::Compile.prepare(dir));
    let (_server, other) = another_server(&registry);
    demo(&registry).push();
    let _worker = work(&registry);
    let job = publish(&registry, "purescript-demo", "v1.0.0");
    Gate::Compile.wait(&registry, &job);
    wait_for_line(&registry, &job, "Fetching demo@1.0.0");
    let page = |server: &str, after: i64| {
        get_json(&format!(
            "{server}/api/v1/jobs/{job}/logs?level=DEBUG&after={after}&limit=1000"
        ))
    };
    let begun = page(&registry.url(""), 0);
    let watcher = {
        let after = begun["next"].as_i64().unwrap();
        let url = format!("{other}/api/v1/jobs/{job}/logs/events?level=DEBUG&after={after}");
        std::thread::spawn(move || crate::http::get(&url).text())
    };
    Gate::Compile.open(&registry);
    wait_for_end(&registry, &job);
    let events = watcher.join().unwrap();
    let mut told: Vec<Value> = begun["lines"].as_array().unwrap().clone();
    let data = events.lines().filter_map(|line| line.strip_prefix("data: "));
    let lines = data.map(|data| serde_json::from_str::<Value>(data).unwrap());
    told.extend(lines.filter(|line| line.get("seq").is_some()));
    assert_eq!(
        told,
        registry.log(&job, "DEBUG"),
        "each line once, across two servers"
    );
    assert_eq!(page(&other, 0)["lines"], page(&registry.url(""), 0)["lines"]);
}
