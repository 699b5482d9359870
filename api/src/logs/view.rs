//! A log as a page for people: what is known of the job, then its lines by steps. It is whole without scripts; `web/scripts/log` takes it over.

use askama::Template;
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use docket_core::time::{ForPeople, Timestamp};
use docket_jobs::{Job, JobId, Jobs, Level, LineFilter, LogError, LogLine, Order, PUBLISH_CHECK, Step, Wait};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    find_job, no_such_job,
    outline::Duration,
    page::NO_INDEX,
    query::LogQuery,
    render::{StepObject, harmless, to_json},
    spans::{SHOWN_CHARS, Span, cut_chars, spans},
};
use crate::{
    ApiState,
    error::ApiError,
    extract::Path,
    pages::{not_found_page, page},
};

/// How many lines one page has; those behind them are on the next one, and scripts fetch them when somebody scrolls there.
const PAGE_LINES: usize = 1_000;

/// What is known of a job. Its page asks for it again as the job goes on.
#[derive(Debug)]
struct Head {
    id: JobId,
    kind: String,
    package: Option<String>,
    version: Option<String>,
    state: &'static str,
    is_finished: bool,
    /// Why it does not run, or will not go on.
    why: Option<String>,
    attempt: i64,
    created_at: Timestamp,
    actor: Option<String>,
    waiting: Duration,
    running: Option<Duration>,
    error_code: Option<String>,
    /// The first line that is an error.
    first_error: Option<i64>,
    /// How many lines there are.
    log_seq: i64,
    /// What times of lines are counted from.
    start_millis: i64,
    /// The server's time, while there are durations that grow.
    now_millis: Option<i64>,
    /// The outline of the log, as the JSON route has it.
    steps: String,
}

#[derive(Template)]
#[template(path = "log.html")]
struct LogTemplate {
    head: Head,
    groups: Vec<Group>,
    /// The text that was searched for.
    search: String,
    levels: Vec<LevelView>,
    /// Whether anything but the whole log was asked for.
    filtered: bool,
    /// What is before and behind what is shown; absent where nothing is.
    before: Option<String>,
    next: Option<String>,
    /// The whole log, with its errors.
    all_errors: String,
    /// The last line that was removed because the job ended long ago.
    removed: Option<i64>,
    /// What is shown as a file, in the two forms.
    as_text: String,
    as_json_lines: String,
}

#[derive(Template)]
#[template(path = "log/head.html")]
struct HeadTemplate {
    head: Head,
}

/// A level in the form.
struct LevelView {
    word: &'static str,
    chosen: bool,
}

/// Lines of one step, or lines before the first.
struct Group {
    step: Option<StepView>,
    lines: Vec<LineView>,
}

struct StepView {
    name: String,
    attempt: i64,
    duration: Duration,
}

struct LineView {
    seq: i64,
    at: String,
    /// The time of the day.
    clock: String,
    level: &'static str,
    class: String,
    spans: Vec<Span>,
    /// How many characters are left out.
    cut: usize,
    /// Where all of them are.
    whole: String,
}

impl LineView {
    fn new(line: &LogLine, limit: usize) -> Self {
        let at = line.at.to_string();
        let cut = cut_chars(&line.message, limit);
        Self {
            seq: line.seq,
            clock: at["YYYY-MM-DDT".len()..at.len() - 1].to_owned(),
            at,
            level: line.level.as_str(),
            class: line.level.as_str().to_lowercase(),
            spans: spans(&line.message, limit),
            cut,
            whole: format!("?after={}&limit=1#L{}", line.seq - 1, line.seq),
        }
    }
}

/// The parameters of an address that asks for the same lines, with `more`.
fn link(level: Level, search: &str, more: &[(&str, &str)]) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut pairs = vec![format!("level={}", level.as_str())];
    if !search.is_empty() {
        pairs.push(format!("search={}", encoded(search)));
    }
    pairs.extend(
        more.iter()
            .map(|(key, value)| format!("{key}={}", encoded(value))),
    );
    pairs.join("&")
}

impl Head {
    async fn read(jobs: &Jobs, job: Job, steps: &[Step], now: Timestamp) -> Result<Self, ApiError> {
        let why = jobs.why(job.id).await?;
        // That it runs, and since when, is told already.
        let why = why.filter(|why| match why.wait {
            Wait::Over(_) => false,
            Wait::Running { .. } => why.cancel_by.is_some(),
            _ => true,
        });
        let steps: Vec<_> = steps.iter().map(StepObject::from).collect();
        Ok(Self {
            first_error: first_error(jobs, &job).await?,
            waiting: Duration::waiting(&job, now),
            running: Duration::running(&job, now),
            id: job.id,
            kind: job.kind,
            package: job.package_name,
            version: job.package_version,
            state: job.state.as_str(),
            is_finished: job.state.is_finished(),
            why: why.map(|why| harmless(&why.to_string())),
            attempt: job.attempt,
            created_at: job.created_at,
            actor: job.actor.map(|actor| harmless(&actor.to_string())),
            error_code: job.error_code,
            log_seq: job.log_seq,
            start_millis: job.started_at.unwrap_or(job.created_at).millis(),
            now_millis: (!job.state.is_finished()).then_some(now.millis()),
            steps: to_json(&steps),
        })
    }

    /// When it was asked for, for people.
    fn asked(&self) -> String {
        ForPeople(self.created_at).to_string()
    }

    /// Whether it only finds out what would become of an operation.
    fn is_dry_run(&self) -> bool {
        self.kind == PUBLISH_CHECK
    }

    /// How it ended, as a sentence.
    fn end(&self) -> Option<String> {
        let ended = match self.state {
            "succeeded" => "has succeeded",
            "failed" => "has failed",
            "cancelled" => "was cancelled",
            _ => return None,
        };
        let after = self
            .running
            .as_ref()
            .map(|running| format!(" after {}", running.length));
        let note = if self.is_dry_run() {
            " It was a dry run: nothing was published."
        } else {
            ""
        };
        Some(format!("This job {ended}{}.{note}", after.unwrap_or_default()))
    }

    /// What it is about, in one word.
    fn subject(&self) -> String {
        let parts = [self.package.as_deref(), self.version.as_deref()];
        parts.into_iter().flatten().collect::<Vec<_>>().join("@")
    }
}

/// The first line that is an error. A read of the log only where there is one to be expected: an index has those lines.
async fn first_error(jobs: &Jobs, job: &Job) -> Result<Option<i64>, ApiError> {
    let filter = LineFilter {
        up_to_seq: job.log_seq,
        ..LineFilter::after(0, Level::Error, 1)
    };
    match jobs.read_log(job.id, &filter).await {
        Ok(page) => Ok(page.lines.first().map(|line| line.seq)),
        // What is known of the job can be told without its lines.
        Err(LogError::Lost { .. } | LogError::Storage { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The lines of one page.
struct Shown {
    lines: Vec<LogLine>,
    /// The last one looked at, when there are more.
    next: Option<i64>,
    /// The first one shown, when there are lines before it that a link leads to.
    first: Option<i64>,
    removed: Option<i64>,
}

/// The lines that were asked for; the newest ones of a job that goes on, when nothing was.
async fn read(
    jobs: &Jobs,
    job: &Job,
    query: &LogQuery,
    level: Level,
    is_bare: bool,
) -> Result<Shown, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_LINES).clamp(1, PAGE_LINES);
    let filter = query.filter(level, limit)?;
    if is_bare && !job.state.is_finished() {
        let filter = LineFilter {
            order: Order::Descending,
            ..filter
        };
        let mut page = jobs.read_log(job.id, &filter).await?;
        page.lines.reverse();
        return Ok(Shown {
            first: page.lines.first().map(|line| line.seq).filter(|seq| *seq > 1),
            lines: page.lines,
            next: None,
            removed: page.removed_seq,
        });
    }
    let page = jobs.read_log(job.id, &filter).await?;
    Ok(Shown {
        next: (!page.is_last).then_some(page.seq),
        first: (query.after > 0).then_some(query.after + 1),
        lines: page.lines,
        removed: page.removed_seq,
    })
}

/// Puts the lines into their steps; those of a step whose beginning is not shown, too.
fn groups(lines: &[LogLine], steps: &[Step], limit: usize, now: Timestamp) -> Vec<Group> {
    let step_of = |seq: i64| steps.partition_point(|step| step.first_seq <= seq);
    lines
        .chunk_by(|a, b| step_of(a.seq) == step_of(b.seq))
        .map(|lines| {
            let step = step_of(lines[0].seq).checked_sub(1).map(|place| &steps[place]);
            Group {
                step: step.map(|step| StepView {
                    name: step.name.clone(),
                    attempt: step.attempt,
                    duration: Duration::of_step(step, now),
                }),
                lines: lines.iter().map(|line| LineView::new(line, limit)).collect(),
            }
        })
        .collect()
}

/// Answers with the page. `asked` is what stands behind the `?`.
pub(super) async fn show(
    state: &ApiState,
    id: &str,
    query: &LogQuery,
    asked: Option<&str>,
) -> Result<Response, ApiError> {
    let jobs = &state.jobs;
    let Ok(id) = id.parse::<JobId>() else {
        return not_found_page("There is no job with this id.");
    };
    let mut tx = jobs.db().read().await?;
    let Some(job) = jobs.find(&mut tx, id).await? else {
        return not_found_page(no_such_job().text());
    };
    drop(tx);
    let level = query.given_level()?.unwrap_or(Level::Debug);
    let is_bare = asked.is_none_or(str::is_empty);
    let shown = read(jobs, &job, query, level, is_bare).await?;
    let steps = jobs.steps(&job).await?;
    let now = jobs.clock().now();
    // Who asks for one line wants all of it.
    let limit = if query.limit == Some(1) {
        usize::MAX
    } else {
        SHOWN_CHARS
    };
    let asked = |more: &[(&str, &str)]| link(level, query.search_text(), more);
    let download = |format| format!("/api/v1/jobs/{id}/logs/download?{}", asked(&[("format", format)]));
    let template = LogTemplate {
        groups: groups(&shown.lines, &steps, limit, now),
        search: query.search_text().to_owned(),
        levels: Level::ALL
            .map(|one| LevelView {
                word: one.as_str(),
                chosen: one == level,
            })
            .into(),
        filtered: level > Level::Debug || !query.search_text().is_empty() || query.after > 0,
        before: shown.first.map(|first| {
            let after = (first - 1 - PAGE_LINES as i64).max(0);
            format!("?{}", asked(&[("after", &after.to_string())]))
        }),
        next: shown
            .next
            .map(|seq| format!("?{}", asked(&[("after", &seq.to_string())]))),
        all_errors: format!("?{}", link(Level::Error, "", &[])),
        removed: shown.removed,
        as_text: download("text"),
        as_json_lines: download("ndjson"),
        head: Head::read(jobs, job, &steps, now).await?,
    };
    let headers = [NO_INDEX, (header::CACHE_CONTROL, "no-store")];
    Ok((headers, page(&template)).into_response())
}

/// `GET /logs/{id}/head`: what is known of a job, as a piece of its page.
pub(super) async fn head(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let job = find_job(&state.jobs, &id).await?;
    let steps = state.jobs.steps(&job).await?;
    let now = state.jobs.clock().now();
    let head = Head::read(&state.jobs, job, &steps, now).await?;
    let headers = [NO_INDEX, (header::CACHE_CONTROL, "no-store")];
    Ok((headers, page(&HeadTemplate { head })).into_response())
}
