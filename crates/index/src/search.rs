//! Looking packages up by words, page by page.

use std::{fmt, str::FromStr};

use docket_core::name::PackageName;
use docket_db::{Error, Tx};

use crate::store::summaries::{self, Summary, TERMS};

/// The longest text that can be searched for, in characters.
pub const MAX_CHARS: usize = 100;

/// Words that a package must have in its name or description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words([String; TERMS]);

/// A text that cannot be searched for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a search has at most {MAX_CHARS} characters and no control characters among them")]
pub struct NoWords;

impl FromStr for Words {
    type Err = NoWords;

    /// Takes a text apart at white space. What is behind the fourth word belongs to the fourth.
    fn from_str(text: &str) -> Result<Self, NoWords> {
        let spaced = |char: char| char.is_whitespace();
        if text.chars().count() > MAX_CHARS || text.chars().any(|char| char.is_control() && !spaced(char)) {
            return Err(NoWords);
        }
        let text = text
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase();
        let mut words = Self::default();
        for (place, word) in text.splitn(TERMS, ' ').enumerate() {
            word.clone_into(&mut words.0[place]);
        }
        Ok(words)
    }
}

/// Where a list of packages goes on. To clients it is a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    rank: i64,
    last: PackageName,
}

/// A text that is not a cursor.
#[derive(Debug, thiserror::Error)]
#[error("it is taken from the link to the next page, as it stands there")]
pub struct NoCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.rank, self.last)
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (rank, last) = text.split_once('-').ok_or(NoCursor)?;
        let rank = match rank {
            "0" => 0,
            "1" => 1,
            "2" => 2,
            "3" => 3,
            _ => return Err(NoCursor),
        };
        let last = last.parse().map_err(|_| NoCursor)?;
        Ok(Self { rank, last })
    }
}

/// Packages that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The best match first, equally good ones by name.
    pub packages: Vec<Summary>,
    /// Where the list goes on; absent at its end.
    pub next: Option<Cursor>,
}

/// Returns up to `limit` packages that have all `words`, after `cursor`; all packages when there are no words.
///
/// # Errors
/// When the database fails.
pub async fn search(
    tx: &mut Tx,
    words: &Words,
    cursor: Option<&Cursor>,
    limit: usize,
) -> Result<Found, Error> {
    let asked = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows = if *words == Words::default() {
        // All of them match, and equally well: no need to look at each.
        let after = cursor.map_or("", |cursor| cursor.last.as_str());
        let all = summaries::list(tx, after, asked).await?;
        all.into_iter().map(|summary| (0, summary)).collect()
    } else {
        let after = cursor.map(|cursor| (cursor.rank, cursor.last.as_str()));
        summaries::search(tx, &words.0, after, asked).await?
    };
    let is_more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().map(|(rank, summary)| Cursor {
        rank: *rank,
        last: summary.name.clone(),
    });
    Ok(Found {
        next: last.filter(|_| is_more),
        packages: rows.into_iter().map(|(_, summary)| summary).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart_at_white_space_and_are_in_lower_case() {
        let words = |text: &str| text.parse::<Words>().map(|words| words.0);
        assert_eq!(words(" Web  HTML ").unwrap(), ["web", "html", "", ""]);
        assert_eq!(words("a b c d e").unwrap(), ["a", "b", "c", "d e"]);
        assert_eq!(words("").unwrap(), ["", "", "", ""]);
    }

    #[test]
    fn a_search_has_a_hundred_characters_at_most() {
        assert!("ä".repeat(100).parse::<Words>().is_ok());
        assert!("ä".repeat(101).parse::<Words>().is_err());
        assert!("a\u{0}b".parse::<Words>().is_err());
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_in_no_other_way() {
        assert_eq!("2-web-html".parse::<Cursor>().unwrap().to_string(), "2-web-html");
        for text in ["", "2", "4-aff", "-1-aff", "02-aff", "+2-aff", "2-", "2-No"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
