//! The job log: rows of many lines each, read back as lines.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute, on};

use super::jobs::Order;
use crate::{Job, JobId, Level, LogLine, signal};

/// Which lines to read.
#[derive(Debug, Clone)]
pub struct LineFilter {
    /// Only lines with a greater `seq`.
    pub after_seq: i64,
    /// Only lines written at this time or later.
    pub since: Timestamp,
    /// Only lines written before this time.
    pub until: Timestamp,
    /// Only lines of this level or above.
    pub level: Level,
    /// By `seq`.
    pub order: Order,
    /// How many at most.
    pub limit: usize,
}

impl LineFilter {
    /// Every line after `after_seq` of `level` or above, oldest first, at most `limit`.
    pub fn after(after_seq: i64, level: Level, limit: usize) -> Self {
        Self {
            after_seq,
            since: Timestamp::from_millis(0),
            until: Timestamp::MAX,
            level,
            order: Order::Ascending,
            limit,
        }
    }

    fn admits(&self, line: &LogLine) -> bool {
        line.seq > self.after_seq && line.at >= self.since && line.at < self.until && line.level >= self.level
    }
}

#[derive(sqlx::FromRow)]
struct LogRow {
    first_seq: i64,
    last_seq: i64,
    lines: String,
}

/// How many rows one query reads; the loop goes on until enough lines are found.
const ROWS_PER_QUERY: i64 = 64;

/// Returns the lines of `job` that pass `filter`.
pub(crate) async fn list(tx: &mut Tx, job: JobId, filter: &LineFilter) -> Result<Vec<LogLine>, Error> {
    const ASCENDING: &str = "
        SELECT first_seq, last_seq, lines
        FROM job_log
        WHERE job_id = $1 AND last_seq > $2 AND last_at >= $3 AND first_at < $4 AND max_level >= $5
        ORDER BY last_seq
        LIMIT $6";
    const DESCENDING: &str = "
        SELECT first_seq, last_seq, lines
        FROM job_log
        WHERE job_id = $1 AND last_seq > $7 AND last_seq < $2 AND last_at >= $3 AND first_at < $4 AND max_level >= $5
        ORDER BY last_seq DESC
        LIMIT $6";
    let ascending = filter.order == Order::Ascending;
    let sql = if ascending { ASCENDING } else { DESCENDING };
    let mut edge = if ascending { filter.after_seq } else { i64::MAX };
    let mut found = Vec::new();
    loop {
        let rows: Vec<LogRow> = on!(&mut *tx, conn => {
            let query = sqlx::query_as(sql)
                .bind(job.to_string())
                .bind(edge)
                .bind(filter.since.millis())
                .bind(filter.until.millis())
                .bind(filter.level.number())
                .bind(ROWS_PER_QUERY);
            let query = if ascending { query } else { query.bind(filter.after_seq) };
            query.fetch_all(conn)
        })?;
        let last_page = (rows.len() as i64) < ROWS_PER_QUERY;
        for row in rows {
            edge = row.last_seq;
            let mut lines = decode(job, &row)?;
            if !ascending {
                lines.reverse();
            }
            found.extend(lines.into_iter().filter(|line| filter.admits(line)));
            if found.len() >= filter.limit {
                found.truncate(filter.limit);
                return Ok(found);
            }
        }
        if last_page {
            return Ok(found);
        }
    }
}

fn decode(job: JobId, row: &LogRow) -> Result<Vec<LogLine>, Error> {
    let stored: Vec<(i64, i64, String)> = serde_json::from_str(&row.lines).map_err(Error::corrupt(
        "job_log",
        "lines",
        format!("{job}/{}", row.last_seq),
    ))?;
    let lines = stored
        .into_iter()
        .zip(row.first_seq..)
        .map(|((at, level, message), seq)| LogLine {
            seq,
            at: Timestamp::from_millis(at),
            level: Level::from_number(level),
            message,
        });
    Ok(lines.collect())
}

/// Appends `lines`, which must be dense and continue the log, under the fence of `job`'s attempt.
///
/// False when the attempt is no longer current. Appending the same lines again, after an answer was lost, changes nothing.
pub(crate) async fn append(tx: &mut Tx, job: &Job, lines: &[LogLine]) -> Result<bool, Error> {
    const ADVANCE: &str = "
        UPDATE job SET log_seq = $4, log_at = $5
        WHERE id = $1 AND attempt = $2 AND state = 'running' AND log_seq = $3";
    const STORED: &str = "SELECT log_seq FROM job WHERE id = $1 AND attempt = $2 AND state = 'running'";
    const INSERT: &str = "
        INSERT INTO job_log (job_id, first_seq, last_seq, first_at, last_at, max_level, lines)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return Ok(true);
    };
    let id = job.id.to_string();
    let advanced = execute!(
        &mut *tx,
        sqlx::query(ADVANCE)
            .bind(&id)
            .bind(job.attempt)
            .bind(first.seq - 1)
            .bind(last.seq)
            .bind(last.at.millis())
    )?;
    if advanced == 0 {
        let stored: Option<i64> = on!(&mut *tx, conn => sqlx::query_scalar(STORED)
            .bind(&id)
            .bind(job.attempt)
            .fetch_optional(conn))?;
        return Ok(stored == Some(last.seq));
    }
    let stored: Vec<_> = lines
        .iter()
        .map(|line| (line.at.millis(), line.level.number(), &line.message))
        .collect();
    let max_level = lines
        .iter()
        .map(|line| line.level.number())
        .max()
        .unwrap_or_default();
    execute!(
        &mut *tx,
        sqlx::query(INSERT)
            .bind(&id)
            .bind(first.seq)
            .bind(last.seq)
            .bind(first.at.millis())
            .bind(last.at.millis())
            .bind(max_level)
            .bind(serde_json::to_string(&stored).expect("integers and strings are JSON"))
    )?;
    signal::announce_log(tx, job.id).await?;
    Ok(true)
}

/// The position of a job's log: the last `seq` and the time of that line.
pub(crate) async fn head(tx: &mut Tx, job: JobId) -> Result<(i64, Timestamp), Error> {
    const SQL: &str = "SELECT log_seq, log_at FROM job WHERE id = $1";
    let (seq, at): (i64, i64) = on!(tx, conn => sqlx::query_as(SQL).bind(job.to_string()).fetch_one(conn))?;
    Ok((seq, Timestamp::from_millis(at)))
}
