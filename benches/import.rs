//! How long the real registry takes to import into SQLite, and how much memory.
//!
//! `cargo bench --bench import`; the data as for the test `real_registry` of `docket-core`.

#[path = "harness/real_registry.rs"]
mod real_registry;

use std::time::Instant;

use docket_db::Db;
use docket_index::import::{Sources, import};
use docket_jobs::Clock;
use docket_storage::Storage;

const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let (folder, scratch) = (tempfile::tempdir()?, tempfile::tempdir()?);
    real_registry::unpack(folder.path())?;
    let sources = Sources {
        registry: folder.path().to_owned(),
        index: folder.path().join("index"),
        tarballs: None,
    };
    let before = peak_megabytes()?;
    println!("round | seconds | database MB | peak memory MB (before the first: {before:.0})");
    for round in 1..=ROUNDS {
        let path = scratch.path().join(format!("round-{round}.db"));
        let db = Db::connect(&format!("sqlite:{}", path.display())).await?;
        docket_index::TABLES.migrate(&db).await?;
        let storage = Storage::local(scratch.path().join("blobs"))?;
        let start = Instant::now();
        let report = import(&db, &storage, &sources, Clock::system().now(), |_| {}).await?;
        let seconds = start.elapsed().as_secs_f64();
        db.close().await;
        let megabytes = path.metadata()?.len() as f64 / 1e6;
        println!(
            "{round:5} | {seconds:7.2} | {megabytes:11.1} | {:.0}",
            peak_megabytes()?
        );
        if round == ROUNDS {
            println!(
                "{} packages, {} versions, {} manifests, {} package sets",
                report.packages, report.versions, report.manifests, report.package_sets
            );
        }
    }
    Ok(())
}

/// The most memory this process has had so far.
fn peak_megabytes() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kibibytes.unwrap_or(f64::NAN) * 1024.0 / 1e6)
}
