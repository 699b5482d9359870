//! Names that GitHub gives out. Each keeps to its place in an address, so nothing is escaped further in.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use docket_core::location::Location;
use serde::{Deserialize, Serialize};

/// Longer than any login: 39 characters for people, more for those that an enterprise manages, and `[bot]` behind an app.
const MAX_LOGIN_BYTES: usize = 100;

/// Why a text is not a name of GitHub's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {what} of GitHub", .text.escape_debug())]
pub struct NameError {
    what: &'static str,
    text: String,
}

impl NameError {
    pub(crate) fn new(what: &'static str, text: &str) -> Self {
        Self {
            what,
            text: text.chars().take(100).collect(),
        }
    }
}

/// The name of an account, such as `octocat` or `dependabot[bot]`. Upper and lower case are the same, as on GitHub.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Login(String);

impl Login {
    /// Returns the name as GitHub writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the account belongs to an app.
    pub fn is_program(&self) -> bool {
        self.0.ends_with("[bot]")
    }
}

impl FromStr for Login {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_suffix("[bot]").unwrap_or(text);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || text.len() > MAX_LOGIN_BYTES || !name.bytes().all(plain) {
            return Err(NameError::new("a login", text));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Login {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Login> for String {
    fn from(login: Login) -> Self {
        login.0
    }
}

impl PartialEq for Login {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Login {}

impl Hash for Login {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_ascii_lowercase().hash(state);
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A repository: `OWNER/REPO`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository {
    owner: String,
    name: String,
}

impl Repository {
    /// Makes a checked name of a repository.
    ///
    /// # Errors
    /// When a part cannot exist on GitHub.
    pub fn new(owner: &str, name: &str) -> Result<Self, NameError> {
        // The rule is that of locations, so that a package's location always names a repository.
        Location::github(owner, name, None)
            .map_err(|_| NameError::new("a repository", &format!("{owner}/{name}")))?;
        Ok(Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Returns the repository of a location, if it is on GitHub.
    pub fn of(location: &Location) -> Option<Self> {
        match location {
            Location::GitHub { owner, repo, .. } => Some(Self {
                owner: owner.clone(),
                name: repo.clone(),
            }),
            Location::Git { .. } => None,
        }
    }

    /// Returns the user or organisation.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Returns the name without its owner.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for Repository {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (owner, name) = text
            .split_once('/')
            .ok_or_else(|| NameError::new("a repository", text))?;
        Self::new(owner, name)
    }
}

impl TryFrom<String> for Repository {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.to_string()
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// Whether a text can be the address part of a team or an organisation.
pub(crate) fn is_slug(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= 255 && text.bytes().all(plain) && !matches!(text, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_differ_in_more_than_case() {
        let login = |text: &str| text.parse::<Login>().unwrap();
        assert_eq!(login("Octo-Cat"), login("octo-cat"));
        assert_ne!(login("octo-cat"), login("octocat"));
        assert!("dependabot[bot]".parse::<Login>().is_ok());
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_an_address() {
        for text in ["", "..", "a/b", "a b", "a?b", "é", "[bot]", "a\nb"] {
            assert!(text.parse::<Login>().is_err(), "{text:?}");
        }
        for text in ["", "a", "a/", "/b", "a/..", "a/b/c", "a/b?c", "a/b#c", "a /b"] {
            assert!(text.parse::<Repository>().is_err(), "{text:?}");
        }
        assert_eq!(
            "lab/purescript-demo".parse::<Repository>().unwrap().to_string(),
            "lab/purescript-demo"
        );
    }
}
