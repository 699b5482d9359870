//! `GET …/logs/ws`: one JSON text message per line, then `{"finished":true,"success":…}` and close 1000.

use std::time::Duration;

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, close_code, rejection::WebSocketUpgradeRejection},
    },
    response::Response,
};
use docket_jobs::{Tail, TailPage};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::{Instant, interval_at};

use super::{
    find_job,
    query::LogQuery,
    render::{EndObject, LineObject, to_json},
    stream::{log_damaged, pages},
};
use crate::{
    ApiState,
    error::ApiError,
    extract::{Path, Query},
    limits::Watching,
    openapi::Refused,
};

/// Buffers are small, because there may be thousands of watchers (design/measurements.md).
const BUFFER_BYTES: usize = 4 * 1024;

/// Keeps proxies from closing a quiet connection.
const PING: Duration = Duration::from_secs(30);

/// A watcher that takes none of our messages for this long is disconnected; it can go on from its last `seq`.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a watcher has to answer our goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Follows a log over a websocket.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}/logs/ws",
    tag = "logs",
    params(("id" = String, Path), LogQuery),
    responses((status = 101, description = "A text message with a JSON object for each line, then one with `finished` and `success`."), Refused<400>, Refused<404>, Refused<503>)
)]
pub(super) async fn follow(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Query(query): Query<LogQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let (level, search) = (query.level()?, query.search()?);
    let id = find_job(&state.jobs, &id).await?.id;
    let watching = state.limits.watch(state.stopping)?;
    let tail = state.jobs.tail(id, query.after, level).searching(search);
    let upgrade = upgrade?
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(BUFFER_BYTES);
    Ok(upgrade.on_upgrade(move |socket| {
        // Boxed: the task that waits for the upgrade would hold it several times over.
        Box::pin(async move {
            // An error is a watcher that went away: there is nobody to tell.
            let _ = send(socket, tail, watching).await;
        })
    }))
}

async fn send(socket: WebSocket, tail: Tail, watching: Watching) -> Result<(), axum::Error> {
    let (mut to_client, mut from_client) = socket.split();
    let mut pages = std::pin::pin!(pages(tail, watching));
    let mut ping = interval_at(Instant::now() + PING, PING);
    loop {
        tokio::select! {
            page = pages.next() => {
                let Some(page) = page else {
                    let code = close_code::RESTART;
                    let reason = "the server stops; reconnect with after=SEQ";
                    return close(&mut to_client, &mut from_client, code, reason).await;
                };
                let Ok(page) = page.inspect_err(log_damaged) else {
                    let code = close_code::ERROR;
                    let reason = "lines of this log are lost; the operator can see which";
                    return close(&mut to_client, &mut from_client, code, reason).await;
                };
                let finished = page.finished.is_some();
                let sent = tokio::time::timeout(SEND_TIMEOUT, send_page(&mut to_client, &page)).await;
                match sent {
                    Ok(sent) => sent?,
                    Err(_slow) => return Ok(()),
                }
                if finished {
                    return close(&mut to_client, &mut from_client, close_code::NORMAL, "").await;
                }
            }
            _ = ping.tick() => {
                let sent = tokio::time::timeout(SEND_TIMEOUT, to_client.send(Message::Ping(Default::default()))).await;
                match sent {
                    Ok(sent) => sent?,
                    Err(_slow) => return Ok(()),
                }
            }
            message = from_client.next() => match message {
                // axum answers pings; nothing else is expected from a watcher.
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
            },
        }
    }
}

/// Says goodbye and waits until the watcher does: closing on bytes of his that were not read would reset the connection, and he could lose our last lines.
async fn close(
    to_client: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
    from_client: &mut (impl Stream<Item = Result<Message, axum::Error>> + Unpin),
    code: u16,
    reason: &'static str,
) -> Result<(), axum::Error> {
    let reason = reason.into();
    to_client
        .send(Message::Close(Some(CloseFrame { code, reason })))
        .await?;
    let rest = async { while let Some(Ok(_)) = from_client.next().await {} };
    // One who never answers has had his time.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, rest).await;
    Ok(())
}

/// Sends a page's lines with one flush at its end.
async fn send_page(
    to_client: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
    page: &TailPage,
) -> Result<(), axum::Error> {
    for line in LineObject::of_page(page) {
        to_client.feed(Message::Text(to_json(&line).into())).await?;
    }
    if let Some(success) = page.finished {
        to_client
            .feed(Message::Text(to_json(&EndObject::new(success)).into()))
            .await?;
    }
    to_client.flush().await
}
