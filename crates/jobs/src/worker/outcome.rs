//! One attempt: the handler under a lease and a time limit, and what follows from how it ended.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt;
use tracing::{Instrument, error, info, info_span, warn};

use super::{Attempts, Config, Handler, given_back_line, slot::Claim};
use crate::{
    Failure, Job, JobLog, Jobs, Level, Run,
    decide::{self, Ending},
};

/// How an attempt ends, and the last line of its log.
type Last = (Ending, Option<(Level, String)>);

/// Runs one attempt at `claim`'s job and stores how it ended.
pub(super) async fn attempt(attempts: Attempts, claim: Claim) {
    let Attempts {
        jobs,
        config,
        handlers,
        heartbeats,
        logs,
        abort,
    } = attempts;
    let Claim { job, slot } = claim;
    let Some(handler) = handlers.0.get(job.kind.as_str()) else {
        unreachable!("only kinds with a handler are claimed")
    };
    slot.begin();
    let lease_millis = config.lease_secs as i64 * 1000;
    let claimed_at = job.started_at.unwrap_or_else(|| jobs.clock().now());
    let hold = heartbeats.hold(&job, claimed_at.plus_millis(lease_millis));
    let log = JobLog::open(&jobs, &job, logs, hold.lost.clone());
    info!(job.id = %job.id, job.kind = %job.kind, job.attempt = job.attempt, "job started");
    if job.attempt > 1 {
        log.info(format!("Attempt {} begins.", job.attempt));
    }

    let run = Run {
        job: job.clone(),
        log: log.clone(),
        jobs: jobs.clone(),
        effective: Arc::default(),
    };
    let effective = run.effective.clone();
    // A panic is ours to mend; caught here, so that the job's log and state say so.
    let package = job.package_name.as_ref().map(tracing::field::display);
    let span = info_span!("job", job.id = %job.id, job.kind = %job.kind, job.attempt = job.attempt, package.name = package);
    let work = AssertUnwindSafe((handler.run)(run).instrument(span)).catch_unwind();
    let limited = tokio::time::timeout(Duration::from_secs(handler.timeout_secs), work);
    // A job that may have had effects is not cancelled any more: it ends by itself.
    let cancel = async {
        if job.cancel_by.is_none() {
            hold.cancel.cancelled().await;
        }
        if effective.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    };
    let last = tokio::select! {
        // In this order: a job that was to be cancelled before its worker fell silent does not begin again.
        biased;
        () = cancel => Some(cancelled_by(&job.cancel_by.clone().unwrap_or_else(|| hold.cancelled_by()))),
        ended = limited => match ended {
            Ok(Ok(result)) => last(&job, handler, &config, jobs.clock().now(), result),
            Ok(Err(_panic)) => {
                error!(job.id = %job.id, "a job handler panicked");
                let detail = "The worker ran into a defect of its own.".to_owned();
                last(&job, handler, &config, jobs.clock().now(), Err(Failure::Unavailable { detail, cause: None }))
            }
            Err(_elapsed) => Some(failed(
                "job-timeout",
                format!("Job timed out after {} minutes.", handler.timeout_secs / 60),
            )),
        },
        () = abort.cancelled() => Some((Ending::GivenBack, Some((Level::Warn, given_back_line(job.attempt))))),
        () = hold.lost.cancelled() => None,
    };
    let (ending, line) = last.map_or((None, None), |(ending, line)| {
        (Some(without_secrets(&jobs, ending)), line)
    });
    let lines = log.close(line).await;
    if hold.lost.is_cancelled() || ending.is_none() {
        warn!(job.id = %job.id, job.attempt = job.attempt, "the lease was lost; another attempt goes on");
        slot.end(None, Vec::new()).await;
    } else {
        slot.end(ending, lines).await;
        info!(job.id = %job.id, "job ended");
    }
    // Not before: a lease that lapses while the database is away lets somebody else begin what has ended.
    heartbeats.release(job.id);
}

/// Why a job failed is shown apart from its log, too.
fn without_secrets(jobs: &Jobs, ending: Ending) -> Ending {
    match ending {
        Ending::Failed { code, detail } => {
            let detail = jobs.redactor.redact(&detail).into_owned();
            Ending::Failed { code, detail }
        }
        other => other,
    }
}

/// Decides what follows from a handler's result; `None` when nothing may be written any more.
fn last(
    job: &Job,
    handler: &Handler,
    config: &Config,
    now: docket_core::time::Timestamp,
    result: Result<(), Failure>,
) -> Option<Last> {
    match result {
        Ok(()) => Some((Ending::Succeeded, None)),
        Err(Failure::Rejected { code, detail }) => Some(failed(code, detail)),
        Err(Failure::Cancelled { by }) => Some(cancelled_by(&by)),
        Err(Failure::LeaseLost) => None,
        Err(Failure::Unavailable { detail, cause }) => {
            let cause = cause.as_deref().map(|cause| cause as &dyn std::error::Error);
            warn!(job.id = %job.id, job.attempt = job.attempt, error = cause, "{detail}");
            // Not the attempt number: lapsed leases have a limit of their own, and a server that stopped is no failure.
            match decide::retry_millis(job.retries + 1, handler.max_attempts, config.retry_millis) {
                None => Some(failed(
                    "unavailable",
                    format!("{detail} This was attempt {}, the last one.", job.attempt),
                )),
                Some(millis) => {
                    let wait = Duration::from_millis(millis.unsigned_abs());
                    let line = format!("{detail} The next attempt begins in {wait:?}.");
                    let run_after = now.plus_millis(millis);
                    Some((Ending::Retry { run_after }, Some((Level::Warn, line))))
                }
            }
        }
    }
}

fn failed(code: &str, detail: String) -> Last {
    let line = (Level::Error, detail.clone());
    let code = code.to_owned();
    (Ending::Failed { code, detail }, Some(line))
}

fn cancelled_by(by: &str) -> Last {
    let detail = format!("Cancelled by {by}.");
    (
        Ending::Cancelled {
            detail: detail.clone(),
        },
        Some((Level::Warn, detail)),
    )
}
