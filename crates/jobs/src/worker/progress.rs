//! Whether a worker gets anywhere: what a watcher from outside should hear of.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Counts what a worker achieves: claims that were answered, leases that were renewed, attempts that ended. Clones count together.
///
/// A worker that is alive but cannot reach its database, or whose loops stand still, achieves nothing.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// How much was achieved so far; only whether it grows means anything.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one more thing that was achieved.
    pub fn made(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
