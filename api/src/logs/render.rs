//! Lines as text and as JSON.

use docket_jobs::{LogLine, Step, TailPage};
use serde::Serialize;
use utoipa::ToSchema;

use super::spans::{Span, cut_chars, spans};

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

/// A line as our own page asks for it: in pieces, so that it decides nothing about what is text.
#[derive(Debug, Serialize)]
pub(super) struct ShownLine {
    seq: i64,
    timestamp: String,
    level: &'static str,
    spans: Vec<Span>,
    /// How many characters of it are left out.
    #[serde(skip_serializing_if = "is_zero")]
    cut: usize,
}

impl ShownLine {
    fn new(line: &LogLine, limit: usize) -> Self {
        Self {
            seq: line.seq,
            timestamp: line.at.to_string(),
            level: line.level.as_str(),
            spans: spans(&line.message, limit),
            cut: cut_chars(&line.message, limit),
        }
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A line as JSON: as it was written, or as a page shows so many characters of it.
pub(super) fn line_value(line: &LogLine, shown_chars: Option<usize>) -> serde_json::Value {
    let value = match shown_chars {
        Some(limit) => serde_json::to_value(ShownLine::new(line, limit)),
        None => serde_json::to_value(LineObject::from(line)),
    };
    value.expect("numbers and strings are JSON")
}

/// A step of a job: the lines from its first one on, up to the next step.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Step)]
#[serde(rename_all = "camelCase")]
pub(super) struct StepObject {
    #[schema(example = "Compile")]
    name: String,
    /// Its first line.
    seq: i64,
    attempt: i64,
    #[schema(format = DateTime)]
    started_at: String,
    /// Absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    ended_at: Option<String>,
}

impl From<&Step> for StepObject {
    fn from(step: &Step) -> Self {
        Self {
            name: step.name.clone(),
            seq: step.first_seq,
            attempt: step.attempt,
            started_at: step.started_at.to_string(),
            ended_at: step.ended_at.map(|at| at.to_string()),
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
            _ if is_harmless(character) => out.push(character),
            _ => out.extend(character.escape_unicode()),
        }
    }
    out
}

/// True for text, and for what only moves to the next line or column.
pub(super) fn is_harmless(character: char) -> bool {
    matches!(character, '\n' | '\t') || !(character.is_control() || is_bidi_control(character))
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
