//! Lines as text and as JSON.

use docket_jobs::{LogLine, TailPage};
use serde::Serialize;
use utoipa::ToSchema;

/// A line as the newer routes show it.
#[derive(Debug, Serialize)]
pub(super) struct LineObject<'a> {
    seq: i64,
    timestamp: String,
    level: &'static str,
    message: &'a str,
    /// With the first line for a watcher that was too slow: how many lines, from this one on, wait for it. They come from storage, and a program
    /// that does not know this member loses nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    behind: Option<i64>,
}

/// How [`LineObject`] looks; a description of something with a lifetime cannot be made from it.
#[derive(ToSchema)]
#[schema(as = LogLine)]
#[expect(dead_code, reason = "a description")]
pub(super) struct LineShape {
    seq: i64,
    #[schema(format = DateTime)]
    timestamp: String,
    #[schema(example = "INFO")]
    level: String,
    message: String,
}

impl<'a> From<&'a LogLine> for LineObject<'a> {
    fn from(line: &'a LogLine) -> Self {
        Self {
            seq: line.seq,
            timestamp: line.at.to_string(),
            level: line.level.as_str(),
            message: &line.message,
            behind: None,
        }
    }
}

impl LineObject<'_> {
    /// The lines of a page, the first of which says how far the watcher was behind.
    pub(super) fn of_page(page: &TailPage) -> impl Iterator<Item = LineObject<'_>> {
        page.lines.iter().enumerate().map(|(place, line)| LineObject {
            behind: page.behind.filter(|_| place == 0),
            ..LineObject::from(line)
        })
    }
}

/// What the event stream says to a watcher that was too slow.
#[derive(Debug, Serialize)]
pub(super) struct BehindObject {
    pub(super) behind: i64,
}

/// What ends a stream of lines.
#[derive(Debug, Serialize)]
pub(super) struct EndObject {
    finished: bool,
    success: bool,
}

impl EndObject {
    pub(super) fn new(success: bool) -> Self {
        Self {
            finished: true,
            success,
        }
    }
}

/// How a log is written for programs or for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One JSON object per line.
    JsonLines,
    /// One line of text per line, or more where a message has more.
    Text,
}

impl Form {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::JsonLines => "application/x-ndjson",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// The line with the newline at its end.
    pub(super) fn line(self, line: &LogLine) -> String {
        match self {
            Self::JsonLines => to_json(&LineObject::from(line)) + "\n",
            Self::Text => format!(
                "{} {:6} {}\n",
                line.at,
                line.level.as_str(),
                harmless(&line.message)
            ),
        }
    }

    /// The lines of a page. Text says nothing of slowness: it might be taken for a line.
    pub(super) fn page(self, page: &TailPage) -> String {
        match self {
            Self::JsonLines => LineObject::of_page(page)
                .map(|line| to_json(&line) + "\n")
                .collect(),
            Self::Text => page.lines.iter().map(|line| self.line(line)).collect(),
        }
    }

    /// What a stream that follows a job ends with.
    pub(super) fn end(self, success: bool) -> String {
        match self {
            Self::JsonLines => to_json(&EndObject::new(success)) + "\n",
            Self::Text if success => "-- succeeded --\n".to_owned(),
            Self::Text => "-- failed --\n".to_owned(),
        }
    }
}

pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("numbers and strings are JSON")
}

/// Shows control characters as text, so that a log of others cannot drive the reader's terminal.
pub(super) fn harmless(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for character in message.chars() {
        match character {
            '\n' | '\t' => out.push(character),
            _ if character.is_control() || is_bidi_control(character) => {
                out.extend(character.escape_unicode())
            }
            _ => out.push(character),
        }
    }
    out
}

/// Marks that change the direction of text can make a line read as something it is not.
fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::harmless;

    /// Newlines stay; escapes and direction marks become visible text.
    #[test]
    fn text_of_others_cannot_drive_a_terminal() {
        assert_eq!(harmless("a\n\u{1b}[31mred\u{202e}"), "a\n\\u{1b}[31mred\\u{202e}");
    }
}
