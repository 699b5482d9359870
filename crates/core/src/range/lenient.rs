//! Ranges of Bower manifests, read with the rules of node-semver.

use super::{Range, RangeError};
use crate::version::{Version, VersionError};

/// Why a Bower range cannot become a registry range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LenientRangeError {
    /// node-semver does not understand it.
    #[error("`{text}` is not a version range")]
    NotARange {
        /// The refused text.
        text: String,
    },
    /// It allows one thing *or* another.
    #[error("the range `{text}` has several alternatives: give a single range such as `^1.0.0`")]
    Alternatives {
        /// The refused text.
        text: String,
    },
    /// It allows every later version.
    #[error("the range `{text}` has no upper bound: give one, as in `^1.0.0`")]
    NoUpperBound {
        /// The refused text.
        text: String,
    },
    /// A bound is not a version of ours.
    #[error("the range `{text}` has a bound that the registry cannot hold")]
    Bound {
        /// The refused text.
        text: String,
        /// What is wrong with the bound.
        #[source]
        cause: VersionError,
    },
    /// The bounds are the wrong way round.
    #[error("the range `{text}` is empty")]
    Empty {
        /// The refused text.
        text: String,
        /// The two bounds.
        #[source]
        cause: RangeError,
    },
}

pub(super) fn parse(text: &str) -> Result<Range, LenientRangeError> {
    let original = || text.chars().take(80).collect::<String>();
    let parsed = nodejs_semver::Range::parse(text.trim())
        .map_err(|_| LenientRangeError::NotARange { text: original() })?;
    // The library normalises `^1.0`, `1.x`, `1.0 - 2.0`, … to comparators with full versions.
    let normal = parsed.to_string();
    if normal.contains("||") {
        return Err(LenientRangeError::Alternatives { text: original() });
    }

    let bound = |text: &str| {
        without_suffix(text)
            .parse::<Version>()
            .map_err(|cause| LenientRangeError::Bound {
                text: original(),
                cause,
            })
    };
    let mut lo = Version::new(0, 0, 0);
    let mut hi = None;
    for comparator in normal.split_whitespace() {
        if let Some(version) = comparator.strip_prefix(">=") {
            lo = bound(version)?;
        } else if let Some(version) = comparator.strip_prefix("<=") {
            hi = Some(bound(version)?.bump_patch());
        } else if let Some(version) = comparator.strip_prefix('>') {
            lo = bound(version)?.bump_patch();
        } else if let Some(version) = comparator.strip_prefix('<') {
            hi = Some(bound(version)?);
        } else if comparator != "*" {
            let version = bound(comparator)?;
            return Ok(Range::exact(version));
        }
    }

    let mut hi = hi.ok_or_else(|| LenientRangeError::NoUpperBound { text: original() })?;
    if lo == hi {
        // `>=1.0.0-rc.1 <1.0.0` without its suffix.
        hi = hi.bump_patch();
    }
    Range::new(lo, hi).map_err(|cause| LenientRangeError::Empty {
        text: original(),
        cause,
    })
}

/// Cuts prerelease and build metadata: the registry has neither.
fn without_suffix(version: &str) -> &str {
    version.split(['-', '+']).next().unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bower_ranges_become_registry_ranges() {
        for (text, expected) in [
            ("^1.0.0", ">=1.0.0 <2.0.0"),
            ("^0.2.3", ">=0.2.3 <0.3.0"),
            ("^0.0.3", ">=0.0.3 <0.0.4"),
            ("~1.2.3", ">=1.2.3 <1.3.0"),
            ("~1", ">=1.0.0 <2.0.0"),
            ("1.x", ">=1.0.0 <2.0.0"),
            ("1.2.x", ">=1.2.0 <1.3.0"),
            ("1.2.3", ">=1.2.3 <1.2.4"),
            ("=1.2.3", ">=1.2.3 <1.2.4"),
            ("v1.2.3", ">=1.2.3 <1.2.4"),
            ("1.0.0 - 2.0.0", ">=1.0.0 <2.0.1"),
            (">1.0.0 <2.0.0", ">=1.0.1 <2.0.0"),
            (">=1.0.0 <=2.0.0", ">=1.0.0 <2.0.1"),
            ("<2.0.0", ">=0.0.0 <2.0.0"),
            ("<=2.0.0", ">=0.0.0 <2.0.1"),
            (">= 1.0.0 < 2.0.0", ">=1.0.0 <2.0.0"),
            ("  ^3.0.0 ", ">=3.0.0 <4.0.0"),
            ("^1.0.0-rc.1", ">=1.0.0 <2.0.0"),
            ("1.0.0-rc.1", ">=1.0.0 <1.0.1"),
            (">=1.0.0-rc.1 <1.0.0", ">=1.0.0 <1.0.1"),
        ] {
            let range = Range::parse_lenient(text);
            assert_eq!(range.map(|r| r.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_one_bounded_range_is_refused() {
        for text in ["^1.0.0 || ^2.0.0", "1.x || 3.x"] {
            assert!(
                matches!(
                    Range::parse_lenient(text),
                    Err(LenientRangeError::Alternatives { .. })
                ),
                "{text}"
            );
        }
        for text in ["*", "", ">=1.0.0", ">1", "x"] {
            assert!(
                matches!(
                    Range::parse_lenient(text),
                    Err(LenientRangeError::NoUpperBound { .. })
                ),
                "{text}"
            );
        }
        for text in ["master", "owner/repo#^1.0.0", "https://example.org/x.git"] {
            assert!(
                matches!(
                    Range::parse_lenient(text),
                    Err(LenientRangeError::NotARange { .. })
                ),
                "{text}"
            );
        }
        assert!(Range::parse_lenient(">=2.0.0 <1.0.0").is_err());
    }
}
