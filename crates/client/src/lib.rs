//! A typed client of the HTTP API.
//!
//! [`Client`] asks for jobs and reads them; [`Client::follow`] is the live log of one job as a stream that survives a lost
//! connection without losing or repeating a line.

mod client;
mod control;
mod error;
mod follow;
mod job;
mod log;
mod operations;
mod packages;
mod reads;
pub mod tls;

pub use client::Client;
pub use control::{JobKind, Why};
pub use error::Error;
pub use follow::{Event, Follow, Pace};
pub use job::{Actor, Job, JobError, JobFilter, JobId, JobIdError, JobLogLine, JobPage, LogFilter, Order};
pub use log::{Level, LevelError, LogLine, LogPage, LogWish, Outcome};
pub use operations::{Accepted, Operation};
pub use packages::{PackagePage, PackageSummary};
pub use reads::{Dependant, Package, PackageSetSummary, PackageVersion, Schedule};
