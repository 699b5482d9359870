//! What is said to somebody whose text we do not understand.

use super::command::USAGE;

/// More keys than any operation has are not repeated.
const MAX_KEYS: usize = 20;

/// Why a text that is meant for us asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// It addresses us, and holds something in braces that is no JSON.
    NotJson {
        /// What is wrong with it.
        reason: String,
    },
    /// It addresses us and asks for nothing.
    NothingAsked,
    /// Its JSON is no operation: these are its keys.
    UnknownKeys {
        /// The keys.
        received: Vec<String>,
    },
    /// It is an operation with something wrong in it.
    Undecodable {
        /// Which operation.
        what: &'static str,
        /// What is wrong, and where.
        reason: String,
    },
    /// It asks for several things at once.
    Several {
        /// What each is.
        titles: Vec<String>,
    },
    /// It is a command with something wrong in it.
    Command {
        /// What is wrong.
        reason: String,
    },
}

impl Malformed {
    /// Returns the answer, in Markdown. Scripts look for `malformed` and the expected keys (registry spec, Appendix B).
    pub fn answer(&self) -> String {
        match self {
            Self::NotJson { reason } => again(&format!(
                "The JSON in this text is malformed:\n\n{}\n\n{}",
                fenced(reason),
                expected()
            )),
            Self::NothingAsked => again(&format!("There is no operation in this text.\n\n{}", expected())),
            Self::UnknownKeys { received } => {
                let keys = match received.len() {
                    0 => "none".to_owned(),
                    1..=MAX_KEYS => received.join(", "),
                    _ => format!("{}, …", received[..MAX_KEYS].join(", ")),
                };
                again(&format!(
                    "The JSON in this text is malformed: its keys are those of no operation.\n\nReceived keys:\n\n{}\n\n{}",
                    fenced(&keys),
                    expected()
                ))
            }
            Self::Undecodable { what, reason } => again(&format!(
                "The {what} in this text is malformed:\n\n{}",
                fenced(reason)
            )),
            Self::Several { titles } => again(&format!(
                "This text asks for {} things, and nothing was done:\n\n{}\n\nPlease ask for one in each comment.",
                titles.len(),
                fenced(&titles.join("\n"))
            )),
            Self::Command { reason } => again(&format!(
                "The command in this text is malformed:\n\n{}\n\nThe commands are:\n\n{}",
                fenced(reason),
                fenced(&USAGE.join("\n"))
            )),
        }
    }
}

fn again(text: &str) -> String {
    format!("{text}\n\nYou can try again with a new comment; an edited one is not read again.")
}

fn expected() -> String {
    let keys = fenced(
        "Publish: { name, ref, compiler?, version, location?, resolutions? }\n\
         Package set update: { packages, compiler? }\n\
         Authenticated (unpublish/transfer): { payload, signature }",
    );
    format!(
        "Expected keys:\n\n{keys}\n\nor a command:\n\n{}",
        fenced(&USAGE.join("\n"))
    )
}

/// Puts text of others into a fence that nothing in it can close: no mention, link or heading of theirs comes to life.
pub(crate) fn fenced(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{}\n{fence}", text.trim_end())
}
