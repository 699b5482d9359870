//! Lines that are stored while several jobs write at once.

use std::{sync::Arc, time::Instant};

use anyhow::ensure;
use docket_jobs::Jobs;
use serde_json::json;
use tokio::sync::Barrier;

use crate::{
    cpu::Cpu,
    figure,
    jobs::{clear, database, enqueue, new_job},
    message,
    worker::Worker,
};

const JOBS: usize = 8;
const LINES: usize = 50_000;

/// After how many lines a job lets others run.
const TURN: usize = 100;

/// How many lines a second eight jobs of one worker write, until the last one is stored.
pub(crate) async fn measure(jobs: &Jobs) -> anyhow::Result<()> {
    let mut ids = Vec::new();
    for number in 0..JOBS {
        ids.push(enqueue(jobs, &new_job(number, number, 0)).await?);
    }
    let all_ready = Arc::new(Barrier::new(JOBS + 1));
    let ready = all_ready.clone();
    let worker = Worker::start(jobs, JOBS, JOBS, move |run| {
        let ready = ready.clone();
        async move {
            ready.wait().await;
            for number in 0..LINES {
                run.log.info(message(number));
                if number % TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
            run.log.flush().await;
        }
    });
    all_ready.wait().await;
    let (cpu, start) = (Cpu::of(std::process::id()), Instant::now());
    worker.done().await;
    let (elapsed, cpu) = (start.elapsed(), cpu.elapsed());
    let mut tx = jobs.db().read().await?;
    for id in ids {
        let stored = jobs.find(&mut tx, id).await?.map_or(0, |job| job.log_seq);
        ensure!(stored == LINES as i64, "{stored} of {LINES} lines were stored");
    }
    drop(tx);
    worker.stop().await;
    let lines = JOBS * LINES;
    let rate = lines as f64 / elapsed.as_secs_f64();
    let [own, server] = cpu.micros_each(lines);
    figure::print(
        "docket",
        database(jobs),
        "append",
        &format!(
            "{JOBS} jobs: {rate:.0} lines/s; CPU per line: {own:.1} µs here, {server:.1} µs in the server"
        ),
        json!({ "setting": format!("{JOBS} jobs at once"), "jobs": lines, "rate": rate, "own_cpu_us": own, "server_cpu_us": server }),
    );
    clear(jobs).await
}
