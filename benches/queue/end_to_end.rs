//! Jobs that are stored before the first worker starts.

use std::time::Instant;

use docket_jobs::Jobs;
use serde_json::json;

use crate::{
    cpu::Cpu,
    figure, fill,
    jobs::{clear, database},
    worker::Worker,
};

/// Jobs of one round.
const JOBS: usize = 20_000;

/// How many jobs one worker with `slots` slots runs in a second, until the end of the last one is stored.
pub(crate) async fn measure(jobs: &Jobs, slots: usize) -> anyhow::Result<()> {
    fill(jobs, 0..JOBS, JOBS, 0).await?;
    let (cpu, start) = (Cpu::of(std::process::id()), Instant::now());
    let worker = Worker::start(
        jobs,
        slots,
        JOBS,
        |run| async move { run.log.info("Nothing to do.") },
    );
    worker.done().await;
    worker.stop().await;
    let (elapsed, cpu) = (start.elapsed(), cpu.elapsed());
    let rate = JOBS as f64 / elapsed.as_secs_f64();
    let [own, server] = cpu.micros_each(JOBS);
    figure::print(
        "docket",
        database(jobs),
        "end to end",
        &format!(
            "{JOBS} jobs, {slots} slots: {rate:.0} jobs/s; CPU per job: {own:.0} µs here, {server:.0} µs in the server"
        ),
        json!({ "setting": format!("{slots} slots"), "jobs": JOBS, "rate": rate, "own_cpu_us": own, "server_cpu_us": server }),
    );
    clear(jobs).await
}
