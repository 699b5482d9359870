//! The real `docket` program against a registry of a few lines, which checks signatures as the real one does.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[cfg(feature = "forward-issue")]
mod forward_issue;
mod jobs;
mod owners;
mod package_sets;
mod program;
mod publish;
mod screen;
mod stand_in;
mod terminal;
