//! Lines of a job log, as the server shows them.

use std::fmt;
use std::str::FromStr;

use docket_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How much a line matters; asking for a level asks for it and everything above.
///
/// `NOTICE` stands above `WARN`: it marks the milestones that people should see (registry spec, 1.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// For whoever debugs the registry.
    Debug,
    /// The story of the job.
    #[default]
    Info,
    /// Something an author may want to change.
    Warn,
    /// A milestone.
    Notice,
    /// Why the job failed.
    Error,
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Level; 5] = [
        Level::Debug,
        Level::Info,
        Level::Warn,
        Level::Notice,
        Level::Error,
    ];

    /// Returns the level as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Notice => "NOTICE",
            Level::Error => "ERROR",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A level that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no log level \"{0}\"; use debug, info, warn, notice or error")]
pub struct LevelError(String);

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Level::ALL
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| LevelError(text.to_owned()))
    }
}

/// One line of a job log.
///
/// The message was written by other people's programs: make it harmless before a terminal sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Position in the log of this job, rising from line to line.
    pub seq: i64,
    /// When the line was written; strictly rising within a job.
    pub timestamp: Timestamp,
    /// How much the line matters.
    pub level: Level,
    /// The text; may hold several lines and Markdown fences.
    pub message: String,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether the job did what was asked.
    pub success: bool,
}

/// A page of a job log: `GET /api/v1/jobs/{id}/logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// The lines, oldest first.
    pub lines: Vec<LogLine>,
    /// What to pass as `after` to get the page behind this one.
    pub next: i64,
    /// Whether the job has ended and this page holds its last line.
    pub finished: bool,
    /// Present once `finished`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Whether there may be more lines behind `next` already, also when this page has none: a search ends a page after some work.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// Which lines of a job log to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogWish {
    /// The lowest level.
    pub level: Level,
    /// Text that the lines hold, in any case of letters.
    pub search: Option<String>,
}

/// Every line of this level or above.
impl From<Level> for LogWish {
    fn from(level: Level) -> Self {
        Self { level, search: None }
    }
}

impl LogWish {
    /// The parameters that ask for these lines behind `after`.
    pub(crate) fn query(&self, after: i64) -> Vec<(&'static str, String)> {
        let mut query = vec![("after", after.to_string()), ("level", self.level.to_string())];
        query.extend(self.search.clone().map(|text| ("search", text)));
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_ranks_above_a_warning() {
        assert!(Level::Notice > Level::Warn);
        assert!(Level::Error > Level::Notice);
    }

    #[test]
    fn levels_are_read_in_any_case_and_written_in_capitals() {
        assert_eq!("notice".parse(), Ok(Level::Notice));
        assert_eq!(serde_json::to_string(&Level::Warn).unwrap(), r#""WARN""#);
        assert!(
            "loud"
                .parse::<Level>()
                .unwrap_err()
                .to_string()
                .contains("debug, info")
        );
    }
}
