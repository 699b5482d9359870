//! What is promised, from outside: the real programs, on ports the system picked, in a temporary directory, without the
//! network. The clients are `docket`, plain HTTP, git, an unmodified spago, and a browser.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod asking;
mod backup;
mod breaking;
mod browser;
mod bucket;
mod cluster;
mod configuration;
mod control;
mod crash;
mod crowd;
mod demo;
mod dry_run;
mod fixture;
mod gate;
mod git;
mod harness;
mod http;
mod import;
mod kill;
mod log_archive;
mod logs;
mod neighbours;
mod openapi;
mod operations;
mod postgres;
mod prune;
mod publish;
mod redaction;
mod repositories;
mod spago;
mod tutorial;
mod upgrade;
