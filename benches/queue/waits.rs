//! How long a job waits on an idle system: alone, and in a burst. From before the enqueue begins, its commit included, to the handler's start.

use std::time::{Duration, Instant};

use docket_jobs::Jobs;
use serde_json::json;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    figure, fill,
    jobs::{clear, database, enqueue, new_job},
    worker::Worker,
};

/// How long the system rests between two jobs or bursts.
const REST: Duration = Duration::from_millis(10);

/// One job at a time, with `queued` jobs of the background beside it that share `locks` and run meanwhile.
pub(crate) async fn pick_up(jobs: &Jobs, queued: usize, locks: usize) -> anyhow::Result<()> {
    const ROUNDS: usize = 500;
    fill(jobs, 0..queued, locks, -1).await?;
    let (started, mut starts) = mpsc::unbounded_channel();
    let worker = Worker::start(jobs, 16, queued + ROUNDS, move |run| {
        if run.job.priority >= 0 {
            // The receiver outlives the worker.
            let _ = started.send(Instant::now());
        }
        std::future::ready(())
    });
    let mut waits = Vec::new();
    for number in queued..queued + ROUNDS {
        let begun = Instant::now();
        enqueue(jobs, &new_job(number, number, 0)).await?;
        if let Some(start) = starts.recv().await {
            waits.push(millis(start - begun));
        }
        tokio::time::sleep(REST).await;
    }
    worker.stop().await;
    waits.sort_by(f64::total_cmp);
    let (p50, p99) = (figure::quantile(&waits, 0.5), figure::quantile(&waits, 0.99));
    figure::print(
        "docket",
        database(jobs),
        "pick-up",
        &format!("enqueue to start, {queued} in the background: p50 {p50:.1} ms, p99 {p99:.1} ms"),
        json!({ "setting": format!("{queued} in the background"), "p50_ms": p50, "p99_ms": p99 }),
    );
    clear(jobs).await
}

/// Many jobs at once, each in a transaction of its own; all of them wait since the burst began.
pub(crate) async fn bursts(jobs: &Jobs) -> anyhow::Result<()> {
    const BURSTS: usize = 10;
    const JOBS: usize = 200;
    let (started, mut starts) = mpsc::unbounded_channel();
    let worker = Worker::start(jobs, 16, BURSTS * JOBS, move |_| {
        let _ = started.send(Instant::now());
        std::future::ready(())
    });
    let mut longest = Duration::ZERO;
    for burst in 0..BURSTS {
        let begun = Instant::now();
        let mut callers = JoinSet::new();
        for number in burst * JOBS..(burst + 1) * JOBS {
            let jobs = jobs.clone();
            callers.spawn(async move { enqueue(&jobs, &new_job(number, number, 0)).await });
        }
        for _ in 0..JOBS {
            if let Some(start) = starts.recv().await {
                longest = longest.max(start - begun);
            }
        }
        for caller in callers.join_all().await {
            caller?;
        }
        tokio::time::sleep(REST).await;
    }
    worker.stop().await;
    let longest = millis(longest);
    figure::print(
        "docket",
        database(jobs),
        "burst",
        &format!("bursts of {JOBS} jobs: the longest wait of {BURSTS} bursts was {longest:.0} ms"),
        json!({ "longest_ms": longest }),
    );
    clear(jobs).await
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
