//! The client against a registry of a few lines.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod calls;
mod control;
mod following;
mod operations;
mod reads;
mod server;
