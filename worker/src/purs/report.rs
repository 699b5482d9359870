//! The answer of a compiler with `--json-errors`.

use std::fmt::Write;

use serde::Deserialize;

/// Errors that are shown; the first few are what people read.
const SHOWN: usize = 50;

/// Characters of one message that are shown.
const SHOWN_CHARS: usize = 4_000;

/// Warnings and errors of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Report {
    /// What does not stop a package.
    pub warnings: Vec<CompilerMessage>,
    /// What does.
    pub errors: Vec<CompilerMessage>,
}

/// One warning or error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompilerMessage {
    /// Where in the file.
    pub position: Option<Position>,
    /// What is wrong, over several lines.
    pub message: String,
    /// The compiler's own code, such as `UnknownName`.
    pub error_code: String,
    /// The file.
    pub filename: Option<String>,
    /// The module.
    pub module_name: Option<String>,
}

/// A place in a file; lines and columns count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// First line.
    pub start_line: u32,
    /// First column.
    pub start_column: u32,
}

impl Report {
    /// Finds the report among the lines a compiler printed.
    pub(super) fn find(output: &[u8]) -> Option<Self> {
        output
            .split(|byte| *byte == b'\n')
            .filter(|line| line.starts_with(b"{"))
            .find_map(|line| serde_json::from_slice(line).ok())
            .or_else(|| serde_json::from_slice(output).ok())
    }

    /// Writes the errors for people: one place, code and message each.
    #[must_use]
    pub fn render_errors(&self) -> String {
        let mut text = String::new();
        for error in self.errors.iter().take(SHOWN) {
            let place = error
                .filename
                .as_deref()
                .or(error.module_name.as_deref())
                .unwrap_or("(no file)");
            let position = error
                .position
                .map(|at| format!(":{}:{}", at.start_line, at.start_column));
            let _ = writeln!(
                text,
                "{place}{} [{}]",
                position.unwrap_or_default(),
                error.error_code
            );
            let message: String = error.message.chars().take(SHOWN_CHARS).collect();
            for line in message.trim().lines() {
                let _ = writeln!(text, "  {line}");
            }
        }
        if self.errors.len() > SHOWN {
            let _ = writeln!(text, "and {} more errors", self.errors.len() - SHOWN);
        }
        text.truncate(text.trim_end().len());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURE: &str = r#"{"warnings":[],"errors":[{"suggestion":null,"moduleName":"Demo","errorLink":"https://x","errorCode":"UnknownName","message":"  Unknown value foo\n\n","filename":"demo-1.0.0/src/Demo.purs","position":{"startLine":3,"startColumn":9,"endLine":3,"endColumn":12}}]}"#;

    #[test]
    fn errors_are_rendered_for_people() {
        let report = Report::find(format!("Compiling Demo\n{FAILURE}\n").as_bytes()).unwrap();
        assert_eq!(
            report.render_errors(),
            "demo-1.0.0/src/Demo.purs:3:9 [UnknownName]\n  Unknown value foo"
        );
    }

    #[test]
    fn hundreds_of_errors_are_cut_short() {
        let mut report = Report::find(FAILURE.as_bytes()).unwrap();
        report.errors = vec![report.errors[0].clone(); 400];
        let text = report.render_errors();
        assert!(text.ends_with("and 350 more errors"), "{text}");
    }

    #[test]
    fn output_without_a_report_has_none() {
        for output in ["", "garbage", "{}", r#"{"errors":1}"#, "{\"warnings\":[]}"] {
            assert_eq!(Report::find(output.as_bytes()), None, "{output}");
        }
    }
}
