//! Who would miss a version: the packages whose ranges hold it.

use docket_core::{name::PackageName, range::Range, version::Version};
use docket_db::{Error, Tx};

use crate::store::packages;

/// A version whose manifest depends on the one in question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependant {
    /// Its package.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// The range it asks for.
    pub range: Range,
    /// True when no other version in the index lies in that range.
    pub breaks: bool,
}

/// Returns every version in the index whose range for `name` holds `version`, by name and version.
///
/// # Errors
/// When the database fails.
pub async fn list_dependants(
    tx: &mut Tx,
    name: &PackageName,
    version: Version,
) -> Result<Vec<Dependant>, Error> {
    let others: Vec<Version> = packages::list_manifests(tx, name)
        .await?
        .into_iter()
        .map(|manifest| manifest.version)
        .filter(|other| *other != version)
        .collect();
    let mut dependants = Vec::new();
    for manifest in packages::list_manifests_naming(tx, name).await? {
        let Some(range) = manifest
            .dependencies
            .get(name)
            .filter(|range| range.contains(&version))
        else {
            continue;
        };
        dependants.push(Dependant {
            breaks: !others.iter().any(|other| range.contains(other)),
            range: *range,
            version: manifest.version,
            name: manifest.name,
        });
    }
    Ok(dependants)
}

/// Returns the versions in the index that would be left with a range that no version satisfies if `version` were taken back.
///
/// # Errors
/// When the database fails.
pub async fn list_breaking(
    tx: &mut Tx,
    name: &PackageName,
    version: Version,
) -> Result<Vec<(PackageName, Version)>, Error> {
    let dependants = list_dependants(tx, name, version).await?.into_iter();
    Ok(dependants
        .filter(|dependant| dependant.breaks)
        // A version may name its own package; it goes with it.
        .filter(|dependant| (&dependant.name, dependant.version) != (name, version))
        .map(|dependant| (dependant.name, dependant.version))
        .collect())
}
