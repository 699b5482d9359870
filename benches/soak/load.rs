//! The clients of a soak: each does the same again and again until it is stopped.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use docket_client::{Client, Event, Level};
use reqwest::header::ACCEPT;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::packages;

/// How long a watcher watches at most.
const WATCH: Duration = Duration::from_secs(10);

/// What all clients share.
pub(crate) struct Load {
    url: String,
    client: Client,
    next: AtomicUsize,
    /// The numbers of the operations that have succeeded.
    published: Mutex<Vec<usize>>,
    requests: AtomicUsize,
    watched: AtomicUsize,
    /// The job that was asked for last.
    job: Mutex<Option<String>>,
}

impl Load {
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        Ok(Self {
            url: url.to_owned(),
            client: Client::new(url)?,
            next: AtomicUsize::new(0),
            published: Mutex::default(),
            requests: AtomicUsize::new(0),
            watched: AtomicUsize::new(0),
            job: Mutex::new(None),
        })
    }

    /// How many versions were published.
    pub(crate) fn published(&self) -> usize {
        self.published.lock().expect("nobody panics").len()
    }

    /// How many requests were answered.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many times a log was watched.
    pub(crate) fn watched(&self) -> usize {
        self.watched.load(Ordering::Relaxed)
    }

    fn count(counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Publishes one version after the other, and follows each.
    pub(crate) async fn publish(self: std::sync::Arc<Self>) -> anyhow::Result<()> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let operation = packages::operation(number)?;
            let job = self.client.publish(&operation).await?;
            *self.job.lock().expect("nobody panics") = Some(job.to_string());
            let mut log = self.client.follow(job, 0, Level::Info);
            let outcome = loop {
                if let Event::Ended(outcome) = log.next().await.context("the log ends with the job")?? {
                    break outcome;
                }
            };
            ensure!(outcome.success, "a publish failed");
            self.published.lock().expect("nobody panics").push(number);
        }
    }

    /// Waits until there is something to look at.
    async fn begun(&self) {
        while self.published() == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// An address to look at; what is there changes with what was published.
    fn path(&self, number: usize) -> String {
        let published = self.published.lock().expect("nobody panics");
        let (package, version) = packages::place(published[(number * 7) % published.len()]);
        drop(published);
        let job = self
            .job
            .lock()
            .expect("nobody panics")
            .clone()
            .unwrap_or_default();
        match number % 14 {
            0 => "/".to_owned(),
            1 => "/packages".to_owned(),
            2 | 3 => format!("/packages/small-{package}"),
            4 => format!("/packages/small-{package}/1.0.{version}"),
            5 => "/jobs".to_owned(),
            6 | 7 => format!("/logs/{job}"),
            8 => format!("/api/v1/jobs/{job}?level=DEBUG"),
            9 => "/api/v1/jobs?include_completed=true&order=DESC".to_owned(),
            10 => format!("/small-{package}/1.0.{version}.tar.gz"),
            11 => format!("/index/sm/al/small-{package}"),
            12 => format!("/packages?q=small-{package}"),
            _ => "/feeds/versions.atom".to_owned(),
        }
    }

    /// Reads one page after the other over connections that stay.
    pub(crate) async fn read(self: std::sync::Arc<Self>) -> anyhow::Result<()> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        self.begun().await;
        loop {
            let path = self.path(self.requests());
            let answer = http
                .get(self.url.clone() + &path)
                .header(ACCEPT, "text/html,*/*")
                .send()
                .await?;
            ensure!(answer.status().is_success(), "{path}: {}", answer.status());
            answer.bytes().await?;
            Self::count(&self.requests);
        }
    }

    /// Connects, asks once, and goes away; each third time in the middle of the answer.
    pub(crate) async fn come_and_go(self: std::sync::Arc<Self>) -> anyhow::Result<()> {
        let address = self.address();
        self.begun().await;
        for number in 0.. {
            let mut stream = TcpStream::connect(address).await?;
            let path = self.path(self.requests());
            let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            if number % 3 == 0 {
                stream.read_buf(&mut answer).await?;
            } else {
                stream.read_to_end(&mut answer).await?;
            }
            Self::count(&self.requests);
        }
        Ok(())
    }

    /// Watches the log of the newest job, by websocket or by event stream, until it ends or some seconds have passed.
    pub(crate) async fn watch(self: std::sync::Arc<Self>, number: usize) -> anyhow::Result<()> {
        let address = self.address();
        loop {
            let Some(job) = self.job.lock().expect("nobody panics").clone() else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (way, upgrade) = match number % 2 {
                0 => (
                    "ws",
                    "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                ),
                _ => ("events", ""),
            };
            let mut stream = TcpStream::connect(address).await?;
            let request =
                format!("GET /api/v1/jobs/{job}/logs/{way} HTTP/1.1\r\nhost: {address}\r\n{upgrade}\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut bytes = Vec::new();
            // Whoever ends the connection, the next job is watched.
            let _ = tokio::time::timeout(WATCH, async {
                while stream.read_buf(&mut bytes).await? > 0 && !ends(&bytes) {}
                anyhow::Ok(())
            })
            .await;
            // On a machine that is busy with something else, nothing may have come in time.
            ensure!(
                bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 "),
                "that is no answer"
            );
            Self::count(&self.watched);
        }
    }

    fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

/// Whether the last message of a log has come.
fn ends(bytes: &[u8]) -> bool {
    let tail = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(200)..]);
    tail.contains("\"finished\":true") || tail.contains("event: end") || tail.contains("event:end")
}
