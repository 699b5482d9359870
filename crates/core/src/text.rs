//! Texts with a length limit, counted in Unicode code points.

use std::fmt;
use std::str::FromStr;

use crate::json::json_string;

/// The longest description of a new manifest. Released clients cannot read longer ones.
pub const DESCRIPTION_MAX: usize = 300;

/// The longest description that may occur in data stored before [`DESCRIPTION_MAX`] was enforced.
pub const STORED_DESCRIPTION_MAX: usize = 500;

/// The longest reason for unpublishing.
pub const REASON_MAX: usize = 300;

/// What a package is for, in at most 300 characters.
///
/// Reading JSON follows [`Description::stored`], because what is stored was accepted once; manifests of authors go
/// through `FromStr`. spago 1.0.4 cannot read any version of a package of which one has a longer description
/// (registry spec, section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Description(String);

/// Why a version was unpublished, in at most 300 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reason(String);

/// A text is too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {what} has {length} characters: shorten it to at most {limit}")]
pub struct TooLong {
    /// Which text.
    pub what: &'static str,
    /// How many code points it has.
    pub length: usize,
    /// How many are allowed.
    pub limit: usize,
}

fn limited(what: &'static str, text: &str, limit: usize) -> Result<String, TooLong> {
    // A code point has at least one byte, so most texts need no counting.
    if text.len() > limit {
        let length = text.chars().count();
        if length > limit {
            return Err(TooLong { what, length, limit });
        }
    }
    Ok(text.to_owned())
}

impl Description {
    /// Reads a description from stored data, which may have up to 500 characters.
    ///
    /// # Errors
    /// [`TooLong`] above 500.
    pub fn stored(text: &str) -> Result<Self, TooLong> {
        limited("description", text, STORED_DESCRIPTION_MAX).map(Self)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Description {
    type Err = TooLong;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        limited("description", text, DESCRIPTION_MAX).map(Self)
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

json_string!(Description, "a text", Description::stored);

impl Reason {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = TooLong;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        limited("reason", text, REASON_MAX).map(Self)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

json_string!(Reason, "a text");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_description_has_at_most_300_code_points() {
        assert!("ä".repeat(300).parse::<Description>().is_ok());
        assert_eq!(
            "ä".repeat(301).parse::<Description>().unwrap_err().to_string(),
            "the description has 301 characters: shorten it to at most 300"
        );
        assert!("😀".repeat(300).parse::<Description>().is_ok());
    }

    #[test]
    fn a_stored_description_has_at_most_500_code_points() {
        assert!(Description::stored(&"ä".repeat(500)).is_ok());
        assert!(Description::stored(&"ä".repeat(501)).is_err());
        assert!(serde_json::from_str::<Description>(&format!("{:?}", "a".repeat(500))).is_ok());
        assert!(serde_json::from_str::<Description>(&format!("{:?}", "a".repeat(501))).is_err());
    }

    #[test]
    fn a_reason_has_at_most_300_code_points() {
        assert!("x".repeat(300).parse::<Reason>().is_ok());
        assert!("x".repeat(301).parse::<Reason>().is_err());
        assert!(serde_json::from_str::<Reason>(&format!("{:?}", "a".repeat(301))).is_err());
    }
}
