//! Recording a published version: rows and changes in the transaction of the job's effects.

use docket_core::{
    manifest::Manifest,
    manifest_index,
    metadata::{Metadata, PublishedVersion},
    name::PackageName,
    range::Range,
    time::Timestamp,
};
use docket_db::{Error, Tx};

use crate::{
    AUTHOR, ChangeFile, NewChange, Repository,
    builds::record_publication,
    job_change::ByJob,
    store::{changes, packages, publish_checks},
};

/// A version whose tarball is stored and whose checks have passed.
#[derive(Debug)]
pub struct Publication<'a> {
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// Its entry in the metadata. An entry that is there already stays as it is (repair, registry.md §3.5).
    pub entry: &'a PublishedVersion,
    /// The job that publishes it.
    pub by: ByJob,
}

/// Why a version was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A dependency range holds no version of the index: a client could not install the package.
    #[error("{} has unsatisfied dependencies: {}", manifest_name, list(missing))]
    UnsatisfiedDependencies {
        /// `NAME@VERSION`.
        manifest_name: String,
        /// The ranges without any version.
        missing: Vec<(PackageName, Range)>,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
}

fn list(missing: &[(PackageName, Range)]) -> String {
    let items: Vec<_> = missing
        .iter()
        .map(|(name, range)| format!("{name} {range}"))
        .collect();
    items.join(", ")
}

/// Returns the dependency ranges of `manifest` that hold no version of the index.
///
/// # Errors
/// When the database fails.
pub async fn list_unsatisfied(tx: &mut Tx, manifest: &Manifest) -> Result<Vec<(PackageName, Range)>, Error> {
    let mut missing = Vec::new();
    for (dependency, range) in &manifest.dependencies {
        let known = packages::list_manifests(tx, dependency).await?;
        if !known.iter().any(|candidate| range.contains(&candidate.version)) {
            missing.push((dependency.clone(), *range));
        }
    }
    Ok(missing)
}

/// Records `publication`: metadata first, then the index line, each with its change. What is there already stays.
///
/// # Errors
/// [`PublishError::UnsatisfiedDependencies`] when a range holds no version of the index; then nothing was written.
pub async fn publish(tx: &mut Tx, publication: &Publication<'_>) -> Result<(), PublishError> {
    let Publication { manifest, entry, by } = publication;
    let (name, version) = (&manifest.name, manifest.version);
    // Before looking: what a range holds now could be taken back before this is stored.
    changes::lock(tx).await?;
    let missing = list_unsatisfied(tx, manifest).await?;
    if !missing.is_empty() {
        let manifest_name = format!("{name}@{version}");
        return Err(PublishError::UnsatisfiedDependencies {
            manifest_name,
            missing,
        });
    }

    let before = packages::find_metadata(tx, name).await?;
    let mut after = before
        .clone()
        .unwrap_or_else(|| Metadata::new(manifest.location.clone()));
    after.owners = manifest.owners.clone();
    let known = after.published.contains_key(&version);
    after.published.entry(version).or_insert_with(|| (*entry).clone());
    packages::put_package(tx, name, &after.location, after.owners.as_deref()).await?;
    if !known {
        packages::put_published(tx, name, version, entry).await?;
        record_publication(tx, name, version, &entry.compilers, by).await?;
    }
    if before.as_ref().map(Metadata::to_text) != Some(after.to_text()) {
        by.append_metadata(tx, name, &after).await?;
    }

    let before = packages::find_index_file(tx, name).await?;
    packages::put_manifest(tx, manifest).await?;
    let after = packages::find_index_file(tx, name).await?;
    if before != after {
        let message = format!("Update manifest for {name}@{version}");
        let path = manifest_index::path(name);
        by.append(tx, Repository::RegistryIndex, &message, path, after)
            .await?;
    }
    // What dry runs found of it has served its purpose.
    publish_checks::remove(tx, name, version).await?;
    Ok(())
}

async fn has_begun(tx: &mut Tx) -> Result<bool, Error> {
    Ok(changes::last_seq(tx).await? > 0 || crate::store::bases::any(tx).await?)
}

/// Gives each repository of a new registry its first commit, because a repository without any cannot be checked out.
pub async fn bootstrap(tx: &mut Tx, at: Timestamp) -> Result<(), Error> {
    // Only a new registry is waited for: who starts while somebody writes to an old one starts at once.
    if has_begun(tx).await? {
        return Ok(());
    }
    // Servers that start at once on one database must not both find it empty.
    changes::lock(tx).await?;
    if has_begun(tx).await? {
        return Ok(());
    }
    let texts = [
        (
            Repository::Registry,
            "# Registry\n\nMetadata and package sets of this package registry, written by its server.\n",
        ),
        (
            Repository::RegistryIndex,
            "# Registry index\n\nManifests of this package registry, written by its server.\n",
        ),
    ];
    for (repository, readme) in texts {
        let files = vec![ChangeFile {
            path: "README.md".to_owned(),
            content: Some(readme.to_owned()),
        }];
        let change = NewChange {
            repository,
            at,
            author: AUTHOR.to_owned(),
            message: "Begin\n".to_owned(),
            job_id: None,
            files,
        };
        changes::append(tx, &change).await?;
    }
    Ok(())
}
