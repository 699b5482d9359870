//! Blobs by digest: bytes stored once and verified whenever they are read.
//!
//! *Blob first, row second*: a caller stores the bytes before it commits the row that names them, so a blob without a row is
//! garbage and a row without a blob never happens (ARCHITECTURE.md, "What is true where").

mod local;

use std::{io, path::PathBuf};

use bytes::Bytes;
use docket_core::digest::Sha256;

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

/// A blob store: a handle that is cheap to clone.
#[derive(Debug, Clone)]
pub struct Storage(local::LocalDirectory);

impl Storage {
    /// Opens a store in a local directory, which is created when it does not exist.
    ///
    /// # Errors
    /// When the directory cannot be created or written.
    pub fn local(directory: impl Into<PathBuf>) -> Result<Self, Error> {
        Ok(Self(local::LocalDirectory::open(directory.into())?))
    }

    /// Stores `bytes` and returns their digest. When it returns they are on disk; storing them again changes nothing.
    ///
    /// # Errors
    /// When the bytes cannot be written; then no blob exists, not even half of one.
    pub async fn put(&self, bytes: Bytes) -> Result<Sha256, Error> {
        self.0.put(bytes).await
    }

    /// Returns the bytes with this digest, verified; `None` when they are not here.
    ///
    /// # Errors
    /// When they cannot be read, or are damaged.
    pub async fn find(&self, digest: Sha256) -> Result<Option<Bytes>, Error> {
        let Some(bytes) = self.0.find(digest).await? else {
            return Ok(None);
        };
        let found = Sha256::of(&bytes);
        if found == digest {
            Ok(Some(bytes))
        } else {
            Err(Error::Damaged { digest, found })
        }
    }

    /// Removes the blob with this digest; that there is none is fine. Only for blobs that no row names.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn remove(&self, digest: Sha256) -> Result<(), Error> {
        self.0.remove(digest).await
    }

    /// True when a blob with this digest is here.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn contains(&self, digest: Sha256) -> Result<bool, Error> {
        self.0.contains(digest).await
    }

    /// Writes the bytes with this digest to the file `target`, verified, without holding them in memory; false when they
    /// are not here.
    ///
    /// # Errors
    /// When they cannot be read or written, or are damaged; the file is of no use then.
    pub async fn copy_to(&self, digest: Sha256, target: impl Into<PathBuf>) -> Result<bool, Error> {
        match self.0.copy_to(digest, target.into()).await? {
            None => Ok(false),
            Some(found) if found == digest => Ok(true),
            Some(found) => Err(Error::Damaged { digest, found }),
        }
    }
}
