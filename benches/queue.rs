//! How fast the queue is: jobs that do nothing, end to end; from enqueue to start, alone and in a burst; a claim beside a long queue.
//!
//! `cargo bench --bench queue` measures SQLite, and PostgreSQL too where `DOCKET_BENCH_POSTGRES_URL` names an empty database. Each job takes a lock of its
//! own and writes one log line. CPU times are of this process, and of the server where `DOCKET_BENCH_POSTGRES_DATA` names its data directory.
//! With `-- --json` each line for people is followed by the same as a JSON object; `benches/run` reads those, and measures other queues beside.

#[path = "queue/claim.rs"]
mod claim;
#[path = "queue/cpu.rs"]
mod cpu;
#[path = "queue/end_to_end.rs"]
mod end_to_end;
#[path = "queue/figure.rs"]
mod figure;
#[path = "queue/raw.rs"]
mod raw;
#[path = "queue/waits.rs"]
mod waits;
#[path = "queue/worker.rs"]
mod worker;

use std::ops::Range;

use docket_db::{Db, execute, sqlx};
use docket_jobs::{Clock, Jobs, NewJob, TABLES};

fn main() -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let sqlite = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let postgres = std::env::var("DOCKET_BENCH_POSTGRES_URL").ok();
    for url in [Some(sqlite("bench.db")), postgres].into_iter().flatten() {
        let db = Db::connect(&url).await?;
        TABLES.migrate(&db).await?;
        let jobs = Jobs::new(db, Clock::system());
        println!("{}", figure::title(&jobs));
        for slots in [16, 128, 512] {
            end_to_end::measure(&jobs, slots).await?;
        }
        waits::pick_up(&jobs).await?;
        waits::bursts(&jobs).await?;
        claim::beside(&jobs, 100, 100).await?;
        claim::beside(&jobs, 100_000, 10_000).await?;
    }
    println!("SQLite without a queue");
    raw::measure(&Db::connect(&sqlite("raw.db")).await?).await
}

fn new_job(number: usize, lock: usize, priority: i64) -> NewJob {
    NewJob {
        priority,
        locks: vec![format!("package/p{lock}")],
        ..NewJob::new("publish", "{}".to_owned(), format!("job {number}"))
    }
}

/// Stores one job in a transaction of its own.
async fn enqueue(jobs: &Jobs, new: &NewJob) -> anyhow::Result<()> {
    let mut tx = jobs.db().write().await?;
    jobs.enqueue(&mut tx, new).await?;
    tx.commit().await?;
    jobs.wake_workers();
    Ok(())
}

/// Stores the jobs of these numbers, a thousand in a transaction, over `locks` locks.
async fn fill(jobs: &Jobs, numbers: Range<usize>, locks: usize, priority: i64) -> anyhow::Result<()> {
    for from in numbers.clone().step_by(1000) {
        let mut tx = jobs.db().write().await?;
        for number in from..numbers.end.min(from + 1000) {
            jobs.enqueue(&mut tx, &new_job(number, number % locks, priority))
                .await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn clear(jobs: &Jobs) -> anyhow::Result<()> {
    let mut tx = jobs.db().write().await?;
    for table in ["DELETE FROM job_log", "DELETE FROM job_lock", "DELETE FROM job"] {
        execute!(&mut tx, sqlx::query(table))?;
    }
    tx.commit().await?;
    Ok(())
}
