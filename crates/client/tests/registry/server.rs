//! A registry of a few lines: it plays one step per connection and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// What the server does with the next connection.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Accepts a websocket, sends the texts, then cuts the wire.
    Cut(Vec<String>),
    /// Accepts a websocket, sends the texts, then closes it properly.
    Close(Vec<String>),
    /// Accepts a websocket and falls silent for good, without closing.
    Silence,
    /// Answers with this status, content type and body.
    Answer(u16, &'static str, String),
    /// Answers 200 with this `Link` header and JSON body.
    Linked(String, String),
}

/// A server on loopback; ends with the test.
pub(crate) struct Server {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
    whole: Arc<Mutex<Vec<String>>>,
    left: Arc<Mutex<VecDeque<Step>>>,
}

impl Server {
    /// Starts a server that plays `steps`, one per connection.
    pub(crate) async fn start(steps: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let left: Arc<Mutex<VecDeque<Step>>> = Arc::new(Mutex::new(steps.into_iter().collect()));
        let whole = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(serve(listener, left.clone(), requests.clone(), whole.clone()));
        Self {
            address,
            requests,
            whole,
            left,
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The request lines so far, without `HTTP/1.1`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The requests that were answered, head and body.
    pub(crate) fn whole_requests(&self) -> Vec<String> {
        self.whole.lock().unwrap().clone()
    }

    /// How many steps have not been played.
    pub(crate) fn left(&self) -> usize {
        self.left.lock().unwrap().len()
    }
}

async fn serve(
    listener: TcpListener,
    steps: Arc<Mutex<VecDeque<Step>>>,
    requests: Arc<Mutex<Vec<String>>>,
    whole: Arc<Mutex<Vec<String>>>,
) {
    // Silent connections stay open as long as the server.
    let mut silent = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let head = peek_head(&stream).await;
        let line = head
            .lines()
            .next()
            .unwrap_or_default()
            .trim_end_matches(" HTTP/1.1")
            .to_owned();
        requests.lock().unwrap().push(line);
        let step = steps.lock().unwrap().pop_front();
        match step {
            None => {
                answer(&mut stream, 500, "text/plain", "", "the test has no step left").await;
            }
            Some(Step::Answer(status, kind, body)) => {
                let request = answer(&mut stream, status, kind, "", &body).await;
                whole.lock().unwrap().push(request);
            }
            Some(Step::Linked(link, body)) => {
                let link = format!("link: {link}\r\n");
                let request = answer(&mut stream, 200, "application/json", &link, &body).await;
                whole.lock().unwrap().push(request);
            }
            Some(Step::Silence) => silent.push(tokio_tungstenite::accept_async(stream).await.unwrap()),
            Some(Step::Cut(texts)) => {
                let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                for text in texts {
                    socket.send(Message::text(text)).await.unwrap();
                }
                drop(socket);
            }
            Some(Step::Close(texts)) => {
                let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                for text in texts {
                    socket.send(Message::text(text)).await.unwrap();
                }
                socket.close(None).await.unwrap();
            }
        }
    }
}

/// Reads the head of a request without taking it off the wire, because a websocket handshake needs it again.
async fn peek_head(stream: &TcpStream) -> String {
    let mut buffer = vec![0; 8192];
    loop {
        let length = stream.peek(&mut buffer).await.unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if length == 0 || text.contains("\r\n\r\n") {
            return text;
        }
        tokio::task::yield_now().await;
    }
}

/// Answers, with more lines of the head, and returns the request.
async fn answer(stream: &mut TcpStream, status: u16, kind: &str, more: &str, body: &str) -> String {
    // Takes all of it off the wire, else the close would look like a reset.
    let mut request = Vec::new();
    let mut buffer = vec![0; 65536];
    while !is_whole(&request) {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => request.extend_from_slice(&buffer[..length]),
        }
    }
    let text = format!(
        "HTTP/1.1 {status} Whatever\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n{more}connection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
    String::from_utf8_lossy(&request).into_owned()
}

/// Whether a request has all the bytes that its head announces.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    body.len() >= length.unwrap_or(0)
}
