//! Lists of packages, page by page.

use docket_core::name::PackageName;
use docket_core::time::Timestamp;
use docket_core::version::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::Client;
use crate::error::Error;

/// A package as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageSummary {
    /// The package.
    pub name: PackageName,
    /// Its highest version that can be installed.
    pub version: Version,
    /// When that was published.
    pub published_time: Timestamp,
    /// The licence of that version.
    pub license: String,
    /// What it is for; empty when it does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Fields newer than this client.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Some packages of a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PackagePage {
    /// The packages.
    pub packages: Vec<PackageSummary>,
    /// Where the list goes on, unless it ends here.
    #[serde(default)]
    pub next: Option<String>,
}

impl Client {
    /// Returns up to `limit` packages that can be installed, by name, from behind a cursor, which [`PackagePage::next`] of the page before gives.
    ///
    /// # Errors
    ///
    /// When the server does not answer, or not with packages.
    pub async fn list_packages(&self, cursor: Option<&str>, limit: usize) -> Result<PackagePage, Error> {
        self.summaries(&["packages"], None, cursor, limit).await
    }

    /// Returns up to `limit` packages that have all words of `text` in their name or description, the best match first.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] when the text cannot be searched for.
    pub async fn search_packages(
        &self,
        text: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<PackagePage, Error> {
        self.summaries(&["search"], Some(text), cursor, limit).await
    }

    async fn summaries(
        &self,
        route: &[&str],
        text: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<PackagePage, Error> {
        let mut request = self.http.get(self.route(route));
        if let Some(text) = text {
            request = request.query(&[("q", text)]);
        }
        request = request.query(&[("limit", limit)]);
        if let Some(cursor) = cursor {
            request = request.query(&[("cursor", cursor)]);
        }
        let response = self.send(request).await?;
        self.decode(response).await
    }
}
