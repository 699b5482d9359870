//! The tarballs of published versions: from blob storage, or else from where the registry was imported from.
//!
//! A registry can be imported with the URL of its tarballs instead of the tarballs. Each is then fetched when somebody first needs it,
//! verified against its metadata, and kept.

mod download;
mod readme;
mod source_url;

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use bytes::Bytes;
use docket_core::{digest::Sha256, metadata::PublishedVersion, name::PackageName, version::Version};
use docket_db::Db;
use docket_storage::Storage;
use tokio::sync::OnceCell;

use crate::store::tarball_source;
use download::Downloader;
pub use readme::{MAX_README_BYTES, Readme};
pub use source_url::{SourceUrl, SourceUrlError};

/// Why there is no answer whether a tarball is here.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TarballError {
    /// The tarball source did not answer, or not with a tarball.
    #[error("the tarball source did not give {url}")]
    SourceUnavailable {
        /// What was asked for.
        url: String,
        /// What it said instead.
        #[source]
        cause: Arc<dyn Error + Send + Sync>,
    },
    /// The bytes are not those that were published; they were not kept.
    #[error("the tarball of {package} has {found}, but its metadata says {expected}")]
    Wrong {
        /// `NAME@VERSION`.
        package: String,
        /// Size or hash found.
        found: String,
        /// Size or hash recorded.
        expected: String,
    },
    /// The database failed.
    #[error(transparent)]
    Database(Arc<docket_db::Error>),
    /// The blob store failed.
    #[error(transparent)]
    Storage(Arc<docket_storage::Error>),
}

impl From<docket_db::Error> for TarballError {
    fn from(error: docket_db::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<docket_storage::Error> for TarballError {
    fn from(error: docket_storage::Error) -> Self {
        Self::Storage(Arc::new(error))
    }
}

/// One running download, which everybody who needs it waits for.
type Flight = OnceCell<Result<Option<Bytes>, TarballError>>;

/// Finds tarballs: a handle that is cheap to clone.
#[derive(Debug, Clone)]
pub struct Tarballs {
    db: Db,
    storage: Storage,
    downloader: Downloader,
    flights: Arc<Mutex<HashMap<Sha256, Weak<Flight>>>>,
    readmes: readme::Cache,
}

impl Tarballs {
    /// Finds tarballs in `storage`, or where `db` says that they come from.
    ///
    /// # Errors
    /// When this machine cannot make HTTP requests.
    pub fn new(db: Db, storage: Storage) -> Result<Self, reqwest::Error> {
        Ok(Self {
            db,
            storage,
            downloader: Downloader::new()?,
            flights: Arc::default(),
            readmes: readme::Cache::default(),
        })
    }

    /// Returns the tarball that `entry` describes, fetching it when it is not here yet; `None` when it is nowhere.
    ///
    /// Who asks while it is being fetched gets the outcome of that download.
    ///
    /// # Errors
    /// When a store or the tarball source fails, or the bytes are not those that were published.
    pub async fn find(
        &self,
        name: &PackageName,
        version: Version,
        entry: &PublishedVersion,
    ) -> Result<Option<Bytes>, TarballError> {
        if let Some(bytes) = self.storage.find(entry.hash).await? {
            check(name, version, entry, &bytes)?;
            return Ok(Some(bytes));
        }
        let flight = self.flight(entry.hash);
        flight
            .get_or_init(|| self.fetch(name, version, entry))
            .await
            .clone()
    }

    /// Returns the README of the version that `entry` describes, from its tarball; `None` when that is nowhere.
    ///
    /// # Errors
    /// As [`Tarballs::find`].
    pub async fn readme(
        &self,
        name: &PackageName,
        version: Version,
        entry: &PublishedVersion,
    ) -> Result<Option<Readme>, TarballError> {
        if let Some(readme) = self.readmes.get(entry.hash) {
            return Ok(Some(readme));
        }
        let Some(bytes) = self.find(name, version, entry).await? else {
            return Ok(None);
        };
        let readme = tokio::task::spawn_blocking(move || readme::find(&bytes))
            .await
            .unwrap_or(Readme::None);
        self.readmes.put(entry.hash, readme.clone());
        Ok(Some(readme))
    }

    /// Returns where anybody can read the tarball that `entry` describes without us; `None` when there is no such place, or it is
    /// not there yet.
    ///
    /// # Errors
    /// When the blob store fails.
    pub async fn find_public_url(&self, entry: &PublishedVersion) -> Result<Option<String>, TarballError> {
        let Some(url) = self.storage.public_url(entry.hash) else {
            return Ok(None);
        };
        Ok(self.storage.contains(entry.hash).await?.then_some(url))
    }

    fn flight(&self, digest: Sha256) -> Arc<Flight> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&digest).and_then(Weak::upgrade) {
            return flight;
        }
        flights.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::default();
        flights.insert(digest, Arc::downgrade(&flight));
        flight
    }

    async fn fetch(
        &self,
        name: &PackageName,
        version: Version,
        entry: &PublishedVersion,
    ) -> Result<Option<Bytes>, TarballError> {
        // An earlier flight may have landed since we looked.
        if let Some(bytes) = self.storage.find(entry.hash).await? {
            check(name, version, entry, &bytes)?;
            return Ok(Some(bytes));
        }
        let mut tx = self.db.read().await?;
        let source = tarball_source::find(&mut tx).await?;
        drop(tx);
        let Some(source) = source else { return Ok(None) };
        let url = source.tarball(name, version);
        let fetched = self.downloader.get(url.clone(), entry.bytes).await;
        let fetched = fetched.map_err(|cause| TarballError::SourceUnavailable {
            url: url.to_string(),
            cause: Arc::new(cause),
        })?;
        let Some(bytes) = fetched else { return Ok(None) };
        check(name, version, entry, &bytes)?;
        self.storage.put(bytes.clone()).await?;
        tracing::info!(package.name = %name, "fetched the tarball of {name}@{version} from {url}");
        Ok(Some(bytes))
    }
}

/// Checks `bytes` against the metadata.
pub(crate) fn check(
    name: &PackageName,
    version: Version,
    entry: &PublishedVersion,
    bytes: &Bytes,
) -> Result<(), TarballError> {
    let wrong = |found: String, expected: String| {
        Err(TarballError::Wrong {
            package: format!("{name}@{version}"),
            found,
            expected,
        })
    };
    let size = bytes.len() as u64;
    if size > entry.bytes {
        // A download stops there, so how many more there are is not known.
        return wrong(
            format!("more than {} bytes", entry.bytes),
            format!("{} bytes", entry.bytes),
        );
    }
    if size < entry.bytes {
        return wrong(format!("{size} bytes"), format!("{} bytes", entry.bytes));
    }
    let found = Sha256::of(bytes);
    if found != entry.hash {
        return wrong(found.to_string(), entry.hash.to_string());
    }
    Ok(())
}
