//! What dry runs found out about versions that are not published: a publish of the same commit takes it instead of finding it out again.
//!
//! Nothing depends on any of this. What has lapsed or lost its blob is as if it had never been there: everything is then done again. The blobs are
//! in a folder of their own, so that nobody can take them for the tarballs of published versions.

use docket_core::{digest::Sha256, manifest::Manifest, time::Timestamp};
use docket_storage::Storage;

pub use crate::store::publish_checks::{is_named, list, prune, put};

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
