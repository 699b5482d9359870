//! `GET /jobs`: what runs, what waits and why, what failed; and lists of jobs by a filter.

use askama::Template;
use axum::{
    extract::{FromRef, State},
    http::HeaderMap,
    response::Response,
};
use docket_core::{name::PackageName, time::Timestamp};
use docket_jobs::{Day, Job, JobFilter, JobId, JobState, Order, Wait, Why};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{
    Card, Together, bad_request_page,
    chart::{Chart, Marks},
    format::{Moment, length},
    page_of, rendered,
};
use crate::{ApiState, error::ApiError, extract::Query, job_kinds::Kinds};

/// How many jobs each part of the overview shows.
const SHOWN_RUNNING: i64 = 50;
const SHOWN_WAITING: i64 = 20;
const SHOWN_LOCKS: i64 = 50;
const SHOWN_FAILED: i64 = 10;

/// How many jobs one page of a list shows.
const PAGE_JOBS: usize = 50;

/// A job in a list.
pub(super) struct JobView {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) subject: String,
    pub(super) state: &'static str,
    pub(super) created: Moment,
    /// How long it ran.
    pub(super) took: Option<String>,
    /// Why it failed.
    pub(super) error: Option<String>,
    pub(super) actor: Option<String>,
}

/// How much of an error a list shows, in characters.
const ERROR_CHARS: usize = 200;

impl JobView {
    pub(super) fn new(job: Job) -> Self {
        let of = [
            job.package_name.clone().unwrap_or_default(),
            job.package_version
                .as_ref()
                .map(|version| format!("@{version}"))
                .unwrap_or_default(),
            job.compiler
                .as_ref()
                .map(|compiler| format!(" with purs {compiler}"))
                .unwrap_or_default(),
        ];
        Self {
            id: job.id.to_string(),
            subject: of.concat(),
            state: job.state.as_str(),
            created: Moment(job.created_at),
            took: job
                .started_at
                .zip(job.finished_at)
                .map(|(start, end)| length(end.millis() - start.millis())),
            error: job.error_code.map(|code| match &job.error_detail {
                Some(detail) => format!("{code}: {}", shortened(detail)),
                None => code,
            }),
            actor: job.actor.map(|actor| actor.to_string()),
            kind: job.kind,
        }
    }
}

fn shortened(text: &str) -> String {
    let mut line = text.lines().next().unwrap_or_default().chars();
    let short: String = line.by_ref().take(ERROR_CHARS).collect();
    if line.next().is_some() {
        format!("{short}…")
    } else {
        short
    }
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsTemplate {
    card: Card,
    form: Form,
    overview: Option<Overview>,
    list: Vec<JobView>,
    list_title: &'static str,
    next: Option<String>,
    goes_on: bool,
}

/// The filter as it was asked for.
struct Form {
    kinds: Vec<Choice>,
    states: Vec<Choice>,
    package: String,
    since: String,
    until: String,
}

struct Choice {
    word: String,
    chosen: bool,
}

struct Overview {
    running_told: i64,
    waiting_told: i64,
    running: Vec<(JobView, String)>,
    waiting: Vec<(JobView, WhyView)>,
    more_waiting: bool,
    locks: Vec<LockView>,
    depth: String,
    durations: String,
    /// Which kinds are paused, and since when.
    paused: Vec<(String, Moment)>,
}

/// Why a job waits, with a link to the one that it waits for instead of its id.
struct WhyView {
    before: String,
    holder: Option<(String, String)>,
    after: String,
}

impl WhyView {
    fn new(why: &Why) -> Self {
        let sentence = why.to_string();
        let parts = match &why.wait {
            Wait::Lock {
                holder: Some(holder), ..
            } => sentence
                .split_once(&format!("{} (job {})", holder.what, holder.job))
                .map(|(before, after)| (before, Some(holder), after)),
            _ => None,
        };
        let (before, holder, after) = parts.unwrap_or((&sentence, None, ""));
        Self {
            before: before.to_owned(),
            holder: holder.map(|holder| (holder.job.to_string(), holder.what.clone())),
            after: after.to_owned(),
        }
    }
}

struct LockView {
    name: String,
    job: String,
    what: String,
    since: Option<Moment>,
    waiting: i64,
}

/// What a plain form sends: empty fields are none.
#[derive(Deserialize, Default)]
pub(super) struct JobsQuery {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    package: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
    after: Option<String>,
}

impl JobsQuery {
    fn is_empty(&self) -> bool {
        [&self.kind, &self.state, &self.package, &self.since, &self.until]
            .iter()
            .all(|text| text.trim().is_empty())
            && self.after.is_none()
    }

    /// The filter, or what is wrong with it.
    fn filter(&self, kinds: &Kinds) -> Result<JobFilter, String> {
        let given = |text: &'_ str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let mut filter = JobFilter {
            include_finished: true,
            order: Order::Descending,
            limit: PAGE_JOBS as i64 + 1,
            ..JobFilter::default()
        };
        if let Some(kind) = given(&self.kind) {
            filter.kinds = vec![
                kinds
                    .find(&kind)
                    .map_err(|reason| format!("The kind does not fit: {reason}."))?,
            ];
        }
        if let Some(state) = given(&self.state) {
            filter.state = Some(state.parse::<JobState>().map_err(|_| {
                "The state does not fit: it is queued, running, succeeded, failed or cancelled.".to_owned()
            })?);
        }
        if let Some(package) = given(&self.package) {
            let package = package.to_lowercase().parse::<PackageName>();
            filter.package = Some(package.map_err(|error| format!("The package does not fit: {error}."))?);
        }
        if let Some(since) = given(&self.since) {
            filter.since =
                time(&since).ok_or("The first day does not fit: it is a date such as 2026-01-31.")?;
        }
        if let Some(until) = given(&self.until) {
            let until = time(&until).ok_or("The last day does not fit: it is a date such as 2026-01-31.")?;
            // To its end.
            filter.until = until.plus_millis(24 * 60 * 60 * 1000);
        }
        if let Some(after) = &self.after {
            filter.after = Some(after.parse::<JobId>().map_err(|_| {
                "The page does not begin at a job: take its address from the link of the page before."
                    .to_owned()
            })?);
        }
        Ok(filter)
    }

    /// The address of the list behind the job `last`.
    fn next(&self, last: &str) -> String {
        let mut address = "/jobs?".to_owned();
        for (key, value) in [
            ("kind", &self.kind),
            ("state", &self.state),
            ("package", &self.package),
            ("since", &self.since),
            ("until", &self.until),
        ] {
            if !value.trim().is_empty() {
                address += &format!("{key}={}&", utf8_percent_encode(value.trim(), NON_ALPHANUMERIC));
            }
        }
        address + "after=" + last
    }
}

/// The beginning of a day, UTC.
fn time(day: &str) -> Option<Timestamp> {
    (day.len() == 10).then(|| format!("{day}T00:00:00.000Z").parse().ok())?
}

/// What is asked for without a filter is `overview`, which everybody looks at.
pub(super) async fn jobs(
    overview: Together,
    State(state): State<ApiState>,
    Query(query): Query<JobsQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let filter = match query.filter(&Kinds::from_ref(&state)) {
        Ok(filter) => filter,
        Err(reason) => return Ok(bad_request_page(&reason)),
    };
    if query.is_empty() {
        return overview.page(&headers, show(&state, &query, filter, true)).await;
    }
    let html = show(&state, &query, filter, false).await?;
    Ok(page_of(html.into()))
}

async fn show(
    state: &ApiState,
    query: &JobsQuery,
    filter: JobFilter,
    with_overview: bool,
) -> Result<String, ApiError> {
    let overview = if with_overview {
        Some(overview(state).await?)
    } else {
        None
    };
    let filter = match &overview {
        None => filter,
        // What else there is stands above.
        Some(_) => JobFilter {
            state: Some(JobState::Failed),
            limit: SHOWN_FAILED + 1,
            ..filter
        },
    };
    let mut tx = state.jobs.db().read().await?;
    let mut found = state.jobs.list(&mut tx, &filter).await?;
    drop(tx);
    let most = usize::try_from(filter.limit - 1).unwrap_or_default();
    let is_more = found.len() > most;
    found.truncate(most);
    let last = found.last().map(|job| job.id.to_string()).filter(|_| is_more);
    let next = last.map(|last| match &overview {
        Some(_) => "/jobs?state=failed".to_owned(),
        None => query.next(&last),
    });
    let choice = |word: &str, chosen: &str| Choice {
        word: word.to_owned(),
        chosen: word == chosen.trim(),
    };
    let template = JobsTemplate {
        card: Card {
            title: "Jobs".to_owned(),
            about: "What this registry does at the moment, what waits and why, and what failed.".to_owned(),
        },
        list_title: if overview.is_some() {
            "Failed lately"
        } else {
            "Jobs"
        },
        form: Form {
            kinds: state.kinds.iter().map(|kind| choice(kind, &query.kind)).collect(),
            states: ["queued", "running", "succeeded", "failed", "cancelled"]
                .map(|word| choice(word, &query.state))
                .into(),
            package: query.package.trim().to_owned(),
            since: query.since.trim().to_owned(),
            until: query.until.trim().to_owned(),
        },
        overview,
        list: found.into_iter().map(JobView::new).collect(),
        next,
        goes_on: query.after.is_some(),
    };
    Ok(rendered(&template))
}

async fn overview(state: &ApiState) -> Result<Overview, ApiError> {
    let jobs = &state.jobs;
    let filter = JobFilter {
        state: Some(JobState::Running),
        limit: SHOWN_RUNNING,
        ..JobFilter::default()
    };
    let mut tx = jobs.db().read().await?;
    let running = jobs.list(&mut tx, &filter).await?;
    let active = jobs.count_active(&mut tx).await?;
    let locks = jobs.held_locks(&mut tx, SHOWN_LOCKS).await?;
    let day = jobs.day(&mut tx).await?;
    let waiting = jobs.waiting(&mut tx, SHOWN_WAITING).await?;
    let now = jobs.clock().now();
    let count = |of: JobState| active.iter().filter(|one| one.1 == of).map(|one| one.2).sum();
    let waiting_told: i64 = count(JobState::Queued);
    let for_how_long = |job: &Job| {
        let since = job.started_at.unwrap_or(now);
        format!(
            "for {}, attempt {}",
            length(now.millis() - since.millis()),
            job.attempt
        )
    };
    let settings = jobs.kind_settings().await?;
    let paused = settings.into_iter().filter_map(|setting| {
        let since = setting.paused_at?;
        let by = setting
            .paused_by
            .map(|by| format!(" by {by}"))
            .unwrap_or_default();
        Some((
            format!("Jobs of kind {} have been paused{by}", setting.kind),
            Moment(since),
        ))
    });
    Ok(Overview {
        running_told: count(JobState::Running),
        waiting_told,
        more_waiting: waiting_told > SHOWN_WAITING,
        running: running
            .into_iter()
            .map(|job| {
                let told = for_how_long(&job);
                (JobView::new(job), told)
            })
            .collect(),
        waiting: waiting
            .into_iter()
            .map(|(job, why)| (JobView::new(job), WhyView::new(&why)))
            .collect(),
        locks: locks
            .into_iter()
            .map(|lock| LockView {
                name: lock.name,
                job: lock.holder.job.to_string(),
                what: lock.holder.what,
                since: lock.holder.since.map(Moment),
                waiting: lock.waiting,
            })
            .collect(),
        depth: depth_chart(&day),
        durations: durations_chart(&day),
        paused: paused.collect(),
    })
}

const TIMES: [&str; 3] = ["24 hours ago", "12 hours ago", "now"];

fn depth_chart(day: &Day) -> String {
    let values: Vec<Option<i64>> = day.depth.iter().copied().map(Some).collect();
    let most = day.depth.iter().max().copied().unwrap_or_default();
    let now = day.depth.last().copied().unwrap_or_default();
    let chart = Chart {
        id: "depth",
        title: "Jobs waiting or running",
        told: &format!("Over the last 24 hours, in half hours: at most {most}, {now} now."),
        marks: Marks::Line,
        values: &values,
        scale: |top| top.to_string(),
        times: TIMES,
    };
    chart.svg()
}

fn durations_chart(day: &Day) -> String {
    let values: Vec<Option<i64>> = day
        .publishes
        .iter()
        .map(|step| step.map(|durations| durations.median_millis))
        .collect();
    let number: usize = day.publishes.iter().flatten().map(|step| step.count).sum();
    let longest = day.publishes.iter().flatten().map(|step| step.max_millis).max();
    let longest = longest.map(|millis| format!("; the longest took {}", length(millis)));
    let chart = Chart {
        id: "durations",
        title: "Median publish time",
        told: &format!(
            "Over the last 24 hours, in half hours: {number} packages were published{}.",
            longest.unwrap_or_default()
        ),
        marks: Marks::Bars,
        values: &values,
        scale: |top| length(top).replace(".0 s", " s"),
        times: TIMES,
    };
    chart.svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_date_and_nothing_else() {
        assert!(time("2026-01-31").is_some());
        for text in ["2026-02-30", "2026-1-31", "yesterday!", "2026-01-31T", ""] {
            assert!(time(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_list_shows_the_first_line_of_an_error() {
        assert_eq!(shortened("one\ntwo"), "one");
        assert_eq!(shortened(&"ä".repeat(200)), "ä".repeat(200));
        assert_eq!(shortened(&"ä".repeat(201)), format!("{}…", "ä".repeat(200)));
    }
}
