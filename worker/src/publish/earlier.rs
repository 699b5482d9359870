//! What a dry run found out before: taken where it is certain that the same would be found again.
//!
//! Certain is that a commit never changes, nor the tarball of a published version. So the ref is asked for its commit, and the build is
//! planned anew; where both are those of the dry run, fetching, compiling and packing would give the same tarball. Whatever is
//! missing or differs only means that everything is done again.

use std::path::Path;

use docket_core::location::Location;
use docket_core::operation::Publish;
use docket_index::checks::{self, PublishCheck};
use docket_jobs::Run;

use super::install::STORAGE;
use super::{Checked, dry_run, plan};
use crate::outcome::JobError;
use crate::package::{Tarball, check_size};
use crate::source::git::{self, Tip};
use crate::state::WorkerState;

/// Finds what a dry run found out about the version that is asked for.
pub(super) async fn find(
    state: &WorkerState,
    run: &Run,
    request: &Publish,
    location: &Location,
    work: &Path,
) -> Result<Option<Checked>, JobError> {
    let since = dry_run::lapses_before(state, run);
    let mut tx = run.jobs().db().read().await?;
    let mut known = checks::list(&mut tx, &request.name, request.version, since).await?;
    drop(tx);
    known.retain(|check| check.manifest.git_ref == request.git_ref && check.manifest.location == *location);
    if known.is_empty() {
        return Ok(None);
    }
    run.log.step("Look at an earlier check");
    let dir = work.join("tip");
    std::fs::create_dir(&dir).map_err(JobError::local("make a work directory"))?;
    let Tip {
        url,
        full_ref,
        commit,
    } = git::find_tip(&state.sources, location, &request.git_ref, &dir).await?;
    let fetched_at = run.jobs().clock().now();
    let Some(check) = known.into_iter().find(|check| check.commit == commit) else {
        run.log.info(format!(
            "{full_ref} at {url} is commit {commit} now, and a dry run checked another one: everything is checked again."
        ));
        return Ok(None);
    };
    let plan = plan::make(state, run, request, &check.manifest).await?;
    let inputs = plan::inputs(state, run, &plan).await?;
    if inputs != check.inputs {
        run.log.info(format!(
            "Job {} checked commit {commit} with another compiler, other dependencies or another version of the registry: everything is checked again.",
            check.job_id
        ));
        return Ok(None);
    }
    let Some(tarball) = find_tarball(state, &check).await? else {
        run.log.info(format!(
            "What job {} made of commit {commit} is not kept any more: everything is checked again.",
            check.job_id
        ));
        return Ok(None);
    };
    check_size(tarball.size_bytes(), &state.sizes)?;
    run.log.notice(format!(
        "Checked before, by job {}: {full_ref} at {url} is still commit {commit}, and compiler and dependencies are the same. Nothing is fetched or compiled again.",
        check.job_id
    ));
    Ok(Some(Checked {
        manifest: check.manifest,
        commit,
        plan,
        inputs,
        tarball,
        fetched_at,
        is_from_earlier: true,
    }))
}

/// Reads the tarball of a dry run. One that is damaged is as good as none; it makes room for the next one of the same bytes.
async fn find_tarball(state: &WorkerState, check: &PublishCheck) -> Result<Option<Tarball>, JobError> {
    let (storage, hash) = (checks::storage(&state.storage), check.tarball);
    match storage.find(hash).await {
        Ok(found) => Ok(found.map(|bytes| Tarball { bytes, hash })),
        Err(error @ docket_storage::Error::Damaged { .. }) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what a dry run has stored is damaged"
            );
            storage
                .remove(hash)
                .await
                .map_err(JobError::unavailable(STORAGE))?;
            Ok(None)
        }
        Err(error) => Err(JobError::unavailable(STORAGE)(error)),
    }
}
