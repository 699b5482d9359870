//! Removing blobs that nothing names: what publishes and imports that failed have stored, tarballs whose removal failed, and archived logs and
//! results of dry runs that are not kept any more.
//!
//! The task `clean-up` does this once a day, `docketd prune` by hand. Why it takes nothing that anybody needs, or is about to need, is told in [`docket_index::blobs`].

use docket_core::digest::Sha256;
use docket_core::time::Timestamp;
use docket_db::Tx;
use docket_index::{blobs, checks};
use docket_jobs::{Jobs, archive_storage};
use docket_storage::{Listed, Storage};

use crate::outcome::JobError;
use crate::publish::STORAGE;

/// How long blobs are left alone after they were stored, in milliseconds. Most of them are about to be named; and a process of an older
/// version, which holds nothing, has named its own by then.
const YOUNG_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// How many blobs are looked at together.
const PAGE: usize = 500;

/// What was removed.
#[derive(Debug, Default)]
pub struct Removed {
    /// How many blobs.
    pub blobs: u64,
    /// Their size.
    pub bytes: u64,
}

/// Whose blobs.
#[derive(Debug, Clone, Copy)]
pub enum Owner {
    /// Packages, and repositories that were imported.
    Registry,
    /// Archived logs.
    Logs,
    /// What dry runs keep.
    Checks,
}

impl Owner {
    fn storage(self, storage: &Storage) -> Storage {
        match self {
            Self::Registry => storage.clone(),
            Self::Logs => archive_storage(storage),
            Self::Checks => checks::storage(storage),
        }
    }

    /// Whether the owner has anything: otherwise nothing can be told from garbage.
    async fn has_rows(self, tx: &mut Tx, jobs: &Jobs) -> Result<bool, docket_db::Error> {
        match self {
            Self::Registry => blobs::has_rows(tx).await,
            Self::Logs => jobs.has_archive(tx).await,
            // None is ever imported or restored, so what nothing names is garbage even when there is nothing else.
            Self::Checks => Ok(true),
        }
    }

    async fn is_named(self, tx: &mut Tx, jobs: &Jobs, digest: Sha256) -> Result<bool, docket_db::Error> {
        match self {
            Self::Registry => blobs::is_named(tx, digest).await,
            Self::Logs => jobs.names_archived(tx, digest).await,
            Self::Checks => checks::is_named(tx, digest).await,
        }
    }
}

/// Removes what is old and unnamed.
///
/// # Errors
/// When database or storage fails.
pub async fn remove_unnamed(jobs: &Jobs, storage: &Storage, owner: Owner) -> Result<Removed, JobError> {
    let mut tx = jobs.db().write().await?;
    blobs::prune(&mut tx, jobs.clock().now()).await?;
    tx.commit().await?;
    let mut removed = Removed::default();
    let mut pages = Pages::new(jobs, storage, owner);
    while let Some(unnamed) = pages.next().await? {
        for blob in unnamed {
            if remove(&pages.storage, jobs, owner, blob.digest).await? {
                removed.blobs += 1;
                removed.bytes += blob.bytes;
            }
        }
    }
    Ok(removed)
}

/// Returns what [`remove_unnamed`] would remove now.
///
/// # Errors
/// When database or storage fails.
pub async fn list_unnamed(jobs: &Jobs, storage: &Storage, owner: Owner) -> Result<Vec<Listed>, JobError> {
    let (mut found, mut pages) = (Vec::new(), Pages::new(jobs, storage, owner));
    while let Some(unnamed) = pages.next().await? {
        found.extend(unnamed);
    }
    Ok(found)
}

/// The blobs of a storage, page by page.
struct Pages<'a> {
    jobs: &'a Jobs,
    storage: Storage,
    owner: Owner,
    after: Option<Sha256>,
    ended: bool,
}

impl<'a> Pages<'a> {
    fn new(jobs: &'a Jobs, storage: &Storage, owner: Owner) -> Self {
        Self {
            jobs,
            storage: owner.storage(storage),
            owner,
            after: None,
            ended: false,
        }
    }

    /// Returns those blobs of the next page that are old and that nothing names now; `None` at the end.
    async fn next(&mut self) -> Result<Option<Vec<Listed>>, JobError> {
        if self.ended {
            return Ok(None);
        }
        let mut tx = self.jobs.db().read().await?;
        let has_rows = self.owner.has_rows(&mut tx, self.jobs).await?;
        drop(tx);
        if !has_rows {
            return Ok(None);
        }
        let page = self.storage.list(self.after, PAGE).await;
        let page = page.map_err(JobError::unavailable(STORAGE))?;
        self.after = page.last().map(|last| last.digest);
        self.ended = page.len() < PAGE;
        find_unnamed(self.jobs, self.owner, &page).await.map(Some)
    }
}

/// Those of `page` that are old and that nothing names now.
async fn find_unnamed(jobs: &Jobs, owner: Owner, page: &[Listed]) -> Result<Vec<Listed>, JobError> {
    let young = jobs.clock().now().plus_millis(-YOUNG_MILLIS);
    let stored_at = |blob: &Listed| Timestamp::from_millis(blob.stored_at.timestamp_millis());
    let mut unnamed = Vec::new();
    let mut tx = jobs.db().read().await?;
    for blob in page.iter().filter(|blob| stored_at(blob) < young) {
        if !owner.is_named(&mut tx, jobs, blob.digest).await? {
            unnamed.push(*blob);
        }
    }
    Ok(unnamed)
}

/// Removes a blob, unless it is or may soon be named after all.
///
/// Nothing of this needs the fence of an attempt: a blob is condemned by one at a time, whoever that is.
async fn remove(storage: &Storage, jobs: &Jobs, owner: Owner, digest: Sha256) -> Result<bool, JobError> {
    let at = jobs.clock().now();
    let mut tx = jobs.db().write().await?;
    if !blobs::condemn(&mut tx, digest, at).await? {
        return Ok(false);
    }
    tx.commit().await?;
    // Another transaction: it must see what was committed before the blob was condemned.
    let mut tx = jobs.db().read().await?;
    let named = owner.is_named(&mut tx, jobs, digest).await?;
    drop(tx);
    if !named {
        // When this fails the store may still do it later, so the blob stays condemned for a while.
        let done = storage.remove(digest).await;
        done.map_err(JobError::unavailable(STORAGE))?;
    }
    let mut tx = jobs.db().write().await?;
    blobs::release(&mut tx, digest, at).await?;
    tx.commit().await?;
    Ok(!named)
}
