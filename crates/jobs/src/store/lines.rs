//! Appending to the job log, in rows of many lines each. They are read in [`super::rows`].

use std::collections::HashSet;

use docket_db::{Error, Tx, execute, on};
use serde::Serialize;

use super::over_list;
use crate::{JobId, JobState, LogLine};

/// What one attempt adds to its job's log: lines that are dense and continue it.
#[derive(Debug, Clone)]
pub(crate) struct Append {
    pub(crate) id: JobId,
    /// Which attempt writes: nothing is stored when it is no longer the current one.
    pub(crate) attempt: i64,
    pub(crate) lines: Vec<LogLine>,
}

/// Appends to the logs of many jobs that run, each under the fence of its attempt. Returns the jobs whose attempt is no longer current.
///
/// Appending the same lines again, after an answer was lost, changes nothing.
pub(crate) async fn append(tx: &mut Tx, appends: &[Append]) -> Result<Vec<JobId>, Error> {
    append_in(tx, JobState::Running, appends).await
}

/// The same for jobs in `state`.
pub(crate) async fn append_in(tx: &mut Tx, state: JobState, appends: &[Append]) -> Result<Vec<JobId>, Error> {
    let rows: Vec<_> = appends.iter().filter_map(to_row).collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let advance = over_list!(
        tx,
        "UPDATE job SET log_seq = new.last_seq, log_at = new.last_at
         FROM (SELECT list.value ->> 'id' AS job_id, CAST(list.value ->> 'attempt' AS BIGINT) AS number,
                      CAST(list.value ->> 'first_seq' AS BIGINT) AS first_seq, CAST(list.value ->> 'last_seq' AS BIGINT) AS last_seq,
                      CAST(list.value ->> 'last_at' AS BIGINT) AS last_at
               FROM",
        ") AS new
         WHERE job.id = new.job_id AND job.attempt = new.number AND job.state = $2 AND job.log_seq = new.first_seq - 1
         RETURNING job.id"
    );
    let insert = over_list!(
        tx,
        "INSERT INTO job_log (job_id, first_seq, last_seq, first_at, last_at, max_level, lines)
         SELECT list.value ->> 'id', CAST(list.value ->> 'first_seq' AS BIGINT), CAST(list.value ->> 'last_seq' AS BIGINT),
                CAST(list.value ->> 'first_at' AS BIGINT), CAST(list.value ->> 'last_at' AS BIGINT),
                CAST(list.value ->> 'max_level' AS BIGINT), list.value ->> 'lines'
         FROM",
        ""
    );
    let advanced: Vec<String> = on!(&mut *tx, conn => sqlx::query_scalar(advance)
        .bind(serde_json::to_string(&rows).expect("integers and strings are JSON"))
        .bind(state.as_str())
        .fetch_all(conn))?;
    let advanced: HashSet<String> = advanced.into_iter().collect();
    let (new, refused): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| advanced.contains(&row.id));
    if !new.is_empty() {
        let new = serde_json::to_string(&new).expect("integers and strings are JSON");
        execute!(&mut *tx, sqlx::query(insert).bind(new))?;
    }
    let mut lost = Vec::new();
    for row in refused {
        if !is_stored(tx, state, &row).await? {
            lost.push(row.id.parse().map_err(Error::corrupt("job", "id", &row.id))?);
        }
    }
    Ok(lost)
}

/// What the statements of [`append`] read.
#[derive(Serialize)]
struct AppendRow {
    id: String,
    attempt: i64,
    first_seq: i64,
    last_seq: i64,
    first_at: i64,
    last_at: i64,
    max_level: i64,
    /// JSON in JSON: `->>` gives back the text.
    lines: String,
}

fn to_row(append: &Append) -> Option<AppendRow> {
    let (first, last) = (append.lines.first()?, append.lines.last()?);
    let lines: Vec<_> = append
        .lines
        .iter()
        .map(|line| (line.at.millis(), line.level.number(), &line.message))
        .collect();
    Some(AppendRow {
        id: append.id.to_string(),
        attempt: append.attempt,
        first_seq: first.seq,
        last_seq: last.seq,
        first_at: first.at.millis(),
        last_at: last.at.millis(),
        max_level: append.lines.iter().map(|line| line.level.number()).max()?,
        lines: serde_json::to_string(&lines).expect("integers and strings are JSON"),
    })
}

/// True when these lines were stored before, and only the answer was lost.
async fn is_stored(tx: &mut Tx, state: JobState, row: &AppendRow) -> Result<bool, Error> {
    const SQL: &str = "SELECT log_seq FROM job WHERE id = $1 AND attempt = $2 AND state = $3";
    let stored: Option<i64> = on!(tx, conn => sqlx::query_scalar(SQL)
        .bind(&row.id)
        .bind(row.attempt)
        .bind(state.as_str())
        .fetch_optional(conn))?;
    Ok(stored == Some(row.last_seq))
}
