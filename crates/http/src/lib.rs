//! What every server of Docket does alike: one shape for errors, request ids, health, and a graceful stop.

mod health;
mod problem;
mod serve;

pub use health::{Check, health_routes};
pub use problem::Problem;
pub use serve::{RequestId, serve, with_common_layers};
