//! The queries on the job tables, one function each.

pub(crate) mod archive;
pub(crate) mod audit;
pub(crate) mod claim;
pub(crate) mod control;
pub(crate) mod ends;
pub(crate) mod jobs;
pub(crate) mod kinds;
pub(crate) mod lease;
pub(crate) mod lines;
pub(crate) mod park;
pub(crate) mod rows;
pub(crate) mod schedules;
pub(crate) mod server;
pub(crate) mod why;

/// One text for both databases around the one place in which they differ: the JSON array of objects in `$1` as rows with a column `value`.
///
/// Rows that are named by their ids say `state || '' = 'queued'` where others say `state = 'queued'`: it keeps planners from reading an index of all
/// queued jobs for a handful of ids.
///
/// A statement for many rows costs little more than a statement for one (design/measurements.md), so what can be gathered is.
macro_rules! over_list {
    ($tx:expr, $before:expr, $after:expr) => {
        if $tx.is_postgres() {
            concat!($before, " json_array_elements($1::json) AS list(value) ", $after)
        } else {
            concat!($before, " json_each($1) AS list ", $after)
        }
    };
}
use over_list;
