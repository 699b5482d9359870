//! Reading the rows of the job log, each of which holds the lines of one append.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, on};
use sqlx::AssertSqlSafe;

use super::jobs::Order;
use crate::{JobId, Level, LogLine, reading::LineFilter};

/// How many rows one query reads at most.
pub(crate) const MAX_ROWS: usize = 64;

/// One row, not decoded yet.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct LogRow {
    pub(crate) first_seq: i64,
    pub(crate) last_seq: i64,
    lines: String,
}

impl LogRow {
    /// The size of its text.
    pub(crate) fn bytes(&self) -> usize {
        self.lines.len()
    }

    /// Its lines, oldest first.
    pub(crate) fn decode(&self, job: JobId) -> Result<Vec<LogLine>, Error> {
        let stored: Vec<(i64, i64, String)> = serde_json::from_str(&self.lines).map_err(Error::corrupt(
            "job_log",
            "lines",
            format!("{job}/{}", self.last_seq),
        ))?;
        let lines = stored
            .into_iter()
            .zip(self.first_seq..)
            .map(|((at, level, message), seq)| LogLine {
                seq,
                at: Timestamp::from_millis(at),
                level: Level::from_number(level),
                message,
                begins: None,
            });
        Ok(lines.collect())
    }
}

/// Returns up to `limit` of the next rows of `job` that may hold lines which pass `filter`: behind `edge`, or before it when the order is descending. Where
/// an end is set, rows beyond it may follow.
///
/// Only the conditions that are asked for stand in the text, and each text has one index in whose order it is: what is not asked for is not read.
/// Times rise with `seq`, so the order of one is the order of the other.
pub(crate) async fn list(
    tx: &mut Tx,
    job: JobId,
    filter: &LineFilter,
    edge: i64,
    limit: usize,
) -> Result<Vec<LogRow>, Error> {
    let ascending = filter.order == Order::Ascending;
    let is_loud = filter.level >= Level::Warn;
    let after = if ascending { edge } else { filter.after_seq };
    let conditions = [
        "SELECT first_seq, last_seq, lines FROM job_log",
        // SQLite takes no index on its own beside one that holds the rows themselves.
        if is_loud && !tx.is_postgres() {
            " INDEXED BY job_log_loud"
        } else {
            ""
        },
        " WHERE job_id = $1 AND last_seq > $2",
        if ascending { "" } else { " AND last_seq < $3" },
        if filter.since.millis() > 0 {
            " AND last_at >= $4"
        } else {
            ""
        },
        if ascending || filter.until == Timestamp::MAX {
            ""
        } else {
            " AND first_at < $5"
        },
        match filter.level {
            Level::Debug => "",
            // The condition of the index.
            _ if is_loud => " AND max_level >= 20 AND max_level >= $6",
            _ => " AND max_level >= $6",
        },
        if filter.since.millis() > 0 && !is_loud {
            " ORDER BY last_at"
        } else {
            " ORDER BY last_seq"
        },
        if ascending { "" } else { " DESC" },
        " LIMIT $7",
    ];
    on!(tx, conn => sqlx::query_as(AssertSqlSafe(conditions.concat()))
        .bind(job.to_string())
        .bind(after)
        .bind(edge)
        .bind(filter.since.millis())
        .bind(filter.until.millis())
        .bind(filter.level.number())
        .bind(limit as i64)
        .fetch_all(conn))
}
