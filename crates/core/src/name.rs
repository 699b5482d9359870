//! Package names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::json::json_string;

/// The longest name, in characters.
pub const MAX_LENGTH: usize = 150;

const FORBIDDEN_PREFIX: &str = "purescript-";

/// The one package that kept the forbidden prefix.
const PREFIX_EXCEPTION: &str = "purescript-compiler-backend-utilities";

/// The name of a package, such as `prelude`.
///
/// Groups of lower-case ASCII letters and digits, joined by single hyphens; 1 to 150 characters; not starting with
/// `purescript-`, with one historical exception (registry spec, section 2.1). A clone shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(Arc<str>);

/// Why a text is not a package name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageNameError {
    /// There is no character at all.
    #[error("a package name must not be empty")]
    Empty,
    /// The first character is not a lower-case letter or digit.
    #[error("the package name `{name}` must start with a lower-case letter or a digit, not with `{found}`")]
    FirstCharacter {
        /// The refused name.
        name: String,
        /// Its first character.
        found: char,
    },
    /// Some character is not a lower-case letter, digit or hyphen.
    #[error(
        "the package name `{name}` contains `{found}`: only lower-case letters, digits and hyphens are allowed"
    )]
    Character {
        /// The refused name.
        name: String,
        /// The first bad character.
        found: char,
    },
    /// The last character is a hyphen.
    #[error("the package name `{name}` must end with a lower-case letter or a digit, not with `-`")]
    LastCharacter {
        /// The refused name.
        name: String,
    },
    /// Two hyphens follow each other.
    #[error("the package name `{name}` has two hyphens in a row: use one")]
    TwoHyphens {
        /// The refused name.
        name: String,
    },
    /// The name starts with `purescript-`.
    #[error("the package name `{name}` must not start with `purescript-`: use `{without}`")]
    ForbiddenPrefix {
        /// The refused name.
        name: String,
        /// The name without the prefix.
        without: String,
    },
    /// The name has more than 150 characters.
    #[error("the package name has {length} characters: at most {MAX_LENGTH} are allowed")]
    TooLong {
        /// How many characters it has.
        length: usize,
    },
}

impl PackageName {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a name from before the registry (Bower), where packages were called `purescript-NAME`.
    ///
    /// # Errors
    /// When the rest is not a package name.
    pub fn parse_legacy(text: &str) -> Result<Self, PackageNameError> {
        match text {
            PREFIX_EXCEPTION => text.parse(),
            _ => text.strip_prefix(FORBIDDEN_PREFIX).unwrap_or(text).parse(),
        }
    }

    /// Returns `purs`, the pseudo package that stands for the compiler in the solver.
    pub fn purs() -> Self {
        Self(Arc::from("purs"))
    }
}

impl FromStr for PackageName {
    type Err = PackageNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = || text.chars().take(MAX_LENGTH).collect::<String>();
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();

        let Some(first) = text.chars().next() else {
            return Err(PackageNameError::Empty);
        };
        if !u8::try_from(first).is_ok_and(allowed) {
            return Err(PackageNameError::FirstCharacter {
                name: name(),
                found: first,
            });
        }
        if let Some(found) = text
            .chars()
            .find(|&c| c != '-' && !u8::try_from(c).is_ok_and(allowed))
        {
            return Err(PackageNameError::Character { name: name(), found });
        }
        if text.ends_with('-') {
            return Err(PackageNameError::LastCharacter { name: name() });
        }
        if text.contains("--") {
            return Err(PackageNameError::TwoHyphens { name: name() });
        }
        if let Some(without) = text.strip_prefix(FORBIDDEN_PREFIX)
            && text != PREFIX_EXCEPTION
        {
            return Err(PackageNameError::ForbiddenPrefix {
                name: name(),
                without: without.to_owned(),
            });
        }
        if text.len() > MAX_LENGTH {
            return Err(PackageNameError::TooLong { length: text.len() });
        }
        Ok(Self(Arc::from(text)))
    }
}

impl AsRef<str> for PackageName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Lets maps keyed by name be searched with plain text.
impl std::borrow::Borrow<str> for PackageName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

json_string!(PackageName, "a package name");

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> PackageNameError {
        text.parse::<PackageName>().unwrap_err()
    }

    #[test]
    fn names_are_groups_of_lower_case_letters_and_digits_joined_by_single_hyphens() {
        for text in [
            "a",
            "7",
            "prelude",
            "a-b-c",
            "0-1",
            "node-fs-aff",
            "purescript",
            "metadata",
            "purs",
        ] {
            assert_eq!(text.parse::<PackageName>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn each_broken_rule_has_its_own_error() {
        assert_eq!(error(""), PackageNameError::Empty);
        assert!(matches!(
            error("-a"),
            PackageNameError::FirstCharacter { found: '-', .. }
        ));
        assert!(matches!(
            error("A"),
            PackageNameError::FirstCharacter { found: 'A', .. }
        ));
        assert!(matches!(
            error("é"),
            PackageNameError::FirstCharacter { found: 'é', .. }
        ));
        assert!(matches!(
            error("aB"),
            PackageNameError::Character { found: 'B', .. }
        ));
        assert!(matches!(
            error("a_b"),
            PackageNameError::Character { found: '_', .. }
        ));
        assert!(matches!(
            error("a.b"),
            PackageNameError::Character { found: '.', .. }
        ));
        assert!(matches!(error("a\u{301}"), PackageNameError::Character { .. }));
        assert!(matches!(error("a-"), PackageNameError::LastCharacter { .. }));
        assert!(matches!(error("a--b"), PackageNameError::TwoHyphens { .. }));
    }

    #[test]
    fn the_purescript_prefix_is_refused_with_one_exception() {
        assert_eq!(
            error("purescript-effect").to_string(),
            "the package name `purescript-effect` must not start with `purescript-`: use `effect`"
        );
        assert!(
            "purescript-compiler-backend-utilities"
                .parse::<PackageName>()
                .is_ok()
        );
        assert!(matches!(
            error("purescript-compiler-backend-utilities-2"),
            PackageNameError::ForbiddenPrefix { .. }
        ));
    }

    #[test]
    fn a_name_has_at_most_150_characters() {
        assert!("a".repeat(150).parse::<PackageName>().is_ok());
        assert_eq!(error(&"a".repeat(151)), PackageNameError::TooLong { length: 151 });
    }

    #[test]
    fn legacy_names_lose_their_prefix_first() {
        assert_eq!(
            PackageName::parse_legacy("purescript-effect").unwrap().as_str(),
            "effect"
        );
        assert_eq!(PackageName::parse_legacy("effect").unwrap().as_str(), "effect");
        assert_eq!(
            PackageName::parse_legacy(PREFIX_EXCEPTION).unwrap().as_str(),
            PREFIX_EXCEPTION
        );
        assert!(PackageName::parse_legacy("purescript-").is_err());
    }
}
