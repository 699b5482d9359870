//! How long a log line takes from being written to a websocket client having it; both in one process, on SQLite.
//!
//! `cargo bench --bench log_latency`. One line at a time, and then bursts; each line carries the moment it was written.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use docket_api::ApiState;
use docket_client::{Client, Event, Level};
use docket_db::Db;
use docket_index::{git::GitViews, tarballs::Tarballs};
use docket_jobs::{
    Clock, Jobs,
    worker::{self, Config, Handler},
};
use docket_storage::Storage;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const LINES: u32 = 2000;

/// How many lines are written at once, and how long until the next ones.
const PACES: [(u32, Duration); 3] = [
    (1, Duration::from_millis(5)),
    (10, Duration::from_millis(20)),
    (100, Duration::from_millis(100)),
];

fn main() -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    println!("{LINES} lines, milliseconds from written to received");
    println!("at once | every ms |  p50 |  p90 |  p99 |  max");
    for (at_once, pause) in PACES {
        let mut latencies = latencies(at_once, pause).await?;
        latencies.sort();
        let at = |share: f64| {
            let place = (latencies.len() as f64 * share) as usize;
            latencies[place.min(latencies.len() - 1)].as_secs_f64() * 1e3
        };
        println!(
            "{at_once:7} | {:8} | {:4.2} | {:4.2} | {:4.2} | {:4.1}",
            pause.as_millis(),
            at(0.5),
            at(0.9),
            at(0.99),
            at(1.0)
        );
    }
    Ok(())
}

/// Runs one job that writes [`LINES`] lines under the eyes of a websocket client.
async fn latencies(at_once: u32, pause: Duration) -> anyhow::Result<Vec<Duration>> {
    let folder = tempfile::tempdir()?;
    let db = Db::connect(&format!("sqlite:{}", folder.path().join("bench.db").display())).await?;
    docket_jobs::TABLES.migrate(&db).await?;
    docket_index::TABLES.migrate(&db).await?;
    let storage = Storage::local(folder.path().join("blobs"))?;
    let jobs = Jobs::new(db.clone(), Clock::system());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let stopping = CancellationToken::new();
    let state = ApiState {
        jobs: jobs.clone(),
        views: GitViews::new(folder.path().join("git"), db.clone(), storage.clone()),
        tarballs: Tarballs::new(db, storage)?,
        authority: docket_api::Authority::default(),
        schedules: Arc::from([]),
        kinds: Arc::from(["publish"]),
        webhook: None,
        public_url: Arc::from(url.as_str()),
        stopping: stopping.clone(),
    };
    let server = tokio::spawn(docket_api::serve(listener, state));
    let begin = Instant::now();
    let handler = Handler::new("publish", 600, 1, move |run| async move {
        let mut ticks = tokio::time::interval(pause);
        for number in 0..LINES {
            if number % at_once == 0 {
                ticks.tick().await;
            }
            run.log.info(begin.elapsed().as_nanos().to_string());
        }
        Ok(())
    });
    let config = Config {
        concurrency: 1,
        background_concurrency: 1,
        lease_secs: 60,
        drain_secs: 1,
        retry_millis: 1,
        name: "bench".to_owned(),
        progress: Default::default(),
    };
    let client = Client::new(&url)?;
    let operation = serde_json::from_str(r#"{"name":"bench","ref":"v1.0.0","version":"1.0.0"}"#)?;
    let job = client.publish(&operation).await?;
    let worker = tokio::spawn(worker::run(jobs, config, vec![handler], stopping.clone()));
    let mut log = client.follow(job, 0, Level::Info);
    let mut latencies = Vec::new();
    while let Some(event) = log.next().await {
        if let Event::Line(line) = event? {
            latencies.push(
                begin
                    .elapsed()
                    .saturating_sub(Duration::from_nanos(line.message.parse()?)),
            );
        }
    }
    stopping.cancel();
    worker.await?;
    server.await??;
    Ok(latencies)
}
