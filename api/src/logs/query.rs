//! What a watcher asks for, in the words of the address.

use std::str::FromStr;

use axum::http::StatusCode;
use docket_http::Problem;
use docket_jobs::{Level, LineFilter, Search};
use serde::Deserialize;
use utoipa::IntoParams;

use super::spans::SHOWN_CHARS;

/// The parameters of all routes to a log.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogQuery {
    /// The `seq` of the last line that one has.
    #[serde(default)]
    #[param(default = 0)]
    pub(super) after: i64,
    /// `DEBUG`, `INFO`, `NOTICE`, `WARN` or `ERROR`: lines of this level and above.
    #[param(nullable = false)]
    level: Option<String>,
    /// Only lines that hold this text, whatever its case.
    #[param(nullable = false)]
    search: Option<String>,
    /// How many lines at most.
    #[param(nullable = false)]
    pub(super) limit: Option<usize>,
    /// Lines in pieces, as our own page shows them; not described, because lines look otherwise then.
    #[serde(default)]
    #[param(ignore)]
    pub(super) spans: bool,
}

impl LogQuery {
    /// How many characters of each line are shown; absent where lines are wanted as they were written. Who asks for one line wants all of it.
    pub(super) fn shown_chars(&self) -> Option<usize> {
        self.spans.then_some(match self.limit {
            Some(1) => usize::MAX,
            _ => SHOWN_CHARS,
        })
    }

    /// The lowest level; INFO unless told otherwise.
    pub(super) fn level(&self) -> Result<Level, Problem> {
        Ok(self.given_level()?.unwrap_or(Level::Info))
    }

    /// The lowest level, if one is given. A form that was left empty gives none.
    pub(super) fn given_level(&self) -> Result<Option<Level>, Problem> {
        let given = self.level.as_deref().filter(|text| !text.is_empty());
        let parsed = given.map(|text| Level::from_str(&text.to_uppercase()));
        parsed.transpose().map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid-level", "Invalid log level").detail(error)
        })
    }

    /// The text that lines hold.
    pub(super) fn search(&self) -> Result<Option<Search>, Problem> {
        let given = Some(self.search_text()).filter(|text| !text.is_empty());
        let parsed = given.map(str::parse);
        parsed.transpose().map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid-search", "Invalid search").detail(error)
        })
    }

    /// The same as it was written.
    pub(super) fn search_text(&self) -> &str {
        self.search.as_deref().unwrap_or_default()
    }

    /// The lines that are asked for, of `level` or above.
    pub(super) fn filter(&self, level: Level, limit: usize) -> Result<LineFilter, Problem> {
        Ok(LineFilter {
            search: self.search()?,
            ..LineFilter::after(self.after, level, limit)
        })
    }
}
