//! Writing the registry back as the files of its repositories: `docketd export`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use docket_core::manifest_index;
use docket_db::Db;

use crate::{
    store::{package_sets, packages},
    tarballs::{TarballError, Tarballs},
};

/// Where to export to; directories are created when they do not exist.
#[derive(Debug, Clone)]
pub struct Targets {
    /// Gets `metadata/` and `package-sets/`.
    pub registry: PathBuf,
    /// Gets the manifest index.
    pub index: PathBuf,
    /// Gets the tarballs, at `NAME/VERSION.tar.gz`.
    pub tarballs: Option<PathBuf>,
}

/// What an export wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Metadata files.
    pub metadata_files: usize,
    /// Index files.
    pub index_files: usize,
    /// Package-set files.
    pub package_set_files: usize,
    /// Tarballs.
    pub tarballs: usize,
    /// Published versions whose tarball is neither in blob storage nor at the tarball source.
    pub missing_tarballs: usize,
}

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] docket_db::Error),
    /// A tarball can neither be read nor fetched.
    #[error(transparent)]
    Tarball(#[from] TarballError),
}

/// Writes one consistent state of the registry. Tarballs that are not here yet are fetched.
///
/// # Errors
/// When the database, the blob store, the tarball source or the disk fails; files written so far stay.
pub async fn export(db: &Db, tarballs: &Tarballs, targets: &Targets) -> Result<Report, ExportError> {
    let mut report = Report::default();
    let mut published = Vec::new();
    let mut tx = db.read().await?;
    for name in packages::list_names(&mut tx).await? {
        let Some(metadata) = packages::find_metadata(&mut tx, &name).await? else {
            continue;
        };
        write(
            &targets.registry.join(format!("metadata/{name}.json")),
            metadata.to_text().as_bytes(),
        )?;
        report.metadata_files += 1;
        if let Some(text) = packages::find_index_file(&mut tx, &name).await? {
            write(&targets.index.join(manifest_index::path(&name)), text.as_bytes())?;
            report.index_files += 1;
        }
        published.extend(
            metadata
                .published
                .into_iter()
                .map(|(version, entry)| (name.clone(), version, entry)),
        );
    }
    for set in package_sets::list(&mut tx).await? {
        let path = targets
            .registry
            .join(format!("package-sets/{}.json", set.version));
        write(&path, set.to_text().as_bytes())?;
        report.package_set_files += 1;
    }
    // Fetching may take long, and what was published stays what it is: no transaction is held open for it.
    drop(tx);
    let Some(folder) = &targets.tarballs else {
        return Ok(report);
    };
    for (name, version, entry) in published {
        match tarballs.find(&name, version, &entry).await? {
            Some(bytes) => {
                write(&folder.join(format!("{name}/{version}.tar.gz")), &bytes)?;
                report.tarballs += 1;
            }
            None => report.missing_tarballs += 1,
        }
    }
    Ok(report)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    let folder = path.parent().expect("exported files lie in a folder");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, bytes))
        .map_err(|cause| ExportError::Write {
            path: path.to_owned(),
            cause,
        })
}
