//! How fast the queue is: jobs that do nothing, end to end; a claim beside a long queue; from enqueue to start on an idle system.
//!
//! `cargo bench --bench queue` measures SQLite, and PostgreSQL too where `DOCKET_BENCH_POSTGRES_URL` names an empty database. Each job takes a lock of its
//! own and writes one log line. CPU times are of this process, and of the server where `DOCKET_BENCH_POSTGRES_DATA` names its data directory.

#[path = "queue/cpu.rs"]
mod cpu;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cpu::Cpu;
use docket_db::{Db, execute, sqlx};
use docket_jobs::{
    Clock, Jobs, NewJob, Run, TABLES,
    worker::{self, Config, Handler},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Jobs of one end-to-end round.
const JOBS: usize = 20_000;

fn main() -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let sqlite = format!("sqlite:{}", folder.path().join("bench.db").display());
    let postgres = std::env::var("DOCKET_BENCH_POSTGRES_URL").ok();
    for url in [Some(sqlite), postgres].into_iter().flatten() {
        let db = Db::connect(&url).await?;
        TABLES.migrate(&db).await?;
        let jobs = Jobs::new(db, Clock::system());
        println!(
            "{}",
            if url.starts_with("sqlite") {
                "SQLite"
            } else {
                "PostgreSQL"
            }
        );
        for slots in [16, 128, 512] {
            end_to_end(&jobs, slots).await?;
        }
        pick_up(&jobs).await?;
        claim_beside(&jobs, 100, 100).await?;
        claim_beside(&jobs, 100_000, 10_000).await?;
    }
    Ok(())
}

/// Jobs that are stored before the first worker starts.
async fn end_to_end(jobs: &Jobs, slots: usize) -> anyhow::Result<()> {
    fill(jobs, JOBS, JOBS, 0).await?;
    let (cpu, start) = (Cpu::now(), Instant::now());
    let worker = Worker::start(jobs, slots, JOBS, |run| run.log.info("Nothing to do."));
    worker.done.notified().await;
    let elapsed = start.elapsed();
    let cpu = cpu.elapsed();
    worker.stop().await;
    println!(
        "  {JOBS} jobs, {slots} slots: {:.0} jobs/s; CPU per job: {:.0} µs here, {:.0} µs in the server",
        JOBS as f64 / elapsed.as_secs_f64(),
        cpu.own.as_secs_f64() * 1e6 / JOBS as f64,
        cpu.server.as_secs_f64() * 1e6 / JOBS as f64,
    );
    clear(jobs).await
}

/// One job at a time, on an idle system: from the enqueue's commit to the handler's start.
async fn pick_up(jobs: &Jobs) -> anyhow::Result<()> {
    const ROUNDS: usize = 500;
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let worker = Worker::start(jobs, 16, ROUNDS, move |_| {
        let _ = started.send(Instant::now());
    });
    let mut waits = Vec::new();
    for number in 0..ROUNDS {
        let begun = Instant::now();
        enqueue(jobs, &new_job(number, number, 0)).await?;
        if let Some(start) = starts.recv().await {
            waits.push(start.duration_since(begun));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    worker.stop().await;
    waits.sort();
    println!(
        "  enqueue to start, idle: p50 {:.1} ms, p99 {:.1} ms",
        waits[ROUNDS / 2].as_secs_f64() * 1e3,
        waits[ROUNDS * 99 / 100].as_secs_f64() * 1e3,
    );
    clear(jobs).await
}

/// Time per job of 100 jobs, with `queued` others in the background that share `locks`, and of a job that people wait for.
async fn claim_beside(jobs: &Jobs, queued: usize, locks: usize) -> anyhow::Result<()> {
    const RUNS: usize = 100;
    fill(jobs, queued, locks, -1).await?;
    let (cpu, start) = (Cpu::now(), Instant::now());
    let worker = Worker::start(jobs, 8, RUNS, |_| ());
    worker.done.notified().await;
    let (elapsed, cpu) = (start.elapsed(), cpu.elapsed());
    worker.stop().await;
    println!(
        "  {queued} queued, {locks} locks: {:.2} ms per job of {RUNS}, CPU {:.0} µs",
        elapsed.as_secs_f64() * 1e3 / RUNS as f64,
        (cpu.own + cpu.server).as_secs_f64() * 1e6 / RUNS as f64,
    );
    clear(jobs).await
}

struct Worker {
    done: Arc<Notify>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Worker {
    /// Starts a worker; `done` hears when `expected` jobs have run.
    fn start(
        jobs: &Jobs,
        slots: usize,
        expected: usize,
        work: impl Fn(&Run) + Send + Sync + 'static,
    ) -> Self {
        let done = Arc::new(Notify::new());
        let (count, told, work) = (AtomicUsize::new(0), done.clone(), Arc::new(work));
        let count = Arc::new(count);
        let handler = Handler::new("publish", 60, 3, move |run| {
            let (count, told, work) = (count.clone(), told.clone(), work.clone());
            async move {
                work(&run);
                if count.fetch_add(1, Ordering::SeqCst) + 1 == expected {
                    told.notify_one();
                }
                Ok(())
            }
        });
        let config = Config {
            concurrency: slots,
            background_concurrency: slots,
            lease_secs: 60,
            drain_secs: 30,
            retry_millis: 1000,
            name: "bench".to_owned(),
            progress: Default::default(),
        };
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(worker::run(jobs.clone(), config, vec![handler], shutdown.clone()));
        Self { done, shutdown, task }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        let _ = self.task.await;
    }
}

fn new_job(number: usize, lock: usize, priority: i64) -> NewJob {
    NewJob {
        priority,
        locks: vec![format!("package/p{lock}")],
        ..NewJob::new("publish", "{}".to_owned(), format!("job {number}"))
    }
}

async fn enqueue(jobs: &Jobs, new: &NewJob) -> anyhow::Result<()> {
    let mut tx = jobs.db().write().await?;
    jobs.enqueue(&mut tx, new).await?;
    tx.commit().await?;
    jobs.wake_workers();
    Ok(())
}

/// Stores jobs, a thousand in a transaction.
async fn fill(jobs: &Jobs, count: usize, locks: usize, priority: i64) -> anyhow::Result<()> {
    for thousand in 0..count.div_ceil(1000) {
        let mut tx = jobs.db().write().await?;
        for number in thousand * 1000..count.min((thousand + 1) * 1000) {
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
