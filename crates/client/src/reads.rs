//! What the registry holds.
//!
//! Each type reads what this client needs and keeps fields that are newer than it.

use std::net::IpAddr;

use docket_core::digest::Sha256;
use docket_core::location::Location;
use docket_core::manifest::Manifest;
use docket_core::metadata::Metadata;
use docket_core::name::PackageName;
use docket_core::package_set::PackageSet;
use docket_core::time::{Date, Timestamp};
use docket_core::version::Version;
use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::Client;
use crate::error::Error;
use crate::job::JobId;

/// A package: its metadata, with its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Package {
    /// The package.
    pub name: PackageName,
    /// Where its code comes from.
    pub location: Location,
    /// Versions, owners, and fields newer than this client.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A version of a package, and who leans on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageVersion {
    /// The package.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// `published` or `unpublished`.
    pub status: String,
    /// When it was published.
    pub published_time: Timestamp,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpublished_time: Option<Timestamp>,
    /// Why it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The size of the tarball.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The digest of the tarball.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Sha256>,
    /// The compilers it is known to compile with.
    #[serde(default)]
    pub compilers: Vec<Version>,
    /// What it says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Manifest>,
    /// The versions whose manifests allow this one.
    #[serde(default)]
    pub dependants: Vec<Dependant>,
    /// The package sets that hold it.
    #[serde(default)]
    pub package_sets: Vec<Version>,
    /// Fields newer than this client.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A published version that depends on another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dependant {
    /// The package.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// The range in its manifest.
    pub range: String,
    /// Whether no other version satisfies that range.
    pub breaks: bool,
}

/// A task that the registry does by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// The task.
    pub task: String,
    /// When, for people: `every day at 07:00 UTC`.
    pub every: String,
    /// When it is due next.
    pub next_tick: Timestamp,
    /// The job of its last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_job_id: Option<JobId>,
    /// Fields newer than this client.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A package set without its members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PackageSetSummary {
    /// The version of the set.
    pub version: Version,
    /// The compiler that compiled it.
    pub compiler: Version,
    /// The day it was released.
    pub published: Date,
    /// Fields newer than this client.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Client {
    /// Returns the public URL of the registry, without a slash at its end: what signatures are made out to.
    ///
    /// It is the server's own word. A server that is not trusted could name another one, and pass the signature on.
    ///
    /// # Errors
    ///
    /// When the server does not answer, or not with the configuration of a registry.
    pub async fn public_url(&self) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Config {
            api: String,
        }

        let config: Config = self
            .get(self.address(&["index", "config.json"]), "index/config.json")
            .await?;
        match config.api.trim_end_matches('/').strip_suffix("/api/v1") {
            Some(url) if Url::parse(url).is_ok() => Ok(url.trim_end_matches('/').to_owned()),
            _ => Err(self.undecodable(format!(
                "`api` in index/config.json is not an address that ends with /api/v1: {}",
                config.api.escape_debug()
            ))),
        }
    }

    /// Asks whether the server can do its work.
    ///
    /// # Errors
    ///
    /// When it does not answer, or says what it lacks.
    pub async fn ready(&self) -> Result<(), Error> {
        self.send(self.http.get(self.address(&["healthz", "ready"])))
            .await?;
        Ok(())
    }

    /// Tells whether the server may call itself `url` without having been called so: it is the address that we ask, or
    /// the server runs on this machine, where it is ours.
    pub fn may_be_called(&self, url: &str) -> bool {
        let here = |url: &Url| {
            let host = url.host_str().unwrap_or_default();
            let address = host.trim_start_matches('[').trim_end_matches(']');
            host == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        };
        let without_slash = |url: &Url| url.as_str().trim_end_matches('/').to_owned();
        let base = self.address(&[]);
        here(&base) || Url::parse(url).is_ok_and(|url| without_slash(&url) == without_slash(&base))
    }

    /// Returns a package.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none of that name.
    pub async fn get_package(&self, name: &PackageName) -> Result<Package, Error> {
        let what = format!("package {name}");
        self.get(self.route(&["packages", name.as_str()]), &what).await
    }

    /// Returns what the registry knows about a package beyond its manifests.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none of that name.
    pub async fn get_metadata(&self, name: &PackageName) -> Result<Metadata, Error> {
        let what = format!("package {name}");
        self.get(self.route(&["packages", name.as_str()]), &what).await
    }

    /// Returns the file of a package in the manifest index, one manifest in each line; `None` when it has none.
    ///
    /// # Errors
    ///
    /// When the server does not answer.
    pub async fn find_index_file(&self, name: &PackageName) -> Result<Option<String>, Error> {
        let path = docket_core::manifest_index::path(name);
        let segments: Vec<&str> = std::iter::once("index").chain(path.split('/')).collect();
        match self.send(self.http.get(self.address(&segments))).await {
            Ok(response) => {
                let text = response.text().await;
                Ok(Some(text.map_err(|cause| self.unreachable(cause.without_url()))?))
            }
            Err(Error::Refused {
                status: StatusCode::NOT_FOUND,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns a version of a package.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such version.
    pub async fn get_package_version(
        &self,
        name: &PackageName,
        version: Version,
    ) -> Result<PackageVersion, Error> {
        let url = self.route(&["packages", name.as_str(), &version.to_string()]);
        self.get(url, &format!("version {name}@{version}")).await
    }

    /// Returns the newest package sets, newest first.
    ///
    /// # Errors
    ///
    /// When the server does not answer, or not with package sets.
    pub async fn list_package_sets(&self) -> Result<Vec<PackageSetSummary>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            package_sets: Vec<PackageSetSummary>,
        }

        let page: Page = self.get(self.route(&["package-sets"]), "package sets").await?;
        Ok(page.package_sets)
    }

    /// Returns a package set: of this version, or the latest when that is `None`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such set.
    pub async fn get_package_set(&self, version: Option<Version>) -> Result<PackageSet, Error> {
        let version = version.map_or("latest".to_owned(), |version| version.to_string());
        let url = self.route(&["package-sets", &version]);
        self.get(url, &format!("package set {version}")).await
    }

    /// Returns the tasks that the registry does by itself.
    ///
    /// # Errors
    ///
    /// When the server does not answer, or not with tasks.
    pub async fn list_schedules(&self) -> Result<Vec<Schedule>, Error> {
        self.get(self.route(&["schedules"]), "schedules").await
    }

    async fn get<T: DeserializeOwned>(&self, url: Url, what: &str) -> Result<T, Error> {
        match self.send(self.http.get(url)).await {
            Ok(response) => self.decode(response).await,
            Err(Error::Refused {
                status: StatusCode::NOT_FOUND,
                ..
            }) => Err(Error::NotFound {
                server: self.server().to_owned(),
                what: what.to_owned(),
            }),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_may_be_called_only_as_it_was_called() {
        let client = Client::new("https://registry.example.org/").unwrap();
        for url in [
            "https://registry.example.org",
            "https://Registry.example.org:443/",
        ] {
            assert!(client.may_be_called(url), "{url}");
        }
        for url in [
            "http://registry.example.org",
            "https://registry.example.org:8443",
            "https://registry.example.org/prefix",
            "https://example.org",
            "https://registry.example.org.example.com",
            "http://127.0.0.1:8080",
            "",
        ] {
            assert!(!client.may_be_called(url), "{url}");
        }
    }

    #[test]
    fn a_server_on_this_machine_may_be_called_anything() {
        for server in [
            "http://127.0.0.1:8080",
            "http://localhost:8080",
            "http://[::1]:8080",
        ] {
            let client = Client::new(server).unwrap();
            assert!(client.may_be_called("https://registry.example.org"), "{server}");
        }
        let client = Client::new("http://localhost.example.org").unwrap();
        assert!(!client.may_be_called("https://registry.example.org"));
    }
}
