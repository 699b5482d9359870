//! Leases: renewed while a job runs, given back when the server stops, taken away when they lapse.

use std::time::Duration;

use docket_db::Error;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Config;
use crate::{Job, JobState, Jobs, Level, log, store, store::claim::Requeue};

/// How often lapsed leases are looked for.
const REAP: Duration = Duration::from_secs(1);

/// After this many lapsed leases a job is given up: it takes its worker down each time (registry.md §6.2).
const MAX_RESETS: i64 = 3;

/// Renews the lease of `job` three times in its length, until `over`; cancels `lost` when it is gone.
pub(super) async fn keep(
    jobs: Jobs,
    job: Job,
    config: Config,
    lost: CancellationToken,
    over: CancellationToken,
) {
    let every = Duration::from_millis(config.lease_secs * 1000 / 3);
    let length_millis = config.lease_secs as i64 * 1000;
    let mut valid_until = jobs.clock().now().plus_millis(length_millis);
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = over.cancelled() => return,
        }
        let until = jobs.clock().now().plus_millis(length_millis);
        // A connection that hangs is as bad as one that fails: nobody hears that the lease is gone.
        match tokio::time::timeout(every, renew(&jobs, &job, until)).await {
            Ok(Ok(true)) => {
                config.progress.made();
                valid_until = until;
            }
            Ok(Ok(false)) => {
                lost.cancel();
                return;
            }
            failed => {
                let error = failed.ok().and_then(Result::err);
                let error = error.as_ref().map(|error| error as &dyn std::error::Error);
                warn!(job.id = %job.id, error, "a lease could not be renewed; trying again");
                if jobs.clock().now() >= valid_until {
                    lost.cancel();
                    return;
                }
            }
        }
    }
}

async fn renew(jobs: &Jobs, job: &Job, until: docket_core::time::Timestamp) -> Result<bool, Error> {
    let mut tx = jobs.db().write().await?;
    let current = store::lease::renew(&mut tx, job, until).await?;
    tx.commit().await?;
    Ok(current)
}

/// Puts a job back in the queue, ready at once.
pub(super) async fn give_back(jobs: &Jobs, job: &Job) -> Result<(), Error> {
    let now = jobs.clock().now();
    let mut tx = jobs.db().write().await?;
    let line = format!(
        "The server stops; attempt {} is given back and another worker will take it.",
        job.attempt
    );
    log::append_closing_line(&mut tx, job, Level::Warn, line, now).await?;
    store::claim::requeue(&mut tx, job, now, Requeue::GivenBack).await?;
    crate::signal::announce_job(&mut tx).await?;
    tx.commit().await?;
    log::announce(jobs, job.id);
    Ok(())
}

/// Looks for lapsed leases until `shutdown`, and puts their jobs back in the queue.
pub(super) async fn reap(jobs: Jobs, shutdown: CancellationToken) {
    loop {
        if let Err(error) = reap_once(&jobs).await {
            warn!(
                error = &error as &dyn std::error::Error,
                "lapsed leases could not be looked for; trying again"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(REAP) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Puts every job whose lease has lapsed back in the queue, or ends it as `livelocked`.
pub(crate) async fn reap_once(jobs: &Jobs) -> Result<(), Error> {
    let now = jobs.clock().now();
    let mut tx = jobs.db().read().await?;
    let lapsed = store::claim::list_lapsed(&mut tx, now).await?;
    drop(tx);
    for job in lapsed {
        let mut tx = jobs.db().write().await?;
        // The job may have come back to life, or been reaped by another process, since it was listed.
        if !store::claim::is_lapsed(&mut tx, &job, now).await? {
            continue;
        }
        if job.resets + 1 >= MAX_RESETS {
            let detail = format!(
                "Attempt {} stopped without a word, as {} before it did; the job is given up. An operator should look at the worker's log.",
                job.attempt, job.resets
            );
            log::append_closing_line(&mut tx, &job, Level::Error, detail.clone(), now).await?;
            store::lease::finish(
                &mut tx,
                &job,
                JobState::Failed,
                Some(("livelocked", &detail)),
                now,
            )
            .await?;
        } else {
            let line = format!(
                "Attempt {} stopped without a word; the job is queued again.",
                job.attempt
            );
            log::append_closing_line(&mut tx, &job, Level::Warn, line, now).await?;
            store::claim::requeue(&mut tx, &job, now, Requeue::Lapsed).await?;
        }
        crate::signal::announce_job(&mut tx).await?;
        tx.commit().await?;
        log::announce(jobs, job.id);
        jobs.wake_workers();
    }
    Ok(())
}
