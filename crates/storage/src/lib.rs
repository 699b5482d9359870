//! Blobs by digest: bytes stored once and verified whenever they are read.
//!
//! *Blob first, row second*: a caller stores the bytes before it commits the row that names them, so a blob without a row is
//! garbage and a row without a blob never happens (ARCHITECTURE.md, "What is true where").

mod layout;
mod local;
mod s3;

use std::{collections::HashSet, io, path::PathBuf};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use docket_core::digest::Sha256;
pub use s3::{S3Failure, S3Limits, S3Settings, SettingsError};

/// Why a blob could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store did not take or give the bytes.
    #[error("the blob store could not {doing} {digest}")]
    Io {
        /// `write`, `read`, `copy` or `remove`.
        doing: &'static str,
        /// Which blob.
        digest: Sha256,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The store gave other bytes than were stored.
    #[error("the blob {digest} is damaged: its bytes have the digest {found}")]
    Damaged {
        /// Which blob was asked for.
        digest: Sha256,
        /// What came.
        found: Sha256,
    },
    /// The bucket did not answer, however often it was asked: later it may.
    #[error("the blob store could not {doing} {digest} now")]
    Unavailable {
        /// `write`, `read`, `copy` or `remove`.
        doing: &'static str,
        /// Which blob.
        digest: Sha256,
        /// What came instead of an answer.
        #[source]
        cause: S3Failure,
    },
    /// The bucket said no: somebody has to repair something.
    #[error("the blob store refused to {doing} {digest}")]
    Refused {
        /// `write`, `read`, `copy` or `remove`.
        doing: &'static str,
        /// Which blob.
        digest: Sha256,
        /// What it said.
        #[source]
        cause: S3Failure,
    },
    /// The bucket as a whole cannot be used.
    #[error("the bucket {bucket} cannot be used")]
    Bucket {
        /// Its name and where it is.
        bucket: String,
        /// What the server said.
        #[source]
        cause: S3Failure,
    },
    /// The directory of the store cannot be used.
    #[error("the blob directory {} cannot be used", path.display())]
    Directory {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// A blob that a store holds, as it says; its bytes were not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Which blob.
    pub digest: Sha256,
    /// Its size.
    pub bytes: u64,
    /// When it was stored first.
    pub stored_at: DateTime<Utc>,
}

/// A blob store: a handle that is cheap to clone.
#[derive(Debug, Clone)]
pub struct Storage(Place);

#[derive(Debug, Clone)]
enum Place {
    Local(local::LocalDirectory),
    S3(s3::S3Bucket),
}

impl Storage {
    /// Opens a store in a local directory, which is created when it does not exist.
    ///
    /// # Errors
    /// When the directory cannot be created or written.
    pub fn local(directory: impl Into<PathBuf>) -> Result<Self, Error> {
        Ok(Self(Place::Local(local::LocalDirectory::open(directory.into())?)))
    }

    /// A store in a bucket. Nothing is asked of it yet: see [`Storage::reach`].
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn s3(settings: &S3Settings) -> Result<Self, SettingsError> {
        Ok(Self(Place::S3(s3::S3Bucket::new(settings)?)))
    }

    /// Another store in the same place, in a folder of its own: neither lists the blobs of the other.
    #[must_use]
    pub fn within(&self, folder: &'static str) -> Self {
        Self(match &self.0 {
            Place::Local(directory) => Place::Local(directory.within(folder)),
            Place::S3(bucket) => Place::S3(bucket.within(folder)),
        })
    }

    /// Makes sure that the store answers us, asking once.
    ///
    /// # Errors
    /// When it does not.
    pub async fn reach(&self) -> Result<(), Error> {
        match &self.0 {
            Place::Local(_) => Ok(()),
            Place::S3(bucket) => bucket.reach().await,
        }
    }

    /// Says where the blobs are, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.0 {
            Place::Local(directory) => format!("directory {}", directory.root().display()),
            Place::S3(bucket) => format!("bucket {}", bucket.describe()),
        }
    }

    /// Stores `bytes` and returns their digest. When it returns they are durable; storing them again changes nothing.
    ///
    /// # Errors
    /// When the bytes cannot be written; then no blob exists, not even half of one.
    pub async fn put(&self, bytes: Bytes) -> Result<Sha256, Error> {
        match &self.0 {
            Place::Local(directory) => directory.put(bytes).await,
            Place::S3(bucket) => bucket.put(bytes).await,
        }
    }

    /// Returns the bytes with this digest, verified; `None` when they are not here.
    ///
    /// # Errors
    /// When they cannot be read, or are damaged.
    pub async fn find(&self, digest: Sha256) -> Result<Option<Bytes>, Error> {
        match &self.0 {
            Place::Local(directory) => directory.find(digest).await,
            Place::S3(bucket) => bucket.find(digest).await,
        }
    }

    /// Where anybody can read the blob with this digest without us, if it is here; `None` when there is no such place.
    #[must_use]
    pub fn public_url(&self, digest: Sha256) -> Option<String> {
        match &self.0 {
            Place::Local(_) => None,
            Place::S3(bucket) => bucket.public_url(digest),
        }
    }

    /// Returns up to `limit` blobs above `after` in the order of digests. Fewer than `limit` are the last.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn list(&self, after: Option<Sha256>, limit: usize) -> Result<Vec<Listed>, Error> {
        match &self.0 {
            Place::Local(directory) => directory.list(after, limit).await,
            Place::S3(bucket) => bucket.list(after, limit).await,
        }
    }

    /// Returns the digests of all blobs. It asks for as many pages as there are, so it takes a while.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn digests(&self) -> Result<HashSet<Sha256>, Error> {
        const PAGE: usize = 1000;
        let (mut digests, mut after) = (HashSet::new(), None);
        loop {
            let page = self.list(after, PAGE).await?;
            digests.extend(page.iter().map(|blob| blob.digest));
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.digest),
                _ => return Ok(digests),
            }
        }
    }

    /// Removes the blob with this digest; that there is none is fine. Only for blobs that no row names.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn remove(&self, digest: Sha256) -> Result<(), Error> {
        match &self.0 {
            Place::Local(directory) => directory.remove(digest).await,
            Place::S3(bucket) => bucket.remove(digest).await,
        }
    }

    /// Returns the files that were begun before `before` and never became a blob, because their process was killed, with their sizes. A bucket has none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_unfinished(&self, before: DateTime<Utc>) -> Result<Vec<(PathBuf, u64)>, Error> {
        match &self.0 {
            Place::Local(directory) => directory.list_unfinished(before).await,
            Place::S3(_) => Ok(Vec::new()),
        }
    }

    /// True when a blob with this digest is here.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn contains(&self, digest: Sha256) -> Result<bool, Error> {
        match &self.0 {
            Place::Local(directory) => directory.contains(digest).await,
            Place::S3(bucket) => bucket.contains(digest).await,
        }
    }

    /// Writes the bytes with this digest to the file `target`, verified, without holding them in memory; false when they
    /// are not here.
    ///
    /// # Errors
    /// When they cannot be read or written, or are damaged; the file is of no use then.
    pub async fn copy_to(&self, digest: Sha256, target: impl Into<PathBuf>) -> Result<bool, Error> {
        let copied = match &self.0 {
            Place::Local(directory) => directory.copy_to(digest, target.into()).await?,
            Place::S3(bucket) => bucket.copy_to(digest, target.into()).await?,
        };
        match copied {
            None => Ok(false),
            Some(found) if found == digest => Ok(true),
            Some(found) => Err(Error::Damaged { digest, found }),
        }
    }
}
