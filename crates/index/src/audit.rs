//! Whether rows, the change feed and blobs agree. What is found is damage.

use docket_core::{finding::finding, manifest_index};
use docket_db::{Db, Tx};
use docket_storage::Storage;

use crate::{
    Repository, find_index_file, find_metadata,
    job_change::metadata_path,
    list_names,
    store::{builds, changes, packages, tarball_source},
};

/// Why an audit stopped.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database did not answer, or holds what does not decode.
    #[error(transparent)]
    Database(#[from] docket_db::Error),
    /// The storage did not answer.
    #[error(transparent)]
    Storage(#[from] docket_storage::Error),
}

/// Looks for versions whose tarball is missing, and for packages whose files in the repositories are not what their rows say. Says each in a
/// sentence that names examples. It reads every package, so it takes a while.
///
/// # Errors
/// When database or storage fails.
pub async fn audit(db: &Db, storage: &Storage) -> Result<Vec<String>, AuditError> {
    let mut tx = db.read().await?;
    let found = [
        (
            "versions have no tarball",
            list_without_blob(&mut tx, storage).await?,
        ),
        (
            "packages have a file in the repositories that is not what their rows say",
            list_stale_files(&mut tx).await?,
        ),
    ];
    Ok(found
        .into_iter()
        .filter_map(|(what, which)| finding(what, &which))
        .collect())
}

/// Published versions whose tarball is nowhere. Those of a registry that was imported with a URL for its tarballs may still come.
async fn list_without_blob(tx: &mut Tx, storage: &Storage) -> Result<Vec<String>, AuditError> {
    if tarball_source::find(tx).await?.is_some() {
        return Ok(Vec::new());
    }
    let stored = storage.digests().await?;
    let named = packages::list_hashes(tx).await?;
    let missing = named.into_iter().filter(|(_, hash)| !stored.contains(hash));
    Ok(missing.map(|(version, _)| version).collect())
}

/// Packages whose newest metadata or index file in the change feed differs from their rows. One whose matrix results wait for their commit is
/// left out, and so is a file that no change has touched since the import.
async fn list_stale_files(tx: &mut Tx) -> Result<Vec<String>, AuditError> {
    let pending = builds::list_pending(tx).await?;
    let mut stale = Vec::new();
    for name in list_names(tx).await? {
        let committed = changes::find_file(tx, Repository::Registry, &metadata_path(&name)).await?;
        let metadata = find_metadata(tx, &name).await?.map(|metadata| metadata.to_text());
        let metadata_differs = committed.is_some() && committed != metadata && !pending.contains(&name);
        let committed =
            changes::find_file(tx, Repository::RegistryIndex, &manifest_index::path(&name)).await?;
        let index_differs = committed.is_some() && committed != find_index_file(tx, &name).await?;
        if metadata_differs || index_differs {
            stale.push(name.to_string());
        }
    }
    Ok(stale)
}
