//! What the solver needs to know, read from the rows.

use docket_core::{manifest::Manifest, solver::SolverIndex, version::Version};
use docket_db::{Error, Tx};

use crate::store::packages;

/// Returns every version that can be installed, with the compilers it is known to compile with, by name and version.
///
/// # Errors
/// When the database fails.
pub async fn list_installable(tx: &mut Tx) -> Result<Vec<(Manifest, Vec<Version>)>, Error> {
    let mut installable = Vec::new();
    for row in packages::list_solver_rows(tx).await? {
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
        installable.push((manifest, compilers));
    }
    Ok(installable)
}

/// Builds the solver's index of all installable versions, with `compilers` as the versions of its pseudo package `purs`.
///
/// # Errors
/// When the database fails.
pub async fn load(tx: &mut Tx, compilers: &[Version]) -> Result<SolverIndex, Error> {
    let mut builder = SolverIndex::builder();
    for (manifest, compilers) in list_installable(tx).await? {
        builder.add(
            &manifest.name,
            manifest.version,
            &manifest.dependencies,
            &compilers,
        );
    }
    Ok(builder.compilers(compilers.iter().copied()).build())
}
