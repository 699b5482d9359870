//! Errors in the compiler's format, for programs and for people.

use serde::Serialize;

/// What `--json-errors` prints.
#[derive(Default, Serialize)]
pub(super) struct Report {
    warnings: Vec<Problem>,
    pub(super) errors: Vec<Problem>,
}

/// One error; every field is there, `null` if need be, because spago refuses anything else.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Problem {
    suggestion: Option<()>,
    module_name: Option<String>,
    error_link: String,
    error_code: &'static str,
    message: String,
    filename: Option<String>,
    position: Option<Position>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Position {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
}

impl Problem {
    pub(super) fn new(error_code: &'static str, message: String) -> Self {
        Self {
            suggestion: None,
            module_name: None,
            error_link: format!(
                "https://github.com/purescript/documentation/blob/master/errors/{error_code}.md"
            ),
            error_code,
            // As the compiler prints it: indented, with an empty line at the end.
            message: message
                .lines()
                .map(|line| format!("  {line}\n"))
                .chain(["\n".to_owned()])
                .collect(),
            filename: None,
            position: None,
        }
    }

    pub(super) fn in_module(mut self, module: &str) -> Self {
        self.module_name = Some(module.to_owned());
        self
    }

    pub(super) fn at(mut self, path: &str, line: usize) -> Self {
        self.filename = Some(path.to_owned());
        self.position = Some(Position {
            start_line: line,
            start_column: 1,
            end_line: line,
            end_column: 1,
        });
        self
    }
}

impl Report {
    pub(super) fn add(&mut self, problem: Problem) {
        self.errors.push(problem);
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a report has only text and numbers")
    }

    pub(super) fn to_text(&self) -> String {
        let problems = self.errors.iter().enumerate().map(|(index, problem)| {
            let file = problem.filename.as_deref().unwrap_or("(no file)");
            let line = problem
                .position
                .as_ref()
                .map_or(1, |position| position.start_line);
            format!(
                "Error {} of {}:\n\n  at {file}:{line}\n\n{}",
                index + 1,
                self.errors.len(),
                problem.message
            )
        });
        problems.collect()
    }
}
