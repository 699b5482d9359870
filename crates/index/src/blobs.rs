//! Which blobs are needed, and how the others can be removed while any number of processes publish.
//!
//! A blob gets its row after it was stored (*blob first, row second*), so for a while nothing names it. And bytes that have been garbage
//! for long may be published all the same: then storing them finds them there and writes nothing. So age alone tells garbage from what
//! is needed only as long as nobody publishes. Those who want a blob and those who want to remove it meet at its row in `blob_hold`:
//!
//! - Who is about to name a blob *holds* it ([`hold`]), then stores it, and then makes sure, in the transaction that names it, that it
//!   is still held ([`keep`]).
//! - The clean-up *condemns* a blob that nobody holds ([`condemn`]), then, in another transaction, looks whether a row names it
//!   ([`is_named`]), removes it if none does, and *releases* it ([`release`]).
//!
//! No blob that a row names is removed, however long anybody takes, because the row is either held or condemned:
//!
//! - `keep` came before `condemn`: `condemn` waited for that transaction, so `is_named` sees the row that was committed in it.
//! - `condemn` came before `keep`: the hold had lapsed, `keep` fails, and nothing names the blob. Its job is tried again.
//! - `hold` came while the blob was condemned: it fails, and the job is tried again. So bytes that are stored under a hold are stored
//!   after a removal has ended, and written anew.
//!
//! A condemnation lapses too, so that a clean-up that was killed does not keep anybody from publishing for ever: after two hours, twice
//! as long as an attempt at it may take.
//!
//! An import holds nothing, because it would hold everything: [`has_rows`] is false until it has committed, and without rows nothing can
//! be told from garbage. With rows, an import changes nothing.

use docket_core::{digest::Sha256, time::Timestamp};
use docket_db::{Error, Tx};

use crate::{
    Repository,
    store::{bases, blob_holds, packages, tarball_source},
};

/// How long a hold keeps the clean-up away, in milliseconds.
const HOLD_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// After how many milliseconds nobody can be removing a blob any more that was condemned.
const REMOVAL_MILLIS: i64 = 2 * 60 * 60 * 1000;

/// Holds the blob from `now` on; false while it is being removed.
///
/// # Errors
/// When the database fails.
pub async fn hold(tx: &mut Tx, digest: Sha256, now: Timestamp) -> Result<bool, Error> {
    blob_holds::hold(tx, digest, now, now.plus_millis(-REMOVAL_MILLIS)).await
}

/// Makes sure that the blob, which `tx` names, is still held; false when it is not, and `tx` must not be committed.
///
/// # Errors
/// When the database fails.
pub async fn keep(tx: &mut Tx, digest: Sha256, now: Timestamp) -> Result<bool, Error> {
    blob_holds::keep(tx, digest, now).await
}

/// Condemns the blob at `now`; false when somebody holds it, or removes it already.
///
/// # Errors
/// When the database fails.
pub async fn condemn(tx: &mut Tx, digest: Sha256, now: Timestamp) -> Result<bool, Error> {
    let (hold_lapsed, lapsed) = (now.plus_millis(-HOLD_MILLIS), now.plus_millis(-REMOVAL_MILLIS));
    blob_holds::condemn(tx, digest, now, hold_lapsed, lapsed).await
}

/// Releases the blob that was condemned at `at`, whether or not it was removed.
///
/// # Errors
/// When the database fails.
pub async fn release(tx: &mut Tx, digest: Sha256, at: Timestamp) -> Result<(), Error> {
    blob_holds::release(tx, digest, at).await
}

/// Forgets holds and condemnations that have lapsed.
///
/// # Errors
/// When the database fails.
pub async fn prune(tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
    blob_holds::prune(tx, now.plus_millis(-HOLD_MILLIS)).await
}

/// True when a row names the blob: as the tarball of a published version, or as the history of an imported repository.
///
/// # Errors
/// When the database fails.
pub async fn is_named(tx: &mut Tx, digest: Sha256) -> Result<bool, Error> {
    Ok(packages::find_by_hash(tx, digest).await?.is_some() || bases::is_bundle(tx, digest).await?)
}

/// Returns all blobs that rows name, each with what it is: the tarball of `name@version`, or the history of a repository.
///
/// # Errors
/// When the database fails.
pub async fn list_named(tx: &mut Tx) -> Result<Vec<(String, Sha256)>, Error> {
    let mut named = packages::list_hashes(tx).await?;
    for (version, _) in &mut named {
        version.insert_str(0, "the tarball of ");
    }
    for repository in Repository::ALL {
        if let Some(base) = bases::find(tx, repository).await? {
            named.push((format!("the imported history of {repository}"), base.bundle));
        }
    }
    Ok(named)
}

/// True when tarballs that are not in the storage are fetched from elsewhere once somebody needs them.
///
/// # Errors
/// When the database fails.
pub async fn has_tarball_source(tx: &mut Tx) -> Result<bool, Error> {
    Ok(tarball_source::find(tx).await?.is_some())
}

/// True when the registry holds anything.
///
/// # Errors
/// When the database fails.
pub async fn has_rows(tx: &mut Tx) -> Result<bool, Error> {
    Ok(!packages::is_empty(tx).await?)
}
