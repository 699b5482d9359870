//! Removing blobs that nothing names: what publishes and imports that failed have stored, tarballs whose removal failed, and archived logs that
//! are not kept any more.
//!
//! Why this takes nothing that anybody needs, or is about to need, is told in [`docket_index::blobs`].

use docket_core::digest::Sha256;
use docket_core::time::Timestamp;
use docket_db::Tx;
use docket_index::blobs;
use docket_jobs::{Run, archive_storage};
use docket_storage::{Listed, Storage};

use crate::outcome::PublishError;
use crate::publish::STORAGE;
use crate::state::WorkerState;

/// How long blobs are left alone after they were stored, in milliseconds. Most of them are about to be named; and a process of an older
/// version, which holds nothing, has named its own by then.
const YOUNG_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// How many blobs are looked at together.
const PAGE: usize = 500;

/// What was removed.
#[derive(Debug, Default)]
pub(super) struct Removed {
    pub(super) blobs: u64,
    pub(super) bytes: u64,
}

/// Whose blobs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner {
    /// Packages, and repositories that were imported.
    Registry,
    /// Archived logs.
    Logs,
}

impl Owner {
    fn storage(self, state: &WorkerState) -> Storage {
        match self {
            Self::Registry => state.storage.clone(),
            Self::Logs => archive_storage(&state.storage),
        }
    }

    /// Whether the owner has anything: otherwise nothing can be told from garbage.
    async fn has_rows(self, tx: &mut Tx, run: &Run) -> Result<bool, docket_db::Error> {
        match self {
            Self::Registry => blobs::has_rows(tx).await,
            Self::Logs => run.jobs().has_archive(tx).await,
        }
    }

    async fn is_named(self, tx: &mut Tx, run: &Run, digest: Sha256) -> Result<bool, docket_db::Error> {
        match self {
            Self::Registry => blobs::is_named(tx, digest).await,
            Self::Logs => run.jobs().names_archived(tx, digest).await,
        }
    }
}

/// Removes what is old and unnamed.
pub(super) async fn remove_unnamed(
    state: &WorkerState,
    run: &Run,
    owner: Owner,
) -> Result<Removed, PublishError> {
    let storage = owner.storage(state);
    let mut removed = Removed::default();
    let mut tx = run.jobs().db().write().await?;
    blobs::prune(&mut tx, run.jobs().clock().now()).await?;
    let has_rows = owner.has_rows(&mut tx, run).await?;
    tx.commit().await?;
    if !has_rows {
        return Ok(removed);
    }
    let mut after = None;
    loop {
        let page = storage.list(after, PAGE).await;
        let page = page.map_err(PublishError::unavailable(STORAGE))?;
        for blob in find_unnamed(run, owner, &page).await? {
            if remove(&storage, run, owner, blob.digest).await? {
                removed.blobs += 1;
                removed.bytes += blob.bytes;
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.digest),
            _ => return Ok(removed),
        }
    }
}

/// Those of `page` that are old and that nothing names now.
async fn find_unnamed(run: &Run, owner: Owner, page: &[Listed]) -> Result<Vec<Listed>, PublishError> {
    let young = run.jobs().clock().now().plus_millis(-YOUNG_MILLIS);
    let stored_at = |blob: &Listed| Timestamp::from_millis(blob.stored_at.timestamp_millis());
    let mut unnamed = Vec::new();
    let mut tx = run.jobs().db().read().await?;
    for blob in page.iter().filter(|blob| stored_at(blob) < young) {
        if !owner.is_named(&mut tx, run, blob.digest).await? {
            unnamed.push(*blob);
        }
    }
    Ok(unnamed)
}

/// Removes a blob, unless it is or may soon be named after all.
///
/// Nothing of this needs the fence of the attempt: a blob is condemned by one at a time, whoever that is.
async fn remove(storage: &Storage, run: &Run, owner: Owner, digest: Sha256) -> Result<bool, PublishError> {
    let at = run.jobs().clock().now();
    let mut tx = run.jobs().db().write().await?;
    if !blobs::condemn(&mut tx, digest, at).await? {
        return Ok(false);
    }
    tx.commit().await?;
    // Another transaction: it must see what was committed before the blob was condemned.
    let mut tx = run.jobs().db().read().await?;
    let named = owner.is_named(&mut tx, run, digest).await?;
    drop(tx);
    if !named {
        // When this fails the store may still do it later, so the blob stays condemned for a while.
        let done = storage.remove(digest).await;
        done.map_err(PublishError::unavailable(STORAGE))?;
    }
    let mut tx = run.jobs().db().write().await?;
    blobs::release(&mut tx, digest, at).await?;
    tx.commit().await?;
    Ok(!named)
}
