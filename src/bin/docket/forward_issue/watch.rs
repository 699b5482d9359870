//! Shows the milestones of a job below its issue, in few comments, until the job ends.

use std::time::Duration;

use docket_client::{Client, Event, Level, LogLine};
use docket_github::{Job, Step, reply};
use tokio::time::{Instant, sleep_until};

use super::Trouble;
use crate::failure::Failure;
use crate::print::Printer;
use crate::safe::harmless_line;

/// How long lines gather before a comment shows them: every comment is a mail to everybody who watches the issue.
const GATHERING: Duration = Duration::from_secs(90);

/// How watching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    /// With the job.
    Ended {
        /// Whether it did what was asked.
        success: bool,
    },
    /// With our patience.
    StillRunning,
}

/// Follows a job for at most `minutes`, and says below the issue what happens.
pub(super) async fn watch(
    registry: &Client,
    job: &mut Job,
    minutes: u64,
    out: &Printer,
) -> Result<Watched, Failure> {
    let Job { thread, id, .. } = job;
    let page = registry.job_page(id);
    let shown = thread.shown().unwrap_or_default();
    let mut follow = registry.follow(id.clone(), shown, Level::Notice);
    let deadline = Instant::now() + Duration::from_secs(minutes.saturating_mul(60));
    let mut gathered: Vec<LogLine> = Vec::new();
    let mut show_at = None;
    loop {
        // Dropping a wait for the next line loses no line: `follow` keeps its place.
        let event = tokio::select! {
            event = follow.next() => event,
            () = sleep_until(show_at.unwrap_or(deadline).min(deadline)) => {
                if Instant::now() >= deadline {
                    let text = reply::log(&gathered, &reply::timed_out(minutes, &page), &page);
                    let mark = thread.mark(Step::TimedOut).of_job(id.as_str(), last(&gathered));
                    thread.say(mark, &text).await.map_err(Trouble::from)?;
                    return Ok(Watched::StillRunning);
                }
                let mark = thread.mark(Step::Log).of_job(id.as_str(), last(&gathered));
                thread.say(mark, &reply::log(&gathered, "", &page)).await.map_err(Trouble::from)?;
                gathered.clear();
                show_at = None;
                continue;
            }
        };
        match event.expect("a log says how the job ended before it ends")? {
            Event::Line(line) => {
                out.line(&line)?;
                gathered.push(line);
                show_at.get_or_insert(Instant::now() + GATHERING);
            }
            Event::Behind { .. } => {}
            Event::Interrupted { cause, .. } => out.note(&harmless_line(&cause.to_string(), 200)),
            Event::Ended(outcome) => {
                let success = outcome.success;
                let text = reply::log(&gathered, &reply::ended(success, &page), &page);
                let mark = thread.mark(Step::Ended).of_job(id.as_str(), None);
                thread.say(mark, &text).await.map_err(Trouble::from)?;
                return Ok(Watched::Ended { success });
            }
        }
    }
}

fn last(lines: &[LogLine]) -> Option<i64> {
    lines.last().map(|line| line.seq)
}
