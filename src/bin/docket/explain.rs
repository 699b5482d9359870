//! `docket explain`: what a code means, and what to do.
//!
//! The text is `docs/problems.md`, as it was when this program was built: so it can be read without a server and without a network.

use serde_json::json;

use crate::args;
use crate::failure::Failure;
use crate::print::Printer;
use crate::table::Table;

const PAGE: &str = include_str!("../../../docs/problems.md");

/// A code and what stands below it.
struct Problem {
    /// The heading that it is under: who refuses, or at which step.
    part: &'static str,
    code: &'static str,
    text: &'static str,
}

/// Explains a code, or lists all of them.
///
/// # Errors
///
/// [`Failure::NoSuchCode`] when there is none like this.
pub(crate) fn run(args: &args::Explain, out: &Printer) -> Result<(), Failure> {
    let problems = problems();
    let Some(code) = &args.code else {
        return list(&problems, out);
    };
    // As it stands in a `type`, in a log, or between backticks.
    let code = code.rsplit('#').next().unwrap_or_default().trim_matches('`');
    let Some(problem) = problems.iter().find(|problem| problem.code == code) else {
        return Err(Failure::NoSuchCode {
            code: code.to_owned(),
            close: close_to(code, &problems),
        });
    };
    if out.json() {
        return Ok(out.object(&json!({ "code": problem.code, "part": problem.part, "text": problem.text }))?);
    }
    out.heading(problem.code)?;
    Ok(out.text(&plain(problem.text))?)
}

/// Returns whether there is something to read about a code. One that is newer than this program is only known to the server.
pub(crate) fn knows(code: &str) -> bool {
    problems().iter().any(|problem| problem.code == code)
}

fn list(problems: &[Problem], out: &Printer) -> Result<(), Failure> {
    if out.json() {
        return Ok(problems.iter().try_for_each(|problem| {
            out.object(&json!({ "code": problem.code, "part": problem.part, "text": problem.text }))
        })?);
    }
    let mut table = Table::new(["CODE", "MEANING"]);
    for problem in problems {
        let first = problem.text.split("\n\n").next().unwrap_or_default();
        table.row([problem.code.to_owned(), plain(first)]);
    }
    Ok(out.table(&table)?)
}

fn problems() -> Vec<Problem> {
    let mut problems = Vec::new();
    for part in PAGE.split("\n## ").skip(1) {
        let (title, rest) = part.split_once('\n').unwrap_or((part, ""));
        for entry in rest.split("### `").skip(1) {
            let (code, text) = entry.split_once("`\n").unwrap_or((entry, ""));
            problems.push(Problem {
                part: title,
                code,
                text: text.trim(),
            });
        }
    }
    problems
}

/// Takes the marks of emphasis out; backticks stay, as in all our messages.
fn plain(text: &str) -> String {
    text.replace("*What to do:*", "What to do:")
}

/// The codes that one comes to by changing a few letters, the closest first.
fn close_to(code: &str, problems: &[Problem]) -> Vec<&'static str> {
    let mut close: Vec<(usize, &'static str)> = problems
        .iter()
        .map(|problem| (distance(code, problem.code), problem.code))
        .filter(|(distance, _)| *distance <= code.len().div_ceil(4))
        .collect();
    close.sort_unstable();
    close.into_iter().map(|(_, code)| code).take(3).collect()
}

/// How many letters must be put in, taken out or changed to come from one text to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (done, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = done + 1;
        for (place, other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[place + 1];
            row[place + 1] = changed.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_page_is_explained_with_what_to_do() {
        let problems = problems();
        assert_eq!(problems.len(), PAGE.matches("\n### `").count());
        for problem in &problems {
            assert!(problem.text.contains("*What to do:*"), "{}", problem.code);
        }
    }

    #[test]
    fn a_code_that_is_misspelt_leads_to_the_right_one() {
        assert_eq!(close_to("licence_difers", &problems()), ["license-differs"]);
        assert_eq!(close_to("jobtimeout", &problems()), ["job-timeout"]);
        assert!(close_to("something-else", &problems()).is_empty());
    }
}
