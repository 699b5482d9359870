//! Looking for text in a log.

use std::str::FromStr;

/// How many characters a search may have.
const MAX_CHARS: usize = 200;

/// Text that a line holds, in whatever case its letters are. It is taken as it stands: no character has a meaning of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// In the one form that all its cases have.
    needle: String,
}

/// A text that cannot be searched for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a search is a text of 1 to {MAX_CHARS} characters")]
pub struct SearchError;

impl FromStr for Search {
    type Err = SearchError;

    fn from_str(text: &str) -> Result<Self, SearchError> {
        if text.is_empty() || text.chars().count() > MAX_CHARS {
            return Err(SearchError);
        }
        let needle = fold(text);
        Ok(Self { needle })
    }
}

impl Search {
    /// True when `message` holds the text.
    pub fn finds(&self, message: &str) -> bool {
        // Nearly all lines are ASCII, and need not be copied.
        if !message.is_ascii() {
            return fold(message).contains(&self.needle);
        }
        let (message, needle) = (message.as_bytes(), self.needle.as_bytes());
        message
            .windows(needle.len())
            .any(|part| part[0].to_ascii_lowercase() == needle[0] && part.eq_ignore_ascii_case(needle))
    }
}

/// One form for all cases of a letter, whatever its neighbours are: a part of a word is found in the word. By way of the upper case, because some
/// letters have two lower ones, like the two small sigmas, and some have none of their own, like ß.
fn fold(text: &str) -> String {
    let upper = text.chars().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_finds_text_in_any_case_of_letters() {
        let found = |search: &str, message: &str| search.parse::<Search>().unwrap().finds(message);
        assert!(found("module", "Compiling Module Main"));
        assert!(found("ÄRGER", "großer Ärger"));
        assert!(found("οδος", "ΟΔΟΣ"), "a sigma is a sigma wherever it stands");
        assert!(found("STRASSE", "Straße"));
        assert!(!found("modules", "Compiling module Main"));
        assert!(!found("a long text", "short"));
        assert!(!found("x", ""));
    }

    #[test]
    fn a_search_is_plain_text() {
        let found = |search: &str, message: &str| search.parse::<Search>().unwrap().finds(message);
        assert!(found("a.*[b", "see A.*[B here"));
        assert!(!found("a.*b", "a and b"));
        assert!(!found("%", "everything"));
    }

    #[test]
    fn a_search_has_some_characters_and_not_too_many() {
        for (count, fits) in [(0, false), (1, true), (MAX_CHARS, true), (MAX_CHARS + 1, false)] {
            assert_eq!("ä".repeat(count).parse::<Search>().is_ok(), fits, "{count}");
        }
    }
}
