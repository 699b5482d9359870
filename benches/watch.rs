//! How soon watchers have a log line: one watcher, with the writer in the server's process and in another one; five thousand watchers of one job.
//!
//! `cargo bench --bench watch` measures SQLite, and PostgreSQL too where `DOCKET_BENCH_POSTGRES_URL` names an empty database. Server and watchers are two processes,
//! on the same cores: the server is this program, started again. Words choose figures, and `--json` works, as in `queue.rs`.

#[path = "harness/choice.rs"]
mod choice;
#[path = "harness/cpu.rs"]
mod cpu;
#[path = "harness/figure.rs"]
mod figure;
#[path = "watch/latency.rs"]
mod latency;
#[path = "watch/pace.rs"]
mod pace;
#[path = "watch/program.rs"]
mod program;
#[path = "harness/server.rs"]
mod server;
#[path = "watch/watcher.rs"]
mod watcher;
#[path = "watch/watchers.rs"]
mod watchers;
#[path = "harness/worker.rs"]
mod worker;

use std::time::Duration;

use choice::chosen;
use pace::Pace;
use rustix::process::{Resource, getrlimit, setrlimit};

const FIGURES: [&str; 3] = ["latency", "across", "watchers"];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    if let Some(("serve", arguments)) = arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        return runtime.block_on(program::serve(arguments));
    }
    // A connection for each watcher; the server inherits it.
    let mut open_files = getrlimit(Resource::Nofile);
    open_files.current = open_files.maximum;
    setrlimit(Resource::Nofile, open_files)?;
    runtime.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for url in choice::databases(folder.path()) {
        let database = title(&url);
        println!("{database}");
        for (at_once, pause, lines) in [(1, 5, 1_500), (10, 20, 2_000), (100, 100, 5_000)] {
            let pause = Duration::from_millis(pause);
            let pace = Pace {
                at_once,
                pause,
                lines,
            };
            if chosen(&FIGURES, "latency") {
                latency::measure(&url, folder.path(), pace, latency::Writer::InServer).await?;
            }
            if chosen(&FIGURES, "across") && database == "PostgreSQL" {
                latency::measure(&url, folder.path(), pace, latency::Writer::Elsewhere).await?;
            }
        }
        if chosen(&FIGURES, "watchers") {
            for (per_second, lines) in [(4, 60), (20, 240)] {
                let pause = Duration::from_millis(1000 / per_second);
                let pace = Pace {
                    at_once: 1,
                    pause,
                    lines,
                };
                watchers::measure(&url, folder.path(), pace).await?;
            }
        }
    }
    Ok(())
}

/// The name of the database at `url`, as people write it.
fn title(url: &str) -> &'static str {
    if url.starts_with("sqlite:") {
        "SQLite"
    } else {
        "PostgreSQL"
    }
}
