//! The end of the story: the blob first, then the rows that name it (steps 22 to 24).

use docket_core::digest::Sha256;
use docket_core::manifest::Manifest;
use docket_core::metadata::PublishedVersion;
use docket_core::name::PackageName;
use docket_core::range::Range;
use docket_db::Tx;
use docket_index::{ByJob, Publication, blobs};
use docket_jobs::{Failure, Run};

use super::Checked;
use super::install::STORAGE;
use super::plan::Plan;
use crate::documentation;
use crate::matrix;
use crate::outcome::JobError;
use crate::rejection::Rejection;
use crate::state::WorkerState;

/// Stores the tarball and records the version.
pub(super) async fn record(state: &WorkerState, run: &Run, checked: Checked) -> Result<(), JobError> {
    let Checked {
        manifest,
        plan,
        tarball,
        ..
    } = checked;
    let bytes = tarball.size_bytes();
    let now = || run.jobs().clock().now();
    // No effect of the job yet: until the rows are written it can be cancelled.
    let mut tx = run.jobs().db().write().await?;
    if !blobs::hold(&mut tx, Sha256::of(&tarball.bytes), now()).await? {
        return Err(being_removed());
    }
    tx.commit().await?;
    let hash = state
        .storage
        .put(tarball.bytes)
        .await
        .map_err(JobError::unavailable(STORAGE))?;
    let entry = PublishedVersion {
        bytes,
        compilers: vec![plan.compiler.version],
        hash,
        published_time: checked.fetched_at,
        git_ref: String::new(),
    };
    let mut tx = run.begin().await?;
    if !blobs::keep(&mut tx, hash, now()).await? {
        return Err(being_removed());
    }
    let documentation = commit(state, run, tx, &manifest, &plan, &entry).await?;
    run.log.notice(format!(
        "Successfully uploaded {}@{}.",
        manifest.name, manifest.version
    ));
    run.log.notice(documentation);
    Ok(())
}

/// The clean-up is at work on bytes like these, which nothing names yet: a moment later they can be stored again.
pub(super) fn being_removed() -> JobError {
    JobError::Stopped(Failure::Unavailable {
        detail: "The same bytes are being removed by the clean-up.".to_owned(),
        cause: None,
    })
}

/// Some of the dependencies are not there.
pub(super) fn unsatisfied(missing: &[(PackageName, Range)]) -> Rejection {
    let ranges: Vec<String> = missing
        .iter()
        .map(|(name, range)| format!("{name} {range}"))
        .collect();
    Rejection::UnsatisfiedDependencies(ranges.join(", "))
}

/// Records metadata and index line in `tx`, which only the current attempt of the job can commit, together with what follows.
///
/// Returns what to tell of the documentation.
pub(super) async fn commit(
    state: &WorkerState,
    run: &Run,
    mut tx: Tx,
    manifest: &Manifest,
    plan: &Plan,
    entry: &PublishedVersion,
) -> Result<String, JobError> {
    let publication = Publication {
        manifest,
        entry,
        by: ByJob {
            job_id: run.job.id.to_string(),
            at: run.jobs().clock().now(),
        },
    };
    match docket_index::publish(&mut tx, &publication).await {
        Ok(()) => {}
        Err(docket_index::PublishError::UnsatisfiedDependencies { missing, .. }) => {
            return Err(unsatisfied(&missing).into());
        }
        Err(docket_index::PublishError::Database(err)) => return Err(err.into()),
    }
    for compiler in &entry.compilers {
        let (name, version) = (&manifest.name, manifest.version);
        matrix::plan_after(&mut tx, run, name, version, *compiler).await?;
    }
    let documentation = documentation::follow(&mut tx, state, run, manifest, plan).await?;
    tx.commit().await?;
    run.jobs().wake_workers();
    Ok(documentation)
}
