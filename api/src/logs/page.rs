//! `GET /logs/{id}`: by `Accept` a page, JSON lines, or text, which is what `curl -N` gets and which follows the job to its end.

use askama::Template;
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderName, header},
    response::{IntoResponse, Response},
};
use docket_jobs::{JobId, Level, LogError, Wait};
use futures_util::StreamExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    find_job, no_such_job,
    query::LogQuery,
    render::{Form, harmless},
    stream::{log_damaged, pages},
};
use crate::{
    ApiState,
    error::ApiError,
    extract::{Path, Query},
    openapi::Refused,
    pages::{not_found_page, page},
};

/// How many lines one page shows; the downloads have them all.
const PAGE_LINES: usize = 10_000;

/// Logs are for people who were given the link, not for search engines.
pub(super) const NO_INDEX: (HeaderName, &str) = (HeaderName::from_static("x-robots-tag"), "noindex");

/// A browser must not take text of others for a page.
pub(super) const NO_SNIFF: (HeaderName, &str) = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");

/// Shows a log: a page to browsers, JSON lines or text, which follow it to its end, to all others.
#[utoipa::path(
    get,
    path = "/logs/{id}",
    tag = "logs",
    params(("id" = String, Path), LogQuery),
    responses(
        (status = 200, description = "The log.", content((String = "text/html"), (String = "text/plain"), (String = "application/x-ndjson"))),
        Refused<400>, Refused<404>,
    )
)]
pub(super) async fn show(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Query(query): Query<LogQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if accept.contains("text/html") {
        return show_page(&state, &id, &query).await;
    }
    let form = if accept.contains("application/x-ndjson") {
        Form::JsonLines
    } else {
        Form::Text
    };
    let (level, search) = (query.level()?, query.search()?);
    let id = find_job(&state.jobs, &id).await?.id;
    let tail = state.jobs.tail(id, query.after, level).searching(search);
    let chunks = pages(tail, state.stopping.clone()).map(move |page| {
        // An error breaks the connection off: nobody shall take half a log for a whole one.
        let page = page.inspect_err(log_damaged)?;
        let mut chunk = form.page(&page);
        if let Some(success) = page.finished {
            chunk += &form.end(success);
        }
        Ok::<_, LogError>(Bytes::from(chunk))
    });
    let headers = [
        NO_INDEX,
        NO_SNIFF,
        (header::CONTENT_TYPE, form.content_type()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

#[derive(Template)]
#[template(path = "log.html")]
struct LogTemplate {
    id: JobId,
    kind: String,
    subject: String,
    state: &'static str,
    finished: bool,
    /// Why it does not run, or where it does.
    why: Option<String>,
    attempt: i64,
    created_at: String,
    actor: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
    error_code: Option<String>,
    lines: Vec<LineView>,
    /// The text that was searched for.
    search: String,
    levels: Vec<LevelView>,
    /// Whether anything but the whole log was asked for.
    filtered: bool,
    /// The log behind what is shown; absent when nothing is.
    next: Option<String>,
    /// The last line that was removed because the job ended long ago.
    removed: Option<i64>,
    /// What is shown as a file, in the two forms.
    as_text: String,
    as_json_lines: String,
}

/// A level in the form.
#[derive(Clone)]
struct LevelView {
    word: &'static str,
    chosen: bool,
}

struct LineView {
    seq: i64,
    at: String,
    level: &'static str,
    class: String,
    message: String,
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

async fn show_page(state: &ApiState, id: &str, query: &LogQuery) -> Result<Response, ApiError> {
    let Ok(id) = id.parse::<JobId>() else {
        return not_found_page("There is no job with this id.");
    };
    let mut tx = state.jobs.db().read().await?;
    let Some(job) = state.jobs.find(&mut tx, id).await? else {
        return not_found_page(no_such_job().text());
    };
    drop(tx);
    let level = query.given_level()?.unwrap_or(Level::Debug);
    let read = state.jobs.read_log(id, &query.filter(level, PAGE_LINES)?).await?;
    let why = state
        .jobs
        .why(id)
        .await?
        .filter(|why| !matches!(why.wait, Wait::Over(_)));
    let asked = |more: &[(&str, &str)]| link(level, query.search_text(), more);
    let download = |format| format!("/api/v1/jobs/{id}/logs/download?{}", asked(&[("format", format)]));
    let subject = match (&job.package_name, &job.package_version) {
        (Some(name), Some(version)) => format!("{name}@{version}"),
        (Some(name), None) => name.clone(),
        _ => String::new(),
    };
    let template = LogTemplate {
        id,
        subject,
        state: job.state.as_str(),
        finished: job.state.is_finished(),
        why: why.map(|why| harmless(&why.to_string())),
        kind: job.kind,
        attempt: job.attempt,
        created_at: job.created_at.to_string(),
        actor: job.actor.map(|actor| actor.to_string()),
        started_at: job.started_at.map(|at| at.to_string()),
        finished_at: job.finished_at.map(|at| at.to_string()),
        error_code: job.error_code,
        lines: read
            .lines
            .into_iter()
            .map(|line| LineView {
                seq: line.seq,
                at: line.at.to_string(),
                level: line.level.as_str(),
                class: line.level.as_str().to_lowercase(),
                message: harmless(&line.message),
            })
            .collect(),
        search: query.search_text().to_owned(),
        levels: Level::ALL
            .map(|one| LevelView {
                word: one.as_str(),
                chosen: one == level,
            })
            .to_vec(),
        filtered: level > Level::Debug || !query.search_text().is_empty() || query.after > 0,
        next: (!read.is_last).then(|| format!("?{}", asked(&[("after", &read.seq.to_string())]))),
        removed: read.removed_seq,
        as_text: download("text"),
        as_json_lines: download("ndjson"),
    };
    let headers = [NO_INDEX, (header::CACHE_CONTROL, "no-store")];
    Ok((headers, page(&template)).into_response())
}
