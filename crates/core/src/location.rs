//! Where a package's code comes from.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};

use crate::json::{self, json_object};

/// Where a package's code comes from. Compared exactly, with upper and lower case (registry spec, section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// A repository on GitHub.
    GitHub {
        /// The user or organisation.
        owner: String,
        /// The repository.
        repo: String,
        /// The directory of the package in the repository, if it is not the root.
        subdir: Option<String>,
    },
    /// Any git repository.
    Git {
        /// A `git`, `http` or `https` URL.
        url: String,
        /// The directory of the package in the repository, if it is not the root.
        subdir: Option<String>,
    },
}

/// Why something is not a location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Neither of the two forms.
    #[error("a location needs either `githubOwner` and `githubRepo`, or `gitUrl`")]
    Incomplete,
    /// The URL breaks the grammar.
    #[error(
        "the git URL `{url}` is not allowed: use git, http or https, without port or user, with only letters, \
         digits and `./@_-~`, and `.git` only at the end"
    )]
    Url {
        /// The refused URL.
        url: String,
    },
    /// An owner or repository that GitHub cannot have.
    #[error("`{text}` is not a GitHub {what}: only letters, digits, `.`, `_` and `-` are allowed")]
    GitHubName {
        /// `owner` or `repository`.
        what: &'static str,
        /// The refused text.
        text: String,
    },
    /// A directory that is not plainly inside the repository.
    #[error("the subdir `{subdir}` must be a relative path inside the repository, such as `packages/core`")]
    Subdir {
        /// The refused text.
        subdir: String,
    },
}

impl Location {
    /// Makes a checked GitHub location.
    ///
    /// # Errors
    /// When a part cannot exist on GitHub, or could lead out of the path it is put into.
    pub fn github(owner: &str, repo: &str, subdir: Option<&str>) -> Result<Self, LocationError> {
        check_github_name("owner", owner)?;
        check_github_name("repository", repo)?;
        check_subdir(subdir)?;
        Ok(Self::GitHub {
            owner: owner.to_owned(),
            repo: repo.to_owned(),
            subdir: subdir.map(str::to_owned),
        })
    }

    /// Tells whether two locations name one place. GitHub treats upper and lower case alike, though the registry keeps what was written.
    pub fn is_same_place(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::GitHub { owner, repo, subdir },
                Self::GitHub {
                    owner: other_owner,
                    repo: other_repo,
                    subdir: other_subdir,
                },
            ) => {
                owner.eq_ignore_ascii_case(other_owner)
                    && repo.eq_ignore_ascii_case(other_repo)
                    && subdir == other_subdir
            }
            _ => self == other,
        }
    }

    /// Makes a checked git location.
    ///
    /// # Errors
    /// When the URL breaks the grammar.
    pub fn git(url: &str, subdir: Option<&str>) -> Result<Self, LocationError> {
        if !is_git_url(url) {
            return Err(LocationError::Url {
                url: url.chars().take(200).collect(),
            });
        }
        check_subdir(subdir)?;
        Ok(Self::Git {
            url: url.to_owned(),
            subdir: subdir.map(str::to_owned),
        })
    }

    /// Returns the directory of the package in the repository, if it is not the root.
    pub fn subdir(&self) -> Option<&str> {
        match self {
            Self::GitHub { subdir, .. } | Self::Git { subdir, .. } => subdir.as_deref(),
        }
    }
}

/// GitHub's own rule, and what keeps `OWNER/REPO` two plain path segments wherever it is used.
fn check_github_name(what: &'static str, text: &str) -> Result<(), LocationError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if text.is_empty() || text == "." || text == ".." || text.len() > 100 || !text.bytes().all(plain) {
        return Err(LocationError::GitHubName {
            what,
            text: text.chars().take(100).collect(),
        });
    }
    Ok(())
}

fn check_subdir(subdir: Option<&str>) -> Result<(), LocationError> {
    let Some(subdir) = subdir else { return Ok(()) };
    let plain = |segment: &str| !matches!(segment, "" | "." | "..");
    let printable = |c: char| !c.is_control() && c != '\\';
    if subdir.len() > 1000
        || !subdir.trim_end_matches('/').split('/').all(plain)
        || !subdir.chars().all(printable)
    {
        return Err(LocationError::Subdir {
            subdir: subdir.chars().take(200).collect(),
        });
    }
    Ok(())
}

/// `scheme://` and then plain characters up to the end, or up to the first `.git` with at most a `/` behind it.
fn is_git_url(url: &str) -> bool {
    let Some(rest) = ["git", "http", "https"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme)?.strip_prefix("://"))
    else {
        return false;
    };
    let body = match rest.find(".git") {
        Some(end) if matches!(&rest[end + ".git".len()..], "" | "/") => &rest[..end],
        Some(_) => return false,
        None => rest,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./@_-~".contains(&byte);
    !body.is_empty() && body.bytes().all(plain)
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GitHub { owner, repo, .. } => write!(f, "{owner}/{repo}")?,
            Self::Git { url, .. } => f.write_str(url)?,
        }
        match self.subdir() {
            Some(subdir) => write!(f, " (in {subdir})"),
            None => Ok(()),
        }
    }
}

impl Serialize for Location {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Location", 3)?;
        match self {
            Self::GitHub { owner, repo, .. } => {
                fields.serialize_field("githubOwner", owner)?;
                fields.serialize_field("githubRepo", repo)?;
            }
            Self::Git { url, .. } => fields.serialize_field("gitUrl", url)?,
        }
        match self.subdir() {
            Some(subdir) => fields.serialize_field("subdir", subdir)?,
            None => fields.skip_field("subdir")?,
        }
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Location {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            remote = "Self",
            rename_all = "camelCase",
            rename = "location",
            expecting = "a location object"
        )]
        struct Fields {
            #[serde(default, deserialize_with = "json::present")]
            git_url: Option<String>,
            #[serde(default, deserialize_with = "json::present")]
            github_owner: Option<String>,
            #[serde(default, deserialize_with = "json::present")]
            github_repo: Option<String>,
            #[serde(default, deserialize_with = "json::present")]
            subdir: Option<String>,
        }

        json_object!(Fields, read only);

        // Not `Fields::deserialize`, which is the function behind the trait and takes arrays.
        let fields = <Fields as Deserialize>::deserialize(deserializer)?;
        let subdir = fields.subdir.as_deref();
        // The git form is tried first, as the existing server does.
        let git = fields.git_url.as_deref().map(|url| Self::git(url, subdir));
        let github = match (&fields.github_owner, &fields.github_repo) {
            (Some(owner), Some(repo)) => Some(Self::github(owner, repo, subdir)),
            _ => None,
        };
        match (git, github) {
            (Some(Ok(location)), _) => Ok(location),
            (_, Some(github)) => github.map_err(de::Error::custom),
            (Some(Err(error)), None) => Err(de::Error::custom(error)),
            (None, None) => Err(de::Error::custom(LocationError::Incomplete)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(text: &str) {
        let location: Location = json::decode(text).unwrap();
        assert_eq!(json::to_compact(&location), text);
    }

    #[test]
    fn both_forms_are_read_and_written_in_a_fixed_order() {
        round_trip(r#"{"githubOwner":"purescript","githubRepo":"purescript-effect"}"#);
        round_trip(r#"{"githubOwner":"purescript","githubRepo":"purescript-effect","subdir":"a/b"}"#);
        round_trip(r#"{"gitUrl":"https://example.org/x/y.git"}"#);
        round_trip(r#"{"gitUrl":"https://example.org/x/y.git","subdir":"core"}"#);
    }

    #[test]
    fn the_git_form_is_tried_first() {
        let both = r#"{"githubOwner":"a","githubRepo":"b","gitUrl":"https://example.org/x"}"#;
        assert!(matches!(json::decode(both).unwrap(), Location::Git { .. }));
        let bad_url = r#"{"githubOwner":"a","githubRepo":"b","gitUrl":"ssh://example.org/x"}"#;
        assert!(matches!(json::decode(bad_url).unwrap(), Location::GitHub { .. }));
    }

    #[test]
    fn half_a_location_is_refused() {
        for text in [
            r#"{}"#,
            r#"{"githubOwner":"a"}"#,
            r#"{"githubRepo":"a"}"#,
            r#"{"subdir":"a"}"#,
        ] {
            let error = json::decode::<Location>(text).unwrap_err().to_string();
            assert!(error.contains("needs either"), "{error}");
        }
        assert!(json::decode::<Location>(r#"{"githubOwner":"a","githubRepo":"b","subdir":null}"#).is_err());
        assert!(json::decode::<Location>(r#""purescript/effect""#).is_err());
        assert!(json::decode::<Location>(r#"["https://example.org/x"]"#).is_err());
    }

    #[test]
    fn git_urls_follow_the_grammar() {
        for url in [
            "https://example.org/x/y.git",
            "https://example.org/x/y.git/",
            "http://example.org/x",
            "git://example.org/~user/x_y-z@1.git",
            "https://git.gay/string/purescript-trivial-unfold.git",
        ] {
            assert!(is_git_url(url), "{url}");
        }
        for url in [
            "",
            "https://",
            "https://.git",
            "ssh://example.org/x.git",
            "file:///etc",
            "ftp://example.org/x",
            "HTTPS://example.org/x",
            "https:/example.org/x",
            "https://example.org:8443/x.git",
            "https://user:password@example.org/x.git",
            "https://example.org/x.git/y",
            "https://example.org/x.github/y.git",
            "https://example.org/x y",
            "https://example.org/x?y",
            "https://example.org/%2e%2e",
            "https://exämple.org/x",
            "-uhttps://example.org/x",
        ] {
            assert!(!is_git_url(url), "{url}");
        }
    }

    #[test]
    fn parts_of_a_location_stay_where_they_are_put() {
        for name in ["", ".", "..", "a/b", "a b", "a\nb", "ä", "a%2fb"] {
            assert!(Location::github(name, "repo", None).is_err(), "{name:?}");
            assert!(Location::github("owner", name, None).is_err(), "{name:?}");
        }
        for subdir in ["", "/", "/etc", "..", "a/../b", "./a", "a//b", "a\\b", "a\0b"] {
            assert!(Location::github("a", "b", Some(subdir)).is_err(), "{subdir:?}");
        }
        for subdir in ["a", "a/b", "packages/core/", "..a", "a b"] {
            assert!(Location::github("a", "b", Some(subdir)).is_ok(), "{subdir:?}");
        }
    }

    #[test]
    fn equality_minds_case_and_subdir() {
        let location = Location::github("Owner", "Repo", None).unwrap();
        assert_ne!(location, Location::github("owner", "repo", None).unwrap());
        assert_ne!(location, Location::github("Owner", "Repo", Some("a")).unwrap());
    }
}
