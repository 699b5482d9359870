//! From a line being written to a websocket client having it, on an idle system.

use std::path::Path;

use serde_json::json;

use crate::{
    choice, figure,
    pace::Pace,
    program::Program,
    title,
    watcher::{Watcher, publish},
};

/// Where the job runs.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Writer {
    /// In the process of the server.
    InServer,
    /// In this process: the server hears of lines by NOTIFY.
    Elsewhere,
}

/// Has one job write lines under the eyes of one watcher.
pub(crate) async fn measure(url: &str, folder: &Path, pace: Pace, writer: Writer) -> anyhow::Result<()> {
    let in_server = (writer == Writer::InServer).then_some(pace);
    let mut program = Program::start(url, folder, in_server).await?;
    let job = publish(&program.address).await?;
    let watcher = Watcher::connect(&program.address, &job).await?;
    let worker = match writer {
        Writer::InServer => {
            program.write().await?;
            None
        }
        Writer::Elsewhere => Some(pace.start(&choice::open(url).await?)),
    };
    let ages = watcher.watch(pace).await?;
    if let Some(worker) = worker {
        worker.done().await;
        worker.stop().await;
    }
    program.stop().await?;
    let mut ages: Vec<f64> = ages.into_iter().map(|age| f64::from(age) / 1e3).collect();
    ages.sort_by(f64::total_cmp);
    let [p50, p90, p99, max] = [0.5, 0.9, 0.99, 1.0].map(|share| figure::quantile(&ages, share));
    let Pace { at_once, pause, .. } = pace;
    let setting = format!("{at_once} every {} ms", pause.as_millis());
    let name = match writer {
        Writer::InServer => "latency, one process",
        Writer::Elsewhere => "latency, two processes",
    };
    figure::print(
        "docket",
        title(url),
        name,
        &format!("{name}, {setting}: p50 {p50:.2} ms, p90 {p90:.2}, p99 {p99:.2}, max {max:.1}"),
        json!({ "setting": setting, "p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "max_ms": max }),
    );
    Ok(())
}
