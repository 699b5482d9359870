//! Moving a package to another location, in the transaction of the job's effects.

use docket_core::{location::Location, name::PackageName};
use docket_db::{Error, Tx};

use crate::{
    job_change::ByJob,
    store::{changes, packages},
};

/// Why a package was not moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// There is no such package.
    #[error("there is no such package")]
    Unknown,
    /// Another package is there.
    #[error("{used_by} is at this location")]
    LocationUsed {
        /// That package.
        used_by: PackageName,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
}

/// Gives a package another location that no other package has.
///
/// # Errors
/// When there is no such package, or another one is there; then nothing was written.
pub async fn transfer(
    tx: &mut Tx,
    name: &PackageName,
    location: &Location,
    by: &ByJob,
) -> Result<(), TransferError> {
    // Two packages must not move to one place at once, and each job holds the lock of its own package only.
    changes::lock(tx).await?;
    let locations = packages::list_locations(tx).await?;
    let there = locations
        .into_iter()
        .find(|(other, at)| other != name && at.is_same_place(location));
    if let Some((used_by, _)) = there {
        return Err(TransferError::LocationUsed { used_by });
    }
    let Some(mut metadata) = packages::find_metadata(tx, name).await? else {
        return Err(TransferError::Unknown);
    };
    metadata.location = location.clone();
    packages::put_package(tx, name, location, metadata.owners.as_deref()).await?;
    by.append_metadata(tx, name, &metadata).await?;
    Ok(())
}
