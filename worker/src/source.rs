//! Where a package's code comes from: the fetch, the tree that arrives, the manifest in it.

pub mod git;

pub use docket_package::{manifest, modules, tree};
