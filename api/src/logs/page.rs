//! `GET /logs/{id}`: by `Accept` a page, JSON lines, or text, which is what `curl -N` gets and which follows the job to its end.

use askama::Template;
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use docket_jobs::{JobId, Level, LineFilter, LogLine, Wait};
use futures_util::StreamExt;

use super::{EndObject, LineObject, LogQuery, find_id, no_such_job, stream::pages};
use crate::{
    ApiState,
    error::ApiError,
    extract::{Path, Query},
    pages::{CONTENT_SECURITY_POLICY, not_found_page},
};

/// How many lines the page shows; the text has them all.
const PAGE_LINES: usize = 10_000;

/// Logs are for people who were given the link, not for search engines.
const NO_INDEX: (HeaderName, &str) = (HeaderName::from_static("x-robots-tag"), "noindex");

/// A browser must not take text of others for a page.
const NO_SNIFF: (HeaderName, &str) = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");

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
        return show_page(&state, &id).await;
    }
    let as_json = accept.contains("application/x-ndjson");
    let level = query.level()?;
    let id = find_id(&state.jobs, &id).await?;
    let render = if as_json { ndjson } else { text };
    let pages = pages(state.jobs.tail(id, query.after, level), state.stopping.clone());
    let chunks = pages.map(move |page| {
        let mut chunk: String = page.lines.iter().map(render).collect();
        match page.finished {
            Some(success) if as_json => {
                chunk += &serde_json::to_string(&EndObject {
                    finished: true,
                    success,
                })
                .expect("booleans are JSON");
                chunk.push('\n');
            }
            Some(success) => {
                chunk += if success {
                    "-- succeeded --\n"
                } else {
                    "-- failed --\n"
                }
            }
            None => {}
        }
        Ok::<_, std::convert::Infallible>(Bytes::from(chunk))
    });
    let content_type = if as_json {
        "application/x-ndjson"
    } else {
        "text/plain; charset=utf-8"
    };
    let headers = [
        NO_INDEX,
        NO_SNIFF,
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

fn ndjson(line: &LogLine) -> String {
    serde_json::to_string(&LineObject::from(line)).expect("numbers and strings are JSON") + "\n"
}

fn text(line: &LogLine) -> String {
    format!(
        "{} {:6} {}\n",
        line.at,
        line.level.as_str(),
        harmless(&line.message)
    )
}

/// Shows control characters as text, so that a log of others cannot drive the reader's terminal.
fn harmless(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for character in message.chars() {
        match character {
            '\n' | '\t' => out.push(character),
            _ if character.is_control() || is_bidi_control(character) => {
                out.extend(character.escape_unicode())
            }
            _ => out.push(character),
        }
    }
    out
}

/// Marks that change the direction of text can make a line read as something it is not.
fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
    shortened: bool,
}

struct LineView {
    seq: i64,
    at: String,
    level: &'static str,
    class: String,
    message: String,
}

async fn show_page(state: &ApiState, id: &str) -> Result<Response, ApiError> {
    let Ok(id) = id.parse::<JobId>() else {
        return not_found_page("There is no job with this id.");
    };
    let mut tx = state.jobs.db().read().await?;
    let Some(job) = state.jobs.find(&mut tx, id).await? else {
        return not_found_page(no_such_job().text());
    };
    let mut lines = state
        .jobs
        .lines(&mut tx, id, &LineFilter::after(0, Level::Debug, PAGE_LINES + 1))
        .await?;
    drop(tx);
    let why = state
        .jobs
        .why(id)
        .await?
        .filter(|why| !matches!(why.wait, Wait::Over(_)));
    let shortened = lines.len() > PAGE_LINES;
    lines.truncate(PAGE_LINES);
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
        lines: lines
            .into_iter()
            .map(|line| LineView {
                seq: line.seq,
                at: line.at.to_string(),
                level: line.level.as_str(),
                class: line.level.as_str().to_lowercase(),
                message: harmless(&line.message),
            })
            .collect(),
        shortened,
    };
    let headers = [
        NO_INDEX,
        NO_SNIFF,
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let page = template.render().expect("templates render from checked values");
    Ok((StatusCode::OK, headers, page).into_response())
}

#[cfg(test)]
mod tests {
    use super::harmless;

    /// Newlines stay; escapes and direction marks become visible text.
    #[test]
    fn text_of_others_cannot_drive_a_terminal() {
        assert_eq!(harmless("a\n\u{1b}[31mred\u{202e}"), "a\n\\u{1b}[31mred\\u{202e}");
    }
}
