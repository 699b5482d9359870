//! Notices that something in the registry infringes a copyright: each becomes a case, which trustees see and answer.
//!
//! Anybody can send one, so how long they are and how many there can be is limited here. Whoever knows the id of a case can read its answer, and only
//! who sent the notice was told it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use docket_core::{digest::Sha256, time::Timestamp};
use docket_db::{Db, Error};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::takedown_cases;

/// How many notices are taken in an hour, from everybody together: far more than come, and few enough to read.
pub const MAX_PER_HOUR: i64 = 30;

/// For how long the same notice is the same case, in milliseconds.
const SAME_CASE_MILLIS: i64 = 24 * HOUR_MILLIS;

const HOUR_MILLIS: i64 = 60 * 60 * 1000;

/// The longest answer, in characters.
pub const MAX_ANSWER_CHARS: usize = 10_000;

/// Names one case. Random, so that nobody guesses one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaseId(Uuid);

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for CaseId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::parse_str(text).map(Self)
    }
}

/// What somebody says is infringed, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Who sends it.
    pub name: String,
    /// Where they can be reached.
    pub email: String,
    /// For whom they act; empty when for themselves.
    pub organisation: String,
    /// The work that is infringed.
    pub work: String,
    /// What infringes it, and where that is.
    pub material: String,
    /// The name in place of a signature.
    pub signature: String,
}

/// A field of a notice: its name, whether it must be filled in, and how many characters it may have.
pub const FIELDS: [(&str, bool, usize); 6] = [
    ("name", true, 200),
    ("email", true, 254),
    ("organisation", false, 200),
    ("work", true, 5_000),
    ("material", true, 5_000),
    ("signature", true, 200),
];

impl Notice {
    /// Takes a notice from the fields of a form.
    ///
    /// # Errors
    /// Says what is wrong with which field.
    pub fn from_fields(given: &BTreeMap<String, String>) -> Result<Self, BTreeMap<&'static str, String>> {
        let mut wrong = BTreeMap::new();
        let mut texts = FIELDS.map(|(field, is_needed, max)| {
            // Browsers send line breaks as CR LF.
            let text = given
                .get(field)
                .map_or("", String::as_str)
                .trim()
                .replace("\r\n", "\n");
            let length = text.chars().count();
            let is_line = max < 1_000;
            if text.is_empty() && is_needed {
                wrong.insert(field, "Please fill this in.".to_owned());
            } else if length > max {
                wrong.insert(
                    field,
                    format!("This has {length} characters; at most {max} are taken."),
                );
            } else if text
                .chars()
                .any(|c| c.is_control() && (is_line || !matches!(c, '\n' | '\t')))
            {
                wrong.insert(field, "This has characters that are no text.".to_owned());
            } else if field == "email" && !is_address(&text) {
                wrong.insert(field, "This is not the address of a mailbox.".to_owned());
            }
            text
        });
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let [name, email, organisation, work, material, signature] = &mut texts;
        let take = std::mem::take::<String>;
        Ok(Self {
            name: take(name),
            email: take(email),
            organisation: take(organisation),
            work: take(work),
            material: take(material),
            signature: take(signature),
        })
    }

    fn digest(&self) -> Sha256 {
        Sha256::of(&serde_json::to_vec(self).expect("texts are JSON"))
    }
}

/// Only what is plainly no address is refused: whether there is a mailbox, nobody can see.
fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(who, host)| {
        !who.is_empty() && !host.is_empty() && !text.chars().any(char::is_whitespace)
    })
}

/// What trustees decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// What infringes was or will be removed.
    Removed,
    /// It stays.
    Rejected,
    /// Whoever sent the notice has to say more.
    NeedsMore,
}

impl Decision {
    /// The word used in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Rejected => "rejected",
            Self::NeedsMore => "needs-more",
        }
    }
}

/// A word that is no decision.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a decision: it is removed, rejected or needs-more")]
pub struct UnknownDecision(String);

impl FromStr for Decision {
    type Err = UnknownDecision;

    fn from_str(text: &str) -> Result<Self, UnknownDecision> {
        [Self::Removed, Self::Rejected, Self::NeedsMore]
            .into_iter()
            .find(|decision| decision.as_str() == text)
            .ok_or_else(|| UnknownDecision(text.to_owned()))
    }
}

/// What trustees answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What they decided.
    pub decision: Decision,
    /// Why, for whoever sent the notice.
    pub text: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
}

/// A notice and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its name.
    pub id: CaseId,
    /// When it was sent.
    pub created_at: Timestamp,
    /// What was sent.
    pub notice: Notice,
    /// What was answered; absent while it is open.
    pub answer: Option<Answer>,
}

/// What became of a notice that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is this case: a new one, or the one that the same notice made within the last day.
    Case(CaseId),
    /// Too many came lately; nothing was stored.
    TooMany,
}

/// Stores a notice as a case.
///
/// # Errors
/// When the database fails.
pub async fn send(db: &Db, notice: &Notice, now: Timestamp) -> Result<Sent, Error> {
    let digest = notice.digest().hex();
    let mut tx = db.write().await?;
    takedown_cases::serialise(&mut tx).await?;
    let same_since = now.plus_millis(-SAME_CASE_MILLIS);
    if let Some(id) = takedown_cases::find_by_digest(&mut tx, &digest, same_since).await? {
        return Ok(Sent::Case(id));
    }
    // What is exactly an hour old is counted no more.
    let since = now.plus_millis(-HOUR_MILLIS + 1);
    if takedown_cases::count_since(&mut tx, since).await? >= MAX_PER_HOUR {
        return Ok(Sent::TooMany);
    }
    let id = CaseId(Uuid::new_v4());
    takedown_cases::insert(&mut tx, id, &digest, notice, now).await?;
    tx.commit().await?;
    Ok(Sent::Case(id))
}

/// Returns one case.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &Db, id: CaseId) -> Result<Option<Case>, Error> {
    takedown_cases::find(&mut db.read().await?, id).await
}

/// Returns up to `limit` cases, newest first, behind the case `after`. `None` when there is no such case.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, after: Option<CaseId>, limit: i64) -> Result<Option<Vec<Case>>, Error> {
    let mut tx = db.read().await?;
    let before = match after {
        None => None,
        Some(id) => match takedown_cases::find(&mut tx, id).await? {
            None => return Ok(None),
            Some(case) => Some((case.created_at, id)),
        },
    };
    takedown_cases::list(&mut tx, before, limit).await.map(Some)
}

/// Answers a case; a second answer replaces the first. Returns it as it is then; `None` when there is no such case.
///
/// # Errors
/// When the database fails.
pub async fn answer(db: &Db, id: CaseId, answer: &Answer) -> Result<Option<Case>, Error> {
    let mut tx = db.write().await?;
    if !takedown_cases::put_answer(&mut tx, id, answer).await? {
        return Ok(None);
    }
    let case = takedown_cases::find(&mut tx, id).await?;
    tx.commit().await?;
    Ok(case)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> BTreeMap<String, String> {
        FIELDS
            .into_iter()
            .map(|(field, _, _)| (field.to_owned(), "who@where".to_owned()))
            .collect()
    }

    /// Each field takes as many characters as it says, and one more is refused.
    #[test]
    fn every_field_has_a_longest_text() {
        for (field, _, max) in FIELDS {
            for (length, fits) in [(max, true), (max + 1, false)] {
                let mut given = fields();
                given.insert(field.to_owned(), format!("a@{}", "ä".repeat(length - 2)));
                let notice = Notice::from_fields(&given);
                assert_eq!(notice.is_ok(), fits, "{field} {length}");
                if let Err(wrong) = notice {
                    assert_eq!(wrong.keys().collect::<Vec<_>>(), [&field]);
                }
            }
        }
    }

    #[test]
    fn what_is_needed_must_be_there() {
        for (field, is_needed, _) in FIELDS {
            let mut given = fields();
            given.insert(field.to_owned(), "  ".to_owned());
            assert_eq!(Notice::from_fields(&given).is_err(), is_needed, "{field}");
        }
        let wrong = Notice::from_fields(&BTreeMap::new()).unwrap_err();
        assert_eq!(wrong.len(), 5);
    }

    #[test]
    fn lines_break_only_where_there_is_room_for_them() {
        for (field, _, max) in FIELDS {
            let mut given = fields();
            given.insert(field.to_owned(), "a@b\r\nc@d".to_owned());
            assert_eq!(Notice::from_fields(&given).is_ok(), max > 1_000, "{field}");
            given.insert(field.to_owned(), "a@b\u{0}".to_owned());
            assert!(Notice::from_fields(&given).is_err(), "{field}");
        }
    }

    #[test]
    fn an_address_has_two_sides() {
        for (text, fits) in [
            ("a@b", true),
            ("@b", false),
            ("a@", false),
            ("ab", false),
            ("a b@c", false),
        ] {
            let mut given = fields();
            given.insert("email".to_owned(), text.to_owned());
            assert_eq!(Notice::from_fields(&given).is_ok(), fits, "{text}");
        }
    }
}
