//! `GET /logs/{id}`: by `Accept` a page, JSON lines, or text, which is what `curl -N` gets and which follows the job to its end.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderName, Uri, header},
    response::{IntoResponse, Response},
};
use docket_jobs::LogError;
use futures_util::StreamExt;

use super::{
    find_job,
    query::LogQuery,
    render::Form,
    stream::{log_damaged, pages},
    view,
};
use crate::{
    ApiState,
    error::ApiError,
    extract::{Path, Query, accepts},
    openapi::Refused,
};

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
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if accepts(&headers, "text/html") {
        return view::show(&state, &id, &query, uri.query()).await;
    }
    let form = if accepts(&headers, "application/x-ndjson") {
        Form::JsonLines
    } else {
        Form::Text
    };
    let (level, search) = (query.level()?, query.search()?);
    let id = find_job(&state.jobs, &id).await?.id;
    let tail = state.jobs.tail(id, query.after, level).searching(search);
    let chunks = pages(tail, state.limits.watch(state.stopping.clone())?).map(move |page| {
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
