//! From an accepted operation to its job, in one transaction.

use axum::{Json, http::HeaderMap};
use docket_db::{Error, Tx};
use docket_http::Problem;
use docket_jobs::{Enqueued, Job, Jobs, NewJob};
use serde::Serialize;

use super::V1Error;

/// The reply to every accepted operation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Accepted {
    job_id: String,
    /// `created`, or `duplicate` when the job was there already. Released clients do not look at it.
    disposition: &'static str,
}

/// Stores `new` and answers with its job.
///
/// While a job of the same operation is active the answer names that one: clients send a request again when they get no answer for
/// two seconds. When an earlier one has ended, `settles` decides whether it still answers the request.
pub(super) async fn submit(
    jobs: &Jobs,
    headers: &HeaderMap,
    new: &NewJob,
    settles: impl AsyncFnOnce(&mut Tx, &Job) -> Result<bool, Error>,
) -> Result<Json<Accepted>, V1Error> {
    let enqueued = enqueue(jobs, new, settles)
        .await
        .map_err(|error| V1Error::new(headers, Problem::internal(&error)))?;
    jobs.wake_workers();
    Ok(Json(Accepted {
        job_id: enqueued.job.to_string(),
        disposition: if enqueued.created { "created" } else { "duplicate" },
    }))
}

async fn enqueue(
    jobs: &Jobs,
    new: &NewJob,
    settles: impl AsyncFnOnce(&mut Tx, &Job) -> Result<bool, Error>,
) -> Result<Enqueued, Error> {
    let mut tx = jobs.db().write().await?;
    let enqueued = jobs.enqueue(&mut tx, new).await?;
    // Only now: the job that was active a moment ago may have ended just before the new one was stored.
    if enqueued.created
        && let Some(earlier) = jobs.find_earlier(&mut tx, &new.dedup_key, enqueued.job).await?
        && settles(&mut tx, &earlier).await?
    {
        // The new job is rolled back.
        return Ok(Enqueued {
            job: earlier.id,
            created: false,
        });
    }
    tx.commit().await?;
    Ok(enqueued)
}
