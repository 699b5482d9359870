//! What dry runs found out about versions that are not published: a publish of the same commit takes it instead of finding it out again.
//!
//! Nothing depends on any of this. What has lapsed or lost its blob is as if it had never been there: everything is then done again. The blobs are
//! in a folder of their own, so that nobody can take them for the tarballs of published versions.

use docket_core::{digest::Sha256, manifest::Manifest, name::PackageName, time::Timestamp, version::Version};
use docket_db::{Error, Tx};
use docket_storage::Storage;

use crate::store::publish_checks;

/// The folder of these tarballs in the storage.
const FOLDER: &str = "checks";

/// What one dry run found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishCheck {
    /// The manifest of the version, with its location and its ref.
    pub manifest: Manifest,
    /// The commit that the ref named.
    pub commit: String,
    /// What the result rests on beside the commit, such as the compiler and the dependencies; to be compared only.
    pub inputs: String,
    /// The tarball, to be found in [`storage`].
    pub tarball: Sha256,
    /// The job that found it out.
    pub job_id: String,
    /// When that was.
    pub at: Timestamp,
}

/// Returns the part of `storage` in which the tarballs of dry runs are.
#[must_use]
pub fn storage(storage: &Storage) -> Storage {
    storage.within(FOLDER)
}

/// Keeps what a dry run found out, in place of what an earlier one found of the same commit and manifest.
///
/// # Errors
/// When the database fails.
pub async fn put(tx: &mut Tx, check: &PublishCheck) -> Result<(), Error> {
    publish_checks::put(tx, check).await
}

/// Returns what was found out of a version at `since` or later, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    tx: &mut Tx,
    name: &PackageName,
    version: Version,
    since: Timestamp,
) -> Result<Vec<PublishCheck>, Error> {
    publish_checks::list(tx, name, version, since).await
}

/// Forgets what was found out before `before`, and returns how much that was. The blobs are garbage then.
///
/// # Errors
/// When the database fails.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    publish_checks::prune(tx, before).await
}

/// True when something that was found out names this tarball.
///
/// # Errors
/// When the database fails.
pub async fn is_named(tx: &mut Tx, digest: Sha256) -> Result<bool, Error> {
    publish_checks::is_named(tx, digest).await
}
