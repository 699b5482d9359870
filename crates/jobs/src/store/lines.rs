//! Appending to the job log, in rows of many lines each. They are read in [`super::rows`].

use std::collections::HashSet;

use docket_db::{Error, Tx, execute, on};
use serde::Serialize;

use super::{over_list, prefer_indexes, steps, to_list};
use crate::{JobId, JobState, LogLine, step::StepStart};

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
    prefer_indexes(tx).await?;
    append_in(tx, JobState::Running, appends).await
}

/// The same for jobs in `state`.
pub(crate) async fn append_in(tx: &mut Tx, state: JobState, appends: &[Append]) -> Result<Vec<JobId>, Error> {
    let rows = appends.iter().filter_map(|append| {
        let chunk = Chunk::of(&append.lines)?;
        let (id, attempt) = (append.id, append.attempt);
        Some(AppendRow { id, attempt, chunk })
    });
    let rows: Vec<AppendRow> = rows.collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let advance = over_list!(
        tx,
        "UPDATE job SET log_seq = list.last_seq, log_at = list.last_at FROM",
        (id TEXT, attempt BIGINT, first_seq BIGINT, last_seq BIGINT, last_at BIGINT),
        "WHERE job.id = list.id AND job.attempt = list.attempt AND coalesce(job.state = $2, FALSE) AND job.log_seq = list.first_seq - 1
         RETURNING job.id"
    );
    let advanced: Vec<String> = on!(&mut *tx, conn => sqlx::query_scalar(advance)
        .bind(to_list(&rows))
        .bind(state.as_str())
        .fetch_all(conn))?;
    let advanced = advanced
        .iter()
        .map(|id| id.parse().map_err(Error::corrupt("job", "id", id)))
        .collect::<Result<HashSet<JobId>, _>>()?;
    let (new, refused): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| advanced.contains(&row.id));
    insert(tx, &new).await?;
    let mut lost = Vec::new();
    for row in refused {
        if !is_stored(tx, state, &row).await? {
            lost.push(row.id);
        }
    }
    Ok(lost)
}

/// Stores lines that continue their logs; the caller has moved `log_seq` and `log_at` of their jobs.
pub(super) async fn insert(tx: &mut Tx, rows: &[AppendRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    steps::insert(tx, rows).await?;
    let sql = over_list!(
        tx,
        "INSERT INTO job_log (job_id, first_seq, last_seq, first_at, last_at, max_level, lines)
         SELECT list.id, list.first_seq, list.last_seq, list.first_at, list.last_at, list.max_level, list.lines FROM",
        (id TEXT, first_seq BIGINT, last_seq BIGINT, first_at BIGINT, last_at BIGINT, max_level BIGINT, lines TEXT),
        ""
    );
    execute!(tx, sqlx::query(sql).bind(to_list(rows)))?;
    Ok(())
}

/// A row of `job_log`, as the statements here read it.
#[derive(Debug, Serialize)]
pub(super) struct AppendRow {
    pub(super) id: JobId,
    pub(super) attempt: i64,
    #[serde(flatten)]
    pub(super) chunk: Chunk,
}

/// Lines as one row.
#[derive(Debug, Serialize)]
pub(super) struct Chunk {
    pub(super) first_seq: i64,
    pub(super) last_seq: i64,
    first_at: i64,
    pub(super) last_at: i64,
    max_level: i64,
    /// JSON in JSON.
    lines: String,
    /// The steps that begin in it, each with its first line.
    #[serde(skip)]
    pub(super) steps: Vec<(i64, StepStart)>,
}

impl Chunk {
    /// `None` when there are none.
    pub(super) fn of(lines: &[LogLine]) -> Option<Self> {
        let (first, last) = (lines.first()?, lines.last()?);
        let stored: Vec<_> = lines
            .iter()
            .map(|line| (line.at.millis(), line.level.number(), &line.message))
            .collect();
        Some(Self {
            first_seq: first.seq,
            last_seq: last.seq,
            first_at: first.at.millis(),
            last_at: last.at.millis(),
            max_level: lines.iter().map(|line| line.level.number()).max()?,
            steps: lines
                .iter()
                .filter_map(|line| Some((line.seq, line.begins?)))
                .collect(),
            lines: serde_json::to_string(&stored).expect("integers and strings are JSON"),
        })
    }
}

/// True when these lines were stored before, and only the answer was lost.
async fn is_stored(tx: &mut Tx, state: JobState, row: &AppendRow) -> Result<bool, Error> {
    const SQL: &str = "SELECT log_seq FROM job WHERE id = $1 AND attempt = $2 AND state = $3";
    let stored: Option<i64> = on!(tx, conn => sqlx::query_scalar(SQL)
        .bind(row.id.to_string())
        .bind(row.attempt)
        .bind(state.as_str())
        .fetch_optional(conn))?;
    Ok(stored == Some(row.chunk.last_seq))
}
