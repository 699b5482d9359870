//! What every server of Docket does alike: one shape for errors, request ids, compression, health, and a graceful stop.

mod compression;
mod door;
mod health;
mod place;
mod problem;
mod serve;
mod tls;

pub use compression::{Coding, Effort, Stored};
pub use door::{Door, HEAD_TIMEOUT, MAX_CONNECTIONS};
pub use health::{Check, health_routes};
pub use problem::Problem;
pub use serve::{RequestId, serve, with_common_layers};
pub use tls::{Tls, TlsError};
