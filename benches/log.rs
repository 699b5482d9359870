//! How fast a log is written and read: lines stored while eight jobs write at once, beside a plain table; the end of a log in a table of ten million lines.
//!
//! `cargo bench --bench log` measures SQLite, and PostgreSQL too where `DOCKET_BENCH_POSTGRES_URL` names an empty database. The large tables take minutes to fill
//! and some 10 GB while they are there. Words choose figures, and `--json` works, as in `queue.rs`.

#[path = "log/append.rs"]
mod append;
#[path = "harness/choice.rs"]
mod choice;
#[path = "harness/cpu.rs"]
mod cpu;
#[path = "harness/figure.rs"]
mod figure;
#[path = "harness/jobs.rs"]
mod jobs;
#[path = "harness/rate.rs"]
mod rate;
#[path = "log/raw.rs"]
mod raw;
#[path = "log/read.rs"]
mod read;
#[path = "harness/worker.rs"]
mod worker;

use choice::chosen;

const FIGURES: [&str; 3] = ["append", "raw", "read"];

fn main() -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for url in choice::databases(folder.path()) {
        let jobs = choice::open(&url).await?;
        println!("{}", jobs::database(&jobs));
        if chosen(&FIGURES, "append") {
            append::measure(&jobs).await?;
        }
        if chosen(&FIGURES, "raw") {
            raw::measure(&jobs).await?;
        }
        if chosen(&FIGURES, "read") {
            read::measure(&url).await?;
        }
    }
    Ok(())
}

/// A line of an ordinary length.
fn message(number: usize) -> String {
    format!("[{number} of 50000] Compiling Data.Example.Module{number}")
}
