//! Unpublishing: taking a version back, as far as nobody else is harmed (registry spec, section 4.2).
//!
//! Whoever asks was authenticated before the job existed; here it is decided what they may do. All of it is one fenced
//! transaction, so a job that is stopped anywhere has done nothing, or everything but the removal of the tarball's bytes.

use docket_core::metadata::{Metadata, PublishedVersion};
use docket_core::operation::{SignedOperation, Unpublish};
use docket_core::version::Version;
use docket_db::Tx;
use docket_index::{ByJob, UnpublishError, Withdrawal};
use docket_jobs::worker::Handler;
use docket_jobs::{Failure, Run};

use crate::refusal::Refusal;
use crate::signed;
use crate::state::WorkerState;

/// The kind of unpublish jobs.
pub const KIND: &str = "unpublish";

/// For how long after its publication a version can be unpublished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// By its owners, in hours.
    pub owner_hours: u32,
    /// By trustees and the bot, in hours; any time when absent.
    pub trustee_hours: Option<u32>,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            owner_hours: 48,
            trustee_hours: None,
        }
    }
}

/// Returns what runs unpublish jobs.
#[must_use]
pub fn handler(state: WorkerState) -> Handler {
    Handler::new(KIND, signed::TIMEOUT_SECS, signed::MAX_ATTEMPTS, move |attempt| {
        let state = state.clone();
        async move { run(&state, &attempt).await }
    })
}

async fn run(state: &WorkerState, run: &Run) -> Result<(), Failure> {
    let SignedOperation::Unpublish(request) = signed::operation(run)? else {
        return Err(signed::wrong_payload("an unpublish operation"));
    };
    let Unpublish {
        name,
        version,
        reason,
    } = &request;
    if let Some(actor) = &run.job.actor {
        run.log
            .info(format!("Unpublishing {name}@{version} for {actor}."));
    }
    let mut tx = run.begin().await?;
    // No set is released, and nothing that needs this version is published, between a look and the effect.
    docket_index::lock_changes(&mut tx).await?;
    let metadata = docket_index::find_metadata(&mut tx, name)
        .await?
        .ok_or_else(|| Refusal::PackageUnknown(name.clone()))?;
    if withdrawn_by_this_job(run, &metadata, *version) {
        run.log
            .notice(format!("{name}@{version} was unpublished by an earlier attempt."));
        return Ok(());
    }
    let entry = published(&metadata, &request)?;
    check_window(state.windows, run, &request, entry)?;
    check_sets(&mut tx, run, &request).await?;
    let withdrawal = Withdrawal {
        name,
        version: *version,
        reason,
        by: ByJob {
            job_id: run.job.id.to_string(),
            at: run.jobs().clock().now(),
        },
    };
    let tarball = match docket_index::unpublish(&mut tx, &withdrawal).await {
        Ok(tarball) => tarball,
        Err(UnpublishError::Breaks { breaking }) => {
            let (name, version) = (name.clone(), *version);
            return Err(Refusal::DependantsBreak {
                name,
                version,
                breaking,
            }
            .into());
        }
        Err(UnpublishError::NotPublished) => {
            let (name, version) = (name.clone(), *version);
            return Err(Refusal::NeverPublished { name, version }.into());
        }
        Err(UnpublishError::Database(error)) => return Err(error.into()),
    };
    tx.commit().await?;
    // The row is gone first. A tarball names its package and version, so nobody else can have stored the same bytes.
    if let Err(error) = state.storage.remove(tarball).await {
        tracing::warn!(package.name = %name, error = &error as &dyn std::error::Error, "the tarball of {name}@{version} could not be removed; it is garbage now");
    }
    run.log
        .notice(format!("Unpublished {name}@{version}! Reason: {reason}"));
    Ok(())
}

/// True when an earlier attempt of this job got as far as its transaction: the package's lock keeps everybody else out.
fn withdrawn_by_this_job(run: &Run, metadata: &Metadata, version: Version) -> bool {
    let entry = metadata.unpublished.get(&version);
    run.job.attempt > 1 && entry.is_some_and(|entry| entry.unpublished_time >= run.job.created_at)
}

fn published<'a>(metadata: &'a Metadata, request: &Unpublish) -> Result<&'a PublishedVersion, Refusal> {
    let (name, version) = (request.name.clone(), request.version);
    if let Some(entry) = metadata.unpublished.get(&version) {
        return Err(Refusal::AlreadyUnpublished {
            name,
            version,
            at: entry.unpublished_time,
            reason: entry.reason.to_string(),
        });
    }
    let entry = metadata.published.get(&version);
    entry.ok_or(Refusal::NeverPublished { name, version })
}

fn check_window(
    windows: Windows,
    run: &Run,
    request: &Unpublish,
    entry: &PublishedVersion,
) -> Result<(), Refusal> {
    const HOUR_MILLIS: i64 = 60 * 60 * 1000;
    let trusted = run.job.actor.as_ref().filter(|actor| actor.is_trusted());
    let age_millis = run.jobs().clock().now().millis() - entry.published_time.millis();
    let passed = |hours: u32| age_millis > i64::from(hours) * HOUR_MILLIS;
    let (limit_hours, who) = match trusted {
        Some(_) => (windows.trustee_hours, "trustees"),
        None => (Some(windows.owner_hours), "owners"),
    };
    if let Some(limit_hours) = limit_hours.filter(|hours| passed(*hours)) {
        return Err(Refusal::WindowPassed {
            name: request.name.clone(),
            version: request.version,
            age_hours: age_millis / HOUR_MILLIS,
            who,
            limit_hours,
        });
    }
    if let Some(actor) = trusted.filter(|_| passed(windows.owner_hours)) {
        run.log.notice(format!(
            "{}@{} was published {} hours ago; its owners could not unpublish it any more, {actor} can. Reason: {}",
            request.name,
            request.version,
            age_millis / HOUR_MILLIS,
            request.reason
        ));
    }
    Ok(())
}

/// A set that holds the version could not be installed any more. Owners cannot do that to anybody; trustees can, once the latest set does
/// without it.
async fn check_sets(tx: &mut Tx, run: &Run, request: &Unpublish) -> Result<(), Failure> {
    let (name, version) = (&request.name, request.version);
    let sets = docket_index::list_sets_holding(tx, name, version).await?;
    let trusted = run.job.actor.as_ref().is_some_and(|actor| actor.is_trusted());
    let latest = docket_index::latest_package_set(tx).await?.map(|set| set.version);
    let (blocking, remedy) = if trusted {
        let latest = sets.iter().copied().filter(|set| Some(*set) == latest);
        (
            latest.collect(),
            "Release a package set without it or with another version of it first",
        )
    } else {
        (sets.clone(), "Ask a trustee of the registry")
    };
    if !blocking.is_empty() {
        return Err(Refusal::InPackageSet {
            name: name.clone(),
            version,
            sets: blocking,
            breaking: docket_index::list_breaking(tx, name, version).await?,
            remedy,
        }
        .into());
    }
    if !sets.is_empty() {
        run.log.warn(format!(
            "Older package sets hold {name}@{version} and cannot be installed in full any more: {}.",
            crate::rejection::join(&sets)
        ));
    }
    Ok(())
}
