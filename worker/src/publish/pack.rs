//! Chooses the files of the package, lays them out as clients will see them, and packs them (steps 15, 19 and 21).

use std::fs;
use std::path::Path;

use docket_core::version::Version;
use docket_jobs::Run;

use super::{Candidate, blocking, modules};
use crate::outcome::JobError;
use crate::package::{self, Selection, Tarball};
use crate::rejection::Rejection;
use crate::state::WorkerState;

/// Chooses the files and checks the header of every module among them.
pub(super) async fn select(
    run: &Run,
    candidate: &Candidate,
    compiler: Version,
) -> Result<Selection, JobError> {
    let dir = candidate.package_dir.clone();
    let include = candidate.manifest.include_files.clone();
    let exclude = candidate.manifest.exclude_files.clone();
    let (selection, warnings) = blocking(move || {
        let selection = package::select(&dir, include.as_deref(), exclude.as_deref())?;
        let warnings = modules::check_headers(&dir, &selection.files, compiler)?;
        Ok((selection, warnings))
    })
    .await?;
    for warning in selection.warnings.iter().chain(&warnings) {
        run.log.warn(warning.clone());
    }
    run.log
        .info(format!("Files in the package: {}.", selection.files.len() + 1));
    Ok(selection)
}

/// Copies the files into the build directory, with the manifest as `purs.json`.
///
/// The dependency check and the build see this copy, so what is checked is what is shipped.
pub(super) async fn lay_out(
    state: &WorkerState,
    candidate: &Candidate,
    selection: Selection,
    build_dir: &Path,
) -> Result<(), JobError> {
    let from = candidate.package_dir.clone();
    let to = build_dir.join(candidate.top());
    let manifest = candidate.manifest.to_pretty();
    let limit = state.sources.max_bytes;
    blocking(move || {
        let copying = "copy the package";
        let mut bytes = 0;
        fs::create_dir(&to).map_err(JobError::local(copying))?;
        for file in &selection.files {
            let target = to.join(file);
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent).map_err(JobError::local(copying))?;
            }
            // Links were followed to choose the file and are followed here: a package holds files only. One large
            // file can be reached by many links, so the copies are counted, not the files.
            bytes += fs::copy(from.join(file), target).map_err(JobError::local(copying))?;
            if bytes > limit {
                let what = format!("more than {limit} bytes are packed");
                return Err(Rejection::SourceTooLarge {
                    what,
                    limit: format!("{limit} bytes"),
                }
                .into());
            }
        }
        fs::write(to.join("purs.json"), manifest).map_err(JobError::local(copying))
    })
    .await
}

/// Packs the laid out package.
pub(super) async fn pack(
    state: &WorkerState,
    run: &Run,
    candidate: &Candidate,
    build_dir: &Path,
) -> Result<Tarball, JobError> {
    let (dir, top, sizes) = (build_dir.to_owned(), candidate.top(), state.sizes);
    let tarball = blocking(move || package::pack(&dir, &top, &sizes)).await?;
    run.log.info(format!(
        "The tarball has {} bytes, {}.",
        tarball.size_bytes(),
        tarball.hash
    ));
    if tarball.is_large(&sizes) {
        run.log.notice(format!(
            "The tarball is large: {} bytes, more than {}. Consider `excludeFiles`.",
            tarball.size_bytes(),
            sizes.warn_bytes
        ));
    }
    Ok(tarball)
}
