//! Withdrawing a version: index line first, then metadata, in the transaction of the job's effects.

use docket_core::{
    digest::Sha256, manifest_index, metadata::UnpublishedVersion, name::PackageName, text::Reason,
    version::Version,
};
use docket_db::{Error, Tx};

use crate::{
    Repository,
    dependants::list_breaking,
    job_change::ByJob,
    store::{changes, packages},
};

/// A version to be withdrawn, whose every other check has passed.
#[derive(Debug)]
pub struct Withdrawal<'a> {
    /// The package.
    pub name: &'a PackageName,
    /// The version.
    pub version: Version,
    /// Why, for everybody to read.
    pub reason: &'a Reason,
    /// The job that does it.
    pub by: ByJob,
}

/// Why a version was not withdrawn.
#[derive(Debug, thiserror::Error)]
pub enum UnpublishError {
    /// It is not published.
    #[error("the version is not published")]
    NotPublished,
    /// Versions in the index would be left with a range that no version satisfies.
    #[error("{} versions would be left with unsatisfied dependencies", breaking.len())]
    Breaks {
        /// Those versions.
        breaking: Vec<(PackageName, Version)>,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
}

/// Moves the version to the unpublished ones and returns the digest of its tarball, which nothing names any more.
///
/// # Errors
/// When the index would not hold together any more; then nothing was written.
pub async fn unpublish(tx: &mut Tx, withdrawal: &Withdrawal<'_>) -> Result<Sha256, UnpublishError> {
    let Withdrawal {
        name,
        version,
        reason,
        by,
    } = withdrawal;
    changes::lock(tx).await?;
    let Some(mut metadata) = packages::find_metadata(tx, name).await? else {
        return Err(UnpublishError::NotPublished);
    };
    let Some(entry) = metadata.published.remove(version) else {
        return Err(UnpublishError::NotPublished);
    };
    let breaking = list_breaking(tx, name, *version).await?;
    if !breaking.is_empty() {
        return Err(UnpublishError::Breaks { breaking });
    }

    let before = packages::find_index_file(tx, name).await?;
    packages::remove_manifest(tx, name, *version).await?;
    let after = packages::find_index_file(tx, name).await?;
    if before != after {
        let message = format!("Remove manifest entry for {name}@{version}");
        let path = manifest_index::path(name);
        by.append(tx, Repository::RegistryIndex, &message, path, after)
            .await?;
    }
    let unpublished = UnpublishedVersion {
        published_time: entry.published_time,
        reason: (*reason).clone(),
        unpublished_time: by.at,
    };
    packages::put_unpublished(tx, name, *version, &unpublished).await?;
    metadata.unpublished.insert(*version, unpublished);
    by.append_metadata(tx, name, &metadata).await?;
    Ok(entry.hash)
}
