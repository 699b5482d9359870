//! Where a package's code comes from: the fetch, the tree that arrives, the manifest in it.

pub mod git;
pub mod manifest;
pub mod modules;
pub mod tree;
