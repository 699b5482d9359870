//! Lines that are stored while several jobs write at once.

use std::sync::Arc;

use anyhow::ensure;
use docket_jobs::Jobs;
use tokio::sync::Barrier;

use crate::{
    jobs::{clear, database, enqueue, new_job},
    message,
    rate::Pace,
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
    let pace = Pace::start();
    worker.done().await;
    let rate = pace.stop(JOBS * LINES);
    let mut tx = jobs.db().read().await?;
    for id in ids {
        let stored = jobs.find(&mut tx, id).await?.map_or(0, |job| job.log_seq);
        ensure!(stored == LINES as i64, "{stored} of {LINES} lines were stored");
    }
    drop(tx);
    worker.stop().await;
    let setting = format!("{JOBS} jobs at once");
    rate.print("docket", database(jobs), "append", &setting, "lines");
    clear(jobs).await
}
