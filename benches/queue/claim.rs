//! What a claim costs beside a long queue.

use std::time::Instant;

use docket_jobs::Jobs;
use serde_json::json;

use crate::{
    cpu::Cpu,
    figure, fill,
    jobs::{clear, database},
    worker::Worker,
};

/// Time per job of 100 jobs, with `queued` in the background that share `locks`: the middle one of several such runs.
pub(crate) async fn beside(jobs: &Jobs, queued: usize, locks: usize) -> anyhow::Result<()> {
    const RUNS: usize = 9;
    const JOBS: usize = 100;
    let mut times = Vec::new();
    let mut used = 0.0;
    fill(jobs, 0..queued, locks, -1).await?;
    for run in 0..RUNS {
        let (cpu, start) = (Cpu::of(std::process::id()), Instant::now());
        let worker = Worker::start(jobs, 8, JOBS, |_| async {});
        worker.done().await;
        let (elapsed, cpu) = (start.elapsed(), cpu.elapsed());
        worker.stop().await;
        // As many again as were taken.
        let next = queued + run * JOBS;
        fill(jobs, next..next + JOBS, locks, -1).await?;
        times.push(elapsed.as_secs_f64() * 1e3 / JOBS as f64);
        used += cpu.micros_each(RUNS * JOBS).iter().sum::<f64>();
    }
    times.sort_by(f64::total_cmp);
    let time = figure::quantile(&times, 0.5);
    figure::print(
        "docket",
        database(jobs),
        "claim",
        &format!("{queued} queued, {locks} locks: {time:.2} ms per job of {JOBS}, CPU {used:.0} µs"),
        json!({ "queued": queued, "locks": locks, "ms_per_job": time, "cpu_us": used }),
    );
    clear(jobs).await
}
