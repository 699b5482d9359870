//! Where output goes: results on standard output, everything about the way there on standard error.

use std::error::Error;
use std::io::{self, IsTerminal, Write};

use console::Term;
use docket_client::{Level, LogLine};
use docket_core::time::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::args::Colour;
use crate::failure::Failure;
use crate::safe::{harmless, harmless_json};
use crate::table::Table;

/// Columns that time and level take in front of a log line on a terminal, and so the indent of its further lines.
const TERMINAL_INDENT: usize = 20;
/// The same in a pipe.
const PIPE_INDENT: usize = 32;

/// Prints for people or for programs. Whatever is printed may be the text of others, and is made harmless here.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    /// Standard output is a terminal.
    terminal: bool,
    colour: bool,
    colour_errors: bool,
    /// Columns of the terminal.
    width: Option<usize>,
}

impl Printer {
    /// Looks at the terminal and at `NO_COLOR`.
    pub(crate) fn new(json: bool, colour: Colour) -> Self {
        // An empty NO_COLOR counts as not set, see https://no-color.org.
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|value| value != "dumb");
        let decide = |is_terminal: bool| match colour {
            Colour::Auto => wanted && is_terminal,
            Colour::Always => true,
            Colour::Never => false,
        };
        let terminal = io::stdout().is_terminal();
        Self {
            json,
            terminal,
            colour: decide(terminal),
            colour_errors: decide(io::stderr().is_terminal()),
            width: Term::stdout()
                .size_checked()
                .map(|(_, columns)| usize::from(columns))
                .filter(|columns| terminal && *columns > 0),
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
        let text = serde_json::to_string(value).expect("our own types have string keys");
        self.write(&format!("{}\n", harmless_json(&text)))
    }

    /// Prints text for people.
    pub(crate) fn text(&self, text: &str) -> io::Result<()> {
        self.write(&format!("{}\n", harmless(text)))
    }

    /// Prints a line that stands above others.
    pub(crate) fn heading(&self, text: &str) -> io::Result<()> {
        self.write(&format!("{}\n", self.bold(&harmless(text))))
    }

    /// Prints titles and what stands behind them; a value of several lines stays in its column.
    pub(crate) fn rows(&self, rows: &[(&str, String)]) -> io::Result<()> {
        let width = rows
            .iter()
            .map(|(title, _)| title.len())
            .max()
            .unwrap_or_default();
        rows.iter().try_for_each(|(title, value)| {
            let value = harmless(value).replace('\n', &format!("\n{:width$}  ", ""));
            self.write(&format!(
                "{}  {value}\n",
                self.dim(&format!("{title:width$}"), self.colour)
            ))
        })
    }

    /// Prints a table: on a terminal, its last column is cut where the screen ends.
    pub(crate) fn table(&self, table: &Table) -> io::Result<()> {
        let mut lines = table.lines(self.width).into_iter();
        if let Some(head) = lines.next() {
            self.write(&format!("{}\n", self.bold(&head)))?;
        }
        lines.try_for_each(|line| self.write(&format!("{line}\n")))
    }

    /// Prints a file that programs read: a completion script, a manual page.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// Prints a log line, in whichever form was asked for.
    pub(crate) fn line(&self, line: &LogLine) -> io::Result<()> {
        if self.json {
            self.object(line)
        } else {
            self.write(&format!(
                "{}\n",
                self.plain_line(line.timestamp, line.level, &line.message)
            ))
        }
    }

    /// Says something about the way there, on standard error.
    pub(crate) fn note(&self, text: &str) {
        if !self.json {
            // Whoever closed standard error does not want to know.
            let _ = writeln!(io::stderr(), "{}", self.dim(&harmless(text), self.colour_errors));
        }
    }

    /// Shows people what they are about to do, on standard error.
    pub(crate) fn show(&self, text: &str) {
        if !self.json {
            let _ = writeln!(io::stderr(), "{}", harmless(text));
        }
    }

    /// Returns whether somebody is there who can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        !self.json && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks for a yes; everything else is a no.
    pub(crate) fn ask(&self, question: &str) -> io::Result<bool> {
        let mut stderr = io::stderr();
        write!(stderr, "{} [y/N] ", harmless(question))?;
        stderr.flush()?;
        Ok(matches!(self.answer()?.to_lowercase().as_str(), "y" | "yes"))
    }

    /// Asks for a line of text; an empty one means what is offered.
    pub(crate) fn ask_for(&self, question: &str, offered: &str) -> io::Result<String> {
        let mut stderr = io::stderr();
        let offer = match offered {
            "" => String::new(),
            offered => format!(" [{}]", harmless(offered)),
        };
        write!(stderr, "{}{offer}: ", harmless(question))?;
        stderr.flush()?;
        let answer = self.answer()?;
        Ok(if answer.is_empty() {
            offered.to_owned()
        } else {
            answer
        })
    }

    fn answer(&self) -> io::Result<String> {
        let mut answer = String::new();
        if io::stdin().read_line(&mut answer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer.trim().to_owned())
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
            let mut error =
                json!({ "error": failure.to_string(), "causes": causes, "advice": failure.advice() });
            if let Some(code) = failure.code() {
                error["code"] = code.into();
            }
            let refused = failure.refused().iter();
            let refused: Vec<_> = refused
                .map(|one| json!({ "code": one.code(), "message": one.to_string() }))
                .collect();
            if !refused.is_empty() {
                error["refused"] = refused.into();
            }
            let _ = writeln!(stderr, "{}", harmless_json(&error.to_string()));
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
        for rejection in failure.refused() {
            let text = harmless(&rejection.to_string()).replace('\n', "\n    ");
            let _ = writeln!(stderr, "  {}: {text}", rejection.code());
        }
        if let Some(advice) = failure.advice() {
            let _ = writeln!(stderr, "{}", harmless(&advice));
        }
        if let Some(code) = failure.code() {
            let _ = writeln!(stderr, "`docket explain {}` tells more.", harmless(code));
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

    fn bold(&self, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[1m{text}\u{1b}[0m")
        } else {
            text.to_owned()
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
            width: None,
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
