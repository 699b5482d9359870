//! The `[git]` section.

use std::path::PathBuf;

use docket_index::{Repository, git::remote::Remote};
use serde::{Deserialize, Serialize};

use super::{ConfigError, read_file};

/// The `[git]` section: where the repositories are pushed.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Git {
    /// Where the registry is pushed, an address without user and password. Default: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_remote: Option<String>,
    /// Where the manifest index is pushed, likewise. Default: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_remote: Option<String>,
    /// Where the package sets for older clients are pushed with their tags, likewise; there are some with `[package_sets] legacy_mirror`. Default: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_sets_remote: Option<String>,
    /// The token that allows all of these. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

impl Git {
    /// The remotes that are configured.
    ///
    /// # Errors
    /// When an address holds a password, or the token cannot be read.
    pub fn remotes(&self) -> Result<Vec<(Repository, Remote)>, ConfigError> {
        let token = match &self.token_file {
            None => None,
            Some(path) => Some(read_file(path)?),
        };
        let mut remotes = Vec::new();
        for (repository, key, url) in [
            (Repository::Registry, "git.registry_remote", &self.registry_remote),
            (Repository::RegistryIndex, "git.index_remote", &self.index_remote),
            (
                Repository::PackageSets,
                "git.package_sets_remote",
                &self.package_sets_remote,
            ),
        ] {
            let Some(url) = url else { continue };
            let good = url.split_once("://").is_some_and(|(scheme, rest)| {
                !scheme.is_empty() && !rest.contains('@') && !url.starts_with('-')
            });
            if !good {
                return Err(ConfigError::OutOfRange {
                    key,
                    rule: "a URL such as https://host/owner/repo.git, without user and password; the token comes from git.token_file",
                });
            }
            remotes.push((repository, Remote::new(url.clone(), token.clone())));
        }
        Ok(remotes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A password in an address would stand in logs and errors.
    #[test]
    fn an_address_with_a_password_is_refused() {
        for (url, fits) in [
            ("https://example.org/registry.git", true),
            ("file:///srv/registry.git", true),
            ("https://bot:geheim@example.org/registry.git", false),
            ("registry.git", false),
        ] {
            let git = Git {
                index_remote: Some(url.to_owned()),
                ..Git::default()
            };
            match git.remotes() {
                Ok(remotes) => assert!(fits && remotes.len() == 1, "{url}"),
                Err(error) => {
                    assert!(!fits, "{url}");
                    let text = error.to_string();
                    assert!(
                        text.contains("git.index_remote") && !text.contains("geheim"),
                        "{text}"
                    );
                }
            }
        }
    }
}
