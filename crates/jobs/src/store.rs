//! The queries on the job tables, one function each.

pub(crate) mod claim;
pub(crate) mod jobs;
pub(crate) mod lease;
pub(crate) mod lines;
pub(crate) mod schedules;
