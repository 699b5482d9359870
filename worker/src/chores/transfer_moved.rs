//! Packages whose repository has a new name or owner are transferred there (registry spec, section 5.6).

use docket_core::json;
use docket_core::location::Location;
use docket_core::name::PackageName;
use docket_core::operation::{Signed, SignedOperation, Transfer};
use docket_github::Client;
use docket_jobs::{Failure, NewJob, Run};

use super::github::{Trouble, packages_on_github};

/// The task.
pub(super) const TASK: &str = "transfer-moved";

pub(super) async fn run(github: &Client, run: &Run) -> Result<(), Failure> {
    let mut trouble = Trouble::default();
    let mut enqueued = 0;
    let packages = packages_on_github(run).await?;
    for (name, metadata, repository) in &packages {
        let current = match github.current_name(repository).await {
            Ok(current) => current,
            Err(error) => {
                trouble.note(run, repository, error)?;
                continue;
            }
        };
        // Upper and lower case stay as GitHub writes them, and the folder stays the same.
        let subdir = metadata.location.subdir();
        let Ok(location) = Location::github(current.owner(), current.name(), subdir) else {
            continue;
        };
        if location.is_same_place(&metadata.location) {
            continue;
        }
        let there = packages
            .iter()
            .find(|(other, metadata, _)| other != name && metadata.location.is_same_place(&location));
        if let Some((other, ..)) = there {
            run.log.warn(format!(
                "{name} has moved to {location}, where {other} is: an owner has to say which of the two stays there."
            ));
            continue;
        }
        enqueue(run, name, location).await?;
        enqueued += 1;
    }
    run.log.info(format!("{enqueued} packages have moved. {trouble}"));
    Ok(())
}

async fn enqueue(run: &Run, name: &PackageName, new_location: Location) -> Result<(), Failure> {
    let place = new_location.to_string();
    let transfer = Transfer {
        name: name.clone(),
        new_location,
    };
    let signed = Signed {
        payload: json::to_compact(&transfer),
        signature: String::new(),
    };
    let new = NewJob {
        actor: Some(super::actor(TASK)),
        parent: Some(run.job.id),
        ..NewJob::signed(&signed, &SignedOperation::Transfer(transfer))
    };
    let mut tx = run.begin().await?;
    let enqueued = run.jobs().enqueue(&mut tx, &new).await?;
    tx.commit().await?;
    run.jobs().wake_workers();
    run.log
        .notice(format!("Job {} transfers {name} to {place}.", enqueued.job));
    Ok(())
}
