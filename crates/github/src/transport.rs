//! How a call gets to GitHub and back: below octocrab's routes, above the wire.
//!
//! One call has one deadline, whatever is tried again within it. Answers are read up to a limit, remembered with their ETag, and
//! asked for again conditionally. When GitHub wants no calls, none are made. A token of ours goes to the API's own address only.

mod cache;
mod rate;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use docket_client::tls;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, LOCATION, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use octocrab::OctoBody;
use reqwest::Url;

use crate::{Clock, Config, Error, Limits, Token};
use cache::{Cache, Remembered};
use rate::Gate;

/// What we call ourselves.
const OURSELVES: HeaderValue = HeaderValue::from_static(concat!("docket/", env!("CARGO_PKG_VERSION")));
/// A renamed repository takes one redirect; one that was renamed and moved might take two.
const MAX_REDIRECTS: usize = 3;
/// The headers that octocrab sets and GitHub should see.
const FORWARDED: [&str; 4] = ["accept", "authorization", "content-type", "x-github-api-version"];

/// Makes calls. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Transport(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    base: Url,
    token: Option<Token>,
    limits: Limits,
    clock: Clock,
    gate: Gate,
    cache: Cache,
}

/// One call, with all that is needed to make it again.
struct Call {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    /// Made with our own token, so that our own rate limit and our own memory apply.
    ours: bool,
    /// The answer may be remembered.
    remember: bool,
}

impl Transport {
    pub(crate) fn new(config: &Config, clock: Clock) -> Result<Self, Error> {
        let address = |reason: String| Error::Address {
            url: config.api_url.clone(),
            reason,
        };
        let base = Url::parse(&config.api_url).map_err(|cause| address(cause.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(address("only http: and https: are spoken".to_owned()));
        }
        if base.query().is_some() || base.fragment().is_some() || !base.username().is_empty() {
            return Err(address(
                "it must be a plain address without user, ? or #".to_owned(),
            ));
        }
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::for_http(tls::config()))
            .connect_timeout(config.limits.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Error::Setup)?;
        Ok(Self(Arc::new(Inner {
            http,
            base,
            token: config.token.clone(),
            limits: config.limits.clone(),
            clock,
            gate: Gate::default(),
            cache: Cache::new(config.limits.cache_bytes),
        })))
    }

    /// Makes a call of octocrab's.
    pub(crate) async fn send(self, request: Request<OctoBody>) -> Result<Response<Full<Bytes>>, Error> {
        let inner = &self.0;
        let call = inner.call(request).await?;
        let after = inner.limits.call_timeout;
        match tokio::time::timeout(after, inner.attempts(&call)).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::TimedOut { after }),
        }
    }
}

impl Inner {
    async fn call(&self, request: Request<OctoBody>) -> Result<Call, Error> {
        let (parts, body) = request.into_parts();
        let mut headers: HeaderMap = FORWARDED
            .iter()
            .filter_map(|name| {
                Some((
                    http::HeaderName::from_static(name),
                    parts.headers.get(*name)?.clone(),
                ))
            })
            .collect();
        headers.insert(USER_AGENT, OURSELVES);
        let ours = !headers.contains_key(AUTHORIZATION);
        if ours && let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.header());
        }
        let body = body
            .collect()
            .await
            .map_err(|cause| Error::Unreachable(cause.into()))?;
        Ok(Call {
            url: self.resolve(&parts.uri.to_string())?,
            remember: ours && parts.method == Method::GET && !parts.headers.contains_key(CACHE_CONTROL),
            method: parts.method,
            headers,
            body: body.to_bytes(),
            ours,
        })
    }

    /// Makes an address of a route (`/user`), or checks one that GitHub gave us.
    fn resolve(&self, address: &str) -> Result<Url, Error> {
        let elsewhere = || Error::Elsewhere {
            address: address.chars().take(200).collect(),
        };
        if address.starts_with('/') && !address.starts_with("//") {
            let base = self.base.as_str().trim_end_matches('/');
            return Url::parse(&format!("{base}{address}")).map_err(|_| elsewhere());
        }
        match Url::parse(address) {
            Ok(url) if url.origin() == self.base.origin() => Ok(url),
            _ => Err(elsewhere()),
        }
    }

    /// Makes the call, and again where that is harmless: nothing that creates something is sent twice once it may have arrived.
    async fn attempts(&self, call: &Call) -> Result<Response<Full<Bytes>>, Error> {
        let repeatable = call.method != Method::POST;
        let mut pauses = self.limits.retry_pauses.iter();
        loop {
            let (again, answer) = match self.follow(call).await {
                Ok(response) => (repeatable && response.status().is_server_error(), Ok(response)),
                Err(Error::Unreachable(cause)) => {
                    let unsent = cause
                        .downcast_ref::<reqwest::Error>()
                        .is_some_and(reqwest::Error::is_connect);
                    (repeatable || unsent, Err(Error::Unreachable(cause)))
                }
                Err(error) => (false, Err(error)),
            };
            match pauses.next() {
                Some(pause) if again => tokio::time::sleep(*pause).await,
                _ => return answer,
            }
        }
    }

    /// Follows redirects: a renamed repository answers with its new address.
    async fn follow(&self, call: &Call) -> Result<Response<Full<Bytes>>, Error> {
        let mut url = call.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchange(call, &url).await?;
            let keeps_method = matches!(
                response.status(),
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
            );
            let redirects = keeps_method
                || (call.method == Method::GET
                    && matches!(
                        response.status(),
                        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER
                    ));
            if !redirects {
                return Ok(response);
            }
            let location = response
                .headers()
                .get(LOCATION)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            url = self.resolve(location)?;
        }
        Err(Error::Undecodable("it redirects in a circle".into()))
    }

    /// One request and its answer.
    async fn exchange(&self, call: &Call, url: &Url) -> Result<Response<Full<Bytes>>, Error> {
        if call.ours {
            self.gate.pass(self.clock.now())?;
        }
        let remembered = if call.remember {
            self.cache.get(url.as_str())
        } else {
            None
        };
        let mut request = self
            .http
            .request(call.method.clone(), url.clone())
            .headers(call.headers.clone())
            .body(call.body.clone());
        if let Some(remembered) = &remembered {
            request = request.header(IF_NONE_MATCH, remembered.etag.clone());
        }
        let mut answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let body = self.read(&mut answer).await?;
        if let Some(pause) = rate::pause(status, answer.headers(), &body, self.clock.now()) {
            if call.ours {
                self.gate.close(pause.until);
            }
            if pause.refused {
                return Err(Error::RateLimited { until: pause.until });
            }
        }
        if status == StatusCode::NOT_MODIFIED
            && let Some(remembered) = remembered
        {
            return Ok(remembered.response());
        }
        if status == StatusCode::OK
            && call.remember
            && let Some(etag) = answer.headers().get(ETAG)
        {
            self.cache.put(
                url.as_str(),
                Remembered {
                    etag: etag.clone(),
                    link: answer.headers().get(LINK).cloned(),
                    body: body.clone(),
                },
            );
        }
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        for name in [CONTENT_TYPE, LINK, LOCATION] {
            if let Some(value) = answer.headers().get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        Ok(response)
    }

    /// Reads a body of so many bytes and not more.
    async fn read(&self, answer: &mut reqwest::Response) -> Result<Bytes, Error> {
        let limit_bytes = self.limits.response_bytes;
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > limit_bytes {
                return Err(Error::TooLarge { limit_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

/// The address is known to the reader, and needs no second place in a log.
fn unreachable(cause: reqwest::Error) -> Error {
    Error::Unreachable(cause.without_url().into())
}
