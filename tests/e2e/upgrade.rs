//! Two versions of the program on one database: the earlier one goes on while the tables are brought up to date and this one starts beside it.
//!
//! `tests/upgrade` builds the earlier version and runs this.

use crate::asking::{publish, publish_in_vain};
use crate::cluster::{assert_all_end, assert_sound, docketd, work};
use crate::gate::Gate;
use crate::harness::{DOCKETD, Registry, run};
use crate::postgres::new_database;
use crate::publish::demo;

#[test]
#[ignore = "needs a build of an earlier version: run tests/upgrade"]
fn an_earlier_version_works_beside_this_one() {
    let earlier = std::env::var("DOCKET_EARLIER_DOCKETD").expect("run this by tests/upgrade");
    let url = new_database();
    let configuration = format!(
        "[database]\nurl = \"{url}\"\n\n[worker]\nsandbox = \"none\"\nconcurrency = 2\nlease_secs = 3\n"
    );
    // The earlier version makes the tables and runs.
    let mut registry = Registry::prepare_as(&earlier, &configuration, |dir| Gate::Compile.prepare(dir));
    let server = docketd(&registry, "serve");
    registry.resume_by(server, "127.0.0.1:0".parse().unwrap());
    let earlier_worker = work(&registry);
    demo(&registry).push();
    let mut jobs = vec![publish(&registry, "purescript-demo", "v1.0.0")];
    Gate::Compile.wait(&registry, &jobs[0]);

    // This version brings the tables up to date and starts beside it; both take requests and run jobs.
    registry.run_as(DOCKETD);
    run(registry.docketd().arg("migrate")).expect_code(0);
    let worker = work(&registry);
    jobs.extend((1..6).map(|number| publish_in_vain(&registry, number)));
    let earlier_server = registry.take_server();
    let server = docketd(&registry, "serve");
    registry.resume_by(server, "127.0.0.1:0".parse().unwrap());
    jobs.extend((6..12).map(|number| publish_in_vain(&registry, number)));

    // What the earlier version runs ends, and so does everything else, whoever takes it.
    Gate::Compile.open(&registry);
    assert_all_end(&registry, &jobs);
    for program in [earlier_worker, earlier_server, worker] {
        assert_eq!(program.terminate(), Some(0));
    }
    assert_sound(&registry);
}
