//! Telling a watcher that work goes on: the protocol of healthchecks.io (`/start`, success, `/fail`).
//!
//! A ping never delays work, and a watcher that does not answer is asked again next time, however often that was in vain. The address is a
//! secret (whoever knows it can pretend that all is well), so no text names it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use docket_client::tls;
use docket_jobs::worker::Progress;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long a watcher may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How many pings wait for a watcher that is slow; what comes beyond them is left out.
const WAITING: usize = 64;

/// The address of one check.
#[derive(Clone)]
pub struct Ping {
    http: reqwest::Client,
    url: reqwest::Url,
    /// To the task that sends, which the first ping starts.
    queue: Arc<OnceLock<mpsc::Sender<reqwest::RequestBuilder>>>,
}

/// Why a check cannot be pinged. The text does not name the address.
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// Not an address.
    #[error("a ping URL must be an http or https URL")]
    Url,
    /// This machine cannot make HTTP requests.
    #[error("HTTP requests cannot be made here")]
    Http(#[source] reqwest::Error),
}

impl Ping {
    /// A check at `url`.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(url: &str) -> Result<Self, PingError> {
        let url: reqwest::Url = url.trim_end_matches('/').parse().map_err(|_| PingError::Url)?;
        if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
            return Err(PingError::Url);
        }
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::for_http(tls::config()))
            .timeout(TIMEOUT)
            .build();
        Ok(Self {
            http: http.map_err(PingError::Http)?,
            url,
            queue: Arc::default(),
        })
    }

    /// Says that work begins.
    pub fn start(&self) {
        self.send("start", String::new());
    }

    /// Says that all is well.
    pub fn success(&self, about: String) {
        self.send("", about);
    }

    /// Says that work failed, and where to read why.
    pub fn fail(&self, about: String) {
        self.send("fail", about);
    }

    /// Sends beside the work, one after another: a success that overtook its start would leave the check waiting for it.
    fn send(&self, what: &'static str, about: String) {
        let mut url = self.url.clone();
        if !what.is_empty()
            && let Ok(mut path) = url.path_segments_mut()
        {
            path.push(what);
        }
        let request = self.http.post(url).body(about);
        let queue = self.queue.get_or_init(|| {
            let (queue, pings) = mpsc::channel(WAITING);
            tokio::spawn(send_all(pings));
            queue
        });
        if queue.try_send(request).is_err() {
            warn!("a health check does not answer; a ping is left out");
        }
    }
}

async fn send_all(mut pings: mpsc::Receiver<reqwest::RequestBuilder>) {
    while let Some(ping) = pings.recv().await {
        let sent = ping.send().await.and_then(reqwest::Response::error_for_status);
        if let Err(error) = sent {
            let error = error.without_url();
            warn!(
                error = &error as &dyn std::error::Error,
                "a health check could not be pinged"
            );
        }
    }
}

/// Pings every `every` until `shutdown`, as long as the worker makes progress. A worker that stands still lets the watcher raise the alarm.
pub async fn watch(ping: Ping, progress: Progress, every: Duration, shutdown: CancellationToken) {
    ping.start();
    let mut seen = None;
    loop {
        let count = progress.count();
        if seen != Some(count) {
            ping.success(String::new());
        } else {
            warn!("the worker has made no progress since the last health check; it is not pinged");
        }
        seen = Some(count);
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = shutdown.cancelled() => {
                info!("health checks end");
                return;
            }
        }
    }
}
