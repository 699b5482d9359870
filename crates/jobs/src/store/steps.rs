//! The steps of jobs. They are few, so they stay where they are when a log moves to the archive.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute, on};
use serde::Serialize;

use super::{lines::AppendRow, over_list, to_list};
use crate::{JobId, step::StoredStep};

#[derive(sqlx::FromRow)]
struct StepRow {
    first_seq: i64,
    attempt: i64,
    name: String,
    started_at: i64,
    before_at: i64,
}

/// Stores the steps that begin in these rows.
pub(super) async fn insert(tx: &mut Tx, rows: &[AppendRow]) -> Result<(), Error> {
    let list = begun(rows);
    // Most appends begin no step, and cost nothing more.
    if list.is_empty() {
        return Ok(());
    }
    let sql = over_list!(
        tx,
        "INSERT INTO job_step (job_id, first_seq, attempt, name, started_at, before_at)
         SELECT list.id, list.first_seq, list.attempt, list.name, list.started_at, list.before_at FROM",
        (id TEXT, first_seq BIGINT, attempt BIGINT, name TEXT, started_at BIGINT, before_at BIGINT),
        ""
    );
    execute!(tx, sqlx::query(sql).bind(to_list(list)))?;
    Ok(())
}

/// What the statement reads of a step that begins.
#[derive(Debug, Serialize)]
struct BegunRow {
    id: JobId,
    first_seq: i64,
    attempt: i64,
    name: &'static str,
    started_at: i64,
    before_at: i64,
}

fn begun(rows: &[AppendRow]) -> Vec<BegunRow> {
    let of_row = |row: &AppendRow| {
        let (id, attempt) = (row.id, row.attempt);
        let steps = row.chunk.steps.iter().map(move |(first_seq, step)| BegunRow {
            id,
            first_seq: *first_seq,
            attempt,
            name: step.name,
            started_at: step.started_at.millis(),
            before_at: step.before_at.millis(),
        });
        steps.collect::<Vec<_>>()
    };
    rows.iter().flat_map(of_row).collect()
}

/// Returns the steps of `job`, by their first lines.
pub(crate) async fn list(tx: &mut Tx, job: JobId) -> Result<Vec<StoredStep>, Error> {
    const SQL: &str = "
        SELECT first_seq, attempt, name, started_at, before_at
        FROM job_step
        WHERE job_id = $1
        ORDER BY first_seq";
    let rows: Vec<StepRow> = on!(tx, conn => sqlx::query_as(SQL).bind(job.to_string()).fetch_all(conn))?;
    let steps = rows.into_iter().map(|row| StoredStep {
        first_seq: row.first_seq,
        attempt: row.attempt,
        name: row.name,
        started_at: Timestamp::from_millis(row.started_at),
        before_at: Timestamp::from_millis(row.before_at),
    });
    Ok(steps.collect())
}
