//! What gets done: the publish pipeline and its sandbox.
//!
//! [`publish`] tells the story; the other modules are its means and know nothing of jobs, database or HTTP.

mod child;
pub mod compiler;
pub mod license;
pub mod outcome;
pub mod package;
pub mod publish;
pub mod purs;
pub mod rejection;
pub mod sandbox;
pub mod source;
mod state;

pub use state::WorkerState;
