//! The calls, one function per route.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use docket_core::{name::PackageName, version::Version};
use reqwest::header::{HeaderValue, LINK};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::follow::{Follow, Pace};
use crate::job::{Job, JobFilter, JobId, JobPage, LogFilter, next_cursor};
use crate::log::{LogPage, LogWish};
use crate::tls;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one call may take; nothing the API does in a call is slow.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// What we call ourselves.
const USER_AGENT: &str = concat!("docket/", env!("CARGO_PKG_VERSION"));

/// A registry server, as seen from outside. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    base: Url,
    tls: Arc<rustls::ClientConfig>,
    /// Sent with operations only.
    pub(crate) token: Option<HeaderValue>,
    /// Whom the token stands for, sent along with it.
    pub(crate) behalf: Option<HeaderValue>,
}

impl Client {
    /// Makes a client of the server at `server`, such as `https://registry.example.org`.
    ///
    /// Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`Error::Address`] when `server` is not an `http` or `https` URL.
    pub fn new(server: &str) -> Result<Self, Error> {
        let base = base(server).map_err(|reason| Error::Address {
            server: server.to_owned(),
            reason,
        })?;
        let tls = tls::config();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::for_http(tls.clone()))
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .build()
            .map_err(Error::Setup)?;
        Ok(Self {
            http,
            base,
            tls: Arc::new(tls),
            token: None,
            behalf: None,
        })
    }

    /// Returns the address of the server.
    pub fn server(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Returns the address of the page that shows a job and its log to people.
    pub fn job_page(&self, job: &JobId) -> String {
        format!("{}/logs/{job}", self.server())
    }

    /// Returns the address of the page that shows a package to people.
    pub fn package_page(&self, name: &PackageName) -> String {
        format!("{}/packages/{name}", self.server())
    }

    /// Returns up to 100 jobs, without their logs.
    ///
    /// # Errors
    ///
    /// When the server does not answer, or not with jobs.
    pub async fn list_jobs(&self, filter: &JobFilter) -> Result<Vec<Job>, Error> {
        Ok(self.list_jobs_from(filter, None).await?.jobs)
    }

    /// Returns up to 100 jobs from behind a cursor, which [`JobPage::next`] of the page before gives.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says which part of the filter the server does not take.
    pub async fn list_jobs_from(&self, filter: &JobFilter, cursor: Option<&str>) -> Result<JobPage, Error> {
        let mut request = self.http.get(self.route(&["jobs"])).query(&filter.query());
        if let Some(cursor) = cursor {
            request = request.query(&[("cursor", cursor)]);
        }
        let response = self.send(request).await?;
        let link = response.headers().get(LINK).and_then(|link| link.to_str().ok());
        let next = link.and_then(|link| next_cursor(response.url(), link));
        let jobs = self.decode(response).await?;
        Ok(JobPage { jobs, next })
    }

    /// Returns a job with up to 100 lines of its log.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchJob`] when there is none of that id.
    pub async fn get_job(&self, job: &JobId, filter: &LogFilter) -> Result<Job, Error> {
        let request = self
            .http
            .get(self.route(&["jobs", job.as_str()]))
            .query(&filter.query());
        self.decode(self.send_about(job, request).await?).await
    }

    /// Returns up to `limit` lines of a job log with a `seq` above `after`, oldest first. A search may bring a page with fewer lines, or none, and
    /// say that there is [more](LogPage::more).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchJob`] when there is none of that id.
    pub async fn log_page(
        &self,
        job: &JobId,
        after: i64,
        wish: &LogWish,
        limit: u32,
    ) -> Result<LogPage, Error> {
        let request = self
            .http
            .get(self.route(&["jobs", job.as_str(), "logs"]))
            .query(&wish.query(after))
            .query(&[("limit", limit)]);
        self.decode(self.send_about(job, request).await?).await
    }

    /// Returns the bytes of a published tarball. They are not checked: that takes the hash of the metadata.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] when there is no such tarball.
    pub async fn fetch_tarball(&self, name: &PackageName, version: Version) -> Result<Bytes, Error> {
        let url = self.address(&[name.as_str(), &format!("{version}.tar.gz")]);
        let response = self.send(self.http.get(url)).await?;
        response
            .bytes()
            .await
            .map_err(|cause| self.unreachable(cause.without_url()))
    }

    /// Follows the log of a job from behind `after` (0 is the start) until the job ends.
    pub fn follow(&self, job: JobId, after: i64, wish: impl Into<LogWish>) -> Follow {
        self.follow_at(job, after, wish, Pace::default())
    }

    /// Follows like [`Client::follow`], with other waiting times.
    pub fn follow_at(&self, job: JobId, after: i64, wish: impl Into<LogWish>, pace: Pace) -> Follow {
        Follow::new(self.clone(), job, after, wish.into(), pace)
    }

    /// Returns the websocket address of a job log, and the TLS settings for it.
    pub(crate) fn log_socket(
        &self,
        job: &JobId,
        after: i64,
        wish: &LogWish,
    ) -> (Url, Arc<rustls::ClientConfig>) {
        let mut url = self.route(&["jobs", job.as_str(), "logs", "ws"]);
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme)
            .expect("http and ws are both special schemes");
        url.query_pairs_mut().extend_pairs(wish.query(after));
        (url, self.tls.clone())
    }

    /// Returns what we call ourselves towards servers.
    pub(crate) fn user_agent(&self) -> &'static str {
        USER_AGENT
    }

    pub(crate) fn route(&self, segments: &[&str]) -> Url {
        self.address(&[&["api", "v1"], segments].concat())
    }

    /// Returns the address of something beside the API.
    pub(crate) fn address(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("http addresses have a path")
            .pop_if_empty()
            .extend(segments);
        url
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        // The v1 routes answer errors as plain text unless they are asked for JSON.
        let request = request.header(
            reqwest::header::ACCEPT,
            "application/json, application/problem+json",
        );
        let response = request
            .send()
            .await
            .map_err(|cause| self.unreachable(cause.without_url()))?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(Error::refused(response).await)
        }
    }

    pub(crate) async fn send_about(&self, job: &JobId, request: RequestBuilder) -> Result<Response, Error> {
        self.send(request).await.map_err(|error| match error {
            Error::Refused {
                status: StatusCode::NOT_FOUND,
                ..
            } => Error::NoSuchJob {
                server: self.server().to_owned(),
                job: job.clone(),
            },
            other => other,
        })
    }

    pub(crate) async fn decode<T: DeserializeOwned>(&self, response: Response) -> Result<T, Error> {
        let body = response
            .bytes()
            .await
            .map_err(|cause| self.unreachable(cause.without_url()))?;
        serde_json::from_slice(&body).map_err(|cause| self.undecodable(cause))
    }

    /// Makes the error for an answer that did not come.
    pub(crate) fn unreachable(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Unreachable {
            server: self.server().to_owned(),
            cause: cause.into(),
        }
    }

    /// Makes the error for an answer that makes no sense.
    pub(crate) fn undecodable(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Undecodable {
            server: self.server().to_owned(),
            cause: cause.into(),
        }
    }
}

/// Reads the address of a server; a path in front of `/api` is kept, for servers behind a prefix.
fn base(server: &str) -> Result<Url, String> {
    let url =
        Url::parse(server).map_err(|cause| format!("{cause}; write it like https://registry.example.org"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "it starts with \"{}:\", but only http: and https: are spoken",
            url.scheme()
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it must end before any ? or #".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_of_the_server_address_is_kept() {
        for server in ["http://127.0.0.1:1/packages", "http://127.0.0.1:1/packages/"] {
            let client = Client::new(server).unwrap();
            assert_eq!(
                client.route(&["jobs"]).as_str(),
                "http://127.0.0.1:1/packages/api/v1/jobs"
            );
            assert_eq!(client.server(), "http://127.0.0.1:1/packages");
        }
    }

    #[test]
    fn an_address_that_is_no_web_address_is_refused_with_advice() {
        let error = Client::new("registry.example.org").unwrap_err().to_string();
        assert!(error.contains("write it like https://"), "{error}");
        assert!(Client::new("ftp://example.org").is_err());
        assert!(Client::new("http://example.org/?x").is_err());
    }
}
