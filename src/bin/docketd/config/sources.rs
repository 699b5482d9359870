//! The `[sources]` section: where packages come from.

use std::collections::BTreeMap;

use docket_worker::source::git::SourceConfig;
use serde::{Deserialize, Serialize};

use super::Config;

/// The `[sources]` section.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// Prefix of GitHub locations. Default `https://github.com`.
    pub github_url: String,
    /// Whether plain git locations and packages in a folder of their repository are taken. Default false.
    pub allow_git_locations: bool,
    /// Hosts that plain git locations may name; empty means any. Default empty.
    pub git_hosts: Vec<String>,
    /// Whether a host may send git to another address, as GitHub does for renamed repositories. Default false.
    pub follow_redirects: bool,
    /// The largest checkout, in bytes. Default 200,000,000.
    pub max_bytes: u64,
    /// The most files of a checkout. Default 20,000.
    pub max_files: u64,
}

impl Default for Sources {
    fn default() -> Self {
        let defaults = SourceConfig::default();
        Self {
            github_url: defaults.github_url,
            allow_git_locations: defaults.allow_git_locations,
            git_hosts: defaults.git_hosts,
            follow_redirects: defaults.follow_redirects,
            max_bytes: defaults.max_bytes,
            max_files: defaults.max_files,
        }
    }
}

impl Config {
    /// How sources are fetched.
    pub fn source_config(&self) -> SourceConfig {
        SourceConfig {
            github_url: self.sources.github_url.trim_end_matches('/').to_owned(),
            allow_git_locations: self.sources.allow_git_locations,
            git_hosts: self.sources.git_hosts.clone(),
            follow_redirects: self.sources.follow_redirects,
            max_bytes: self.sources.max_bytes,
            max_files: self.sources.max_files,
            environment: git_environment(|name| std::env::var(name).ok()),
            ..SourceConfig::default()
        }
    }
}

/// What git may know of our environment: how to get out of this network, and whom to trust there.
const GIT_ENVIRONMENT: [&str; 8] = [
    "https_proxy",
    "HTTPS_PROXY",
    "http_proxy",
    "HTTP_PROXY",
    "no_proxy",
    "NO_PROXY",
    "GIT_SSL_CAINFO",
    "SSL_CERT_FILE",
];

/// Picks the variables of [`GIT_ENVIRONMENT`] that are set to something.
fn git_environment(get: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    GIT_ENVIRONMENT
        .into_iter()
        .filter_map(|name| get(name).map(|value| (name.to_owned(), value)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::load;

    /// git gets out through the proxy of this machine, and learns nothing else of its environment.
    #[test]
    fn git_gets_proxies_and_certificates_of_the_environment_and_nothing_else() {
        let ours = BTreeMap::from([
            ("https_proxy", "http://proxy.invalid:3128"),
            ("NO_PROXY", "localhost"),
            ("GIT_SSL_CAINFO", "/ca.pem"),
            ("SSL_CERT_FILE", "/ca.pem"),
            ("http_proxy", ""),
            ("GIT_SSH_COMMAND", "evil"),
            ("DOCKET__DATABASE__URL", "postgres://user:secret@db/docket"),
        ]);
        let theirs = git_environment(|name| ours.get(name).map(ToString::to_string));
        let names: Vec<_> = theirs.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["GIT_SSL_CAINFO", "NO_PROXY", "SSL_CERT_FILE", "https_proxy"]
        );
        assert_eq!(theirs["https_proxy"], "http://proxy.invalid:3128");
    }

    /// Hosts send git elsewhere only where the operator says so.
    #[test]
    fn redirects_are_followed_only_when_asked_for() {
        assert!(!load("").unwrap().source_config().follow_redirects);
        let config = load("[sources]\nfollow_redirects = true").unwrap();
        assert!(config.source_config().follow_redirects);
    }
}
