//! Which bucket, and who we are there.

use std::fmt;

use reqwest::Url;
use rusty_s3::{Bucket, Credentials, UrlStyle};

use super::S3Limits;

/// The keys of the `[storage]` section for a bucket. Secrets are not shown by `Debug`.
#[derive(Clone)]
pub struct S3Settings {
    /// The server, such as `https://s3.example.org`.
    pub endpoint: String,
    /// The bucket, which exists already.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Who we are.
    pub access_key_id: String,
    /// What only we know.
    pub secret_access_key: String,
    /// Whether the bucket is named in the path of a URL rather than in its host.
    pub path_style: bool,
    /// Whether the endpoint may be `http`.
    pub allow_http: bool,
    /// Where anybody can read the bucket.
    pub public_url: Option<String>,
    /// How long the server is waited for.
    pub limits: S3Limits,
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("endpoint", &self.endpoint)
            .field("bucket", &self.bucket)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// A value of the settings cannot be used. The text does not repeat it, because it may be a secret in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{key} must be {rule}")]
pub struct SettingsError {
    /// The key, such as `storage.bucket`.
    pub key: &'static str,
    /// What it may be.
    pub rule: &'static str,
}

impl S3Settings {
    pub(super) fn bucket(&self) -> Result<Bucket, SettingsError> {
        let wrong = |key, rule| SettingsError { key, rule };
        let rule = "an https URL without user and password, such as https://s3.example.org; http is taken with storage.allow_http = true";
        let endpoint = http_url(&self.endpoint).ok_or(wrong("storage.endpoint", rule))?;
        if endpoint.scheme() == "http" && !self.allow_http {
            return Err(wrong("storage.endpoint", rule));
        }
        let name_fits = (3..=63).contains(&self.bucket.len())
            && self.bucket.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
            })
            && !self.bucket.contains("..")
            && self
                .bucket
                .bytes()
                .next()
                .is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !name_fits {
            let rule = "the name of a bucket: 3 to 63 lowercase letters, digits, hyphens and dots";
            return Err(wrong("storage.bucket", rule));
        }
        for (key, text) in [
            ("storage.region", &self.region),
            ("storage.access_key_id", &self.access_key_id),
        ] {
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(wrong(key, "visible ASCII characters"));
            }
        }
        let secret = &self.secret_access_key;
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            let rule = "a file with one line of visible ASCII characters";
            return Err(wrong("storage.secret_access_key_file", rule));
        }
        let style = if self.path_style {
            UrlStyle::Path
        } else {
            UrlStyle::VirtualHost
        };
        Bucket::new(endpoint, style, self.bucket.clone(), self.region.clone()).map_err(|_| {
            let rule = "true when the endpoint is an address, or the bucket cannot be part of a host name";
            wrong("storage.path_style", rule)
        })
    }

    pub(super) fn credentials(&self) -> Credentials {
        Credentials::new(self.access_key_id.clone(), self.secret_access_key.clone())
    }

    /// The public URL without a slash at its end.
    pub(super) fn public_url(&self) -> Result<Option<String>, SettingsError> {
        let Some(text) = &self.public_url else {
            return Ok(None);
        };
        match http_url(text) {
            Some(url) if url.query().is_none() && url.fragment().is_none() => {
                Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
            }
            _ => Err(SettingsError {
                key: "storage.public_url",
                rule: "an http or https URL without user, password and query",
            }),
        }
    }
}

fn http_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let fits = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none();
    fits.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> S3Settings {
        S3Settings {
            endpoint: "https://s3.example.org".to_owned(),
            bucket: "blobs".to_owned(),
            region: "eu-central-1".to_owned(),
            access_key_id: "our-name".to_owned(),
            secret_access_key: "our-secret".to_owned(),
            path_style: true,
            allow_http: false,
            public_url: None,
            limits: S3Limits::default(),
        }
    }

    /// The bucket is in the path or in the host, as the server likes it.
    #[test]
    fn the_bucket_is_in_the_path_or_in_the_host() {
        let url = |settings: S3Settings| settings.bucket().unwrap().object_url("ab/cd").to_string();
        assert_eq!(url(settings()), "https://s3.example.org/blobs/ab/cd");
        let path_style = false;
        assert_eq!(
            url(S3Settings {
                path_style,
                ..settings()
            }),
            "https://blobs.s3.example.org/ab/cd"
        );
    }

    /// Each value that cannot be used is refused by its key.
    #[test]
    fn unusable_settings_are_refused_by_key() {
        let key = |change: fn(&mut S3Settings)| {
            let mut settings = settings();
            change(&mut settings);
            let error = settings.bucket().and_then(|_| settings.public_url()).err();
            error.map_or("", |error| error.key)
        };
        assert_eq!(key(|_| {}), "");
        assert_eq!(key(|s| s.endpoint = "s3.example.org".into()), "storage.endpoint");
        assert_eq!(
            key(|s| s.endpoint = "https://me:pw@s3.example.org".into()),
            "storage.endpoint"
        );
        assert_eq!(
            key(|s| s.endpoint = "http://s3.example.org".into()),
            "storage.endpoint"
        );
        let plain = |s: &mut S3Settings| {
            s.endpoint = "http://s3.example.org".into();
            s.allow_http = true;
        };
        assert_eq!(key(plain), "");
        assert_eq!(key(|s| s.bucket = "../other".into()), "storage.bucket");
        assert_eq!(key(|s| s.region = String::new()), "storage.region");
        assert_eq!(key(|s| s.access_key_id = "a b".into()), "storage.access_key_id");
        assert_eq!(
            key(|s| s.secret_access_key = "a\nb".into()),
            "storage.secret_access_key_file"
        );
        assert_eq!(
            key(|s| s.public_url = Some("ftp://x".into())),
            "storage.public_url"
        );
        let address = |s: &mut S3Settings| {
            s.endpoint = "https://127.0.0.1:9000".into();
            s.path_style = false;
        };
        assert_eq!(key(address), "storage.path_style");
    }

    /// What is printed for debugging gives nothing away.
    #[test]
    fn debug_output_holds_no_secret() {
        let text = format!("{:?}", settings());
        assert!(
            !text.contains("our-secret") && !text.contains("our-name"),
            "{text}"
        );
    }
}
