//! `GET …/logs/events`: server-sent events; `id:` is the line's `seq`, so a browser resumes by itself, and the last event is `end`.

use std::convert::Infallible;

use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{StreamExt, stream};

use super::{
    find_job,
    query::LogQuery,
    render::{BehindObject, EndObject, line_value},
    stream::{log_damaged, pages},
};
use crate::{
    ApiState,
    error::ApiError,
    extract::{Path, Query},
    openapi::Refused,
};

/// Follows a log as server-sent events. `Last-Event-ID` resumes.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}/logs/events",
    tag = "logs",
    params(("id" = String, Path), LogQuery),
    responses((status = 200, description = "An event for each line, whose id is its `seq`; the last one is `end`.", content_type = "text/event-stream", body = String), Refused<400>, Refused<404>)
)]
pub(super) async fn follow(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Query(query): Query<LogQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (level, search) = (query.level()?, query.search()?);
    let id = find_job(&state.jobs, &id).await?.id;
    let last_event = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = last_event
        .and_then(|text| text.parse().ok())
        .unwrap_or(query.after);
    let tail = state.jobs.tail(id, after, level).searching(search);
    let pages = pages(tail, state.limits.watch(state.stopping)?);
    let events = pages.flat_map(move |page| {
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                log_damaged(&error);
                let event = Event::default().event("damaged");
                let event = event.data("lines of this log are lost; the operator can see which");
                return stream::iter(vec![Ok(event)]);
            }
        };
        // Without an id: a browser resumes behind the last line all the same. Who does not listen for this event is not told.
        let behind = page.behind.map(|behind| {
            let event = Event::default().event("behind");
            event
                .json_data(BehindObject { behind })
                .expect("numbers are JSON")
        });
        let lines = page.lines.iter().map(|line| {
            let event = Event::default().id(line.seq.to_string());
            event
                .json_data(line_value(line, query.shown_chars()))
                .expect("values are JSON")
        });
        let end = page.finished.map(|success| {
            let event = Event::default().event("end");
            event
                .json_data(EndObject::new(success))
                .expect("booleans are JSON")
        });
        stream::iter(
            behind
                .into_iter()
                .chain(lines)
                .chain(end)
                .map(Ok::<_, Infallible>)
                .collect::<Vec<_>>(),
        )
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}
