//! The queries on the job tables, one function each.

pub(crate) mod archive;
pub(crate) mod audit;
pub(crate) mod claim;
pub(crate) mod control;
pub(crate) mod ends;
pub(crate) mod insert;
pub(crate) mod jobs;
pub(crate) mod kinds;
pub(crate) mod lease;
pub(crate) mod lines;
pub(crate) mod park;
mod planner;
pub(crate) mod prune;
pub(crate) mod rows;
pub(crate) mod schedules;
pub(crate) mod server;
pub(crate) mod statistics;
pub(crate) mod steps;
pub(crate) mod why;

use docket_db::Tx;
use serde::Serialize;

use crate::JobId;
use planner::prefer_indexes;

/// One text for both databases around the one place in which they differ: the JSON array of objects in `$1` as a table `list` of these columns.
///
/// Rows that are named by their ids say `coalesce(state = 'queued', FALSE)` where others say `state = 'queued'`: it keeps planners from reading an index of
/// all queued jobs for a handful of ids, and from believing that hardly any row is in that state.
///
/// A statement for many rows costs little more than a statement for one (design/measurements.md), so what can be gathered is. PostgreSQL reads the
/// JSON once, as a record set: it would parse the whole object again for each `->>`, and that for each pair of rows that it compares.
macro_rules! over_list {
    ($tx:expr, $before:expr, ($first:ident $first_type:ident $(, $column:ident $type:ident)*), $after:expr) => {
        if $tx.is_postgres() {
            concat!(
                $before, " json_to_recordset($1::json) AS list(", stringify!($first), " ", stringify!($first_type),
                $(", ", stringify!($column), " ", stringify!($type),)* ") ", $after
            )
        } else {
            concat!(
                $before, " (SELECT value ->> '", stringify!($first), "' AS ", stringify!($first),
                $(", value ->> '", stringify!($column), "' AS ", stringify!($column),)* " FROM jsonb_each($1)) AS list ", $after
            )
        }
    };
}
use over_list;

/// Rows as the list that [`over_list!`] reads.
fn to_list<T: Serialize>(rows: impl IntoIterator<Item = T>) -> String {
    let rows: Vec<T> = rows.into_iter().collect();
    serde_json::to_string(&rows).expect("integers and strings are JSON")
}

/// The same for jobs alone: the list in `$1`, of [`to_id_list`], as a table `list` with the column `id`.
macro_rules! over_ids {
    ($tx:expr, $before:expr, $after:expr) => {
        if $tx.is_postgres() {
            concat!($before, " unnest($1::text::text[]) AS list(id) ", $after)
        } else {
            concat!(
                $before,
                " (SELECT value AS id FROM json_each($1)) AS list ",
                $after
            )
        }
    };
}
use over_ids;

/// Jobs as the list that [`over_ids!`] reads: the text of an array of PostgreSQL, which is cheaper for it than JSON, or JSON.
fn to_id_list(tx: &Tx, ids: &[JobId]) -> String {
    if !tx.is_postgres() {
        return to_list(ids);
    }
    let ids: Vec<String> = ids.iter().map(JobId::to_string).collect();
    format!("{{{}}}", ids.join(","))
}
