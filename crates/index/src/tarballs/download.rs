//! One GET, of so many bytes and not more.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use docket_client::tls;
use reqwest::{Client, StatusCode, Url};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a whole download may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// What we call ourselves.
const USER_AGENT: &str = concat!("docket/", env!("CARGO_PKG_VERSION"));

/// Makes the requests; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Downloader(Client);

impl Downloader {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .tls_backend_preconfigured(tls::for_http(tls::config()))
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self(http))
    }

    /// Returns the body, cut off after `bytes` and one more; `None` when there is nothing at `url`.
    pub(super) async fn get(&self, url: Url, bytes: u64) -> Result<Option<Bytes>, reqwest::Error> {
        // The error's text need not repeat the URL, which its reader has already.
        self.get_body(url, bytes)
            .await
            .map_err(reqwest::Error::without_url)
    }

    async fn get_body(&self, url: Url, bytes: u64) -> Result<Option<Bytes>, reqwest::Error> {
        let response = self.0.get(url).send().await?;
        if matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(None);
        }
        let mut response = response.error_for_status()?;
        let enough = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_add(1);
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await? {
            let wanted = chunk.len().min(enough - body.len());
            body.extend_from_slice(&chunk[..wanted]);
            if body.len() == enough {
                break;
            }
        }
        Ok(Some(body.freeze()))
    }
}
