//! One attempt: the handler under a lease and a time limit, and what follows from how it ended.

use std::{panic::AssertUnwindSafe, time::Duration};

use docket_db::Error;
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Claim, Config, Handler, Handlers, lease};
use crate::{Failure, Job, JobLog, JobState, Jobs, Level, Run, log, store, store::claim::Requeue};

/// The longest wait between two attempts, in milliseconds.
const MAX_RETRY_MILLIS: i64 = 5 * 60 * 1000;

/// How often the end of an attempt is tried to be stored, once a second, before the lease is left to lapse.
const END_TRIES: u32 = 60;

/// How an attempt ended, as it is stored.
enum Ending {
    Succeeded,
    Failed { code: &'static str, detail: String },
    Retry { detail: String, after_millis: i64 },
    GiveBack,
}

/// Runs one attempt at `claim`'s job and stores how it ended. `abort` is cancelled when the server no longer waits.
pub(super) async fn attempt(
    jobs: Jobs,
    config: Config,
    handlers: Handlers,
    claim: Claim,
    abort: CancellationToken,
) {
    let job = claim.job;
    let Some(handler) = handlers.0.get(job.kind.as_str()) else {
        unreachable!("only kinds with a handler are claimed")
    };
    let lost = CancellationToken::new();
    let log = match JobLog::open(&jobs, &job, lost.clone()).await {
        Ok(log) => log,
        Err(error) => {
            // The lease lapses and another worker tries.
            error!(job.id = %job.id, error = &error as &dyn std::error::Error, "the job log could not be opened");
            return;
        }
    };
    let over = CancellationToken::new();
    let keeper = tokio::spawn(lease::keep(
        jobs.clone(),
        job.clone(),
        config.clone(),
        lost.clone(),
        over.clone(),
    ));
    info!(job.id = %job.id, job.kind = %job.kind, job.attempt = job.attempt, "job started");
    if job.attempt > 1 {
        log.info(format!("Attempt {} begins.", job.attempt));
    }

    let cancelled = lost.child_token();
    let run = Run {
        job: job.clone(),
        log: log.clone(),
        cancelled: cancelled.clone(),
        jobs: jobs.clone(),
    };
    // A panic is ours to mend; caught here, so that the job's log and state say so.
    let work = AssertUnwindSafe((handler.run)(run)).catch_unwind();
    let limited = tokio::time::timeout(Duration::from_secs(handler.timeout_secs), work);
    let ending = tokio::select! {
        ended = limited => match ended {
            Ok(Ok(result)) => ending(&job, handler, &config, result),
            Ok(Err(_panic)) => {
                error!(job.id = %job.id, "a job handler panicked");
                let detail = "The worker ran into a defect of its own.".to_owned();
                ending(&job, handler, &config, Err(Failure::Unavailable { detail, cause: None }))
            }
            Err(_elapsed) => Some(Ending::Failed {
                code: "job-timeout",
                detail: format!("Job timed out after {} minutes.", handler.timeout_secs / 60),
            }),
        },
        () = abort.cancelled() => Some(Ending::GiveBack),
        () = lost.cancelled() => None,
    };
    cancelled.cancel();
    log.flush().await;
    match ending {
        Some(ending) if !lost.is_cancelled() => store_ending(&jobs, &job, ending).await,
        _ => {
            warn!(job.id = %job.id, job.attempt = job.attempt, "the lease was lost; another attempt goes on")
        }
    }
    over.cancel();
    config.progress.made();
    let _ = keeper.await;
    jobs.wake_workers();
}

/// Decides what follows from a handler's result; `None` when nothing may be written any more.
fn ending(job: &Job, handler: &Handler, config: &Config, result: Result<(), Failure>) -> Option<Ending> {
    match result {
        Ok(()) => Some(Ending::Succeeded),
        Err(Failure::Rejected { code, detail }) => Some(Ending::Failed { code, detail }),
        Err(Failure::LeaseLost) => None,
        Err(Failure::Unavailable { detail, cause }) => {
            let cause = cause.as_deref().map(|cause| cause as &dyn std::error::Error);
            warn!(job.id = %job.id, job.attempt = job.attempt, error = cause, "{detail}");
            // Not the attempt number: lapsed leases have a limit of their own, and a server that stopped is no failure.
            let tried = job.retries + 1;
            if tried >= handler.max_attempts {
                let detail = format!("{detail} This was attempt {}, the last one.", job.attempt);
                return Some(Ending::Failed {
                    code: "unavailable",
                    detail,
                });
            }
            let doubled = config.retry_millis.saturating_mul(1 << (tried - 1).clamp(0, 20));
            Some(Ending::Retry {
                detail,
                after_millis: doubled.min(MAX_RETRY_MILLIS),
            })
        }
    }
}

/// Stores the ending, trying again while the database does not answer.
async fn store_ending(jobs: &Jobs, job: &Job, ending: Ending) {
    for _ in 0..END_TRIES {
        match try_store_ending(jobs, job, &ending).await {
            Ok(()) => {
                log::announce(jobs, job.id);
                return;
            }
            Err(error) => {
                warn!(job.id = %job.id, error = &error as &dyn std::error::Error, "the end of a job could not be stored; trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    error!(job.id = %job.id, "the end of a job could not be stored; its lease will lapse and it will run again");
}

/// The last line and the end of the job, in one transaction: whoever sees the end sees the line.
async fn try_store_ending(jobs: &Jobs, job: &Job, ending: &Ending) -> Result<(), Error> {
    if let Ending::GiveBack = ending {
        return lease::give_back(jobs, job).await;
    }
    let now = jobs.clock().now();
    let mut tx = jobs.db().write().await?;
    let current = store::lease::fence(&mut tx, job).await?;
    if !current {
        return Ok(());
    }
    match ending {
        Ending::Succeeded => {
            store::lease::finish(&mut tx, job, JobState::Succeeded, None, now).await?;
        }
        Ending::Failed { code, detail } => {
            log::append_closing_line(&mut tx, job, Level::Error, detail.clone(), now).await?;
            store::lease::finish(&mut tx, job, JobState::Failed, Some((code, detail)), now).await?;
        }
        Ending::Retry { detail, after_millis } => {
            let wait = Duration::from_millis(*after_millis as u64);
            let line = format!("{detail} The next attempt begins in {wait:?}.");
            log::append_closing_line(&mut tx, job, Level::Warn, line, now).await?;
            store::claim::requeue(&mut tx, job, now.plus_millis(*after_millis), Requeue::Unavailable).await?;
        }
        Ending::GiveBack => unreachable!("handled above"),
    }
    crate::signal::announce_job(&mut tx).await?;
    crate::signal::announce_log(&mut tx, job.id).await?;
    tx.commit().await?;
    info!(job.id = %job.id, "job ended");
    Ok(())
}
