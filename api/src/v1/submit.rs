//! From an accepted operation to its job, in one transaction.

use axum::{Json, http::HeaderMap};
use docket_db::{Error, Tx};
use docket_http::Problem;
use docket_jobs::{Enqueued, Job, Jobs, NewJob};
use serde::Serialize;
use utoipa::ToSchema;

use super::V1Error;
use crate::{Limits, error::database};

/// The reply to every accepted operation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Accepted {
    job_id: String,
    /// `created`, or `duplicate` when the job was there already. Released clients do not look at it.
    #[schema(example = "created")]
    disposition: &'static str,
}

/// What an earlier job of the same operation, which has ended, means for a request.
pub(super) enum Earlier {
    /// It is the answer; nothing is done again.
    Answers,
    /// The request is one of its own.
    Ignored,
    /// The request is refused.
    Forbids(Problem),
}

/// Stores `new` and answers with its job, as released clients expect it.
pub(super) async fn submit(
    jobs: &Jobs,
    limits: &Limits,
    headers: &HeaderMap,
    new: &NewJob,
    settle: impl AsyncFnOnce(&mut Tx, &Job) -> Result<Earlier, Error>,
) -> Result<Json<Accepted>, V1Error> {
    accept(jobs, limits, new, settle)
        .await
        .map_err(|problem| V1Error::new(headers, problem))
}

/// Stores `new` and answers with its job.
///
/// While a job of the same operation is active the answer names that one: clients send a request again when they get no answer for
/// two seconds. When an earlier one has ended, `settle` decides what that means.
pub(super) async fn accept(
    jobs: &Jobs,
    limits: &Limits,
    new: &NewJob,
    settle: impl AsyncFnOnce(&mut Tx, &Job) -> Result<Earlier, Error>,
) -> Result<Json<Accepted>, Problem> {
    if let Some(actor) = &new.actor {
        limits.count_key(actor)?;
    }
    let enqueued = enqueue(jobs, limits, new, settle)
        .await
        .map_err(|error| database(&error))??;
    jobs.wake_workers();
    Ok(Json(Accepted {
        job_id: enqueued.job.to_string(),
        disposition: if enqueued.created { "created" } else { "duplicate" },
    }))
}

async fn enqueue(
    jobs: &Jobs,
    limits: &Limits,
    new: &NewJob,
    settle: impl AsyncFnOnce(&mut Tx, &Job) -> Result<Earlier, Error>,
) -> Result<Result<Enqueued, Problem>, Error> {
    // Most requests are the first of their operation.
    if let Some(job) = jobs.enqueue_first(new, limits.active_jobs()).await? {
        return Ok(Ok(Enqueued { job, created: true }));
    }
    let mut tx = jobs.db().write().await?;
    let enqueued = jobs.enqueue(&mut tx, new).await?;
    // Only now: the job that was active a moment ago may have ended just before the new one was stored.
    if enqueued.created
        && let Some(earlier) = jobs.find_earlier(&mut tx, &new.dedup_key, enqueued.job).await?
    {
        // Unless it is ignored, the new job is rolled back.
        match settle(&mut tx, &earlier).await? {
            Earlier::Answers => {
                return Ok(Ok(Enqueued {
                    job: earlier.id,
                    created: false,
                }));
            }
            Earlier::Forbids(problem) => return Ok(Err(problem)),
            Earlier::Ignored => {}
        }
    }
    // One that is there already takes no more room.
    if enqueued.created
        && let Some(package) = &new.package_name
    {
        let active = jobs.count_active_of(&mut tx, new.kind, package).await?;
        if let Err(problem) = limits.check_queue(active) {
            return Ok(Err(problem));
        }
    }
    tx.commit().await?;
    Ok(Ok(enqueued))
}
