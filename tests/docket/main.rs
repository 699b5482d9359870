//! The real `docket` program against a registry of a few lines, which checks signatures as the real one does.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod authors;
mod checks;
#[cfg(feature = "forward-issue")]
mod forward_issue;
#[cfg(feature = "forward-issue")]
mod issue_forms;
mod jobs;
mod owners;
mod package_sets;
mod planted;
mod program;
mod publish;
mod reading;
mod screen;
mod stand_in;
mod terminal;
mod verify;
