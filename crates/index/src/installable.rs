//! What can be installed, read from the rows as far as a question goes: for the solver, and to find whom a new version concerns.

use docket_core::{manifest::Manifest, name::PackageName, solver::SolverIndex, version::Version};
use docket_db::{Error, Tx};

use crate::store::installable::{self, Scope};

/// Returns the versions in `scope` that can be installed, with the compilers each is known to compile with, by name and version.
///
/// # Errors
/// When the database fails.
pub async fn list_installable(tx: &mut Tx, scope: Scope<'_>) -> Result<Vec<(Manifest, Vec<Version>)>, Error> {
    let mut found = Vec::new();
    for row in installable::list(tx, scope).await? {
        let manifest = Manifest::from_stored(&row.manifest).map_err(Error::corrupt(
            "package_version",
            "manifest",
            &row.manifest,
        ))?;
        let compilers = serde_json::from_str(&row.compilers).map_err(Error::corrupt(
            "package_version",
            "compilers",
            &row.manifest,
        ))?;
        found.push((manifest, compilers));
    }
    Ok(found)
}

/// Builds the solver's index for build plans that require `packages`, with `compilers` as the versions of its pseudo package `purs`.
///
/// It holds no more than such a plan can: other packages cannot change it.
///
/// # Errors
/// When the database fails.
pub async fn load_solver_index<'a>(
    tx: &mut Tx,
    packages: impl IntoIterator<Item = &'a PackageName>,
    compilers: &[Version],
) -> Result<SolverIndex, Error> {
    let packages: Vec<_> = packages.into_iter().collect();
    let mut builder = SolverIndex::builder();
    for (manifest, compilers) in list_installable(tx, Scope::Needed(&packages)).await? {
        builder.add(
            &manifest.name,
            manifest.version,
            &manifest.dependencies,
            &compilers,
        );
    }
    Ok(builder.compilers(compilers.iter().copied()).build())
}
