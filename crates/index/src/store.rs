//! The queries on the registry tables, one function each.

pub mod bases;
pub mod blob_holds;
pub mod builds;
pub mod changes;
pub mod installable;
pub mod package_sets;
pub mod packages;
pub mod publish_checks;
pub mod pushes;
pub mod summaries;
pub mod takedown_cases;
pub mod tarball_source;
