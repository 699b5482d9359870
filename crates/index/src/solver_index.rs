//! What the solver needs to know, read from the rows.

use docket_core::{manifest::Manifest, solver::SolverIndex, version::Version};
use docket_db::{Error, Tx};

use crate::store::packages;

/// Builds the solver's index of all installable versions, with `compilers` as the versions of its pseudo package `purs`.
pub async fn load(tx: &mut Tx, compilers: &[Version]) -> Result<SolverIndex, Error> {
    let mut builder = SolverIndex::builder();
    for row in packages::list_solver_rows(tx).await? {
        let manifest = Manifest::from_stored(&row.manifest).map_err(Error::corrupt(
            "package_version",
            "manifest",
            &row.manifest,
        ))?;
        let compilers: Vec<Version> = serde_json::from_str(&row.compilers).map_err(Error::corrupt(
            "package_version",
            "compilers",
            &row.manifest,
        ))?;
        builder.add(
            &manifest.name,
            manifest.version,
            &manifest.dependencies,
            &compilers,
        );
    }
    Ok(builder.compilers(compilers.iter().copied()).build())
}
