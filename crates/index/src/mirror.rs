//! Package sets for older clients: the repository `package-sets`, made from the same feed as the others.

use docket_core::package_set::{
    PackageSet,
    legacy::{self, LegacySet, SubdirError},
};
use docket_db::{Error, Tx};

use crate::{
    ByJob, ChangeFile, Repository,
    store::{changes, packages},
};

const LATEST: &str = "latest-compatible-sets.json";

/// Why a set was not mirrored.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// Older clients cannot use a member.
    #[error(transparent)]
    Subdir(#[from] SubdirError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
}

/// Appends the legacy form of `set`, whose members are in the index, and returns its tag.
///
/// The commit is tagged `psc-COMPILER-YYYYMMDD`, and `COMPILER` when it is the first for that compiler (registry.md §5.4).
///
/// # Errors
/// When a member has no legacy form; then nothing was written.
pub async fn mirror_package_set(tx: &mut Tx, set: &PackageSet, by: &ByJob) -> Result<String, MirrorError> {
    let mut legacy = LegacySet::new(set.compiler);
    for (name, version) in &set.packages {
        let key = format!("{name}@{version}");
        let metadata = packages::find_metadata(tx, name).await?;
        let manifests = packages::list_manifests(tx, name).await?;
        let manifest = manifests
            .into_iter()
            .find(|manifest| manifest.version == *version);
        let (Some(metadata), Some(manifest)) = (metadata, manifest) else {
            let cause = std::io::Error::other("a member of a package set is not in the index");
            return Err(Error::corrupt("package_version", "manifest", key)(cause).into());
        };
        let needed = manifest.dependencies.into_keys();
        legacy.insert(name, &metadata.location, &manifest.git_ref, needed)?;
    }
    // The tags and the file that are read here must not change before they are written.
    changes::lock(tx).await?;
    let taken = changes::list_tags(tx, Repository::PackageSets).await?;
    let is_taken = |tag: &str| taken.iter().any(|known| known == tag);
    let tag = legacy::tag(set.compiler, set.published, is_taken);
    let latest = changes::find_file(tx, Repository::PackageSets, LATEST).await?;
    let latest = legacy::latest_compatible(latest.as_deref(), set.compiler, &tag).map_err(Error::corrupt(
        "change_file",
        "content",
        LATEST,
    ))?;
    let files = [
        (LATEST, latest),
        ("packages.json", legacy.to_json()),
        ("src/packages.dhall", legacy.to_dhall()),
    ];
    let files = files.map(|(path, text)| ChangeFile {
        path: path.to_owned(),
        content: Some(text),
    });
    let message = format!("Update to the {} package set.", set.version);
    let seq = by
        .append_all(tx, Repository::PackageSets, &message, files.into())
        .await?;
    changes::put_tag(tx, seq, &tag).await?;
    let bare = set.compiler.to_string();
    if !is_taken(&bare) {
        changes::put_tag(tx, seq, &bare).await?;
    }
    Ok(tag)
}
