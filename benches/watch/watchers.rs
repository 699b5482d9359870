//! Thousands of websocket clients that watch one job.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    cpu::Cpu,
    figure,
    pace::Pace,
    program::Program,
    title,
    watcher::{Watcher, publish},
};

const WATCHERS: usize = 5_000;

/// How many connect at the same time.
const AT_ONCE: usize = 64;

/// How often the server's memory is looked at; the most counts.
const LOOK: Duration = Duration::from_millis(200);

/// Every line of one job to every watcher. The memory is what the server's process has more than before the first one came, the kernel's buffers not counted.
pub(crate) async fn measure(url: &str, folder: &Path, pace: Pace) -> anyhow::Result<()> {
    let mut program = Program::start(url, folder, Some(pace)).await?;
    let job = publish(&program.address).await?;
    let before = program.memory_kib()?;
    let watchers = connect(&program.address, &job).await?;
    let cpu = Cpu::of(program.id()?);
    program.write().await?;
    let mut watching = JoinSet::new();
    for watcher in watchers {
        watching.spawn(watcher.watch(pace));
    }
    let (mut ages, mut most) = (Vec::new(), 0.0_f64);
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = look.tick() => most = most.max(program.memory_kib()?),
            seen = watching.join_next() => match seen {
                Some(seen) => ages.extend(seen??),
                None => break,
            },
        }
    }
    let [own, on_server] = cpu.elapsed().micros_each(ages.len());
    program.stop().await?;
    ages.sort_unstable();
    let ages: Vec<f64> = ages.into_iter().map(|age| f64::from(age) / 1e3).collect();
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| figure::quantile(&ages, share));
    let kib = (most - before) / WATCHERS as f64;
    let per_second = 1000 / pace.pause.as_millis();
    let deliveries = ages.len();
    figure::print(
        "docket",
        title(url),
        "watchers",
        &format!(
            "{WATCHERS} watchers, {per_second} lines/s: {deliveries} deliveries, p50 {p50:.0} ms, p99 {p99:.0}, max {max:.0}; \
             {kib:.1} KiB per watcher; CPU per delivery {own:.1} µs"
        ),
        json!({
            "setting": format!("{per_second} lines/s"), "watchers": WATCHERS, "deliveries": deliveries, "p50_ms": p50, "p99_ms": p99, "max_ms": max,
            "kib_per_watcher": kib, "own_cpu_us": own, "server_cpu_us": on_server,
        }),
    );
    Ok(())
}

async fn connect(address: &str, job: &str) -> anyhow::Result<Vec<Watcher>> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut connecting = JoinSet::new();
    for _ in 0..WATCHERS {
        let (turns, address, job) = (turns.clone(), address.to_owned(), job.to_owned());
        connecting.spawn(async move {
            let _turn = turns.acquire().await?;
            Watcher::connect(&address, &job).await
        });
    }
    let mut watchers = Vec::with_capacity(WATCHERS);
    while let Some(watcher) = connecting.join_next().await {
        watchers.push(watcher??);
    }
    Ok(watchers)
}
