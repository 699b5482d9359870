//! Releasing a package set: its row and its file, in the transaction of the job's effects.

use std::collections::HashSet;

use docket_core::{name::PackageName, package_set::PackageSet, version::Version};
use docket_db::{Error, Tx};

use crate::{
    ByJob, Repository,
    store::{changes, package_sets, packages},
};

/// A package set whose checks have passed.
#[derive(Debug)]
pub struct Release<'a> {
    /// The set.
    pub set: &'a PackageSet,
    /// The set it was built on; `None` when it is the first.
    pub follows: Option<Version>,
    /// The commit message, without the line that names the job.
    pub message: &'a str,
    /// The job that releases it.
    pub by: ByJob,
}

/// Why a package set was not released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The latest set is another than the one it was built on.
    #[error("the package set {latest} was released meanwhile")]
    Moved {
        /// The latest set.
        latest: Version,
    },
    /// Members were taken back since it was built.
    #[error("{} members are not published any more", gone.len())]
    Gone {
        /// Those members.
        gone: Vec<(PackageName, Version)>,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
}

/// Records the set and appends its file to the feed.
///
/// # Errors
/// [`ReleaseError::Moved`] when another set came between, [`ReleaseError::Gone`] when a member did not stay; then nothing was written.
pub async fn release_package_set(tx: &mut Tx, release: &Release<'_>) -> Result<(), ReleaseError> {
    let Release {
        set,
        follows,
        message,
        by,
    } = release;
    // The next writer waits here until this set can be seen.
    changes::lock(tx).await?;
    let latest = package_sets::latest(tx).await?.map(|latest| latest.version);
    if let Some(latest) = latest.filter(|latest| Some(*latest) != *follows) {
        return Err(ReleaseError::Moved { latest });
    }
    let published: HashSet<String> = packages::list_hashes(tx)
        .await?
        .into_iter()
        .map(|(version, _)| version)
        .collect();
    let members = set.packages.iter();
    let gone: Vec<_> = members
        .filter(|(name, version)| !published.contains(&format!("{name}@{version}")))
        .map(|(name, version)| (name.clone(), *version))
        .collect();
    if !gone.is_empty() {
        return Err(ReleaseError::Gone { gone });
    }
    package_sets::insert(tx, set).await?;
    by.append(
        tx,
        Repository::Registry,
        message,
        path(set.version),
        Some(set.to_text()),
    )
    .await?;
    Ok(())
}

/// Returns the set that a job released, if it got that far.
///
/// # Errors
/// When the database fails.
pub async fn find_release_by(tx: &mut Tx, job_id: &str) -> Result<Option<PackageSet>, Error> {
    for released in changes::list_paths_by(tx, Repository::Registry, job_id).await? {
        let version = released
            .strip_prefix("package-sets/")
            .and_then(|file| file.strip_suffix(".json"));
        if let Some(version) = version.and_then(|version| version.parse().ok()) {
            return package_sets::find(tx, version).await;
        }
    }
    Ok(None)
}

/// Where a set lies in the registry repository.
fn path(version: Version) -> String {
    format!("package-sets/{version}.json")
}
