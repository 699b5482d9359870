//! Removing what nobody needs any more: old ticks of timetables, what killed workers left behind, what dry runs found long ago, and blobs that nothing
//! names.

use docket_index::checks;
use docket_jobs::{Failure, Run};

use crate::garbage::{self, Owner};
use crate::outcome::JobError;
use crate::publish::dry_run;
use crate::state::WorkerState;
use crate::work_dir;

/// The task.
pub(super) const TASK: &str = "clean-up";

/// For how long it is remembered when tasks ran, in milliseconds.
const TICKS_MILLIS: i64 = 90 * 24 * 60 * 60 * 1000;

pub(super) async fn run(state: &WorkerState, run: &Run) -> Result<(), Failure> {
    let before = run.jobs().clock().now().plus_millis(-TICKS_MILLIS);
    let ticks = run.jobs().prune_ticks(before).await?;
    let parent = state.work_dir.clone();
    let dirs = tokio::task::spawn_blocking(move || work_dir::remove_old(&parent))
        .await
        .map_err(JobError::local("remove old work directories"))?;
    run.log.info(format!(
        "Removed {ticks} old ticks and {dirs} work directories of workers that were killed."
    ));
    let removed = garbage::remove_unnamed(run.jobs(), &state.storage, Owner::Registry).await?;
    run.log.info(format!(
        "Removed {} blobs that nothing names, {} bytes.",
        removed.blobs, removed.bytes
    ));
    let removed = garbage::remove_unnamed(run.jobs(), &state.storage, Owner::Logs).await?;
    run.log.info(format!(
        "Removed {} blobs of the archive that no log names, {} bytes.",
        removed.blobs, removed.bytes
    ));
    let lapsed = dry_run::lapses_before(state, run);
    let mut tx = run.jobs().db().write().await?;
    let forgotten = checks::prune(&mut tx, lapsed).await?;
    tx.commit().await?;
    let removed = garbage::remove_unnamed(run.jobs(), &state.storage, Owner::Checks).await?;
    run.log.info(format!(
        "Forgot what {forgotten} dry runs found, and removed {} blobs of theirs, {} bytes.",
        removed.blobs, removed.bytes
    ));
    Ok(())
}
