//! How fast the queue is: jobs that do nothing, end to end; from enqueue to start, alone and in a burst; enqueues over HTTP; a claim beside a long queue.
//!
//! `cargo bench --bench queue` measures SQLite, and PostgreSQL too where `DOCKET_BENCH_POSTGRES_URL` names an empty database. Each job takes a lock of its
//! own and writes one log line. CPU times are of this process, and of the server where `DOCKET_BENCH_POSTGRES_DATA` names its data directory.
//! Words choose figures: `cargo bench --bench queue -- postgresql end-to-end`. With `-- --json` each line for people is followed by the same as a JSON object; `benches/run` reads those, and measures other queues beside.

#[path = "harness/choice.rs"]
mod choice;
#[path = "queue/claim.rs"]
mod claim;
#[path = "harness/cpu.rs"]
mod cpu;
#[path = "queue/end_to_end.rs"]
mod end_to_end;
#[path = "queue/enqueue.rs"]
mod enqueue;
#[path = "harness/figure.rs"]
mod figure;
#[path = "harness/jobs.rs"]
mod jobs;
#[path = "harness/rate.rs"]
mod rate;
#[path = "queue/raw.rs"]
mod raw;
#[path = "harness/server.rs"]
mod server;
#[path = "queue/waits.rs"]
mod waits;
#[path = "harness/worker.rs"]
mod worker;

use std::ops::Range;

use docket_db::Db;
use docket_jobs::Jobs;

use choice::{DATABASES, chosen};

const FIGURES: [&str; 6] = ["end-to-end", "pick-up", "burst", "enqueue", "claim", "raw"];

fn main() -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for url in choice::databases(folder.path()) {
        let jobs = choice::open(&url).await?;
        println!("{}", jobs::database(&jobs));
        if chosen(&FIGURES, "end-to-end") {
            for slots in [16, 128, 512, 2048] {
                end_to_end::measure(&jobs, slots).await?;
            }
        }
        if chosen(&FIGURES, "pick-up") {
            waits::pick_up(&jobs, 0, 0).await?;
            waits::pick_up(&jobs, 100_000, 10_000).await?;
        }
        if chosen(&FIGURES, "burst") {
            waits::bursts(&jobs).await?;
        }
        if chosen(&FIGURES, "enqueue") {
            enqueue::measure(&jobs, folder.path()).await?;
        }
        if chosen(&FIGURES, "claim") {
            claim::beside(&jobs, 100, 100).await?;
            claim::beside(&jobs, 100_000, 10_000).await?;
        }
    }
    if chosen(&DATABASES, "sqlite") && chosen(&FIGURES, "raw") {
        println!("SQLite without a queue");
        let url = format!("sqlite:{}", folder.path().join("raw.db").display());
        raw::measure(&Db::connect(&url).await?).await?;
    }
    Ok(())
}

/// Stores the jobs of these numbers, a thousand in a transaction, over `locks` locks.
async fn fill(jobs: &Jobs, numbers: Range<usize>, locks: usize, priority: i64) -> anyhow::Result<()> {
    for from in numbers.clone().step_by(1000) {
        let mut tx = jobs.db().write().await?;
        for number in from..numbers.end.min(from + 1000) {
            jobs.enqueue(&mut tx, &jobs::new_job(number, number % locks, priority))
                .await?;
        }
        tx.commit().await?;
    }
    Ok(())
}
