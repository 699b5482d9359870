//! Blobs as objects in a bucket of an S3-compatible server.
//!
//! Objects are immutable: they are written on the condition that nothing is there, so whoever comes second, or comes again because an
//! answer was lost, changes nothing. Each request is signed anew for each try and is tried again when the trouble may pass by itself.

mod failure;
mod limits;
mod settings;

use std::{future::Future, path::PathBuf, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use docket_client::tls;
use docket_core::digest::Sha256;
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use rusty_s3::{Bucket, Credentials, S3Action, actions::ListObjectsV2};
use sha2::Digest as _;
use tokio::{
    fs::File,
    io::AsyncWriteExt as _,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{Error, Listed, layout};
pub use failure::S3Failure;
pub use limits::S3Limits;
pub use settings::{S3Settings, SettingsError};

/// How long a signature is good for: clocks differ.
const SIGNED_FOR: Duration = Duration::from_secs(900);

/// The largest blob that is returned in memory; larger ones are copied to a file.
const MAX_BYTES_IN_MEMORY: usize = 256 << 20;

/// The most keys of one page that a server gives.
const MAX_KEYS: usize = 1_000;

/// The largest page of keys that is read.
const MAX_PAGE_BYTES: usize = 8 << 20;

#[derive(Clone)]
pub(crate) struct S3Bucket {
    inner: Arc<Inner>,
    /// What all keys begin with: nothing, or the name of a folder with a slash.
    prefix: String,
}

struct Inner {
    http: Client,
    bucket: Bucket,
    credentials: Credentials,
    public_url: Option<String>,
    limits: S3Limits,
}

impl std::fmt::Debug for S3Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("S3Bucket")
            .field(&self.inner.bucket.base_url().as_str())
            .finish()
    }
}

/// Where the bytes of an object go while their digest is made.
enum Sink<'a> {
    Nowhere,
    Memory(&'a mut Vec<u8>),
    File(PathBuf),
}

impl S3Bucket {
    pub(crate) fn new(settings: &S3Settings) -> Result<Self, SettingsError> {
        let http = Client::builder()
            .tls_backend_preconfigured(tls::for_http(tls::config()))
            .connect_timeout(settings.limits.connect)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|_| SettingsError {
                key: "storage.kind",
                rule: "local where HTTP requests cannot be made",
            })?;
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                bucket: settings.bucket()?,
                credentials: settings.credentials(),
                public_url: settings.public_url()?,
                limits: settings.limits.clone(),
            }),
            prefix: String::new(),
        })
    }

    pub(crate) fn within(&self, folder: &str) -> Self {
        Self {
            inner: self.inner.clone(),
            prefix: format!("{}{folder}/", self.prefix),
        }
    }

    fn key(&self, digest: Sha256) -> String {
        format!("{}{}", self.prefix, layout::key(digest))
    }

    /// `BUCKET at URL`.
    pub(crate) fn describe(&self) -> String {
        format!("{} at {}", self.inner.bucket.name(), self.inner.bucket.base_url())
    }

    pub(crate) fn public_url(&self, digest: Sha256) -> Option<String> {
        let base = self.inner.public_url.as_ref()?;
        Some(format!("{base}/{}", self.key(digest)))
    }

    /// Lists one key. Listing is asked for, because only its refusal says why.
    pub(crate) async fn reach(&self) -> Result<(), Error> {
        let reached = self.page(String::new(), None, 1).await;
        reached.map(|_| ()).map_err(|cause| Error::Bucket {
            bucket: self.describe(),
            cause,
        })
    }

    pub(crate) async fn put(&self, bytes: Bytes) -> Result<Sha256, Error> {
        let digest = Sha256::of(&bytes);
        self.persist(|| self.put_once(digest, bytes.clone()))
            .await
            .map_err(|cause| failed("write", digest, cause))?
            .map_or(Ok(digest), |found| Err(Error::Damaged { digest, found }))
    }

    /// Returns the digest of what is there instead, when it is another one.
    async fn put_once(&self, digest: Sha256, bytes: Bytes) -> Result<Option<Sha256>, S3Failure> {
        let key = self.key(digest);
        // The server refuses bytes that changed on their way; the header is signed.
        let (checksum, value) = ("x-amz-checksum-sha256", STANDARD.encode(digest.as_bytes()));
        let mut action = self.inner.bucket.put_object(Some(&self.inner.credentials), &key);
        action.headers_mut().insert(checksum, value.clone());
        let patience = self.inner.limits.patience(bytes.len());
        let request = self
            .inner
            .http
            .put(action.sign(SIGNED_FOR))
            .header("if-none-match", "*")
            .header("content-type", "application/octet-stream")
            .header(checksum, value)
            .timeout(patience)
            .body(bytes);
        let response = request.send().await?;
        if response.status().is_success() {
            return Ok(None);
        }
        let refused = S3Failure::of(response).await;
        if !refused.is_there_already() {
            return Err(refused);
        }
        match self.read(digest, &mut Sink::Nowhere).await? {
            Some(found) if found == digest => Ok(None),
            Some(found) => Ok(Some(found)),
            // Two wrote at once and neither was done, or it was just removed: nothing is there now, so it is tried again.
            None => Err(refused),
        }
    }

    pub(crate) async fn find(&self, digest: Sha256) -> Result<Option<Bytes>, Error> {
        let found = self
            .persist(|| async move {
                let mut bytes = Vec::new();
                let found = self.read(digest, &mut Sink::Memory(&mut bytes)).await?;
                Ok(found.map(|found| (found, bytes)))
            })
            .await
            .map_err(|cause| failed("read", digest, cause))?;
        match found {
            None => Ok(None),
            Some((found, bytes)) if found == digest => Ok(Some(bytes.into())),
            Some((found, _)) => Err(Error::Damaged { digest, found }),
        }
    }

    /// Returns the digest of what was copied.
    pub(crate) async fn copy_to(&self, digest: Sha256, target: PathBuf) -> Result<Option<Sha256>, Error> {
        self.persist(|| {
            let target = target.clone();
            async move { self.read(digest, &mut Sink::File(target)).await }
        })
        .await
        .map_err(|cause| failed("copy", digest, cause))
    }

    /// Reads the object to `sink` and returns the digest of what came; `None` when it is not there.
    async fn read(&self, digest: Sha256, sink: &mut Sink<'_>) -> Result<Option<Sha256>, S3Failure> {
        let key = self.key(digest);
        let url = self
            .inner
            .bucket
            .get_object(Some(&self.inner.credentials), &key)
            .sign(SIGNED_FOR);
        let mut response = match self.send(Method::GET, url).await {
            Err(failure) if failure.is_missing_key() => return Ok(None),
            other => other?,
        };
        let mut file = match sink {
            Sink::File(path) => Some(File::create(path).await.map_err(S3Failure::File)?),
            _ => None,
        };
        let mut hasher = sha2::Sha256::new();
        let mut body = self.body(&mut response);
        while let Some(chunk) = body.next().await? {
            hasher.update(&chunk);
            if let Sink::Memory(bytes) = sink {
                if bytes.len() + chunk.len() > MAX_BYTES_IN_MEMORY {
                    return Err(S3Failure::TooLarge);
                }
                bytes.extend_from_slice(&chunk);
            }
            if let Some(file) = &mut file {
                file.write_all(&chunk).await.map_err(S3Failure::File)?;
            }
        }
        if let Some(mut file) = file {
            file.flush().await.map_err(S3Failure::File)?;
        }
        Ok(Some(Sha256::from_bytes(hasher.finalize().into())))
    }

    pub(crate) async fn contains(&self, digest: Sha256) -> Result<bool, Error> {
        let key = self.key(digest);
        self.persist(|| async {
            let action = self.inner.bucket.head_object(Some(&self.inner.credentials), &key);
            match self.send(Method::HEAD, action.sign(SIGNED_FOR)).await {
                Ok(_) => Ok(true),
                Err(failure) if failure.is_missing_key() => Ok(false),
                Err(failure) => Err(failure),
            }
        })
        .await
        .map_err(|cause| failed("read", digest, cause))
    }

    pub(crate) async fn remove(&self, digest: Sha256) -> Result<(), Error> {
        let key = self.key(digest);
        self.persist(|| async {
            let action = self
                .inner
                .bucket
                .delete_object(Some(&self.inner.credentials), &key);
            match self.send(Method::DELETE, action.sign(SIGNED_FOR)).await {
                Err(failure) if !failure.is_missing_key() => Err(failure),
                _ => Ok(()),
            }
        })
        .await
        .map_err(|cause| failed("remove", digest, cause))
    }

    pub(crate) async fn list(&self, after: Option<Sha256>, limit: usize) -> Result<Vec<Listed>, Error> {
        let after = after.map(|digest| self.key(digest)).unwrap_or_default();
        let (mut listed, mut token) = (Vec::new(), None);
        while listed.len() < limit {
            let count = (limit - listed.len()).min(MAX_KEYS);
            let (page, next) = self
                .persist(|| self.page(after.clone(), token.clone(), count))
                .await
                .map_err(|cause| Error::Bucket {
                    bucket: self.describe(),
                    cause,
                })?;
            listed.extend(page);
            token = next;
            if token.is_none() {
                break;
            }
        }
        Ok(listed)
    }

    /// The blobs among the next `count` keys, and the token of the page after them.
    async fn page(
        &self,
        after: String,
        token: Option<String>,
        count: usize,
    ) -> Result<(Vec<Listed>, Option<String>), S3Failure> {
        let mut action = self.inner.bucket.list_objects_v2(Some(&self.inner.credentials));
        action.with_max_keys(count);
        if !self.prefix.is_empty() {
            action.with_prefix(self.prefix.as_str());
        }
        if !after.is_empty() {
            action.with_start_after(after);
        }
        if let Some(token) = token {
            action.with_continuation_token(token);
        }
        let url = action.sign(SIGNED_FOR);
        let mut response = self.send(Method::GET, url).await?;
        let mut document = Vec::new();
        let mut body = self.body(&mut response);
        while let Some(chunk) = body.next().await? {
            if document.len() + chunk.len() > MAX_PAGE_BYTES {
                return Err(S3Failure::NotS3("a list of keys that does not end"));
            }
            document.extend_from_slice(&chunk);
        }
        let document = String::from_utf8_lossy(&document);
        let page =
            ListObjectsV2::parse_response(&document).map_err(|_| S3Failure::NotS3("no list of keys"))?;
        let mut listed = Vec::new();
        for object in page.contents {
            // Whatever else is in the bucket is not ours.
            let Some(digest) = object.key.strip_prefix(&self.prefix).and_then(layout::digest) else {
                continue;
            };
            let (Some(bytes), Some(stored_at)) = (object.size, object.last_modified) else {
                return Err(S3Failure::NotS3("a key without size and time"));
            };
            let stored_at = DateTime::parse_from_rfc3339(&stored_at)
                .map_err(|_| S3Failure::NotS3("a time that is none"))?
                .with_timezone(&Utc);
            listed.push(Listed {
                digest,
                bytes,
                stored_at,
            });
        }
        Ok((listed, page.next_continuation_token))
    }

    /// Sends a request without a body and waits until a successful answer begins.
    async fn send(&self, method: Method, url: Url) -> Result<Response, S3Failure> {
        let patience = self.inner.limits.answer;
        let sent = timeout(patience, self.inner.http.request(method, url).send()).await;
        let response = sent.map_err(|_| S3Failure::TooSlow)??;
        if matches!(response.status(), StatusCode::OK | StatusCode::NO_CONTENT) {
            return Ok(response);
        }
        let refused = timeout(patience, S3Failure::of(response)).await;
        Err(refused.map_err(|_| S3Failure::TooSlow)?)
    }

    fn body<'a>(&'a self, response: &'a mut Response) -> Body<'a> {
        Body {
            response,
            limits: &self.inner.limits,
            began: Instant::now(),
            received: 0,
        }
    }

    /// Tries until it succeeds, or there is no hope, or the time for one answer has gone by: whoever asked waits, too.
    async fn persist<T, F>(&self, once: impl Fn() -> F) -> Result<T, S3Failure>
    where
        F: Future<Output = Result<T, S3Failure>>,
    {
        let began = Instant::now();
        for pause in &self.inner.limits.retry_pauses {
            match once().await {
                Err(failure) if failure.is_temporary() && began.elapsed() < self.inner.limits.answer => {
                    tracing::debug!(
                        error = &failure as &dyn std::error::Error,
                        "asking the bucket again in {} ms",
                        pause.as_millis()
                    );
                    sleep(*pause).await;
                }
                other => return other,
            }
        }
        once().await
    }
}

/// The bytes of an answer, as long as they keep coming.
struct Body<'a> {
    response: &'a mut Response,
    limits: &'a S3Limits,
    began: Instant,
    received: usize,
}

impl Body<'_> {
    /// The next bytes; `None` at the end. A server that sends a byte now and then does not hold us for ever.
    async fn next(&mut self) -> Result<Option<Bytes>, S3Failure> {
        let until = self.began + self.limits.patience(self.received);
        let chunk = timeout_at(until, self.response.chunk()).await;
        let chunk = chunk.map_err(|_| S3Failure::TooSlow)??;
        self.received += chunk.as_ref().map_or(0, Bytes::len);
        Ok(chunk)
    }
}

fn failed(doing: &'static str, digest: Sha256, cause: S3Failure) -> Error {
    match cause {
        S3Failure::File(cause) => Error::Io { doing, digest, cause },
        cause if cause.is_temporary() => Error::Unavailable { doing, digest, cause },
        cause => Error::Refused { doing, digest, cause },
    }
}
