//! Pursuit, as far as we talk to it: which versions it shows, and the upload of another (registry spec, section 3.8).

use std::fmt;
use std::io::Write;
use std::time::Duration;

use docket_client::tls;
use docket_core::name::PackageName;
use docket_core::version::Version;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use reqwest::{Response, StatusCode};

use super::refusal::DocumentationRefusal;
use crate::outcome::JobError;

/// What [`JobError::Unavailable`] calls it.
const SERVICE: &str = "Pursuit";

/// How long it may take over an answer; it asks GitHub for the owner of the token meanwhile.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Bytes of an answer that are read; the list of versions is the longest.
const ANSWER_BYTES: usize = 1 << 20;

/// Characters of a refusal that the job log gets.
const SHOWN_CHARS: usize = 1_000;

/// A Pursuit server and the token with which we upload: a handle that is cheap to clone.
#[derive(Clone)]
pub struct Pursuit {
    http: reqwest::Client,
    url: String,
    authorization: HeaderValue,
}

/// Why documentation cannot be published anywhere.
#[derive(Debug, thiserror::Error)]
pub enum PursuitError {
    /// Not an address, or one with a password, which would stand in logs.
    #[error("the address must be an http or https URL without user and password")]
    Url,
    /// Not a token.
    #[error("the token must be one word")]
    Token,
    /// This machine cannot make HTTP requests.
    #[error("HTTP requests cannot be made here")]
    Http(#[source] reqwest::Error),
}

impl Pursuit {
    /// The server at `url`.
    ///
    /// # Errors
    /// When the URL or the token is none.
    pub fn new(url: &str, token: &str) -> Result<Self, PursuitError> {
        let parsed: reqwest::Url = url.parse().map_err(|_| PursuitError::Url)?;
        let plain = parsed.username().is_empty() && parsed.password().is_none() && parsed.query().is_none();
        if !matches!(parsed.scheme(), "http" | "https") || !plain {
            return Err(PursuitError::Url);
        }
        if token.is_empty() || token.contains(char::is_whitespace) {
            return Err(PursuitError::Token);
        }
        let mut authorization =
            HeaderValue::from_str(&format!("token {token}")).map_err(|_| PursuitError::Token)?;
        authorization.set_sensitive(true);
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::for_http(tls::config()))
            .timeout(TIMEOUT)
            // The token is for nobody else.
            .redirect(reqwest::redirect::Policy::none())
            .build();
        Ok(Self {
            http: http.map_err(PursuitError::Http)?,
            url: url.trim_end_matches('/').to_owned(),
            authorization,
        })
    }

    /// Where people read the documentation of a version.
    pub(super) fn page(&self, name: &PackageName, version: Version) -> String {
        format!("{}/packages/purescript-{name}/{version}", self.url)
    }

    /// Whether it shows the documentation of a version.
    pub(super) async fn shows(&self, name: &PackageName, version: Version) -> Result<bool, JobError> {
        let url = format!("{}/packages/purescript-{name}/available-versions", self.url);
        let response = self.http.get(url).header(ACCEPT, "application/json").send().await;
        let (status, answer) = read(response).await?;
        match status {
            StatusCode::OK => {
                let listed: Vec<(String, String)> =
                    serde_json::from_slice(&answer).map_err(JobError::unavailable(SERVICE))?;
                let mut versions = listed.iter().map(|(version, _)| Version::parse_lenient(version));
                Ok(versions.any(|listed| listed == Ok(version)))
            }
            StatusCode::NOT_FOUND => Ok(false),
            status => Err(refused(status, &answer)),
        }
    }

    /// Uploads what `purs publish` printed. A version that is there already is replaced by the same.
    pub(super) async fn upload(&self, json: &[u8]) -> Result<(), JobError> {
        let compressing = "compress the documentation";
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(json).map_err(JobError::local(compressing))?;
        let body = gzip.finish().map_err(JobError::local(compressing))?;
        let request = self
            .http
            .post(format!("{}/packages", self.url))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_ENCODING, "gzip")
            .header(AUTHORIZATION, self.authorization.clone())
            .body(body);
        let (status, answer) = read(request.send().await).await?;
        match status {
            StatusCode::CREATED => Ok(()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(DocumentationRefusal::TokenRefused(status.as_u16()).into())
            }
            status => Err(refused(status, &answer)),
        }
    }
}

/// Without the token.
impl fmt::Debug for Pursuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pursuit").field(&self.url).finish()
    }
}

/// Reads the status and the beginning of the answer.
async fn read(response: Result<Response, reqwest::Error>) -> Result<(StatusCode, Vec<u8>), JobError> {
    let mut response = response.map_err(JobError::unavailable(SERVICE))?;
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(JobError::unavailable(SERVICE))? {
        answer.extend_from_slice(&chunk);
        if answer.len() > ANSWER_BYTES {
            answer.truncate(ANSWER_BYTES);
            break;
        }
    }
    Ok((response.status(), answer))
}

/// Tells an answer that will be another one later from one that will not.
fn refused(status: StatusCode, answer: &[u8]) -> JobError {
    let later = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    if status.is_server_error() || later.contains(&status) {
        return JobError::unavailable(SERVICE)(format!("it answered {status}"));
    }
    let answer = String::from_utf8_lossy(answer);
    DocumentationRefusal::Refused {
        status: status.as_u16(),
        answer: answer.trim().chars().take(SHOWN_CHARS).collect(),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_and_its_token_are_checked_and_the_token_is_not_shown() {
        for (url, token) in [
            ("pursuit.example.org", "t"),
            ("ftp://pursuit.example.org", "t"),
            ("https://bot:geheim@pursuit.example.org", "t"),
            ("https://pursuit.example.org", ""),
            ("https://pursuit.example.org", "two words"),
        ] {
            let error = Pursuit::new(url, token).expect_err(url).to_string();
            assert!(!error.contains("geheim"), "{error}");
        }
        let pursuit = Pursuit::new("https://pursuit.example.org/", "geheim").expect("both are good");
        assert!(!format!("{pursuit:?}").contains("geheim"));
        let page = pursuit.page(
            &"prelude".parse().expect("a name"),
            "6.0.1".parse().expect("a version"),
        );
        assert_eq!(
            page,
            "https://pursuit.example.org/packages/purescript-prelude/6.0.1"
        );
    }
}
