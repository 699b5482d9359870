//! `docket job`: what the registry is doing and has done.

mod control;

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use docket_client::{Client, Job, JobFilter, JobId, Level, LogFilter, LogWish, Order};
use docket_core::time::Timestamp;

use crate::args;
use crate::failure::Failure;
use crate::follow::{Watch, follow};
use crate::print::Printer;
use crate::safe::harmless_line;

/// Lines fetched at once.
const PAGE_LINES: u32 = 500;

/// Runs one of the sub-commands.
///
/// # Errors
///
/// When the registry cannot be asked, or a followed job fails.
pub(crate) async fn run(client: Client, command: args::Job, out: &Printer) -> Result<(), Failure> {
    match command {
        args::Job::List(list) => list_jobs(&client, list, out).await,
        args::Job::Show { id } => show_job(&client, &id, out).await,
        args::Job::Logs(logs) => show_logs(&client, logs, out).await,
        args::Job::Why { id } => control::why(&client, &id, out).await,
        args::Job::Cancel(job) => control::cancel(client, job, out).await,
        args::Job::Retry(retry) => control::retry(client, retry, out).await,
        args::Job::Priority { job, priority } => control::set_priority(client, job, priority, out).await,
        args::Job::Kinds => control::list_kinds(&client, out).await,
        args::Job::Pause(kind) => control::pause(client, kind, out).await,
        args::Job::Resume(kind) => control::resume(client, kind, out).await,
        args::Job::Limit(limit) => control::limit(client, limit, out).await,
    }
}

async fn list_jobs(client: &Client, args: args::JobList, out: &Printer) -> Result<(), Failure> {
    let filter = JobFilter {
        since: args.since.map(|since| since.before(now())),
        until: None,
        order: Order::Descending,
        include_completed: !args.active,
        kind: args.kind,
        state: args.state,
        package: args.package,
        parent: args.parent,
        who: args.who,
        code: None,
    };
    let jobs = pages(client, &filter, args.limit.get()).await?;
    if out.json() {
        return Ok(jobs.iter().try_for_each(|job| out.object(job))?);
    }
    if jobs.is_empty() {
        out.note("there are no such jobs");
        return Ok(());
    }
    out.text(&format!(
        "{:<36}  {:<9}  {:<10}  {:<24}  SUBJECT",
        "ID", "STATE", "KIND", "CREATED"
    ))?;
    for job in &jobs {
        let state = harmless_line(state(job), 9);
        let kind = harmless_line(&job.job_type, 18);
        let subject = harmless_line(&subject(job), 80);
        let text = format!(
            "{:<36}  {state:<9}  {kind:<10}  {}  {subject}",
            job.job_id, job.created_at
        );
        out.text(text.trim_end())?;
    }
    Ok(())
}

/// Reads a list page by page, up to `limit` jobs.
async fn pages(client: &Client, filter: &JobFilter, limit: usize) -> Result<Vec<Job>, Failure> {
    let (mut jobs, mut cursor) = (Vec::new(), None);
    loop {
        let page = client.list_jobs_from(filter, cursor.as_deref()).await?;
        let is_empty = page.jobs.is_empty();
        jobs.extend(page.jobs);
        jobs.truncate(limit);
        cursor = page.next;
        if cursor.is_none() || is_empty || jobs.len() == limit {
            return Ok(jobs);
        }
    }
}

async fn show_job(client: &Client, id: &JobId, out: &Printer) -> Result<(), Failure> {
    // Why a job failed is its last error.
    let filter = LogFilter {
        level: Level::Error,
        order: Order::Descending,
        ..LogFilter::default()
    };
    let job = client.get_job(id, &filter).await?;
    if out.json() {
        return Ok(out.object(&job)?);
    }
    let mut rows = vec![
        ("job", job.job_id.to_string()),
        ("kind", job.job_type.clone()),
        ("state", state(&job).to_owned()),
        ("subject", subject(&job)),
        ("created", job.created_at.to_string()),
        (
            "started",
            job.started_at.map(|time| time.to_string()).unwrap_or_default(),
        ),
        (
            "finished",
            job.finished_at.map(|time| time.to_string()).unwrap_or_default(),
        ),
        (
            "by",
            job.actor.as_ref().map(ToString::to_string).unwrap_or_default(),
        ),
        ("asked for", job.payload.to_string()),
        ("page", client.job_page(id)),
    ];
    if let (false, Some(line)) = (job.success, job.logs.first()) {
        rows.push(("error", line.message.trim_end().to_owned()));
    }
    if let Some(error) = &job.error {
        rows.push(("code", error.code.clone()));
    }
    rows.retain(|(_, value)| !value.is_empty());
    out.rows(&rows)?;
    out.note(&format!("read its log with `docket job logs {id}`"));
    Ok(())
}

async fn show_logs(client: &Client, args: args::JobLogs, out: &Printer) -> Result<(), Failure> {
    let since = args.since.map(|since| since.before(now()));
    let wish = LogWish {
        level: args.level,
        search: args.search,
    };
    if args.follow {
        // Asks once before following, so that a wrong id or address fails at once instead of being tried again and again.
        let job = client.get_job(&args.id, &LogFilter::default()).await?;
        let title = format!("{} {}", job.job_type, subject(&job));
        return follow(
            client,
            Watch {
                job: args.id,
                title,
                wish,
                since,
                advice: "The last error in its log says what to change.",
            },
            out,
        )
        .await;
    }
    let mut after = 0;
    loop {
        let page = client.log_page(&args.id, after, &wish, PAGE_LINES).await?;
        for line in &page.lines {
            if since.is_none_or(|since| line.timestamp >= since) {
                out.line(line)?;
            }
        }
        let nothing_more = page.lines.is_empty() && !page.more;
        if page.finished || nothing_more || page.next <= after {
            return Ok(());
        }
        after = page.next;
    }
}

/// Returns the state of a job; where the server does not say it, its times do.
fn state(job: &Job) -> &str {
    if let Some(state) = &job.state {
        return state;
    }
    match (job.started_at, job.finished_at, job.success) {
        (_, Some(_), true) => "succeeded",
        (_, Some(_), false) => "failed",
        (Some(_), None, _) => "running",
        (None, None, _) => "queued",
    }
}

/// Returns what a job is about, such as `demo@1.0.0`.
fn subject(job: &Job) -> String {
    let mut text = job.package_name.clone().unwrap_or_default();
    if let Some(version) = &job.package_version {
        text.push('@');
        text.push_str(version);
    }
    if let Some(compiler) = &job.compiler_version {
        text.push_str(" with purs ");
        text.push_str(compiler);
    }
    text
}

pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock of this machine is set");
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).expect("this is not the year 292277026"))
}

/// From when on: a point in time, or how long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// A point in time.
    At(Timestamp),
    /// Milliseconds ago.
    AgoMillis(i64),
}

/// A text that is neither.
#[derive(Debug, thiserror::Error)]
#[error("write a time like 2026-08-18T07:00:00Z, or 90s, 15m, 2h or 1d for that long ago")]
pub(crate) struct SinceError;

impl Since {
    fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Since::At(time) => time,
            Since::AgoMillis(millis) => Timestamp::from_millis((now.millis() - millis).max(0)),
        }
    }
}

impl FromStr for Since {
    type Err = SinceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(time) = text.parse() {
            return Ok(Since::At(time));
        }
        let unit = text.chars().last().ok_or(SinceError)?;
        let unit_millis = match unit {
            's' => 1_000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return Err(SinceError),
        };
        let count: u32 = text[..text.len() - 1].parse().map_err(|_| SinceError)?;
        Ok(Since::AgoMillis(i64::from(count) * unit_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_can_be_given_as_a_point_or_as_how_long_ago() {
        let now: Timestamp = "2026-08-18T07:15:00Z".parse().unwrap();
        let since = |text: &str| text.parse::<Since>().unwrap().before(now).to_string();
        assert_eq!(since("2026-08-18T07:00:00Z"), "2026-08-18T07:00:00.000Z");
        assert_eq!(since("15m"), "2026-08-18T07:00:00.000Z");
        assert_eq!(since("1d"), "2026-08-17T07:15:00.000Z");
        for text in ["", "m", "-5m", "yesterday", "5µ"] {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_state_of_a_job_is_read_off_its_times_unless_it_is_said() {
        let job = |more: &str| -> Job {
            let text = format!(
                r#"{{"createdAt":"2026-08-18T07:02:11.004Z","jobId":"a","jobType":"publish","logs":[],"payload":{{}}{more}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let time = "2026-08-18T07:02:11.004Z";
        assert_eq!(state(&job(r#","success":false"#)), "queued");
        let said = job(&format!(
            r#","finishedAt":"{time}","state":"cancelled","success":false"#
        ));
        assert_eq!(state(&said), "cancelled");
        assert_eq!(
            state(&job(&format!(r#","startedAt":"{time}","success":false"#))),
            "running"
        );
        assert_eq!(
            state(&job(&format!(r#","finishedAt":"{time}","success":false"#))),
            "failed"
        );
        assert_eq!(
            state(&job(&format!(r#","finishedAt":"{time}","success":true"#))),
            "succeeded"
        );
    }
}
