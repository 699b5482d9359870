//! A websocket client that does the least there is to do: it reads the frames of a server, counts lines and notes how old they are.

use anyhow::{Context, ensure};
use docket_client::Client;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::pace::{Pace, now_micros};

const BUFFER_BYTES: usize = 4 * 1024;

/// Asks the server for a job, which waits for its worker. Returns its id.
pub(crate) async fn publish(address: &str) -> anyhow::Result<String> {
    let client = Client::new(&format!("http://{address}"))?;
    let operation = serde_json::from_str(r#"{"name":"bench","ref":"v1.0.0","version":"1.0.0"}"#)?;
    Ok(client.publish(&operation).await?.to_string())
}

/// A watcher of one job.
pub(crate) struct Watcher {
    stream: TcpStream,
    /// What was received and not looked at yet.
    received: Vec<u8>,
}

/// A message of the server: a line, or the end.
#[derive(Deserialize)]
struct Message<'a> {
    seq: Option<u64>,
    #[serde(borrow)]
    message: Option<&'a str>,
    success: Option<bool>,
}

impl Watcher {
    /// Begins to watch `job`.
    pub(crate) async fn connect(address: &str, job: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET /api/v1/jobs/{job}/logs/ws HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut received = Vec::with_capacity(BUFFER_BYTES);
        loop {
            ensure!(
                stream.read_buf(&mut received).await? > 0,
                "the server closed the connection"
            );
            let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            if let Some(end) = end {
                let head = String::from_utf8_lossy(&received[..end]).into_owned();
                ensure!(head.starts_with("HTTP/1.1 101 "), "the server answered {head}");
                received.drain(..end + 4);
                return Ok(Self { stream, received });
            }
        }
    }

    /// Watches to the end of a job of this pace, and returns the age of each line when it came, in microseconds.
    ///
    /// # Errors
    /// When a line is missing or comes twice.
    pub(crate) async fn watch(mut self, pace: Pace) -> anyhow::Result<Vec<u32>> {
        let mut ages = Vec::with_capacity(pace.lines as usize);
        loop {
            let mut at = 0;
            while let Some((opcode, payload)) = frame(&self.received[at..]) {
                let message = &self.received[at..][payload.clone()];
                at += payload.end;
                // The others are pings.
                if opcode == TEXT
                    && let Some(success) = take(message, &mut ages)?
                {
                    ensure!(
                        success && ages.len() == pace.lines as usize,
                        "{} of {} lines came",
                        ages.len(),
                        pace.lines
                    );
                    return Ok(ages);
                }
            }
            self.received.drain(..at);
            ensure!(
                self.stream.read_buf(&mut self.received).await? > 0,
                "the server closed the connection"
            );
        }
    }
}

/// Notes the age of a line, or returns how the job ended.
fn take(message: &[u8], ages: &mut Vec<u32>) -> anyhow::Result<Option<bool>> {
    let message: Message = serde_json::from_slice(message)?;
    if let (Some(seq), Some(text)) = (message.seq, message.message) {
        ensure!(
            seq == ages.len() as u64 + 1,
            "line {seq} follows line {}",
            ages.len()
        );
        let (written, _) = text.split_once(' ').context("a line begins with its time")?;
        ages.push(now_micros().saturating_sub(written.parse()?) as u32);
    }
    Ok(message.success)
}

const TEXT: u8 = 1;

/// The first frame of `bytes`: its opcode, and where its payload lies (RFC 6455, section 5.2; a server does not mask). `None` while it is not complete.
fn frame(bytes: &[u8]) -> Option<(u8, std::ops::Range<usize>)> {
    let (opcode, short) = (bytes.first()? & 0x0f, usize::from(bytes.get(1)? & 0x7f));
    let (start, length) = match short {
        126 => {
            let length = bytes.get(2..4)?.try_into().ok()?;
            (4, usize::from(u16::from_be_bytes(length)))
        }
        127 => {
            let length = bytes.get(2..10)?.try_into().ok()?;
            (10, u64::from_be_bytes(length) as usize)
        }
        _ => (2, short),
    };
    let payload = start..start + length;
    (payload.end <= bytes.len()).then_some((opcode, payload))
}
