//! The dry run of a publish: everything that a publish does, but for the steps that change something. What it found is kept for a while, so that the
//! publish of the same commit need not find it out again ([`super::earlier`]).
//!
//! It holds no lock that a publish needs, and runs among the background jobs, so it never keeps a publish waiting.

use docket_core::operation::Publish;
use docket_core::time::Timestamp;
use docket_index::blobs;
use docket_index::checks::{self, PublishCheck};
use docket_jobs::worker::Handler;
use docket_jobs::{Failure, PUBLISH_CHECK, Run};

use super::install::STORAGE;
use super::record::{being_removed, unsatisfied};
use super::{Checked, MAX_ATTEMPTS, Passed, TIMEOUT_SECS, check, request};
use crate::outcome::JobError;
use crate::state::WorkerState;

/// The kind of these jobs.
pub const KIND: &str = PUBLISH_CHECK;

/// For how many hours what a dry run found is kept by default.
pub const KEEP_HOURS: u32 = 7 * 24;

const HOUR_MILLIS: i64 = 60 * 60 * 1000;

/// Returns what runs dry runs.
#[must_use]
pub fn handler(state: WorkerState) -> Handler {
    Handler::new(KIND, TIMEOUT_SECS, MAX_ATTEMPTS, move |attempt| {
        let state = state.clone();
        async move { run(&state, &attempt).await }
    })
}

async fn run(state: &WorkerState, run: &Run) -> Result<(), Failure> {
    let last_attempt = super::last_attempt(run);
    dry_run(state, run)
        .await
        .map_err(|err| err.into_failure(last_attempt))
}

/// What was found before this time has lapsed.
pub(crate) fn lapses_before(state: &WorkerState, run: &Run) -> Timestamp {
    let kept_millis = i64::from(state.keep_checks_hours) * HOUR_MILLIS;
    run.jobs().clock().now().plus_millis(-kept_millis)
}

async fn dry_run(state: &WorkerState, run: &Run) -> Result<(), JobError> {
    let request = request::read(run)?;
    let Publish { name, version, .. } = &request;
    let told = match check(state, run, &request).await? {
        Passed::New(checked) => {
            let commit = checked.commit.clone();
            let is_kept = keep(state, run, *checked).await?;
            let hours = state.keep_checks_hours;
            let later = match is_kept {
                true => format!(
                    " For {hours} hours, publishing commit {commit} takes what was found here, as long as compiler and dependencies stay the same."
                ),
                false => String::new(),
            };
            format!("{name}@{version} can be published.{later}")
        }
        Passed::Incomplete { .. } => {
            format!("{name}@{version} is published, but not in the index: publishing it would complete it.")
        }
        Passed::Undocumented { .. } => {
            format!("{name}@{version} is published, without documentation: publishing it would document it.")
        }
        Passed::Done => format!("{name}@{version} has been published meanwhile."),
    };
    run.log
        .notice(format!("{told} This was a dry run: nothing was published."));
    Ok(())
}

/// Keeps what was found: the blob first, then the row that names it. False when nothing is to be kept.
///
/// An attempt that is stopped on the way leaves a blob that nothing names, which the clean-up removes; the next attempt does everything again, or finds
/// the row.
async fn keep(state: &WorkerState, run: &Run, checked: Checked) -> Result<bool, JobError> {
    let now = || run.jobs().clock().now();
    let mut tx = run.jobs().db().read().await?;
    let missing = docket_index::list_unsatisfied(&mut tx, &checked.manifest).await?;
    drop(tx);
    if !missing.is_empty() {
        return Err(unsatisfied(&missing).into());
    }
    if checked.is_from_earlier || state.keep_checks_hours == 0 {
        return Ok(checked.is_from_earlier);
    }
    let mut tx = run.jobs().db().write().await?;
    if !blobs::hold(&mut tx, checked.tarball.hash, now()).await? {
        return Err(being_removed());
    }
    tx.commit().await?;
    let tarball = checks::storage(&state.storage)
        .put(checked.tarball.bytes)
        .await
        .map_err(JobError::unavailable(STORAGE))?;
    let mut tx = run.begin().await?;
    if !blobs::keep(&mut tx, tarball, now()).await? {
        return Err(being_removed());
    }
    let check = PublishCheck {
        manifest: checked.manifest,
        commit: checked.commit,
        inputs: checked.inputs,
        tarball,
        job_id: run.job.id.to_string(),
        at: now(),
    };
    checks::put(&mut tx, &check).await?;
    tx.commit().await?;
    Ok(true)
}
