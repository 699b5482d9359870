//! Shows the log of a job as it is written, until the job ends.

use std::time::Duration;

use docket_client::{Client, Event, JobError, JobId, Level, LogFilter, LogLine, LogWish};
use docket_core::time::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::Failure;
use crate::print::Printer;
use crate::safe::harmless_line;

/// What to show of which job.
pub(crate) struct Watch {
    /// The job.
    pub job: JobId,
    /// What people call it, for the progress line.
    pub title: String,
    /// The lines shown.
    pub wish: LogWish,
    /// Earlier lines are left out.
    pub since: Option<Timestamp>,
    /// What to do when it fails.
    pub advice: &'static str,
}

/// What was asked for, in the words of the three moments that people wait for.
pub(crate) struct Submitted<'a> {
    /// The job.
    pub job: JobId,
    /// While it runs: `publishing demo@1.0.0`.
    pub doing: &'a str,
    /// What is added to that once, such as ` from v1.0.0`.
    pub more: &'a str,
    /// When it has succeeded: `published demo@1.0.0`.
    pub done: &'a str,
    /// What to do when it fails.
    pub advice: &'static str,
}

/// Says which job was made, follows it unless nobody waits for it, and ends as it does.
///
/// # Errors
///
/// [`Failure::JobFailed`] when it ends without success.
pub(crate) async fn see_through(
    client: &Client,
    submitted: Submitted<'_>,
    no_wait: bool,
    out: &Printer,
) -> Result<(), Failure> {
    let job = submitted.job;
    if out.json() {
        out.object(&serde_json::json!({ "jobId": job }))?;
    } else if no_wait {
        out.text(job.as_str())?;
    }
    out.note(&format!(
        "{}{}: {}",
        submitted.doing,
        submitted.more,
        client.job_page(&job)
    ));
    if no_wait {
        return Ok(());
    }
    let watch = Watch {
        job,
        title: submitted.doing.to_owned(),
        wish: Level::Info.into(),
        since: None,
        advice: submitted.advice,
    };
    follow(client, watch, out).await?;
    if !out.json() {
        out.text(submitted.done)?;
    }
    Ok(())
}

/// Prints every line until the job ends.
///
/// # Errors
///
/// [`Failure::JobFailed`] when it ends without success.
pub(crate) async fn follow(client: &Client, watch: Watch, out: &Printer) -> Result<(), Failure> {
    let progress = Progress::new(&watch.title, out);
    let mut follow = client.follow(watch.job.clone(), 0, watch.wish);
    loop {
        let event = tokio::select! {
            event = follow.next() => event,
            _ = tokio::signal::ctrl_c() => {
                progress.clear();
                return Err(Failure::Interrupted { job: watch.job });
            }
        };
        match event.expect("a log says how the job ended before it ends")? {
            Event::Line(line) => {
                if watch.since.is_none_or(|since| line.timestamp >= since) {
                    progress.line(&line, out)?;
                }
            }
            Event::Behind { lines } => progress.note(
                &format!("this is slower than the job: {lines} lines are waiting, no line is lost"),
                out,
            ),
            Event::Interrupted { cause, pause } => {
                let why = harmless_line(&cause.to_string(), 200);
                progress.note(
                    &format!(
                        "{why}; trying again in {:.1} s, no line is lost",
                        pause.as_secs_f64()
                    ),
                    out,
                );
            }
            Event::Ended(outcome) => {
                progress.clear();
                let error = match outcome.success {
                    true => None,
                    false => error_of(client, &watch.job).await,
                };
                if out.json() {
                    let mut end = serde_json::json!({ "finished": true, "success": outcome.success });
                    if let Some(error) = &error {
                        end["error"] = serde_json::json!(error);
                    }
                    out.object(&end)?;
                }
                return if outcome.success {
                    Ok(())
                } else {
                    Err(Failure::JobFailed {
                        job: watch.job,
                        error,
                        advice: watch.advice,
                    })
                };
            }
        }
    }
}

/// Asks why a job failed. The log has said it, so nothing is lost when there is no answer.
async fn error_of(client: &Client, job: &JobId) -> Option<JobError> {
    let filter = LogFilter {
        level: Level::Error,
        ..LogFilter::default()
    };
    client.get_job(job, &filter).await.ok()?.error
}

/// A line at the bottom of the terminal that says what is going on and since when; nothing in a pipe.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn new(title: &str, out: &Printer) -> Self {
        if !out.progress() {
            return Self(None);
        }
        let style = ProgressStyle::with_template("{spinner} {prefix} · {pos} lines · {elapsed} · {wide_msg}")
            .expect("the template is well-formed");
        let bar = ProgressBar::new_spinner()
            .with_style(style)
            .with_prefix(harmless_line(title, 60));
        bar.set_message("waiting for the log");
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(Some(bar))
    }

    fn line(&self, line: &LogLine, out: &Printer) -> std::io::Result<()> {
        match &self.0 {
            None => out.line(line),
            Some(bar) => {
                bar.inc(1);
                let first = line.message.lines().next().unwrap_or_default();
                bar.set_message(harmless_line(first, 120));
                bar.suspend(|| out.line(line))
            }
        }
    }

    fn note(&self, text: &str, out: &Printer) {
        match &self.0 {
            None => out.note(text),
            Some(bar) => bar.suspend(|| out.note(text)),
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
