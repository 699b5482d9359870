//! Why a job waits, and what trustees do to jobs and to kinds of jobs.

use std::collections::BTreeMap;

use docket_client::{Client, JobFilter, JobId, JobKind};
use serde_json::json;

use super::pages;
use crate::args;
use crate::authority::Authority;
use crate::confirm::{Plan, confirm};
use crate::failure::Failure;
use crate::print::Printer;
use crate::safe::{harmless, harmless_line};

/// How many jobs are queued again at once; the registry takes no more.
const MAX_RETRIED: usize = 1_000;

pub(super) async fn why(client: &Client, id: &JobId, out: &Printer) -> Result<(), Failure> {
    let why = client.why(id).await?;
    if out.json() {
        return Ok(out.object(&why)?);
    }
    Ok(out.text(&harmless(&why.sentence))?)
}

pub(super) async fn cancel(client: Client, args: args::OneJob, out: &Printer) -> Result<(), Failure> {
    let (client, id) = (trustee(client, args.trustee)?, args.id);
    let state = client.cancel_job(&id).await?;
    if out.json() {
        return Ok(out.object(&json!({ "jobId": id, "state": state }))?);
    }
    if state == "running" {
        out.text(&format!("job {id} runs, and ends at the next safe point"))?;
        out.note(&format!("watch it with `docket job logs {id} --follow`"));
        return Ok(());
    }
    Ok(out.text(&format!("job {id} is cancelled"))?)
}

pub(super) async fn retry(client: Client, args: args::JobRetry, out: &Printer) -> Result<(), Failure> {
    let client = trustee(client, args.trustee)?;
    if let Some(id) = args.id {
        client.retry_job(&id).await?;
        if out.json() {
            return Ok(out.object(&json!({ "jobId": id, "state": "queued" }))?);
        }
        out.text(&format!("job {id} is queued again"))?;
        out.note(&format!("watch it with `docket job logs {id} --follow`"));
        return Ok(());
    }
    let code = args.code.expect("clap asks for one of the two");
    retry_failed(&client, &code, args.kind.as_deref(), args.yes, out).await
}

/// Counts what failed with `code`, asks, and queues it again.
async fn retry_failed(
    client: &Client,
    code: &str,
    kind: Option<&str>,
    yes: bool,
    out: &Printer,
) -> Result<(), Failure> {
    let filter = JobFilter {
        include_completed: true,
        kind: Some(kind.unwrap_or("all").to_owned()),
        state: Some("failed".to_owned()),
        code: Some(code.to_owned()),
        ..JobFilter::default()
    };
    let failed = pages(client, &filter, MAX_RETRIED).await?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for job in &failed {
        *counts.entry(&job.job_type).or_default() += 1;
    }
    let (Some(oldest), Some(newest)) = (failed.first(), failed.last()) else {
        if out.json() {
            return Ok(out.object(&json!({ "jobIds": [] }))?);
        }
        out.note(&format!("no job failed with {code}"));
        return Ok(());
    };
    let count = failed.len();
    let counted = if count == MAX_RETRIED {
        format!("the oldest {count} jobs")
    } else {
        number(count, "job")
    };
    let by_kind: Vec<_> = counts
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let plan = Plan {
        headline: format!(
            "to be queued again: {counted} that failed with {code} at {}",
            client.server()
        ),
        rows: vec![
            ("kinds", by_kind.join(", ")),
            (
                "asked for",
                format!("from {} to {}", oldest.created_at, newest.created_at),
            ),
        ],
        question: format!("Queue {counted} again?"),
    };
    confirm(&plan, yes, out)?;
    let limit = u32::try_from(count).expect("a page has few jobs");
    let queued = client.retry_failed(code, kind, limit).await?;
    if out.json() {
        return Ok(out.object(&json!({ "jobIds": queued }))?);
    }
    for id in &queued {
        out.text(id.as_str())?;
    }
    out.note(&format!("queued {} again", number(queued.len(), "job")));
    Ok(())
}

pub(super) async fn set_priority(
    client: Client,
    args: args::OneJob,
    priority: i64,
    out: &Printer,
) -> Result<(), Failure> {
    let (client, id) = (trustee(client, args.trustee)?, args.id);
    client.set_job_priority(&id, priority).await?;
    if out.json() {
        return Ok(out.object(&json!({ "jobId": id, "priority": priority }))?);
    }
    out.text(&format!("job {id} has the priority {priority} now"))?;
    out.note(&format!("see its place in line with `docket job why {id}`"));
    Ok(())
}

pub(super) async fn list_kinds(client: &Client, out: &Printer) -> Result<(), Failure> {
    let kinds = client.list_job_kinds().await?;
    if out.json() {
        return Ok(kinds.iter().try_for_each(|kind| out.object(kind))?);
    }
    if kinds.is_empty() {
        out.note("no job waits or runs, and no kind is paused or limited");
        return Ok(());
    }
    out.text(&format!(
        "{:<18}  {:>7}  {:>7}  {:>5}  PAUSED",
        "KIND", "WAITING", "RUNNING", "LIMIT"
    ))?;
    for kind in &kinds {
        let limit = kind.max_running.map_or("-".to_owned(), |most| most.to_string());
        let text = format!(
            "{:<18}  {:>7}  {:>7}  {limit:>5}  {}",
            harmless_line(&kind.kind, 18),
            kind.queued,
            kind.running,
            paused(kind),
        );
        out.text(text.trim_end())?;
    }
    Ok(())
}

/// Since when and by whom a kind is paused; empty when it is not.
fn paused(kind: &JobKind) -> String {
    match (&kind.paused_since, &kind.paused_by) {
        (Some(since), Some(by)) => format!("since {since} by {}", harmless_line(by, 80)),
        (Some(since), None) => format!("since {since}"),
        (None, _) => String::new(),
    }
}

pub(super) async fn pause(client: Client, args: args::OneKind, out: &Printer) -> Result<(), Failure> {
    let kind = trustee(client, args.trustee)?.pause_job_kind(&args.kind).await?;
    show_kind(&kind, "is paused", out)?;
    out.note(&format!(
        "let it go on with `docket job resume {}`",
        harmless_line(&kind.kind, 80)
    ));
    Ok(())
}

pub(super) async fn resume(client: Client, args: args::OneKind, out: &Printer) -> Result<(), Failure> {
    let kind = trustee(client, args.trustee)?.resume_job_kind(&args.kind).await?;
    show_kind(&kind, "goes on", out)
}

pub(super) async fn limit(client: Client, args: args::JobKindLimit, out: &Printer) -> Result<(), Failure> {
    let args::MaxRunning(most) = args.max_running;
    let client = trustee(client, args.kind.trustee)?;
    let kind = client.limit_job_kind(&args.kind.kind, most).await?;
    let now = match most {
        Some(most) => format!("is limited to {} at once", number(most as usize, "job")),
        None => "has no limit".to_owned(),
    };
    show_kind(&kind, &now, out)
}

fn show_kind(kind: &JobKind, now: &str, out: &Printer) -> Result<(), Failure> {
    if out.json() {
        return Ok(out.object(kind)?);
    }
    let text = format!(
        "{} {now}; {} waiting, {} running",
        harmless_line(&kind.kind, 80),
        kind.queued,
        kind.running
    );
    Ok(out.text(&text)?)
}

fn number(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The client with the token of a trustee.
fn trustee(client: Client, args: args::Trustee) -> Result<Client, Failure> {
    let authority = args::Authority {
        token_file: Some(args.token_file),
        ..args::Authority::default()
    };
    Ok(Authority::read(client, &authority)?.0)
}
