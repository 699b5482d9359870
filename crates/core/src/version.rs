//! Versions.

use std::fmt;
use std::str::FromStr;

use crate::json::json_string;

/// The largest number in a version.
pub const MAX_NUMBER: u32 = i32::MAX as u32;

/// A released version, such as `4.0.0`; ordered by number, major first.
///
/// Three decimal numbers of 0 to 2147483647 without leading zeros, prerelease or build metadata (registry spec,
/// section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Raised for breaking changes.
    pub major: u32,
    /// Raised for additions.
    pub minor: u32,
    /// Raised for corrections.
    pub patch: u32,
}

/// Why a text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// There are not exactly three numbers.
    #[error("the version `{text}` must be three numbers joined by dots, such as `1.0.0`")]
    NotThreeNumbers {
        /// The refused text.
        text: String,
    },
    /// A part is empty or has a character that is not a digit, as in `v1.0.0` or `1.0.0-rc.1`.
    #[error(
        "the version `{text}` must consist of three plain numbers, but `{part}` is not a number (no `v`, no \
         prerelease, no build metadata)"
    )]
    NotANumber {
        /// The refused text.
        text: String,
        /// The bad part.
        part: String,
    },
    /// A part has a leading zero.
    #[error("the version `{text}` must not have leading zeros, as in `{part}`")]
    LeadingZero {
        /// The refused text.
        text: String,
        /// The bad part.
        part: String,
    },
    /// A part is above 2147483647.
    #[error("the version `{text}` contains `{part}`: the largest number allowed is {MAX_NUMBER}")]
    TooLarge {
        /// The refused text.
        text: String,
        /// The bad part.
        part: String,
    },
}

impl Version {
    /// Makes a version from its three numbers, each at most [`MAX_NUMBER`].
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads a version as old tags and Bower wrote them: spaces around it, one leading `v` and leading zeros are
    /// dropped before the strict rules apply.
    ///
    /// # Errors
    /// When the rest is not a version, for example because of a prerelease suffix.
    pub fn parse_lenient(text: &str) -> Result<Self, VersionError> {
        let trimmed = text.trim();
        let trimmed = trimmed.strip_prefix('v').unwrap_or(trimmed);
        let parts: Vec<&str> = trimmed
            .split('.')
            .map(|part| match part.trim_start_matches('0') {
                rest if rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
                _ if part.starts_with('0') && part.bytes().all(|b| b == b'0') => "0",
                _ => part,
            })
            .collect();
        parts.join(".").parse()
    }

    /// Returns the next major version: `(M+1).0.0`.
    pub fn bump_major(self) -> Self {
        Self::new(self.major.saturating_add(1), 0, 0)
    }

    /// Returns the next minor version: `M.(m+1).0`. After the largest minor number comes the next major version.
    pub fn bump_minor(self) -> Self {
        if self.minor >= MAX_NUMBER {
            self.bump_major()
        } else {
            Self::new(self.major, self.minor + 1, 0)
        }
    }

    /// Returns the next patch version: `M.m.(p+1)`. After the largest patch number comes the next minor version.
    pub fn bump_patch(self) -> Self {
        if self.patch >= MAX_NUMBER {
            self.bump_minor()
        } else {
            Self::new(self.major, self.minor, self.patch + 1)
        }
    }

    /// Returns the first version that may break what worked with this one: major from 1.0.0 on, else minor from
    /// 0.1.0 on, else patch.
    pub fn bump_highest(self) -> Self {
        match (self.major, self.minor) {
            (1.., _) => self.bump_major(),
            (0, 1..) => self.bump_minor(),
            (0, 0) => self.bump_patch(),
        }
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.');
        let (Some(major), Some(minor), Some(patch), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(VersionError::NotThreeNumbers {
                text: shortened(text),
            });
        };
        let number = |part: &str| number(text, part);
        Ok(Self {
            major: number(major)?,
            minor: number(minor)?,
            patch: number(patch)?,
        })
    }
}

fn number(text: &str, part: &str) -> Result<u32, VersionError> {
    let text = || shortened(text);
    let owned = || shortened(part);
    if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(VersionError::NotANumber {
            text: text(),
            part: owned(),
        });
    }
    if part.len() > 1 && part.starts_with('0') {
        return Err(VersionError::LeadingZero {
            text: text(),
            part: owned(),
        });
    }
    match part.parse() {
        Ok(number) if number <= MAX_NUMBER => Ok(number),
        _ => Err(VersionError::TooLarge {
            text: text(),
            part: owned(),
        }),
    }
}

/// Keeps error messages readable when somebody sends a megabyte instead of a version.
fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

json_string!(Version, "a version such as \"1.0.0\"");

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn error(text: &str) -> VersionError {
        text.parse::<Version>().unwrap_err()
    }

    #[test]
    fn a_version_is_three_numbers() {
        for text in ["0.0.0", "1.2.3", "10.20.30", "2147483647.2147483647.2147483647"] {
            assert_eq!(version(text).to_string(), text);
        }
        for text in ["", "1", "1.2", "1.2.3.4", "1.2.3."] {
            assert!(
                matches!(error(text), VersionError::NotThreeNumbers { .. }),
                "{text}"
            );
        }
        for text in [
            "v1.0.0",
            "1.0.0-rc1",
            "1.0.0+build",
            " 1.0.0",
            "1.0.0 ",
            "1..0",
            "1.-1.0",
            "1.+1.0",
            "1.x.0",
        ] {
            assert!(matches!(error(text), VersionError::NotANumber { .. }), "{text}");
        }
        for text in ["01.0.0", "1.00.0", "1.0.01"] {
            assert!(matches!(error(text), VersionError::LeadingZero { .. }), "{text}");
        }
        for text in ["2147483648.0.0", "0.0.2147483648", "0.99999999999999999999.0"] {
            assert!(matches!(error(text), VersionError::TooLarge { .. }), "{text}");
        }
    }

    #[test]
    fn versions_are_ordered_by_number() {
        let mut versions = ["10.0.0", "9.0.1", "1.10.0", "1.9.10", "1.9.9"].map(version);
        versions.sort();
        assert_eq!(
            versions.map(|v| v.to_string()),
            ["1.9.9", "1.9.10", "1.10.0", "9.0.1", "10.0.0"]
        );
    }

    #[test]
    fn lenient_versions_may_carry_spaces_a_v_and_leading_zeros() {
        for (text, expected) in [
            ("v1.0.0", "1.0.0"),
            (" 1.2.3 ", "1.2.3"),
            ("v01.002.0003", "1.2.3"),
            ("0.00.000", "0.0.0"),
            ("00.15.0", "0.15.0"),
        ] {
            assert_eq!(Version::parse_lenient(text).unwrap(), version(expected), "{text}");
        }
        for text in [
            "vv1.0.0",
            "1.0.0-rc.1",
            "1.0.0+1",
            "1.0",
            "1..0",
            "v 1.0.0",
            "0x1.0.0",
        ] {
            assert!(Version::parse_lenient(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bumps_reset_the_lower_numbers() {
        assert_eq!(version("1.2.3").bump_major(), version("2.0.0"));
        assert_eq!(version("1.2.3").bump_minor(), version("1.3.0"));
        assert_eq!(version("1.2.3").bump_patch(), version("1.2.4"));
        assert_eq!(version("1.2.3").bump_highest(), version("2.0.0"));
        assert_eq!(version("0.2.3").bump_highest(), version("0.3.0"));
        assert_eq!(version("0.0.3").bump_highest(), version("0.0.4"));
    }

    #[test]
    fn a_bump_past_the_largest_number_carries_over() {
        assert_eq!(version("1.2.2147483647").bump_patch(), version("1.3.0"));
        assert_eq!(version("1.2147483647.0").bump_minor(), version("2.0.0"));
    }
}
