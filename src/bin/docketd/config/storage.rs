//! The `[storage]` section: where blobs are.

use std::path::{Path, PathBuf};

use docket_storage::{S3Limits, S3Settings, Storage as Store};
use serde::{Deserialize, Serialize};

use super::{ConfigError, read_file};

/// The `[storage]` section.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// `local` for a folder of `data_dir`, or `s3`, which takes the keys below. Default `local`.
    pub kind: Kind,
    /// The server of the bucket, such as `https://s3.example.org`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The bucket. It must exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// The region that requests are signed for. Default `us-east-1`, which is what most servers outside AWS want.
    pub region: String,
    /// The name of the access key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// A file that holds the secret of the access key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_access_key_file: Option<PathBuf>,
    /// Whether URLs name the bucket in their path rather than in their host. Default true.
    pub path_style: bool,
    /// Whether the endpoint may be `http`. Default false.
    pub allow_http: bool,
    /// Where anybody can read the bucket; downloads are then sent there. Default: none, downloads pass through `docketd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
}

/// Where blobs can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// In a folder.
    Local,
    /// In a bucket.
    S3,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            kind: Kind::Local,
            endpoint: None,
            bucket: None,
            region: "us-east-1".to_owned(),
            access_key_id: None,
            secret_access_key_file: None,
            path_style: true,
            allow_http: false,
            public_url: None,
        }
    }
}

impl Storage {
    /// Refuses a bucket that is described but not used, and one that is used but not described.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let keys = [
            ("storage.endpoint", self.endpoint.is_some()),
            ("storage.bucket", self.bucket.is_some()),
            ("storage.access_key_id", self.access_key_id.is_some()),
            (
                "storage.secret_access_key_file",
                self.secret_access_key_file.is_some(),
            ),
        ];
        match self.kind {
            Kind::Local if self.public_url.is_some() || keys.iter().any(|(_, given)| *given) => {
                Err(ConfigError::OutOfRange {
                    key: "storage.kind",
                    rule: "s3 when the section describes a bucket",
                })
            }
            Kind::Local => Ok(()),
            Kind::S3 => match keys.into_iter().find(|(_, given)| !given) {
                Some((key, _)) => Err(ConfigError::OutOfRange {
                    key,
                    rule: "given when storage.kind is s3",
                }),
                None => Ok(()),
            },
        }
    }

    /// Opens the store; a bucket is not asked for anything yet.
    ///
    /// # Errors
    /// When a value or the secret's file cannot be used, or the local folder.
    pub fn open(&self, data_dir: &Path) -> anyhow::Result<Store> {
        if self.kind == Kind::Local {
            return Ok(Store::local(data_dir.join("blobs"))?);
        }
        Ok(
            Store::s3(&self.settings()?).map_err(|error| ConfigError::OutOfRange {
                key: error.key,
                rule: error.rule,
            })?,
        )
    }

    fn settings(&self) -> Result<S3Settings, ConfigError> {
        let secret_access_key = match &self.secret_access_key_file {
            Some(path) => read_file(path)?,
            None => String::new(),
        };
        Ok(S3Settings {
            endpoint: self.endpoint.clone().unwrap_or_default(),
            bucket: self.bucket.clone().unwrap_or_default(),
            region: self.region.clone(),
            access_key_id: self.access_key_id.clone().unwrap_or_default(),
            secret_access_key,
            path_style: self.path_style,
            allow_http: self.allow_http,
            public_url: self.public_url.clone(),
            limits: S3Limits::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Storage {
        toml::from_str(text).unwrap()
    }

    fn s3(secret: &Path, more: &str) -> Storage {
        let secret = secret.display();
        parse(&format!(
            "kind = \"s3\"\nendpoint = \"https://s3.example.org\"\nbucket = \"blobs\"\naccess_key_id = \"docket\"\nsecret_access_key_file = \"{secret}\"\n{more}"
        ))
    }

    /// Without the section, blobs are in the data directory.
    #[test]
    fn blobs_are_in_the_data_directory_by_default() {
        let data = tempfile::tempdir().unwrap();
        let storage = parse("");
        storage.check().unwrap();
        storage.open(data.path()).unwrap();
        assert!(data.path().join("blobs").is_dir());
    }

    /// The secret comes from its file, without the line's end, and is not shown with the rest.
    #[test]
    fn the_secret_comes_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "not-a-secret\n").unwrap();
        let storage = s3(file.path(), "");
        storage.check().unwrap();
        assert_eq!(storage.settings().unwrap().secret_access_key, "not-a-secret");
        assert!(!format!("{storage:?}{}", toml::to_string(&storage).unwrap()).contains("not-a-secret"));
        let missing = s3(Path::new("/nowhere/secret"), "").open(Path::new("/nowhere"));
        let error = missing.unwrap_err();
        assert!(
            error.is::<ConfigError>() && error.to_string().contains("/nowhere/secret"),
            "{error}"
        );
    }

    /// A bucket is described completely or not at all, and each wrong value is refused by its key.
    #[test]
    fn a_bucket_is_described_completely_or_not_at_all() {
        let refusal = |storage: Storage| storage.check().unwrap_err().to_string();
        assert!(refusal(parse("kind = \"s3\"")).starts_with("storage.endpoint must be given"));
        assert!(refusal(parse("bucket = \"blobs\"")).starts_with("storage.kind must be s3"));
        assert!(toml::from_str::<Storage>("kind = \"ftp\"").is_err());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "not-a-secret").unwrap();
        let plain = s3(file.path(), "public_url = \"nowhere\"").open(Path::new("/nowhere"));
        let error = plain.unwrap_err();
        assert!(
            error.is::<ConfigError>() && error.to_string().starts_with("storage.public_url"),
            "{error}"
        );
    }
}
