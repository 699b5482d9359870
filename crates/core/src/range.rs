//! Version ranges.

use std::fmt;
use std::str::FromStr;

use crate::json::json_string;
use crate::version::{Version, VersionError};

mod lenient;

pub use lenient::LenientRangeError;

/// The versions from one version on, up to but not including another: `>=1.0.0 <2.0.0`.
///
/// The lower bound is always below the upper one (registry spec, section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    lo: Version,
    hi: Version,
}

/// Why a text is not a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// The text is `*`, which clients use for "any version".
    #[error("the range `*` allows every version: give a lower and an upper bound, such as `>=1.0.0 <2.0.0`")]
    Wildcard,
    /// The text is not of the form `>=A <B`.
    #[error("the range `{text}` must have the form `>=A <B` with one space, such as `>=1.0.0 <2.0.0`")]
    Form {
        /// The refused text.
        text: String,
    },
    /// A bound is not a version.
    #[error("the range `{text}` has a bound that is not a version")]
    Bound {
        /// The refused text.
        text: String,
        /// What is wrong with the bound.
        #[source]
        cause: VersionError,
    },
    /// No version lies in the range.
    #[error("the range `>={lo} <{hi}` is empty: the lower bound must be below the upper bound")]
    Empty {
        /// The lower bound.
        lo: Version,
        /// The upper bound.
        hi: Version,
    },
}

impl Range {
    /// Makes the range `>=lo <hi`.
    ///
    /// # Errors
    /// [`RangeError::Empty`] unless `lo` is below `hi`.
    pub fn new(lo: Version, hi: Version) -> Result<Self, RangeError> {
        if lo < hi {
            Ok(Self { lo, hi })
        } else {
            Err(RangeError::Empty { lo, hi })
        }
    }

    /// Returns the range that holds only `version`.
    pub fn exact(version: Version) -> Self {
        Self {
            lo: version,
            hi: version.bump_patch(),
        }
    }

    /// Returns the range of everything compatible with `version`.
    pub fn caret(version: Version) -> Self {
        Self {
            lo: version,
            hi: version.bump_highest(),
        }
    }

    /// Returns the lowest version in the range.
    pub fn lo(&self) -> Version {
        self.lo
    }

    /// Returns the lowest version above the range.
    pub fn hi(&self) -> Version {
        self.hi
    }

    /// Tells whether `version` lies in the range.
    pub fn contains(&self, version: &Version) -> bool {
        self.lo <= *version && *version < self.hi
    }

    /// Returns the smallest range that holds both, including the gap between them.
    pub fn union(&self, other: &Self) -> Self {
        Self {
            lo: self.lo.min(other.lo),
            hi: self.hi.max(other.hi),
        }
    }

    /// Returns the range that both share, if any.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        Self::new(self.lo.max(other.lo), self.hi.min(other.hi)).ok()
    }

    /// Reads a range as Bower wrote them, with the rules of node-semver: `^1.0.0`, `~1.2`, `1.x`, `>1.0.0 <=2.0.0`.
    ///
    /// # Errors
    /// When the text has several alternatives, no upper bound, or makes no sense to node-semver.
    pub fn parse_lenient(text: &str) -> Result<Self, LenientRangeError> {
        lenient::parse(text)
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shortened = || text.chars().take(80).collect::<String>();
        if text == "*" {
            return Err(RangeError::Wildcard);
        }
        let (Some(lo), Some(hi)) = text
            .split_once(' ')
            .map(|(lo, hi)| (lo.strip_prefix(">="), hi.strip_prefix('<')))
            .unwrap_or_default()
        else {
            return Err(RangeError::Form { text: shortened() });
        };
        let bound = |text: &str| {
            text.parse().map_err(|cause| RangeError::Bound {
                text: shortened(),
                cause,
            })
        };
        Self::new(bound(lo)?, bound(hi)?)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ">={} <{}", self.lo, self.hi)
    }
}

/// The text of an error with its causes, for places that have room for one text only.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

json_string!(Range, "a range such as \">=1.0.0 <2.0.0\"", |text: &str| text
    .parse::<Range>()
    .map_err(|error| with_causes(&error)));

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn range(text: &str) -> Range {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_has_a_lower_and_an_upper_bound_and_one_space() {
        let parsed = range(">=1.0.0 <2.0.0");
        assert_eq!((parsed.lo(), parsed.hi()), (version("1.0.0"), version("2.0.0")));
        assert_eq!(parsed.to_string(), ">=1.0.0 <2.0.0");
        assert_eq!(
            range(">=0.0.0 <2147483647.0.0").to_string(),
            ">=0.0.0 <2147483647.0.0"
        );

        for text in [
            "",
            "1.0.0",
            ">=1.0.0",
            "<2.0.0",
            ">=1.0.0<2.0.0",
            "^1.0.0",
            "<2.0.0 >=1.0.0",
            " >=1.0.0 <2.0.0",
        ] {
            assert!(
                matches!(text.parse::<Range>(), Err(RangeError::Form { .. })),
                "{text}"
            );
        }
        for text in [
            ">=1.0.0  <2.0.0",
            ">1.0.0 <2.0.0",
            ">=1.0.0 <=2.0.0",
            ">=1.0 <2.0.0",
            ">=1.0.0 <2.0.0 ",
        ] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_wildcard_is_refused_by_name() {
        assert_eq!("*".parse::<Range>(), Err(RangeError::Wildcard));
    }

    #[test]
    fn a_range_is_never_empty() {
        assert!(matches!(
            ">=1.0.0 <1.0.0".parse::<Range>(),
            Err(RangeError::Empty { .. })
        ));
        assert!(matches!(
            ">=2.0.0 <1.0.0".parse::<Range>(),
            Err(RangeError::Empty { .. })
        ));
        assert!(">=1.0.0 <1.0.1".parse::<Range>().is_ok());
    }

    #[test]
    fn the_lower_bound_is_inside_and_the_upper_bound_is_not() {
        let parsed = range(">=1.0.0 <2.0.0");
        assert!(parsed.contains(&version("1.0.0")));
        assert!(parsed.contains(&version("1.99.99")));
        assert!(!parsed.contains(&version("2.0.0")));
        assert!(!parsed.contains(&version("0.99.99")));
    }

    #[test]
    fn exact_and_caret_ranges_follow_the_bumps() {
        assert_eq!(Range::exact(version("1.2.3")), range(">=1.2.3 <1.2.4"));
        assert_eq!(Range::caret(version("1.2.3")), range(">=1.2.3 <2.0.0"));
        assert_eq!(Range::caret(version("0.2.3")), range(">=0.2.3 <0.3.0"));
        assert_eq!(Range::caret(version("0.0.3")), range(">=0.0.3 <0.0.4"));
    }

    #[test]
    fn union_spans_the_gap_and_intersection_may_be_nothing() {
        let (low, high) = (range(">=1.0.0 <2.0.0"), range(">=3.0.0 <4.0.0"));
        assert_eq!(low.union(&high), range(">=1.0.0 <4.0.0"));
        assert_eq!(low.intersect(&high), None);
        assert_eq!(low.intersect(&range(">=2.0.0 <3.0.0")), None);
        assert_eq!(
            low.intersect(&range(">=1.5.0 <3.0.0")),
            Some(range(">=1.5.0 <2.0.0"))
        );
    }

    #[test]
    fn a_bad_bound_is_explained_in_json_too() {
        let error = serde_json::from_str::<Range>("\">=1.0 <2.0.0\"")
            .unwrap_err()
            .to_string();
        assert!(error.contains("three numbers"), "{error}");
    }
}
