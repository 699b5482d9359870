//! Many processes on one PostgreSQL: `docketd serve` and `docketd work`, which are killed, stopped, cut off and put off the clock. Whatever happens, each
//! accepted job ends once, and `docketd doctor` finds nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::breaking::{message, publish};
use crate::harness::{Program, Registry, before_the_compiler, program, run, wait_for};
use crate::http::get_json;
use crate::kill::{assert_finished_by_another_run, is_published, wait_for_line};
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
    let bin = registry.path("bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut docketd = registry.docketd();
    docketd.env("PATH", path).arg(role);
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

/// A place in the middle of a publish where the first attempt waits until it is let go; later ones pass.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Fetch,
    Compile,
    Pack,
    Rows,
    End,
}

/// What a trigger of the database waits for, where the database makes a step wait.
const HOLD: &str = "SELECT pg_advisory_lock(4711)";
const LET_GO: &str = "SELECT pg_advisory_unlock(4711)";
const WAITING: &str =
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted";
const TRIGGER_FUNCTION: &str = "
    CREATE FUNCTION wait_for_the_test() RETURNS trigger AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END $$ LANGUAGE plpgsql";

/// The database notices after three seconds that nobody goes on with a transaction. It says so to connections from now on.
const NOTICE_SOON: &str = "
    DO $$ BEGIN
      EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = 3000', current_database());
    END $$";

impl Step {
    /// Makes programs wait.
    pub(crate) fn prepare(self, dir: &Path) {
        match self {
            Self::Fetch => {
                let found = run(Command::new("sh").args(["-c", "command -v git"])).expect_code(0);
                let script = format!(
                    "dir={}\ncase \" $* \" in *\" fetch --quiet --depth=1 \"*)\n  if mkdir $dir/entered 2>/dev/null; then while [ ! -e $dir/open ]; do /bin/sleep 0.05; done; fi\nesac\nexec {} \"$@\"\n",
                    dir.display(),
                    found.out.trim()
                );
                program(&dir.join("bin/git"), &script);
            }
            Self::Compile => before_the_compiler(
                dir,
                "if [ \"$1\" = compile ] && mkdir $dir/entered 2>/dev/null; then while [ ! -e $dir/open ]; do /bin/sleep 0.05; done; fi",
            ),
            // A named pipe that nobody writes to: packing cannot get past it.
            Self::Pack => before_the_compiler(
                dir,
                "if [ \"$1\" = compile ] && mkdir $dir/entered 2>/dev/null; then mkfifo demo-1.0.0/pipe; fi",
            ),
            Self::Rows | Self::End => {}
        }
    }

    /// Makes the database wait.
    fn hold(self, database: &mut Psql) {
        let trigger = match self {
            Self::Rows => {
                "CREATE TRIGGER wait_for_the_test BEFORE INSERT ON package_version
                 FOR EACH ROW EXECUTE FUNCTION wait_for_the_test()"
            }
            Self::End => {
                "CREATE TRIGGER wait_for_the_test BEFORE UPDATE ON job
                 FOR EACH ROW WHEN (NEW.state = 'succeeded') EXECUTE FUNCTION wait_for_the_test()"
            }
            _ => return,
        };
        database.run(TRIGGER_FUNCTION);
        database.run(trigger);
        database.run(HOLD);
    }

    /// Waits until the attempt is there.
    pub(crate) fn wait(self, registry: &Registry, database: &mut Psql, job: &str) {
        match self {
            Self::Fetch | Self::Compile => {
                wait_for("the step", || registry.path("entered").exists().then_some(()))
            }
            Self::Pack => wait_for_line(registry, job, "Packaging and uploading demo@1.0.0"),
            Self::Rows | Self::End => wait_for("the step", || (database.number(WAITING) > 0).then_some(())),
        }
    }

    /// Lets the attempt go.
    pub(crate) fn open(self, registry: &Registry, database: &mut Psql) {
        match self {
            Self::Fetch | Self::Compile => fs::write(registry.path("open"), "").unwrap(),
            Self::Pack => {
                // Whoever reads the pipe comes to its end; when nobody does, it is of no use any more.
                let work = registry.path("data/work");
                let script = "for pipe in $(find \"$1\" -name pipe); do timeout 1 sh -c ': > $0' \"$pipe\"; rm -f \"$pipe\"; done";
                run(Command::new("sh").args(["-c", script, "sh"]).arg(work));
            }
            Self::Rows | Self::End => database.run(LET_GO),
        }
    }
}

/// A worker dies at this step, and another one finishes the job.
fn survives_kill(step: Step) {
    let url = new_database();
    let registry = serve(&url, SHORT_LEASE, |dir| step.prepare(dir));
    let mut database = Psql::connect(&url);
    step.hold(&mut database);
    demo(&registry).push();
    let first = work(&registry);
    let job = publish(&registry, "purescript-demo", "v1.0.0");
    step.wait(&registry, &mut database, &job);
    let second = work(&registry);
    drop(first);
    step.open(&registry, &mut database);
    assert_finished_by_another_run(&registry, &job);
    assert_eq!(second.terminate(), Some(0));
    assert_sound(&registry);
}

/// A worker falls silent at this step for longer than its lease, and comes back when another one has finished the job: it writes nothing any more.
fn survives_stop(step: Step) {
    let url = new_database();
    let registry = serve(&url, SHORT_LEASE, |dir| step.prepare(dir));
    let mut database = Psql::connect(&url);
    database.run(NOTICE_SOON);
    step.hold(&mut database);
    demo(&registry).push();
    let first = work(&registry);
    let job = publish(&registry, "purescript-demo", "v1.0.0");
    step.wait(&registry, &mut database, &job);
    first.signal("STOP");
    let second = work(&registry);
    // In the middle of a transaction the database has to notice first that nobody goes on with it.
    if matches!(step, Step::Rows | Step::End) {
        step.open(&registry, &mut database);
    }
    assert_finished_by_another_run(&registry, &job);
    let log = registry.log(&job, "DEBUG");
    first.signal("CONT");
    if !matches!(step, Step::Rows | Step::End) {
        step.open(&registry, &mut database);
    }
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
    survives_kill(Step::Fetch);
}

#[test]
fn another_worker_finishes_what_was_killed_while_it_compiled() {
    survives_kill(Step::Compile);
}

#[test]
fn another_worker_finishes_what_was_killed_while_it_packed() {
    survives_kill(Step::Pack);
}

#[test]
fn another_worker_finishes_what_was_killed_while_it_wrote_rows() {
    survives_kill(Step::Rows);
}

#[test]
fn another_worker_finishes_what_was_killed_while_it_ended_the_job() {
    survives_kill(Step::End);
}

#[test]
fn a_worker_that_was_stopped_while_it_fetched_writes_nothing_when_it_comes_back() {
    survives_stop(Step::Fetch);
}

#[test]
fn a_worker_that_was_stopped_while_it_compiled_writes_nothing_when_it_comes_back() {
    survives_stop(Step::Compile);
}

#[test]
fn a_worker_that_was_stopped_while_it_packed_writes_nothing_when_it_comes_back() {
    survives_stop(Step::Pack);
}

#[test]
fn a_worker_that_was_stopped_while_it_wrote_rows_keeps_the_job_from_nobody() {
    survives_stop(Step::Rows);
}

#[test]
fn a_worker_that_was_stopped_while_it_ended_the_job_keeps_the_queue_from_nobody() {
    survives_stop(Step::End);
}

/// How many jobs make a load.
const LOAD: usize = 24;

/// Asks for many jobs: one goes through, the others end with the reason why not.
fn load(registry: &Registry) -> Vec<String> {
    demo(registry).push();
    let mut jobs = vec![publish(registry, "purescript-demo", "v1.0.0")];
    jobs.extend((1..LOAD).map(|number| publish_another(registry, number)));
    jobs
}

/// Asks for a package whose repository does not exist.
pub(crate) fn publish_another(registry: &Registry, number: usize) -> String {
    let body = serde_json::json!({
        "compiler": "0.15.15",
        "location": { "githubOwner": "lab", "githubRepo": "purescript-none" },
        "name": format!("none-{number}"),
        "ref": "v1.0.0",
        "version": "1.0.0",
    });
    let answer = wait_for("an accepted job", || {
        let answer = crate::http::post_publish(registry, &body.to_string());
        // While the database is away the client is asked to try again.
        (answer.status != 503).then_some(answer)
    });
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["jobId"].as_str().unwrap().to_owned()
}

/// Asserts that every job ends once, with a dense log, and that the first one has published.
pub(crate) fn assert_all_end(registry: &Registry, jobs: &[String]) {
    for (number, id) in jobs.iter().enumerate() {
        let job = wait_for_end(registry, id);
        let log = registry.log(id, "DEBUG");
        assert_eq!(job["success"], number == 0, "{job}\n{log:#?}");
        let seqs = log.iter().map(|line| line["seq"].as_u64().unwrap());
        assert!(seqs.eq(1..=log.len() as u64), "{log:#?}");
    }
    assert!(is_published(registry));
}

/// Waits for the end of a job; while the database is away, for an answer too.
fn wait_for_end(registry: &Registry, id: &str) -> Value {
    wait_for(&format!("the end of job {id}"), || {
        let answer = crate::http::get(&registry.url(&format!("/api/v1/jobs/{id}?level=DEBUG")));
        let job = (answer.status == 200).then(|| answer.json())?;
        job.get("finishedAt").is_some().then_some(job)
    })
}

fn count_ended(registry: &Registry, jobs: &[String]) -> usize {
    let ended = jobs.iter().filter(|id| {
        let answer = crate::http::get(&registry.url(&format!("/api/v1/jobs/{id}")));
        answer.status == 200 && answer.json().get("finishedAt").is_some()
    });
    ended.count()
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
    let registry = serve(&url, SHORT_LEASE, |dir| Step::Compile.prepare(dir));
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
    Step::Compile.wait(&registry, &mut database, &job);
    let ahead = with_clock("+300s");
    // Its lease is renewed for longer than it lasts.
    let lease = "SELECT coalesce(max(lease_until), 0) FROM job WHERE state = 'running'";
    let first = database.number(lease);
    wait_for("renewals", || {
        (database.number(lease) > first + 6000).then_some(())
    });
    Step::Compile.open(&registry, &mut database);
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
        Step::Compile.prepare(dir);
    });
    let mut database = Psql::connect(&url);
    demo(&registry).push();
    let first = work(&registry);
    let job = publish(&registry, "purescript-demo", "v1.0.0");
    Step::Compile.wait(&registry, &mut database, &job);
    let second = work(&registry);
    assert_eq!(first.terminate(), Some(0));
    Step::Compile.open(&registry, &mut database);
    assert_finished_by_another_run(&registry, &job);
    assert_eq!(second.terminate(), Some(0));
    assert_sound(&registry);
}

#[test]
fn a_log_goes_on_at_another_server_where_the_first_one_left_off() {
    let url = new_database();
    let registry = serve(&url, SHORT_LEASE, |dir| Step::Compile.prepare(dir));
    let (_server, other) = another_server(&registry);
    let mut database = Psql::connect(&url);
    demo(&registry).push();
    let _worker = work(&registry);
    let job = publish(&registry, "purescript-demo", "v1.0.0");
    Step::Compile.wait(&registry, &mut database, &job);
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
    Step::Compile.open(&registry, &mut database);
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
