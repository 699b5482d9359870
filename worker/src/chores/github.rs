//! What the tasks that ask GitHub have in common: which packages there are, and how much trouble is too much.

use std::fmt;

use docket_core::metadata::Metadata;
use docket_core::name::PackageName;
use docket_github::{Error, Repository};
use docket_jobs::{Failure, Run};

/// So many failures in a row are GitHub's, not one repository's.
const MAX_IN_A_ROW: usize = 10;

/// Returns every package whose repository is on GitHub, by name.
pub(super) async fn packages_on_github(
    run: &Run,
) -> Result<Vec<(PackageName, Metadata, Repository)>, Failure> {
    let mut tx = run.jobs().db().read().await?;
    let mut packages = Vec::new();
    for name in docket_index::list_names(&mut tx).await? {
        let metadata = docket_index::find_metadata(&mut tx, &name).await?;
        if let Some(metadata) = metadata
            && let Some(repository) = Repository::of(&metadata.location)
        {
            packages.push((name, metadata, repository));
        }
    }
    Ok(packages)
}

/// What did not go well.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    gone: usize,
    failed: usize,
    in_a_row: usize,
}

impl Trouble {
    /// Notes why a repository gave no answer.
    ///
    /// # Errors
    /// When it makes no sense to go on now: the task is tried again later, and what it has done so far stays done.
    pub(super) fn note(&mut self, run: &Run, repository: &Repository, error: Error) -> Result<(), Failure> {
        match error {
            Error::NotFound => {
                run.log.debug(format!("{repository} is gone."));
                self.gone += 1;
                self.in_a_row = 0;
                Ok(())
            }
            Error::RateLimited { until } => Err(Failure::Unavailable {
                detail: format!("GitHub takes no more calls until {until}."),
                cause: None,
            }),
            error => {
                run.log.warn(format!("{repository}: {error}."));
                self.failed += 1;
                self.in_a_row += 1;
                if self.in_a_row < MAX_IN_A_ROW {
                    return Ok(());
                }
                Err(Failure::Unavailable {
                    detail: "GitHub does not answer.".to_owned(),
                    cause: Some(error.into()),
                })
            }
        }
    }
}

/// For the summary.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Repositories that are gone: {}; that did not answer: {}.",
            self.gone, self.failed
        )
    }
}
