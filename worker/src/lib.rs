//! What gets done: the operations of the registry, one module each, and the sandbox in which compilers run.
//!
//! [`publish`], [`unpublish`] and [`transfer`] tell the stories; the other modules are their means and know nothing of jobs, database or HTTP.

mod child;
mod codes;
pub mod compiler;
mod disk;
pub mod license;
pub mod outcome;
pub mod package;
pub mod publish;
pub mod purs;
pub mod refusal;
pub mod rejection;
pub mod sandbox;
mod signed;
pub mod source;
mod state;
pub mod transfer;
pub mod unpublish;

pub use state::WorkerState;
