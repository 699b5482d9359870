//! apalis on PostgreSQL and on SQLite, as it comes from the registry, in the terms of measure.js.
//!
//! Results are kept in every setting (`persist_results`): that is also how apalis notes that a job is done.

mod round;

use std::{
    path::Path,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use apalis::prelude::*;
use apalis_postgres::{PgPool, PostgresStorage, queries::push_tasks};
use apalis_sqlite::{SqlitePool, SqlitePoolOptions, SqliteStorage};
use round::{Begun, Progress, progress};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

const QUEUE: &str = "noop";
/// How long a round may take, and after it a worker to note what ran.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
struct Noop {}

async fn noop(_: Noop, progress: Data<Progress>) -> Result<(), BoxDynError> {
    progress.ran();
    Ok(())
}

struct Running {
    context: WorkerContext,
    task: JoinHandle<Result<(), WorkerError>>,
}

/// Starts a worker. A macro, because the bounds of a worker over any storage would fill a page.
macro_rules! start {
    ($name:expr, $storage:expr, $progress:expr) => {{
        let context = WorkerContext::new(&$name);
        let worker = WorkerBuilder::new(&context).backend($storage);
        let task = tokio::spawn(worker.data($progress.clone()).build(noop).run());
        Running { context, task }
    }};
}

impl Running {
    /// Stops the worker, which first notes what ran.
    async fn stop(mut self) -> anyhow::Result<()> {
        self.context.stop()?;
        let Ok(ended) = timeout(PATIENCE, &mut self.task).await else {
            self.task.abort();
            anyhow::bail!("it does not stop");
        };
        Ok(ended??)
    }
}

/// Lets the workers that `start` starts run jobs that are stored. Prints the figure when it has a database and a setting.
async fn end_to_end(
    jobs: i64,
    figure: Option<(&str, &str)>,
    start: impl FnOnce(&Progress) -> Vec<Running>,
) -> anyhow::Result<()> {
    let (progress, mut end) = progress(jobs);
    let begun = Begun::now()?;
    let workers = start(&progress);
    let end = timeout(PATIENCE, end.recv()).await.ok().flatten();
    let ran = jobs - progress.left.load(Ordering::Relaxed).max(0);
    let late = if end.is_none() {
        ", not all ran in 60 s"
    } else {
        ""
    };
    let end = end.unwrap_or_else(Instant::now);
    for worker in workers {
        if let Err(err) = worker.stop().await {
            eprintln!("apalis: a worker did not end well: {err}");
        }
    }
    match figure {
        Some((database, setting)) => {
            begun.print(database, "end to end", &format!("{setting}{late}"), ran, end)
        }
        None => Ok(()),
    }
}

/// As the other peers connect: by default each use begins with asking the server whether the connection is alive.
async fn connect(url: &str) -> anyhow::Result<PgPool> {
    let options = PgPoolOptions::new()
        .max_connections(16)
        .test_before_acquire(false);
    Ok(options.connect(url).await?)
}

fn postgres(pool: &PgPool, queue: &str, batch: usize, lock: bool) -> PostgresStorage<Noop> {
    let config = apalis_postgres::Config::default().queue(queue);
    PostgresStorage::new(pool).with_config(config.batch_size(batch).lock_tasks(lock))
}

/// `lock` marks each job as running before it runs; that no other worker takes it is sure without. What ran is noted a batch at a time and the clock
/// stops before the last ones are: batches much larger than those below would leave a good part of the work out. Each setting has
/// a queue of its own, so that what one leaves behind is not run by the next.
async fn postgres_end_to_end(
    pool: &PgPool,
    workers: usize,
    batch: usize,
    lock: bool,
    setting: &str,
) -> anyhow::Result<()> {
    for (jobs, figure) in [(4_000, None), (20_000, Some(("PostgreSQL", setting)))] {
        postgres(pool, setting, batch, lock)
            .push_bulk((0..jobs).map(|_| Noop {}).collect())
            .await?;
        let start = |progress: &Progress| {
            let name = |number| format!("{setting}, {jobs} jobs, worker {number}");
            (0..workers)
                .map(|number| start!(name(number), postgres(pool, setting, batch, lock), progress))
                .collect()
        };
        end_to_end(jobs, figure, start).await?;
    }
    Ok(())
}

/// Stores one job, without the transaction that `push` makes for it.
async fn enqueue(pool: &PgPool) -> anyhow::Result<()> {
    let task = TaskBuilder::new(serde_json::to_vec(&Noop {})?).build();
    Ok(push_tasks(&mut *pool.acquire().await?, QUEUE, vec![task]).await?)
}

/// One job at a time on an idle system, and then bursts; from before the enqueue begins to the job's start.
async fn waits(url: &str, batch: usize, setting: &str) -> anyhow::Result<()> {
    let (progress, mut end) = progress(0);
    let (pool, connected) = (connect(url).await?, connect(url).await?);
    // Without a strategy an idle worker looks for jobs only with its heartbeat, every 30 s. Notifications alone do not do: one that comes during a fetch
    // is forgotten. An interval alone does not do either: when a fetch takes longer, no timer is left.
    let interval = Strategy::new().interval(Duration::from_millis(100));
    let storage = postgres(&connected, QUEUE, batch, true)
        .with_pubsub()
        .poll_with_strategy(interval);
    let running = start!(setting, storage, progress);
    let mut run = async |jobs: i64| -> anyhow::Result<f64> {
        progress.left.store(jobs, Ordering::Relaxed);
        let begun = Instant::now();
        let mut enqueues = JoinSet::new();
        for _ in 0..jobs {
            let pool = pool.clone();
            enqueues.spawn(async move { enqueue(&pool).await });
        }
        let end = timeout(PATIENCE, end.recv()).await?.expect("we hold the sender");
        enqueues
            .join_all()
            .await
            .into_iter()
            .collect::<anyhow::Result<()>>()?;
        // As measure.js does: the system is idle again before the next one. That a worker has noted what ran, it tells nobody.
        sleep(Duration::from_millis(10)).await;
        Ok((end - begun).as_secs_f64() * 1e3)
    };
    for _ in 0..50 {
        run(1).await?;
    }
    let mut alone = Vec::new();
    for _ in 0..500 {
        alone.push(run(1).await?);
    }
    alone.sort_by(f64::total_cmp);
    println!(
        "{}",
        json!({"system": "apalis", "database": "PostgreSQL", "figure": "pick-up", "setting": setting, "p50_ms": alone[250], "p99_ms": alone[495]})
    );
    let mut longest = 0.0_f64;
    for _ in 0..10 {
        longest = longest.max(run(200).await?);
    }
    println!(
        "{}",
        json!({"system": "apalis", "database": "PostgreSQL", "figure": "burst", "setting": setting, "longest_ms": longest})
    );
    running.stop().await
}

/// One job at a time by each of eight callers, without a worker.
async fn enqueues(pool: &PgPool, push: bool, setting: &str) -> anyhow::Result<()> {
    const CALLERS: i64 = 8;
    let call_all = async |jobs: i64| -> anyhow::Result<()> {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (pool, mut storage) = (pool.clone(), postgres(pool, QUEUE, 10, true));
            callers.spawn(async move {
                for _ in 0..jobs / CALLERS {
                    if push {
                        storage.push(Noop {}).await?
                    } else {
                        enqueue(&pool).await?
                    }
                }
                anyhow::Ok(())
            });
        }
        callers.join_all().await.into_iter().collect()
    };
    let jobs = 8_000;
    call_all(jobs / 10).await?;
    let begun = Begun::now()?;
    call_all(jobs).await?;
    begun.print("PostgreSQL", "enqueue", setting, jobs, Instant::now())
}

async fn sqlite(folder: &Path, full: bool, batch: usize, setting: &str) -> anyhow::Result<()> {
    let jobs = 2_000;
    let url = format!("sqlite://{}/{full}-{batch}.db?mode=rwc", folder.display());
    let pool = match full {
        true => SqlitePoolOptions::new().max_connections(1).connect(&url).await?,
        false => SqlitePool::connect(&url).await?,
    };
    SqliteStorage::setup(&pool).await?;
    if full {
        // setup() turned it off, on the one connection there is.
        sqlx::query("PRAGMA synchronous = FULL").execute(&pool).await?;
    }
    let config = apalis_sqlite::Config::default().queue(QUEUE).batch_size(batch);
    let mut storage = SqliteStorage::new(&pool).with_config(config);
    storage.push_bulk((0..jobs).map(|_| Noop {}).collect()).await?;
    let start = |progress: &Progress| vec![start!(setting, storage, progress)];
    end_to_end(jobs, Some(("SQLite", setting)), start).await?;
    pool.close().await;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::var("DOCKET_BENCH_POSTGRES_URL")?;
    let pool = connect(&url).await?;
    PostgresStorage::setup(&pool).await?;
    let plain = PgPool::connect(&url).await?;
    postgres_end_to_end(&plain, 1, 10, true, "as it comes, 1 worker, batches of 10").await?;
    postgres_end_to_end(&pool, 1, 1000, true, "1 worker, batches of 1,000").await?;
    postgres_end_to_end(&pool, 2, 1000, true, "2 workers, batches of 1,000").await?;
    postgres_end_to_end(&pool, 4, 1000, true, "4 workers, batches of 1,000").await?;
    postgres_end_to_end(
        &pool,
        4,
        1000,
        false,
        "4 workers, batches of 1,000, lock_tasks off",
    )
    .await?;
    waits(&url, 10, "notified, polls every 100 ms, batches of 10").await?;
    waits(&url, 100, "notified, polls every 100 ms, batches of 100").await?;
    enqueues(&pool, true, "in process, 8 callers, push").await?;
    enqueues(&pool, false, "in process, 8 callers, push_tasks").await?;

    let folder = tempfile::tempdir()?;
    sqlite(
        folder.path(),
        false,
        10,
        "synchronous OFF, as it comes, batches of 10",
    )
    .await?;
    sqlite(folder.path(), false, 500, "synchronous OFF, batches of 500").await?;
    sqlite(folder.path(), true, 10, "synchronous FULL, batches of 10").await?;
    sqlite(folder.path(), true, 500, "synchronous FULL, batches of 500").await?;
    Ok(())
}
