//! An issue on GitHub: a webhook said that somebody wrote something that asks for an operation (registry spec, section 4.5).
//!
//! The job asks the registry through its own API, on the author's behalf, and says below the issue what comes of it. It does not
//! wait for the job that it caused: it looks, says what is new, and leaves a follow-up that looks again later, so that waiting
//! holds no worker.

use std::sync::Arc;

use docket_client::{Error as RegistryError, Level, LogPage};
use docket_core::time::Timestamp;
use docket_github::{Begun, ForwardError, Forwarder, IssueEvent, Job, Step, reply};
use docket_jobs::worker::Handler;
use docket_jobs::{Failure, NewJob, Run};
use serde::{Deserialize, Serialize};

/// The kind of these jobs.
pub const KIND: &str = "github-issue";

/// Seconds one attempt may take: a handful of calls, each with a limit of its own.
const TIMEOUT_SECS: u64 = 180;
/// Attempts before the job fails because GitHub or the registry does not answer.
const MAX_ATTEMPTS: i64 = 5;
/// The pauses before the looks double from the first to the longest.
const FIRST_PAUSE_SECS: i64 = 10;
const LONGEST_PAUSE_SECS: i64 = 120;
/// So often we look; with these pauses, for about half an hour.
const MAX_LOOKS: u32 = 18;
/// Lines are shown from this look on, so that a job that is soon done gets one comment for all of them.
const LINES_FROM_LOOK: u32 = 3;
/// Lines shown at once.
const PAGE_LINES: u32 = 200;

/// What the job is given. The webhook gives the event alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Payload {
    #[serde(flatten)]
    event: IssueEvent,
    /// How often we have looked.
    #[serde(default)]
    looks: u32,
}

/// Returns what runs these jobs.
#[must_use]
pub fn handler(forwarder: Forwarder) -> Handler {
    let forwarder = Arc::new(forwarder);
    Handler::new(KIND, TIMEOUT_SECS, MAX_ATTEMPTS, move |run| {
        let forwarder = forwarder.clone();
        async move { forward(&forwarder, &run).await }
    })
}

async fn forward(forwarder: &Forwarder, run: &Run) -> Result<(), Failure> {
    let payload: Payload = serde_json::from_str(&run.job.payload).map_err(|error| Failure::Unavailable {
        detail: "This is not a job about an issue.".to_owned(),
        cause: Some(error.into()),
    })?;
    let IssueEvent {
        repository,
        issue,
        sender,
        ..
    } = &payload.event;
    if payload.looks == 0 {
        run.log
            .info(format!("{sender} wrote in issue {issue} of {repository}."));
    }
    match forwarder.begin(&payload.event).await {
        Ok(Begun::Nothing) => {
            run.log.info("There is nothing to say.");
            Ok(())
        }
        Ok(Begun::Answered) => {
            run.log
                .notice(format!("Answered {sender}; there is no job to follow."));
            Ok(())
        }
        Ok(Begun::Job(job)) => match look(forwarder, run, *job, payload.looks).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let looks = payload.looks + 1;
                follow_up(run, &Payload { looks, ..payload }, pause(run, looks)).await
            }
            Err(error) => stop(run, &payload, error).await,
        },
        Err(error) => stop(run, &payload, error).await,
    }
}

/// Says what is new. Returns whether that was all.
async fn look(forwarder: &Forwarder, run: &Run, mut job: Job, looks: u32) -> Result<bool, ForwardError> {
    let Job { thread, id, what } = &mut job;
    if looks == 0 {
        run.log.notice(format!("Job {id} will {what}."));
    }
    let shown = thread.shown().unwrap_or_default();
    let page = forwarder
        .registry
        .log_page(id, shown, &Level::Notice.into(), PAGE_LINES)
        .await;
    let LogPage {
        lines,
        finished,
        success,
        ..
    } = page.map_err(ForwardError::Registry)?;
    let address = forwarder.registry.job_page(id);
    let last = lines.last().map(|line| line.seq);
    if finished {
        let success = success.unwrap_or_default();
        let text = reply::log(&lines, &reply::ended(success, &address), &address);
        thread
            .say(thread.mark(Step::Ended).of_job(id.as_str(), None), &text)
            .await?;
        if success {
            thread.close().await?;
        }
        run.log.notice(if success {
            format!("Job {id} succeeded; the issue is closed.")
        } else {
            format!("Job {id} failed; the issue stays open.")
        });
        return Ok(true);
    }
    if looks >= MAX_LOOKS {
        let text = reply::log(&lines, &reply::timed_out(30, &address), &address);
        thread
            .say(thread.mark(Step::TimedOut).of_job(id.as_str(), last), &text)
            .await?;
        run.log
            .warn(format!("Job {id} has not ended; nobody looks any longer."));
        return Ok(true);
    }
    if looks >= LINES_FROM_LOOK && last.is_some() {
        let text = reply::log(&lines, "", &address);
        thread
            .say(thread.mark(Step::Log).of_job(id.as_str(), last), &text)
            .await?;
    }
    Ok(false)
}

/// Decides what an error means: an answer that the author has, a wait, another attempt, or the end.
async fn stop(run: &Run, payload: &Payload, error: ForwardError) -> Result<(), Failure> {
    let retry_at = match &error {
        ForwardError::GitHub(cause)
        | ForwardError::Unknown {
            cause: Some(cause), ..
        } => cause.retry_at(),
        _ => None,
    };
    if let Some(until) = retry_at {
        run.log.warn(format!(
            "GitHub takes no calls from us until {until}; going on then."
        ));
        return follow_up(run, payload, until).await;
    }
    let gone = |detail: &str| Failure::Rejected {
        code: "github-refused",
        detail: detail.to_owned(),
    };
    match error {
        ForwardError::Registry(RegistryError::Refused { status, .. }) if !status.is_server_error() => {
            run.log
                .notice("The registry did not take the request; the issue says why.");
            Ok(())
        }
        ForwardError::GitHub(docket_github::Error::NotFound) => Err(gone(
            "The issue is gone, or the registry's token does not show it.",
        )),
        ForwardError::GitHub(docket_github::Error::Unauthorized | docket_github::Error::Refused { .. }) => {
            Err(gone(
                "GitHub does not let the registry's token comment there, or close issues.",
            ))
        }
        error => Err(Failure::Unavailable {
            detail: format!("{}.", sentence(&error.to_string())),
            cause: Some(error.into()),
        }),
    }
}

fn pause(run: &Run, looks: u32) -> Timestamp {
    let secs = FIRST_PAUSE_SECS
        .saturating_mul(1_i64 << looks.saturating_sub(1).min(10))
        .min(LONGEST_PAUSE_SECS);
    run.jobs().clock().now().plus_millis(secs * 1_000)
}

/// Leaves a job that goes on at `at`.
async fn follow_up(run: &Run, payload: &Payload, at: Timestamp) -> Result<(), Failure> {
    let key = format!("{}/{}/{}", KIND, payload.event.repository, payload.event.key());
    let next = NewJob {
        locks: vec![format!(
            "{KIND}/{}/{}",
            payload.event.repository, payload.event.issue
        )],
        parent: Some(run.job.id),
        run_after: Some(at),
        ..NewJob::new(
            KIND,
            serde_json::to_string(payload).expect("names and numbers are JSON"),
            // The number of the attempt keeps a wait for GitHub apart from the job that waits.
            format!("{key}/{}/{}", payload.looks, run.job.id),
        )
    };
    let mut tx = run.begin().await?;
    run.jobs().enqueue(&mut tx, &next).await?;
    tx.commit().await?;
    Ok(())
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}
