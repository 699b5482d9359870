//! Jobs that are stored before the first worker starts.

use docket_jobs::Jobs;

use crate::{
    fill,
    jobs::{clear, database},
    rate::Pace,
    worker::Worker,
};

/// Jobs of one round.
const JOBS: usize = 20_000;

/// How many jobs one worker with `slots` slots runs in a second, until the end of the last one is stored.
pub(crate) async fn measure(jobs: &Jobs, slots: usize) -> anyhow::Result<()> {
    fill(jobs, 0..JOBS, JOBS, 0).await?;
    let pace = Pace::start();
    let worker = Worker::start(
        jobs,
        slots,
        JOBS,
        |run| async move { run.log.info("Nothing to do.") },
    );
    worker.done().await;
    worker.stop().await;
    pace.stop(JOBS).print(
        "docket",
        database(jobs),
        "end to end",
        &format!("{slots} slots"),
        "jobs",
    );
    clear(jobs).await
}
