//! Filling an empty registry from existing repositories: `docketd import`.
//!
//! Tarballs are stored first, then everything else in one transaction: an interrupted import left nothing but blobs, and goes on when it is run again.

mod checkout;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
};

use docket_core::{
    manifest::Manifest,
    manifest_index::{self, IndexFile},
    metadata::Metadata,
    name::PackageName,
    package_set::PackageSet,
    time::Timestamp,
};
use docket_db::Db;
use docket_storage::Storage;

use crate::{
    AUTHOR, ChangeFile, NewChange, Repository,
    store::{
        bases::{self, Base},
        changes, package_sets, packages, tarball_source,
    },
    tarballs::{self, SourceUrl, SourceUrlError, TarballError},
};
use checkout::Checkout;

/// Where to import from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// `metadata/` and `package-sets/`: a checkout, a bare repository or a plain directory.
    pub registry: PathBuf,
    /// The manifest index, likewise.
    pub index: PathBuf,
    /// The tarballs, at `NAME/VERSION.tar.gz`.
    pub tarballs: Option<TarballSource>,
}

/// Where the tarballs of an import are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TarballSource {
    /// In a directory: they are all stored now.
    Directory(PathBuf),
    /// On the web: they are fetched when somebody first needs them.
    Url(SourceUrl),
}

impl FromStr for TarballSource {
    type Err = SourceUrlError;

    /// What has a scheme is a URL, everything else a directory.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            text.parse().map(Self::Url)
        } else {
            Ok(Self::Directory(text.into()))
        }
    }
}

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Metadata files.
    pub packages: usize,
    /// Published versions.
    pub versions: usize,
    /// Index files.
    pub index_files: usize,
    /// Index lines.
    pub manifests: usize,
    /// Package sets.
    pub package_sets: usize,
    /// Tarballs that are in the storage, verified when they were stored.
    pub tarballs: usize,
    /// Published versions whose tarball was not there.
    pub missing_tarballs: usize,
    /// True when the registry held exactly this already.
    pub unchanged: bool,
}

/// Why an import stopped. Nothing of it is visible then.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Something else is in the database.
    #[error("the registry is not empty: import into a new data directory or an empty database")]
    NotEmpty,
    /// A source cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// A directory holds nothing of what was expected.
    #[error("{} holds no {expected}: is it the right directory?", path.display())]
    NothingThere {
        /// The directory.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// A file does not decode.
    #[error("{file} does not decode: {reason}")]
    Undecodable {
        /// Its path in the repository.
        file: String,
        /// Why.
        reason: String,
    },
    /// A tarball is not what the metadata says.
    #[error(transparent)]
    WrongTarball(TarballError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] crate::git::Error),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] docket_db::Error),
    /// The blob store failed.
    #[error(transparent)]
    Storage(#[from] docket_storage::Error),
}

/// The decoded content of both repositories.
#[derive(Debug, Default)]
struct Content {
    metadata: BTreeMap<PackageName, Metadata>,
    sets: Vec<PackageSet>,
    manifests: Vec<Manifest>,
    index_files: usize,
}

/// Imports `sources` into an empty registry. `progress` hears one sentence per stage.
///
/// # Errors
/// When anything does not decode or verify, or the registry holds something else; then nothing of it is visible.
pub async fn import(
    db: &Db,
    storage: &Storage,
    sources: &Sources,
    at: Timestamp,
    mut progress: impl FnMut(String),
) -> Result<Report, ImportError> {
    let registry = Checkout::read(&sources.registry, is_registry_file).await?;
    let index = Checkout::read(&sources.index, is_index_file).await?;
    for (folder, checkout) in [(&sources.registry, &registry), (&sources.index, &index)] {
        if !checkout.left_out.is_empty() {
            let left_out = checkout.left_out.join(", ");
            progress(format!(
                "left out of {}, since it is not text: {left_out}",
                folder.display()
            ));
        }
    }
    let content = decode(&registry, &index)?;
    if content.metadata.is_empty() && content.sets.is_empty() {
        return Err(ImportError::NothingThere {
            path: sources.registry.clone(),
            expected: "metadata/*.json",
        });
    }
    let mut report = Report {
        packages: content.metadata.len(),
        versions: content
            .metadata
            .values()
            .map(|metadata| metadata.published.len())
            .sum(),
        index_files: content.index_files,
        manifests: content.manifests.len(),
        package_sets: content.sets.len(),
        ..Report::default()
    };
    progress(format!(
        "read {} packages with {} versions, {} manifests and {} package sets",
        report.packages, report.versions, report.manifests, report.package_sets
    ));
    if let Some(TarballSource::Directory(folder)) = &sources.tarballs {
        store_tarballs(storage, folder, &content, &mut report, &mut progress).await?;
    }

    let mut bundles = Vec::new();
    for (repository, checkout) in [
        (Repository::Registry, &registry),
        (Repository::RegistryIndex, &index),
    ] {
        if let Some(history) = &checkout.history {
            let bundle = storage.put(history.bundle.clone()).await?;
            bundles.push((
                repository,
                Base {
                    commit_id: history.commit_id.clone(),
                    bundle,
                },
            ));
        }
    }

    let mut tx = db.write().await?;
    // Nothing is published between the look whether the registry is empty and the end.
    changes::lock(&mut tx).await?;
    if let Some(TarballSource::Url(url)) = &sources.tarballs {
        tarball_source::replace(&mut tx, url).await?;
    }
    if !packages::is_empty(&mut tx).await? {
        report.unchanged = is_same(&mut tx, &content).await?;
        if !report.unchanged {
            return Err(ImportError::NotEmpty);
        }
        tx.commit().await?;
        return Ok(report);
    }
    for (name, metadata) in &content.metadata {
        packages::put_package(&mut tx, name, &metadata.location, metadata.owners.as_deref()).await?;
        for (version, entry) in &metadata.published {
            packages::put_published(&mut tx, name, *version, entry).await?;
        }
        for (version, entry) in &metadata.unpublished {
            packages::put_unpublished(&mut tx, name, *version, entry).await?;
        }
    }
    for manifest in &content.manifests {
        if !packages::put_manifest(&mut tx, manifest).await? {
            return Err(ImportError::Undecodable {
                file: manifest_index::path(&manifest.name),
                reason: format!("{}@{} is not in the metadata", manifest.name, manifest.version),
            });
        }
    }
    for set in &content.sets {
        package_sets::insert(&mut tx, set).await?;
    }
    for (repository, checkout) in [
        (Repository::Registry, registry),
        (Repository::RegistryIndex, index),
    ] {
        changes::clear(&mut tx, repository).await?;
        match bundles.iter().find(|(imported, _)| *imported == repository) {
            Some((_, base)) => bases::insert(&mut tx, repository, base).await?,
            None => {
                let files = checkout
                    .files
                    .into_iter()
                    .map(|(path, text)| ChangeFile {
                        path,
                        content: Some(text),
                    })
                    .collect();
                let message = format!("Import the {repository}\n");
                let change = NewChange {
                    repository,
                    at,
                    author: AUTHOR.to_owned(),
                    message,
                    job_id: None,
                    files,
                };
                changes::append(&mut tx, &change).await?;
            }
        }
    }
    tx.commit().await?;
    progress("everything is stored".to_owned());
    Ok(report)
}

/// The package whose metadata file this is, as its path has it.
fn metadata_file(path: &str) -> Option<&str> {
    path.strip_prefix("metadata/")?.strip_suffix(".json")
}

fn is_package_set_file(path: &str) -> bool {
    path.starts_with("package-sets/") && path.ends_with(".json")
}

fn is_registry_file(path: &str) -> bool {
    metadata_file(path).is_some() || is_package_set_file(path)
}

/// The package whose index file this is. What is no package name is no index file (registry.md §2.4).
fn index_file(path: &str) -> Option<PackageName> {
    let name: PackageName = path.rsplit('/').next()?.parse().ok()?;
    (path == manifest_index::path(&name)).then_some(name)
}

fn is_index_file(path: &str) -> bool {
    index_file(path).is_some()
}

fn decode(registry: &Checkout, index: &Checkout) -> Result<Content, ImportError> {
    let mut content = Content::default();
    let bad = |file: &str, reason: String| ImportError::Undecodable {
        file: file.to_owned(),
        reason,
    };
    for (path, text) in &registry.files {
        if let Some(name) = metadata_file(path) {
            let name: PackageName = name.parse().map_err(|error| bad(path, format!("{error}")))?;
            let metadata = Metadata::parse(text).map_err(|error| bad(path, error.to_string()))?;
            content.metadata.insert(name, metadata);
        } else if is_package_set_file(path) {
            content
                .sets
                .push(PackageSet::parse(text).map_err(|error| bad(path, error.to_string()))?);
        }
    }
    for (path, text) in &index.files {
        let Some(name) = index_file(path) else {
            continue;
        };
        let file = IndexFile::parse(&name, text).map_err(|error| bad(path, error.to_string()))?;
        content.index_files += 1;
        content.manifests.extend(file.into_manifests().into_values());
    }
    Ok(content)
}

async fn store_tarballs(
    storage: &Storage,
    folder: &Path,
    content: &Content,
    report: &mut Report,
    progress: &mut impl FnMut(String),
) -> Result<(), ImportError> {
    // An import that was interrupted goes on where it was: a blob is stored as a whole or not at all.
    let here = storage.digests().await?;
    let mut found = 0_usize;
    for (name, metadata) in &content.metadata {
        for (version, entry) in &metadata.published {
            if here.contains(&entry.hash) {
                report.tarballs += 1;
                found += 1;
                continue;
            }
            let file = format!("{name}/{version}.tar.gz");
            let path = folder.join(&file);
            let bytes = match tokio::fs::read(&path).await {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    report.missing_tarballs += 1;
                    continue;
                }
                Err(cause) => return Err(ImportError::Read { path, cause }),
            };
            let bytes = bytes.into();
            tarballs::check(name, *version, entry, &bytes).map_err(ImportError::WrongTarball)?;
            storage.put(bytes).await?;
            report.tarballs += 1;
            if (report.tarballs - found).is_multiple_of(500) {
                progress(format!("stored {} tarballs", report.tarballs - found));
            }
        }
    }
    if found > 0 {
        progress(format!("{found} tarballs were stored before"));
    }
    Ok(())
}

/// True when the registry holds exactly `content`.
async fn is_same(tx: &mut docket_db::Tx, content: &Content) -> Result<bool, docket_db::Error> {
    if packages::list_names(tx).await?.len() != content.metadata.len() {
        return Ok(false);
    }
    for (name, metadata) in &content.metadata {
        if packages::find_metadata(tx, name).await?.as_ref() != Some(metadata) {
            return Ok(false);
        }
    }
    Ok(package_sets::list(tx).await?.len() == content.sets.len())
}
