//! What `docket publish` looks at before it asks: everything for which the registry would refuse the package, as far as it can be seen from
//! here. Nothing is refused here that the registry would take; what cannot be found out is left to it.

mod dependencies;
mod snapshot;

use std::path::{Path, PathBuf};

use docket_client::{Client, Error};
use docket_core::location::Location;
use docket_core::manifest::Manifest;
use docket_core::operation::Publish;
use docket_core::version::Version;
use docket_package::license;
use docket_package::{CheckError, Rejection, files, manifest, modules, request, tree};

use crate::failure::Failure;
use crate::print::Printer;
use snapshot::Snapshot;

/// Headers that only older compilers accept are refused with newer ones; nobody knows here which one the registry chooses.
const LENIENT: Version = Version::new(0, 14, 0);

/// Looks at the package in `dir`.
///
/// # Errors
///
/// [`Failure::WouldRefuse`] with everything that is to be changed, and others when something could not be looked at.
pub(crate) async fn check(
    client: &Client,
    operation: &Publish,
    dir: &Path,
    out: &Printer,
) -> Result<(), Failure> {
    let mut found = Found::default();
    let metadata = match client.get_metadata(&operation.name).await {
        Ok(metadata) => Some(metadata),
        Err(Error::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    found.take(request::check(metadata.as_ref(), operation).map_err(CheckError::from))?;
    let location = match (&metadata, &operation.location) {
        (Some(metadata), _) => metadata.location.clone(),
        (None, Some(location)) => location.clone(),
        (None, None) => return found.end(operation),
    };
    let snapshot = Snapshot::take(dir, &operation.git_ref, &location).await?;
    snapshot.notes.iter().for_each(|note| out.note(note));
    if snapshot.is_missing_at_origin {
        found.refused.push(Rejection::RefNotFound {
            repository: location.to_string(),
            git_ref: operation.git_ref.clone(),
        });
    }
    if let Some(source) = snapshot.source {
        let asked = operation.clone();
        let looked_at = tokio::task::spawn_blocking(move || of_files(&source, &asked, &location));
        let (of_files, manifest) = looked_at.await.expect("looking at files does not panic")?;
        found.refused.extend(of_files.refused);
        of_files.warnings.iter().for_each(|warning| out.note(warning));
        if let Some(manifest) = manifest {
            let refused = dependencies::check(client, &manifest.dependencies, operation.compiler).await?;
            found.refused.extend(refused);
        }
    }
    found.end(operation)
}

/// A source to look at.
struct Source {
    /// The root of the repository, if everything in it is part of the snapshot.
    root: Option<PathBuf>,
    /// The directory of the package.
    package_dir: PathBuf,
}

/// What was found so far.
#[derive(Default)]
struct Found {
    refused: Vec<Rejection>,
    warnings: Vec<String>,
}

impl Found {
    /// Keeps a refusal, and goes on.
    fn take<T>(&mut self, result: Result<T, CheckError>) -> Result<Option<T>, Failure> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(CheckError::Rejected(rejection)) => {
                self.refused.push(rejection);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn end(self, operation: &Publish) -> Result<(), Failure> {
        if self.refused.is_empty() {
            return Ok(());
        }
        Err(Failure::WouldRefuse {
            package: format!("{}@{}", operation.name, operation.version),
            refused: self.refused,
        })
    }
}

/// The checks of files, in the order of the registry; one does not hide the next.
fn of_files(
    source: &Source,
    operation: &Publish,
    location: &Location,
) -> Result<(Found, Option<Manifest>), Failure> {
    let (mut found, dir) = (Found::default(), &source.package_dir);
    if let Some(root) = &source.root {
        found.take(tree::check(root))?;
    }
    found.take(tree::require_modules(dir).map_err(CheckError::from))?;
    let read = manifest::find(dir)
        .map_err(CheckError::from)
        .and_then(|origin| manifest::read(dir, origin, operation, location));
    let Some(manifest) = found.take(read)? else {
        return Ok((found, None));
    };
    found.take(manifest::check(&manifest, operation, location).map_err(CheckError::from))?;
    found.take(license::check(dir, &manifest.license))?;
    let selection = files::select(
        dir,
        manifest.include_files.as_deref(),
        manifest.exclude_files.as_deref(),
    );
    if let Some(selection) = found.take(selection)? {
        found.warnings.extend(selection.warnings);
        let compiler = operation.compiler.unwrap_or(LENIENT);
        let headers = modules::check_headers(dir, &selection.files, compiler);
        let warnings = found.take(headers)?.unwrap_or_default();
        found.warnings.extend(warnings);
    }
    Ok((found, Some(manifest)))
}
