//! Completes a version that is in the metadata but not in the index (step 16).

use std::path::Path;

use docket_core::manifest::Manifest;
use docket_core::metadata::PublishedVersion;
use docket_jobs::Run;

use super::install::find_tarball;
use super::plan::Plan;
use super::{Candidate, blocking, record};
use crate::outcome::JobError;
use crate::package::unpack;
use crate::rejection::Rejection;
use crate::state::WorkerState;

/// Checks that the tarball that was stored back then holds the same manifest.
///
/// Nothing is compiled or packed: the tarball that clients get stays the one they may have already.
pub(super) async fn compare(
    state: &WorkerState,
    run: &Run,
    candidate: &Candidate,
    entry: &PublishedVersion,
    work: &Path,
) -> Result<(), JobError> {
    let Manifest { name, version, .. } = &candidate.manifest;
    run.log.notice(format!(
        "{name}@{version} is published, but not in the index: comparing it with its tarball."
    ));
    let stored = find_tarball(state, name, *version, entry).await?;
    let (into, top, sizes) = (work.join("stored"), candidate.top(), state.sizes);
    let published = blocking(move || {
        unpack(&stored, &into, &top, &sizes).map_err(JobError::local("unpack the stored tarball"))?;
        Ok(std::fs::read_to_string(into.join(&top).join("purs.json")).unwrap_or_default())
    })
    .await?;
    let same = Manifest::from_stored(&published).is_ok_and(|stored| stored == candidate.manifest);
    if same {
        return Ok(());
    }
    let published = Manifest::from_stored(&published).map_or(published, |manifest| manifest.to_line());
    Err(Rejection::ManifestConflict {
        name: name.clone(),
        version: *version,
        published,
        submitted: candidate.manifest.to_line(),
    }
    .into())
}

/// Adds the missing index line.
pub(super) async fn complete(
    state: &WorkerState,
    run: &Run,
    manifest: &Manifest,
    plan: &Plan,
    entry: &PublishedVersion,
) -> Result<(), JobError> {
    let tx = run.begin().await?;
    let documentation = record::commit(state, run, tx, manifest, plan, entry).await?;
    run.log.notice(format!(
        "{}@{} is in the index now.",
        manifest.name, manifest.version
    ));
    run.log.notice(documentation);
    Ok(())
}
