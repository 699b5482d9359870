//! Where output goes: results on standard output, everything about the way there on standard error.

use std::error::Error;
use std::io::{self, IsTerminal, Write};

use docket_client::{Level, LogLine};
use docket_core::time::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;
use crate::safe::harmless;

/// Columns that time and level take in front of a log line on a terminal, and so the indent of its further lines.
const TERMINAL_INDENT: usize = 20;
/// The same in a pipe.
const PIPE_INDENT: usize = 32;

/// Prints for people or for programs.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    /// Standard output is a terminal.
    terminal: bool,
    colour: bool,
    colour_errors: bool,
}

impl Printer {
    /// Looks at the terminal and at `NO_COLOR`.
    pub(crate) fn new(json: bool) -> Self {
        // An empty NO_COLOR counts as not set, see https://no-color.org.
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|value| value != "dumb");
        let terminal = io::stdout().is_terminal();
        Self {
            json,
            terminal,
            colour: wanted && terminal,
            colour_errors: wanted && io::stderr().is_terminal(),
        }
    }

    /// Returns whether programs read the output.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Returns whether a progress line can be shown: it would spoil anything but a terminal.
    pub(crate) fn progress(&self) -> bool {
        !self.json && self.terminal && io::stderr().is_terminal()
    }

    /// Prints one JSON object on a line of its own.
    pub(crate) fn object(&self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_string(value).expect("our own types have string keys");
        text.push('\n');
        self.write(&text)
    }

    /// Prints text for people, as it is.
    pub(crate) fn text(&self, text: &str) -> io::Result<()> {
        self.write(&format!("{text}\n"))
    }

    /// Prints a log line, in whichever form was asked for.
    pub(crate) fn line(&self, line: &LogLine) -> io::Result<()> {
        if self.json {
            self.object(line)
        } else {
            self.text(&self.plain_line(line.timestamp, line.level, &line.message))
        }
    }

    /// Says something about the way there, on standard error.
    pub(crate) fn note(&self, text: &str) {
        if !self.json {
            // Whoever closed standard error does not want to know.
            let _ = writeln!(io::stderr(), "{}", self.dim(text, self.colour_errors));
        }
    }

    /// Shows people what they are about to do, on standard error.
    pub(crate) fn show(&self, text: &str) {
        if !self.json {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Returns whether somebody is there who can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        !self.json && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks for a yes; everything else is a no.
    pub(crate) fn ask(&self, question: &str) -> io::Result<bool> {
        let mut stderr = io::stderr();
        write!(stderr, "{question} [y/N] ")?;
        stderr.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Says why the command failed: what, why, and what to do.
    pub(crate) fn failure(&self, failure: &Failure) {
        let mut causes = Vec::new();
        let mut cause = failure.source();
        while let Some(error) = cause {
            let text = harmless(&error.to_string());
            // Libraries like to repeat their cause in their own text.
            if causes.last().is_none_or(|last: &String| !last.contains(&text)) {
                causes.push(text);
            }
            cause = error.source();
        }
        let mut stderr = io::stderr();
        if self.json {
            let error = json!({ "error": failure.to_string(), "causes": causes, "advice": failure.advice() });
            let _ = writeln!(stderr, "{error}");
            return;
        }
        let mark = if self.colour_errors {
            "\u{1b}[1;31merror:\u{1b}[0m"
        } else {
            "error:"
        };
        let _ = writeln!(stderr, "{mark} {}", harmless(&failure.to_string()));
        for cause in causes {
            let _ = writeln!(stderr, "  because {}", cause.replace('\n', "\n  "));
        }
        if let Some(advice) = failure.advice() {
            let _ = writeln!(stderr, "{}", harmless(&advice));
        }
    }

    /// Returns a log line for people; its further lines are indented below the first.
    fn plain_line(&self, time: Timestamp, level: Level, message: &str) -> String {
        let time = time.to_string();
        let (time, indent) = if self.terminal {
            (time.get(11..23).unwrap_or(&time), TERMINAL_INDENT)
        } else {
            (time.as_str(), PIPE_INDENT)
        };
        let message = harmless(message.trim_end()).replace('\n', &format!("\n{:indent$}", ""));
        format!("{} {} {message}", self.dim(time, self.colour), self.level(level))
    }

    fn level(&self, level: Level) -> String {
        let code = match level {
            Level::Debug => "2",
            Level::Info => return format!("{level:<6}"),
            Level::Warn => "33",
            Level::Notice => "36",
            Level::Error => "1;31",
        };
        if self.colour {
            format!("\u{1b}[{code}m{level:<6}\u{1b}[0m")
        } else {
            format!("{level:<6}")
        }
    }

    fn dim(&self, text: &str, colour: bool) -> String {
        if colour {
            format!("\u{1b}[2m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printer(terminal: bool, colour: bool) -> Printer {
        Printer {
            json: false,
            terminal,
            colour,
            colour_errors: colour,
        }
    }

    fn time() -> Timestamp {
        "2026-08-18T07:02:13.004Z".parse().unwrap()
    }

    #[test]
    fn a_line_in_a_pipe_is_plain_and_whole() {
        let text = printer(false, false).plain_line(time(), Level::Warn, "first\nsecond\u{1b}[2J");
        let indent = " ".repeat(PIPE_INDENT);
        assert_eq!(
            text,
            format!("2026-08-18T07:02:13.004Z WARN   first\n{indent}second\\x1b[2J")
        );
        assert_eq!(
            text.find("first"),
            Some(PIPE_INDENT),
            "further lines stand below the first"
        );
    }

    #[test]
    fn a_line_on_a_terminal_shows_the_time_of_day() {
        let text = printer(true, false).plain_line(time(), Level::Notice, "published");
        assert_eq!(text, "07:02:13.004 NOTICE published");
    }

    #[test]
    fn without_colour_there_is_no_escape_character() {
        assert!(
            !printer(true, false)
                .plain_line(time(), Level::Error, "x")
                .contains('\u{1b}')
        );
        assert!(
            printer(true, true)
                .plain_line(time(), Level::Error, "x")
                .contains("\u{1b}[1;31m")
        );
    }
}
