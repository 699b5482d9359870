//! Whether the memory of a server stays the same at full load: publishes, pages, logs, watchers, and connections that come and go, for minutes.
//!
//! `cargo bench --bench soak -- [--seconds N] [--json FILE]`. It starts the real `docketd` on SQLite, with the stand-in compiler, and reads every few
//! seconds how much memory the process has. `benches/run --soak` writes the figures into docs/benchmarks/soak.md. `DOCKET_BENCH_PROGRAM` names another
//! `docketd`, such as the static one.

#[path = "harness/docketd.rs"]
mod docketd;
#[path = "soak/load.rs"]
mod load;
#[path = "soak/packages.rs"]
mod packages;
#[path = "soak/sample.rs"]
mod sample;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use docketd::Docketd;
use load::Load;
use sample::Sample;

/// How often memory is read.
const PAUSE: Duration = Duration::from_secs(5);

/// How many of each there are at once.
const PUBLISHERS: usize = 2;
const READERS: usize = 6;
const NEWCOMERS: usize = 2;
const WATCHERS: usize = 60;

/// What to do.
struct Choice {
    seconds: u64,
    json: Option<String>,
}

impl Choice {
    fn read() -> anyhow::Result<Self> {
        let mut choice = Self {
            seconds: 600,
            json: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .with_context(|| format!("{argument} wants a value"))
            };
            match argument.as_str() {
                "--seconds" => choice.seconds = value()?.parse()?,
                "--json" => choice.json = Some(value()?),
                // Cargo adds it.
                "--bench" => {}
                _ => bail!("soak [--seconds N] [--json FILE]"),
            }
        }
        Ok(choice)
    }
}

fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let choice = Choice::read()?;
    tokio::runtime::Runtime::new()?.block_on(soak(&choice))
}

async fn soak(choice: &Choice) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    packages::write(folder.path())?;
    let server = Docketd::start(folder.path(), "")?;
    let load = Arc::new(Load::new(&server.url)?);
    let begin = std::time::Instant::now();
    let mut samples = vec![Sample::take(&server, folder.path(), &load, begin.elapsed())?];
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..PUBLISHERS {
        tasks.spawn(load.clone().publish());
    }
    for _ in 0..READERS {
        tasks.spawn(load.clone().read());
    }
    for _ in 0..NEWCOMERS {
        tasks.spawn(load.clone().come_and_go());
    }
    for number in 0..WATCHERS {
        tasks.spawn(load.clone().watch(number));
    }
    println!("{}", sample::HEADING);
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + PAUSE, PAUSE);
    while begin.elapsed() < Duration::from_secs(choice.seconds) {
        tokio::select! {
            _ = ticks.tick() => {
                let sample = Sample::take(&server, folder.path(), &load, begin.elapsed())?;
                println!("{sample}");
                samples.push(sample);
            }
            ended = tasks.join_next() => {
                ended.context("somebody asks")???;
                bail!("a client has ended before the time");
            }
        }
    }
    tasks.shutdown().await;
    // What is left when nobody asks for anything.
    tokio::time::sleep(PAUSE * 2).await;
    let after = Sample::take(&server, folder.path(), &load, begin.elapsed())?;
    println!("{after}  afterwards");
    ensure!(load.published() > 0, "nothing was published");
    if let Some(file) = &choice.json {
        let figures = serde_json::json!({
            "publishers": PUBLISHERS, "readers": READERS, "newcomers": NEWCOMERS, "watchers": WATCHERS,
            "samples": samples.iter().map(Sample::to_json).collect::<Vec<_>>(),
            "after": after.to_json(),
        });
        std::fs::write(file, figures.to_string())?;
    }
    Ok(())
}
