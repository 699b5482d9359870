//! `GET …/logs/download`: all lines that are stored now, as a file. Unlike the text at `/logs/{id}` it does not wait for more.

use std::{io, time::Duration};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use docket_http::{Problem, Stored};
use docket_jobs::{Job, JobId, Jobs, Level, LineFilter};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    find_job,
    page::{NO_INDEX, NO_SNIFF},
    query::LogQuery,
    render::Form,
    stream::log_damaged,
};
use crate::{
    ApiState,
    error::ApiError,
    extract::{Path, Query},
    openapi::Refused,
};

/// About how many lines are in memory at once.
const PAGE_LINES: usize = 1000;

/// How often a page is read again when the database does not answer, and after which pause. Then the download breaks off, so that nobody
/// takes half a log for a whole one.
const TRIES: u32 = 10;
const RETRY: Duration = Duration::from_millis(500);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FormatQuery {
    /// `text` or `ndjson`.
    #[param(nullable = false)]
    format: Option<String>,
}

/// Sends all lines that are stored now, as a file.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}/logs/download",
    tag = "logs",
    params(("id" = String, Path), LogQuery, FormatQuery),
    responses(
        (status = 200, description = "The lines.", content((String = "text/plain"), (String = "application/x-ndjson"))),
        Refused<400>, Refused<404>,
    )
)]
pub(super) async fn send(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Query(query): Query<LogQuery>,
    Query(format): Query<FormatQuery>,
) -> Result<Response, ApiError> {
    let form = match format.format.as_deref() {
        None | Some("text") => Form::Text,
        Some("ndjson") => Form::JsonLines,
        Some(_) => {
            return Err(
                Problem::new(StatusCode::BAD_REQUEST, "invalid-format", "Invalid format")
                    .detail("A log can be had with format=text or format=ndjson.")
                    .into(),
            );
        }
    };
    let level = query.given_level()?.unwrap_or(Level::Debug);
    let filter = query.filter(level, PAGE_LINES)?;
    let job = find_job(&state.jobs, &id).await?;
    let filter = LineFilter {
        up_to_seq: job.log_seq,
        whole_rows: true,
        ..filter
    };
    let headers = [
        NO_INDEX,
        NO_SNIFF,
        (header::CONTENT_TYPE, form.content_type()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let disposition = format!("attachment; filename=\"{}\"", file_name(&job, form));
    let body = Body::from_stream(chunks(state.jobs.clone(), job.id, filter, form));
    let disposed = [(header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, disposed, Extension(Stored), body).into_response())
}

/// Says which job it is, and how far a log goes that may grow.
fn file_name(job: &Job, form: Form) -> String {
    let so_far = match job.state.is_finished() {
        true => String::new(),
        false => format!("-up-to-line-{}", job.log_seq),
    };
    let ending = match form {
        Form::Text => "log",
        Form::JsonLines => "ndjson",
    };
    format!("job-{}{so_far}.{ending}", job.id)
}

/// The lines, read from storage as fast as they are taken.
fn chunks(
    jobs: Jobs,
    job: JobId,
    filter: LineFilter,
    form: Form,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(Some((jobs, filter)), move |state| async move {
        let (jobs, mut filter) = state?;
        let mut tried = 1;
        loop {
            match jobs.read_log(job, &filter).await {
                Ok(page) => {
                    filter.after_seq = page.seq;
                    let chunk: String = page.lines.iter().map(|line| form.line(line)).collect();
                    let rest = (!page.is_last).then_some((jobs, filter));
                    return Some((Ok(chunk.into()), rest));
                }
                Err(error) if tried < TRIES && error.is_temporary() => {
                    tracing::warn!(
                        job.id = %job,
                        error = &error as &dyn std::error::Error,
                        "a log could not be read for a download; trying again"
                    );
                    tried += 1;
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => {
                    log_damaged(&error);
                    return Some((Err(io::Error::other(error)), None));
                }
            }
        }
    })
    // An encoder asks once more after the end.
    .fuse()
}
