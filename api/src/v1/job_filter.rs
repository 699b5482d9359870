//! Which jobs to list, beyond registry.md §1.7: `kind`, `state`, `package`, `parent`, `who`, `code`, and `cursor`.
//!
//! Released clients send none of these, so a value that does not parse is refused: a list of other jobs than were meant helps nobody.

use std::{fmt, str::FromStr};

use docket_core::name::PackageName;
use docket_http::Problem;
use docket_jobs::{JobFilter, JobId, JobState, Order};

use super::query::{CURSOR, Parameters};
use crate::{control::is_code, extract::invalid_query, job_kinds::Kinds};

/// Asks for jobs of every kind, those that released clients do not know among them.
const ALL: &str = "all";

/// The longest name of somebody, in bytes.
const MAX_WHO_BYTES: usize = 300;

/// Adds what the newer parameters ask for.
pub(super) fn extend(
    filter: JobFilter,
    parameters: &Parameters<'_>,
    kinds: &Kinds,
) -> Result<JobFilter, Problem> {
    let kinds = read(parameters, "kind", |text| match text {
        ALL => Ok(Vec::new()),
        kind => Ok(vec![
            kinds
                .find(kind)
                .map_err(|reason| format!("{reason}, and {ALL}"))?,
        ]),
    })?;
    let error_code = read(parameters, "code", |text| {
        let code = is_code(text).then(|| text.to_owned());
        code.ok_or_else(|| "it is the code of a failure, such as compile-failed".to_owned())
    })?;
    Ok(JobFilter {
        // Only jobs that have ended have a code.
        include_finished: filter.include_finished || error_code.is_some(),
        kinds: kinds.unwrap_or(filter.kinds),
        state: read(parameters, "state", |text| {
            text.parse::<JobState>()
                .map_err(|_| "it is queued, running, succeeded, failed or cancelled".to_owned())
        })?,
        package: read(parameters, "package", |text| {
            text.parse::<PackageName>()
                .map_err(|error| format!("it is the name of a package, and {error}"))
        })?,
        parent: read(parameters, "parent", |text| {
            text.parse::<JobId>()
                .map_err(|_| "it is the id of a job".to_owned())
        })?,
        who: read(parameters, "who", who)?,
        error_code,
        after: read(parameters, CURSOR, |text| after(text, filter.order))?,
        ..filter
    })
}

fn read<T>(
    parameters: &Parameters<'_>,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, Problem> {
    let text = parameters
        .form(name)
        .map_err(|_| invalid(name, "it is not UTF-8"))?;
    text.map(|text| parse(&text).map_err(|reason| invalid(name, &reason)))
        .transpose()
}

fn invalid(name: &str, reason: &str) -> Problem {
    invalid_query(format!("The parameter `{name}` does not fit: {reason}."))
}

fn who(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_WHO_BYTES || text.chars().any(char::is_control) {
        return Err(format!(
            "it is the name of whoever asked, as jobs show it, of at most {MAX_WHO_BYTES} bytes and without control characters"
        ));
    }
    Ok(text.to_owned())
}

fn after(text: &str, order: Order) -> Result<JobId, String> {
    let cursor: Cursor = text
        .parse()
        .map_err(|_| "it is taken from the Link header of the page before, as it stands there".to_owned())?;
    if cursor.order != order {
        return Err("it is that of a list in the other order; keep `order` as it was".to_owned());
    }
    Ok(cursor.last)
}

/// Where a list goes on. To clients it is a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// A job alone says nothing of the direction.
    pub(super) order: Order,
    /// The last job of the page before.
    pub(super) last: JobId,
}

#[derive(Debug)]
pub(super) struct NotACursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match self.order {
            Order::Ascending => 'a',
            Order::Descending => 'd',
        };
        write!(f, "{order}{}", self.last)
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (order, rest) = match text.split_at_checked(1) {
            Some(("a", rest)) => (Order::Ascending, rest),
            Some(("d", rest)) => (Order::Descending, rest),
            _ => return Err(NotACursor),
        };
        let last = rest.parse().map_err(|_| NotACursor)?;
        let cursor = Self { order, last };
        // Ids can be written in several ways; we write them in one.
        (cursor.to_string() == text).then_some(cursor).ok_or(NotACursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_in_no_other_way() {
        let text = "d0198a5c6-7c1e-7d3a-9a55-2f4d0a9b1c2d";
        assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        for text in [
            "",
            "d",
            "é",
            "0198a5c6-7c1e-7d3a-9a55-2f4d0a9b1c2d",
            "x0198a5c6-7c1e-7d3a-9a55-2f4d0a9b1c2d",
            "d0198A5C6-7C1E-7D3A-9A55-2F4D0A9B1C2D",
            "d0198a5c67c1e7d3a9a552f4d0a9b1c2d",
            "d0198a5c6-7c1e-7d3a-9a55-2f4d0a9b1c2d ",
        ] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
