//! Brings the dependencies of a build plan into the build directory (step 17).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use docket_core::metadata::PublishedVersion;
use docket_core::name::PackageName;
use docket_core::version::Version;
use docket_jobs::Run;

use super::blocking;
use crate::outcome::JobError;
use crate::package::unpack;
use crate::rejection::Rejection;
use crate::state::WorkerState;

/// Where dependencies lie, below the build directory.
pub(crate) const REGISTRY: &str = ".registry";

/// What [`JobError::Unavailable`] calls the blob store and where tarballs are fetched from.
pub(crate) const STORAGE: &str = "the tarball store";

/// A directory to build in.
pub(crate) struct Build {
    pub(crate) dir: PathBuf,
    /// The directory of each dependency, relative to `dir`.
    pub(crate) dependencies: BTreeMap<String, PackageName>,
}

/// Fetches, verifies and unpacks each of `versions` below `work`.
pub(crate) async fn install(
    state: &WorkerState,
    run: &Run,
    versions: &BTreeMap<PackageName, Version>,
    work: &Path,
) -> Result<Build, JobError> {
    let dir = work.join("build");
    std::fs::create_dir_all(dir.join(REGISTRY)).map_err(JobError::local("make a work directory"))?;
    let mut dependencies = BTreeMap::new();
    for (name, version) in versions {
        let entry = published(run, name, *version).await?;
        let bytes = find_tarball(state, name, *version, &entry).await?;
        let (top, into, sizes) = (format!("{name}-{version}"), dir.join(REGISTRY), state.sizes);
        dependencies.insert(format!("{REGISTRY}/{top}"), name.clone());
        blocking(move || {
            unpack(&bytes, &into, &top, &sizes).map_err(JobError::local("unpack the dependencies"))
        })
        .await?;
        run.log.debug(format!("Installed {name}@{version}."));
    }
    Ok(Build { dir, dependencies })
}

/// Returns the tarball of a published version. That it is not there, or is another, is no author's fault.
pub(crate) async fn find_tarball(
    state: &WorkerState,
    name: &PackageName,
    version: Version,
    entry: &PublishedVersion,
) -> Result<Bytes, JobError> {
    let found = state.tarballs.find(name, version, entry).await;
    found.map_err(JobError::unavailable(STORAGE))?.ok_or_else(|| {
        JobError::unavailable(STORAGE)(format!("the tarball of {name}@{version} is not there"))
    })
}

async fn published(run: &Run, name: &PackageName, version: Version) -> Result<PublishedVersion, JobError> {
    let mut tx = run.jobs().db().read().await?;
    let metadata = docket_index::find_metadata(&mut tx, name).await?;
    let entry = metadata.and_then(|mut metadata| metadata.published.remove(&version));
    Ok(entry.ok_or_else(|| Rejection::DependencyNotPublished {
        name: name.clone(),
        version,
    })?)
}
