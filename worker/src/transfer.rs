//! Transfer: from now on a package comes from elsewhere (registry spec, section 4.3).

use docket_core::operation::{SignedOperation, Transfer};
use docket_index::{ByJob, TransferError};
use docket_jobs::worker::Handler;
use docket_jobs::{Failure, Run};

use crate::outcome::JobError;
use crate::refusal::Refusal;
use crate::signed;
use crate::source::git;
use crate::state::WorkerState;

/// The kind of transfer jobs.
pub const KIND: &str = "transfer";

/// Returns what runs transfer jobs.
#[must_use]
pub fn handler(state: WorkerState) -> Handler {
    Handler::new(KIND, signed::TIMEOUT_SECS, signed::MAX_ATTEMPTS, move |attempt| {
        let state = state.clone();
        async move { run(&state, &attempt).await }
    })
}

async fn run(state: &WorkerState, run: &Run) -> Result<(), Failure> {
    let SignedOperation::Transfer(request) = signed::operation(run)? else {
        return Err(signed::wrong_payload("a transfer operation"));
    };
    transfer(state, run, &request).await
}

async fn transfer(state: &WorkerState, run: &Run, request: &Transfer) -> Result<(), Failure> {
    let Transfer { name, new_location } = request;
    if let Some(actor) = &run.job.actor {
        run.log
            .info(format!("Transferring {name} to {new_location} for {actor}."));
    }
    let mut tx = run.jobs().db().read().await?;
    let metadata = docket_index::find_metadata(&mut tx, name).await?;
    drop(tx);
    let metadata = metadata.ok_or_else(|| Refusal::PackageUnknown(name.clone()))?;
    if metadata.location == *new_location {
        // The package's lock is held, so only an earlier attempt can have moved it since the first look.
        if run.job.attempt > 1 {
            run.log
                .notice(format!("{name} was transferred by an earlier attempt."));
            return Ok(());
        }
        return Err(Refusal::SameLocation {
            name: name.clone(),
            location: Box::new(new_location.clone()),
        }
        .into());
    }
    let work = tempfile::tempdir_in(&state.work_dir).map_err(JobError::local("make a work directory"))?;
    let url = git::check(&state.sources, new_location, work.path()).await?;
    run.log.info(format!("The new location answers: {url}."));

    let by = ByJob {
        job_id: run.job.id.to_string(),
        at: run.jobs().clock().now(),
    };
    let mut tx = run.begin().await?;
    match docket_index::transfer(&mut tx, name, new_location, &by).await {
        Ok(()) => {}
        Err(TransferError::Unknown) => return Err(Refusal::PackageUnknown(name.clone()).into()),
        Err(TransferError::LocationUsed { used_by }) => {
            return Err(Refusal::LocationUsed {
                location: Box::new(new_location.clone()),
                used_by,
            }
            .into());
        }
        Err(TransferError::Database(error)) => return Err(error.into()),
    }
    tx.commit().await?;
    run.log.notice(format!(
        "Transferred {name} from {} to {new_location}!",
        metadata.location
    ));
    Ok(())
}
