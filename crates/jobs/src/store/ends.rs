//! How attempts end, many in one statement, each fenced by its attempt number.

use std::collections::HashSet;

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, on};
use serde::Serialize;

use super::{
    lines::{self, AppendRow, Chunk},
    over_list, prefer_indexes, to_list,
};
use crate::{
    JobId, LogLine,
    decide::{Ending, ParkedOn},
};

/// The end of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) id: JobId,
    /// Which attempt ends: nothing happens when it is no longer the current one.
    pub(crate) attempt: i64,
    pub(crate) ending: Ending,
    /// The last lines of its log, as many as one row holds.
    pub(crate) lines: Vec<LogLine>,
}

/// Ends attempts, and returns the jobs of those that it ended. Whoever waits for their locks is let go by [`park::unpark_after`](super::park::unpark_after).
///
/// An end and its lines are one: an attempt that is no longer current, or whose lines do not continue the log, ends nothing. A job whose effects
/// are committed cannot be cancelled any more.
pub(crate) async fn apply(tx: &mut Tx, ends: &[End], now: Timestamp) -> Result<Vec<JobId>, Error> {
    if ends.is_empty() {
        return Ok(Vec::new());
    }
    prefer_indexes(tx).await?;
    let sql = over_list!(
        tx,
        "UPDATE job
         SET state = list.state, run_after = coalesce(list.run_after, job.run_after), parked_on = list.parked_on,
             resets = job.resets + coalesce(list.lapsed, 0), retries = job.retries + coalesce(list.unavailable, 0),
             started_at = CASE WHEN list.state = 'queued' THEN NULL ELSE job.started_at END,
             finished_at = CASE WHEN list.state = 'queued' THEN NULL ELSE $2 END,
             error_code = list.code, error_detail = list.detail, lease_by = NULL, lease_until = NULL,
             log_seq = coalesce(list.last_seq, job.log_seq), log_at = coalesce(list.last_at, job.log_at)
         FROM",
        (id TEXT, attempt BIGINT, state TEXT, run_after BIGINT, parked_on TEXT, lapsed BIGINT, unavailable BIGINT,
         code TEXT, detail TEXT, first_seq BIGINT, last_seq BIGINT, last_at BIGINT),
        "WHERE job.id = list.id AND job.attempt = list.attempt AND coalesce(job.state = 'running', FALSE)
           AND (list.state <> 'cancelled' OR job.effects_at IS NULL)
           AND (list.first_seq IS NULL OR list.first_seq = job.log_seq + 1)
         RETURNING job.id"
    );
    let (list, lines): (Vec<_>, Vec<_>) = ends.iter().map(|end| to_rows(end, now)).unzip();
    let ended: Vec<String> = on!(&mut *tx, conn => sqlx::query_scalar(sql)
        .bind(to_list(list))
        .bind(now.millis())
        .fetch_all(conn))?;
    let ended: HashSet<JobId> = ended
        .iter()
        .map(|id| id.parse().map_err(Error::corrupt("job", "id", id)))
        .collect::<Result<_, _>>()?;
    let lines: Vec<AppendRow> = ends
        .iter()
        .zip(lines)
        .filter(|(end, _)| ended.contains(&end.id))
        .filter_map(|(_, lines)| lines)
        .collect();
    lines::insert(tx, &lines).await?;
    Ok(Vec::from_iter(ended))
}

/// What the statement reads of an end. Most of it is absent for most ends, and then not written: both databases read what is not there as NULL.
#[derive(Debug, Serialize)]
struct EndRow<'a> {
    id: JobId,
    attempt: i64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_after: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parked_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lapsed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unavailable: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seq: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seq: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at: Option<i64>,
}

/// What the statements read of an end, and of its lines.
fn to_rows(end: &End, now: Timestamp) -> (EndRow<'_>, Option<AppendRow>) {
    let (code, detail) = match &end.ending {
        Ending::Failed { code, detail } => (Some(code.as_str()), Some(detail)),
        Ending::Cancelled { detail } => (Some("cancelled"), Some(detail)),
        _ => (None, None),
    };
    let run_after = match end.ending {
        Ending::Retry { run_after } => Some(run_after),
        Ending::Lapsed | Ending::GivenBack => Some(now),
        _ => None,
    };
    let waits = run_after.is_some_and(|at| at > now);
    let chunk = Chunk::of(&end.lines);
    let row = EndRow {
        id: end.id,
        attempt: end.attempt,
        state: end.ending.state().as_str(),
        run_after: run_after.map(Timestamp::millis),
        parked_on: waits.then(|| ParkedOn::Time.to_stored()),
        lapsed: (end.ending == Ending::Lapsed).then_some(1),
        unavailable: matches!(end.ending, Ending::Retry { .. }).then_some(1),
        code,
        // PostgreSQL refuses NUL in text, and programs print anything. The log stores JSON, where it is escaped.
        detail: detail.map(|detail| detail.replace('\0', "\u{2400}")),
        first_seq: chunk.as_ref().map(|chunk| chunk.first_seq),
        last_seq: chunk.as_ref().map(|chunk| chunk.last_seq),
        last_at: chunk.as_ref().map(|chunk| chunk.last_at),
    };
    let (id, attempt) = (end.id, end.attempt);
    (row, chunk.map(|chunk| AppendRow { id, attempt, chunk }))
}
