//! From a checked source to the tarball that clients download, and back.

mod tarball;
mod unpack;

pub use docket_package::files::{Selection, select};
pub(crate) use tarball::check_size;
pub use tarball::{Tarball, pack};
pub use unpack::{UnpackError, unpack};

/// Sizes that a package may have.
#[derive(Debug, Clone, Copy)]
pub struct SizeRules {
    /// Compressed bytes above which a tarball is refused. Default 2,000,000.
    pub max_bytes: u64,
    /// Compressed bytes above which the author is warned. Default 200,000.
    pub warn_bytes: u64,
    /// Compressed bytes below which packing must have gone wrong. Default 30.
    pub min_bytes: u64,
    /// Bytes that a stored tarball may unpack to. Default 200,000,000.
    pub max_unpacked_bytes: u64,
    /// Files that a stored tarball may have. Default 20,000.
    pub max_unpacked_files: u64,
}

impl Default for SizeRules {
    fn default() -> Self {
        Self {
            max_bytes: 2_000_000,
            warn_bytes: 200_000,
            min_bytes: 30,
            max_unpacked_bytes: 200_000_000,
            max_unpacked_files: 20_000,
        }
    }
}
