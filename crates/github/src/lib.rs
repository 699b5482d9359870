//! GitHub's API, as far as a registry needs it: who is trusted, what a repository holds, and what an issue says.
//!
//! [`Client`] makes the calls. Whatever GitHub does, an answer comes within [`Limits::call_timeout`], and it is one of the typed
//! answers of [`Error`]. [`Trustees`] decides whether the bearer of a token may act for the registry (registry spec, 4.4).
//! [`Event`], [`issue`], [`Forwarder`], [`reply`] and [`Thread`] are the way from an issue to an operation and back (4.5); [`webhook`] proves that
//! an event comes from GitHub.
//!
//! Nothing outside this crate names octocrab. Below octocrab's routes and pages lies a transport of our own, because the limits,
//! the memory of ETags and the respect for rate limits are what other parts lean on.

mod client;
mod clock;
mod config;
mod error;
mod event;
mod forward;
pub mod issue;
mod names;
pub mod reply;
mod thread;
mod token;
mod transport;
mod trustees;
pub mod webhook;

pub use client::{Client, Comment, Tag};
pub use clock::Clock;
pub use config::{Config, Limits, Team};
pub use error::Error;
pub use event::{Event, EventError, Ignored, IssueEvent};
pub use forward::{Begun, ForwardError, Forwarder, Job};
pub use names::{Login, NameError, Repository};
pub use thread::{Mark, Step, Thread};
pub use token::{Token, TokenError};
pub use trustees::{TrusteeError, Trustees};
