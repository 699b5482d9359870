//! Licence expressions.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::json::json_string;

mod expression;
mod identifier;

use expression::Expression;

/// An SPDX licence expression, such as `MIT OR Apache-2.0` (registry spec, section 2.1).
///
/// Stored data contains identifiers that SPDX has deprecated since (`AGPL-3.0`) and parentheses that are not
/// needed. They are understood, but the text is kept as it was read, because a manifest must be written back byte
/// for byte. Two licences are equal when they mean the same, whatever their text.
#[derive(Clone)]
pub struct License {
    text: Arc<str>,
    expression: Expression,
}

/// Why a text is not a licence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LicenseError {
    /// The expression cannot be read.
    #[error("`{text}` is not an SPDX licence expression: {problem}")]
    Syntax {
        /// The refused text.
        text: String,
        /// What was found or expected.
        problem: String,
    },
    /// An identifier is not in the SPDX list.
    #[error("`{id}` is not an SPDX licence identifier: choose one from https://spdx.org/licenses")]
    Unknown {
        /// The identifier.
        id: String,
    },
    /// An exception is not in the SPDX list.
    #[error(
        "`{id}` is not an SPDX licence exception: choose one from https://spdx.org/licenses/exceptions-index.html"
    )]
    UnknownException {
        /// The identifier.
        id: String,
    },
    /// A newly written identifier is deprecated, or written in another form than SPDX has it.
    #[error("the licence `{id}` is not in canonical form: write `{replacement}`")]
    NotCanonical {
        /// What was written.
        id: String,
        /// What to write instead.
        replacement: String,
    },
    /// A deprecated identifier can mean several things.
    #[error(
        "the licence `{id}` is deprecated, and SPDX names no single replacement: choose a current identifier"
    )]
    Ambiguous {
        /// What was written.
        id: String,
    },
    /// There is no "or any later version" of this licence.
    #[error("the licence `{id}` has no `or later` form: leave out the `+`")]
    NoOrLater {
        /// The identifier without `+`.
        id: String,
    },
}

impl License {
    /// Reads a licence that an author has just written: every identifier must be current and spelled as SPDX does.
    /// The text becomes the canonical one.
    ///
    /// # Errors
    /// When an identifier is unknown, deprecated or misspelled; the error names the replacement.
    pub fn parse_strict(text: &str) -> Result<Self, LicenseError> {
        let expression = Expression::parse(text, identifier::strict)?;
        Ok(Self {
            text: expression.to_string().into(),
            expression,
        })
    }

    /// Reads a licence from stored data: deprecated identifiers are understood and kept.
    ///
    /// # Errors
    /// When the text is not an expression of known identifiers.
    pub fn parse_lenient(text: &str) -> Result<Self, LicenseError> {
        let expression = Expression::parse(text, identifier::lenient)?;
        Ok(Self {
            text: text.into(),
            expression,
        })
    }

    /// Returns the text as it was read, which is also how it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the expression with current identifiers, where there is an unambiguous one, and without needless
    /// parentheses.
    pub fn canonical(&self) -> String {
        self.expression.to_string()
    }

    /// Returns the licence identifiers of the canonical expression in upper case, for comparisons.
    pub fn ids(&self) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        self.expression.for_each_id(&mut |id| {
            ids.insert(id.to_ascii_uppercase());
        });
        ids
    }

    /// Joins licences that all apply; `None` when there are none.
    pub fn all_of(licenses: impl IntoIterator<Item = License>) -> Option<Self> {
        let expression = Expression::all_of(licenses.into_iter().map(|license| license.expression))?;
        Some(Self {
            text: expression.to_string().into(),
            expression,
        })
    }
}

impl PartialEq for License {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}

impl Eq for License {}

impl fmt::Display for License {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for License {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

json_string!(License, "an SPDX licence expression", License::parse_lenient);

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        License::parse_lenient(text).unwrap().canonical()
    }

    fn strict_error(text: &str) -> LicenseError {
        License::parse_strict(text).unwrap_err()
    }

    #[test]
    fn current_identifiers_are_accepted_as_they_are() {
        for text in [
            "MIT",
            "Apache-2.0 AND ISC",
            "MIT OR ISC",
            "GPL-3.0-or-later",
            "MIT OR Apache-2.0 AND ISC",
            "(MIT OR Apache-2.0) AND ISC",
            "GPL-2.0-only WITH Classpath-exception-2.0",
        ] {
            assert_eq!(License::parse_strict(text).unwrap().as_str(), text);
            assert_eq!(canonical(text), text);
        }
    }

    #[test]
    fn parentheses_stay_only_where_they_are_needed() {
        for (text, expected) in [
            ("(MIT)", "MIT"),
            ("((MIT OR ISC))", "MIT OR ISC"),
            ("(MIT AND ISC) OR 0BSD", "MIT AND ISC OR 0BSD"),
            ("MIT AND (ISC AND 0BSD)", "MIT AND ISC AND 0BSD"),
            ("MIT AND (ISC OR 0BSD)", "MIT AND (ISC OR 0BSD)"),
            ("ISC AND (GPL-3.0-only OR MIT)", "ISC AND (GPL-3.0-only OR MIT)"),
        ] {
            assert_eq!(canonical(text), expected, "{text}");
            assert_eq!(License::parse_strict(text).unwrap().as_str(), expected, "{text}");
        }
    }

    #[test]
    fn deprecated_identifiers_are_rewritten_when_there_is_one_replacement() {
        for (text, expected) in [
            ("AGPL-3.0", "AGPL-3.0-only"),
            ("AGPL-1.0", "AGPL-1.0-only"),
            ("GPL-3.0+", "GPL-3.0-or-later"),
            ("LGPL-3.0+", "LGPL-3.0-or-later"),
            ("GPL-3.0-only+", "GPL-3.0-or-later"),
            ("GFDL-1.3+", "GFDL-1.3-or-later"),
            ("BSD-2-Clause-NetBSD", "BSD-2-Clause"),
            ("StandardML-NJ", "SMLNJ"),
            ("bzip2-1.0.5", "bzip2-1.0.6"),
            ("eCos-2.0", "GPL-2.0-or-later WITH eCos-exception-2.0"),
            (
                "GPL-2.0-with-GCC-exception",
                "GPL-2.0-only WITH GCC-exception-2.0",
            ),
            (
                "GPL-2.0-with-autoconf-exception",
                "GPL-2.0-only WITH Autoconf-exception-2.0",
            ),
            (
                "GPL-2.0-with-bison-exception",
                "GPL-2.0-only WITH Bison-exception-2.2",
            ),
            (
                "GPL-2.0-with-classpath-exception",
                "GPL-2.0-only WITH Classpath-exception-2.0",
            ),
            (
                "GPL-2.0-with-font-exception",
                "GPL-2.0-only WITH Font-exception-2.0",
            ),
            (
                "GPL-3.0-with-GCC-exception",
                "GPL-3.0-only WITH GCC-exception-3.1",
            ),
            (
                "GPL-3.0-with-autoconf-exception",
                "GPL-3.0-only WITH Autoconf-exception-3.0",
            ),
            ("wxWindows", "LGPL-2.0-or-later WITH WxWindows-exception-3.1"),
            (
                "GPL-2.0 WITH Classpath-exception-2.0",
                "GPL-2.0-only WITH Classpath-exception-2.0",
            ),
            ("MIT AND LGPL-3.0+", "MIT AND LGPL-3.0-or-later"),
        ] {
            assert_eq!(canonical(text), expected, "{text}");
            assert_eq!(
                License::parse_lenient(text).unwrap().as_str(),
                text,
                "the stored text is kept"
            );
            let error = strict_error(text);
            let LicenseError::NotCanonical { replacement, .. } = &error else {
                panic!("{text}: {error}")
            };
            assert!(expected.ends_with(replacement.as_str()), "{text}: {replacement}");
            assert!(License::parse_strict(expected).is_ok(), "{expected}");
        }
    }

    #[test]
    fn ambiguous_deprecated_identifiers_are_kept_in_stored_data_and_refused_in_new_data() {
        for text in [
            "BSD-2-Clause-FreeBSD",
            "GFDL-1.1",
            "GFDL-1.2",
            "GFDL-1.3",
            "Net-SNMP",
            "Nunit",
        ] {
            assert_eq!(canonical(text), text);
            assert!(
                matches!(strict_error(text), LicenseError::Ambiguous { .. }),
                "{text}"
            );
        }
    }

    #[test]
    fn a_plus_needs_a_later_version() {
        for text in ["MIT+", "Apache-2.0+", "GPL-3.0-or-later+", "MIT++"] {
            assert!(
                matches!(License::parse_lenient(text), Err(LicenseError::NoOrLater { .. })),
                "{text}"
            );
            assert!(
                matches!(strict_error(text), LicenseError::NoOrLater { .. }),
                "{text}"
            );
        }
    }

    #[test]
    fn a_misspelled_identifier_is_named_with_its_spelling() {
        assert_eq!(
            strict_error("mit").to_string(),
            "the licence `mit` is not in canonical form: write `MIT`"
        );
        assert_eq!(canonical("apache-2.0"), "Apache-2.0");
        assert!(matches!(
            strict_error("GPL-2.0-only WITH classpath-exception-2.0"),
            LicenseError::NotCanonical { .. }
        ));
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in [
            "Proprietary",
            "MIT OR Proprietary",
            "LicenseRef-mine",
            "UNLICENSED",
            "SEE LICENSE IN x",
        ] {
            assert!(
                matches!(License::parse_lenient(text), Err(LicenseError::Unknown { .. })),
                "{text}"
            );
        }
        for text in [
            "",
            " ",
            "MIT AND",
            "OR MIT",
            "MIT ISC",
            "(MIT",
            "MIT)",
            "()",
            "MIT +",
            "+",
            "MIT WITH",
            "MIT WITH ISC",
            "MIT/ISC",
            "MIT, ISC",
            "Classpath-exception-2.0",
            "(MIT OR ISC) WITH Classpath-exception-2.0",
        ] {
            assert!(
                matches!(License::parse_lenient(text), Err(LicenseError::Syntax { .. })),
                "{text}"
            );
        }
        assert!(matches!(
            License::parse_lenient("GPL-2.0-only WITH nothing"),
            Err(LicenseError::UnknownException { .. })
        ));
        assert!(License::parse_lenient("LGPL-2.1-only WITH Nokia-Qt-exception-1.1").is_ok());
        assert!(matches!(
            strict_error("LGPL-2.1-only WITH Nokia-Qt-exception-1.1"),
            LicenseError::Ambiguous { .. }
        ));
        let deep = format!("{}MIT{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(matches!(
            License::parse_lenient(&deep),
            Err(LicenseError::Syntax { .. })
        ));
    }

    #[test]
    fn identifiers_are_compared_in_upper_case_and_once() {
        let ids = License::parse_lenient("AGPL-3.0-or-later AND AGPL-3.0 OR mit AND MIT")
            .unwrap()
            .ids();
        assert_eq!(
            ids.into_iter().collect::<Vec<_>>(),
            ["AGPL-3.0-ONLY", "AGPL-3.0-OR-LATER", "MIT"]
        );
    }

    #[test]
    fn licences_are_equal_when_they_mean_the_same() {
        let lenient = |text| License::parse_lenient(text).unwrap();
        assert_eq!(lenient("(GPL-3.0 OR MIT)"), lenient("GPL-3.0-only OR MIT"));
        assert_ne!(lenient("MIT OR ISC"), lenient("MIT AND ISC"));
    }

    #[test]
    fn several_licences_are_joined_with_and() {
        let parse = |text| License::parse_strict(text).unwrap();
        let joined = License::all_of([parse("MIT OR ISC"), parse("0BSD AND MIT"), parse("ISC")]).unwrap();
        assert_eq!(joined.as_str(), "(MIT OR ISC) AND 0BSD AND MIT AND ISC");
        assert_eq!(License::all_of([]), None);
    }
}
