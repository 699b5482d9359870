//! The address below which tarballs lie.

use std::{fmt, str::FromStr};

use docket_core::{name::PackageName, version::Version};
use reqwest::Url;

/// An `http` or `https` URL; the tarballs are at `URL/NAME/VERSION.tar.gz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceUrl(Url);

/// Why a text is not the URL of a tarball source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceUrlError {
    /// No URL, or not of the web.
    #[error("`{0}` is not an http or https URL")]
    NotHttp(String),
    /// It is stored and logged, so no secret may be in it.
    #[error("the URL of the tarballs must not hold a user name or password")]
    Secret,
    /// Tarballs lie below a path.
    #[error("the URL of the tarballs must end with its path: without `?` and `#`")]
    NotAFolder,
}

impl FromStr for SourceUrl {
    type Err = SourceUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| SourceUrlError::NotHttp(text.to_owned()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SourceUrlError::Secret);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(SourceUrlError::NotAFolder);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl SourceUrl {
    /// Returns where the tarball of a version is.
    pub(super) fn tarball(&self, name: &PackageName, version: Version) -> Url {
        let mut url = self.0.clone();
        url.path_segments_mut()
            .expect("an http URL has a path")
            .pop_if_empty()
            .push(name.as_str())
            .push(&format!("{version}.tar.gz"));
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slash at the end makes no difference.
    #[test]
    fn tarballs_lie_below_the_path() {
        let (name, version) = ("prelude".parse().unwrap(), "6.0.1".parse().unwrap());
        for (source, tarball) in [
            ("https://a.invalid", "https://a.invalid/prelude/6.0.1.tar.gz"),
            (
                "http://a.invalid:81/b/",
                "http://a.invalid:81/b/prelude/6.0.1.tar.gz",
            ),
            ("http://a.invalid/b", "http://a.invalid/b/prelude/6.0.1.tar.gz"),
        ] {
            let source: SourceUrl = source.parse().unwrap();
            assert_eq!(source.tarball(&name, version).as_str(), tarball);
        }
    }

    /// What is stored and logged holds no secret, and what is fetched is on the web.
    #[test]
    fn other_urls_are_refused() {
        for text in [
            "file:///tarballs",
            "tarballs",
            "https://jane:secret@a.invalid",
            "https://a.invalid/?a=b",
            "https://a.invalid/#a",
        ] {
            assert!(text.parse::<SourceUrl>().is_err(), "{text}");
        }
    }
}
