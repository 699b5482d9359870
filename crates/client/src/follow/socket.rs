//! The websocket form of a job log: one JSON text message per line, then how the job ended.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::{HeaderValue, USER_AGENT};
use tokio_tungstenite::tungstenite::{self, Bytes, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use crate::client::Client;
use crate::job::JobId;
use crate::log::{LogLine, LogWish, Outcome};

/// How long a handshake may take before pages are polled instead.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// An open websocket on a job log.
#[derive(Debug)]
pub(super) struct LogSocket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// A ping is out and nothing has come since.
    pinged: bool,
}

/// What came over the socket.
pub(super) enum Received {
    /// The next line, and how far behind we were if we were.
    Line(LogLine, Option<i64>),
    End(Outcome),
    /// Nothing to show, but the server is there.
    SignOfLife,
}

/// Why a socket is of no use any more. Always worth another connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("the connection broke")]
    Broken(#[source] tungstenite::Error),
    #[error("the connection was closed before the job ended")]
    Closed,
    #[error("nothing came for {} s, not even the answer to a ping", .0.as_secs())]
    Silent(Duration),
    #[error("a message is not a log line")]
    Garbled(#[source] serde_json::Error),
}

/// A line as it is sent to those who watch.
#[derive(Deserialize)]
struct SentLine {
    #[serde(flatten)]
    line: LogLine,
    behind: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Line(SentLine),
    End { finished: bool, success: bool },
}

impl LogSocket {
    /// Opens the socket, or returns `None` when it cannot be had.
    ///
    /// Why not is not worth telling: the page that is asked for next fails too if it matters.
    pub(super) async fn open(client: &Client, job: &JobId, after: i64, wish: &LogWish) -> Option<Self> {
        let (url, tls) = client.log_socket(job, after, wish);
        let mut request = url.as_str().into_client_request().ok()?;
        request
            .headers_mut()
            .insert(USER_AGENT, HeaderValue::from_static(client.user_agent()));
        let handshake = connect_async_tls_with_config(request, None, true, Some(Connector::Rustls(tls)));
        let (stream, _) = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake)
            .await
            .ok()?
            .ok()?;
        Some(Self {
            stream,
            pinged: false,
        })
    }

    /// Waits for the next message; after `silence` asks for a sign of life, after as much again gives up.
    pub(super) async fn receive(&mut self, silence: Duration) -> Result<Received, Lost> {
        loop {
            let Ok(message) = tokio::time::timeout(silence, self.stream.next()).await else {
                if self.pinged {
                    return Err(Lost::Silent(silence * 2));
                }
                self.pinged = true;
                self.stream
                    .send(Message::Ping(Bytes::new()))
                    .await
                    .map_err(Lost::Broken)?;
                continue;
            };
            self.pinged = false;
            return match message {
                None | Some(Ok(Message::Close(_))) => Err(Lost::Closed),
                Some(Err(error)) => Err(Lost::Broken(error)),
                Some(Ok(Message::Text(text))) => {
                    match serde_json::from_str(text.as_str()).map_err(Lost::Garbled)? {
                        Text::Line(sent) => Ok(Received::Line(sent.line, sent.behind)),
                        Text::End {
                            finished: true,
                            success,
                        } => Ok(Received::End(Outcome { success })),
                        Text::End { finished: false, .. } => Ok(Received::SignOfLife),
                    }
                }
                Some(Ok(_)) => Ok(Received::SignOfLife),
            };
        }
    }
}
