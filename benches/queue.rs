//! How fast the queue is: jobs that do nothing, end to end; from enqueue to start, alone and in a burst; a claim beside a long queue.
//!
//! `cargo bench --bench queue` measures SQLite, and PostgreSQL too where `DOCKET_BENCH_POSTGRES_URL` names an empty database. Each job takes a lock of its
//! own and writes one log line. CPU times are of this process, and of the server where `DOCKET_BENCH_POSTGRES_DATA` names its data directory.
//! Words choose figures: `cargo bench --bench queue -- postgresql end-to-end`. With `-- --json` each line for people is followed by the same as a JSON object; `benches/run` reads those, and measures other queues beside.

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
    let sqlite_url = chosen(&DATABASES, "sqlite").then(|| sqlite("bench.db"));
    let postgres_url = postgres.filter(|_| chosen(&DATABASES, "postgresql"));
    for url in [sqlite_url, postgres_url].into_iter().flatten() {
        let db = Db::connect(&url).await?;
        TABLES.migrate(&db).await?;
        let jobs = Jobs::new(db, Clock::system());
        println!("{}", figure::title(&jobs));
        if chosen(&FIGURES, "end-to-end") {
            for slots in [16, 128, 512] {
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
        if chosen(&FIGURES, "claim") {
            claim::beside(&jobs, 100, 100).await?;
            claim::beside(&jobs, 100_000, 10_000).await?;
        }
    }
    if chosen(&DATABASES, "sqlite") && chosen(&FIGURES, "raw") {
        println!("SQLite without a queue");
        raw::measure(&Db::connect(&sqlite("raw.db")).await?).await?;
    }
    Ok(())
}

/// What can be chosen on the command line; of each list all, where none of its words is given.
const DATABASES: [&str; 2] = ["sqlite", "postgresql"];
const FIGURES: [&str; 5] = ["end-to-end", "pick-up", "burst", "claim", "raw"];

fn chosen(words: &[&str], word: &str) -> bool {
    let given: Vec<String> = std::env::args()
        .filter(|argument| words.contains(&argument.as_str()))
        .collect();
    given.is_empty() || given.iter().any(|given| given == word)
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

/// Makes the tables as they are in a new database: PostgreSQL remembers how many rows a table had.
async fn clear(jobs: &Jobs) -> anyhow::Result<()> {
    let mut tx = jobs.db().write().await?;
    for table in ["job_log", "job_lock", "job"] {
        let clear = if tx.is_postgres() {
            format!("TRUNCATE {table} CASCADE")
        } else {
            format!("DELETE FROM {table}")
        };
        execute!(&mut tx, sqlx::query(sqlx::AssertSqlSafe(clear)))?;
    }
    tx.commit().await?;
    Ok(())
}
