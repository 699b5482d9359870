//! Which jobs are old, and their end.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute, on};

use crate::{JobId, prune::EndedJob};

/// Returns up to `limit` jobs of `kinds` behind `after` that ended before `before`, by id.
pub(crate) async fn list_ended(
    tx: &mut Tx,
    kinds: &[&str],
    before: Timestamp,
    after: Option<JobId>,
    limit: i64,
) -> Result<Vec<EndedJob>, Error> {
    // One text for both: the kinds are words without a comma.
    const SQL: &str = "
        SELECT id, log_seq FROM job
        WHERE id > $1 AND finished_at < $2 AND ',' || $3 || ',' LIKE '%,' || kind || ',%'
        ORDER BY id
        LIMIT $4";
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let rows: Vec<(String, i64)> = on!(tx, conn => sqlx::query_as(SQL)
        .bind(after)
        .bind(before.millis())
        .bind(kinds.join(","))
        .bind(limit)
        .fetch_all(conn))?;
    rows.into_iter()
        .map(|(id, lines)| {
            let id = id.parse().map_err(Error::corrupt("job", "id", &id))?;
            Ok(EndedJob { id, lines })
        })
        .collect()
}

/// Removes those of `jobs` that have ended, and whatever is theirs.
pub(crate) async fn remove_ended(tx: &mut Tx, jobs: &[JobId]) -> Result<u64, Error> {
    const JOB: &str = "DELETE FROM job WHERE id = $1 AND finished_at IS NOT NULL";
    // Steps and archived parts go with their job. For these PostgreSQL has no foreign key, because it would look at each line that is written.
    const THEIRS: [&str; 2] = [
        "DELETE FROM job_log WHERE job_id = $1",
        "DELETE FROM job_lock WHERE job_id = $1",
    ];
    let mut removed = 0;
    for job in jobs {
        // First, so that nobody begins it again meanwhile.
        if execute!(&mut *tx, sqlx::query(JOB).bind(job.to_string()))? == 0 {
            continue;
        }
        for sql in THEIRS {
            execute!(&mut *tx, sqlx::query(sql).bind(job.to_string()))?;
        }
        removed += 1;
    }
    Ok(removed)
}

/// Counts the archived parts, and the lines in them, of jobs that ended before `before`.
pub(crate) async fn count_archived(tx: &mut Tx, before: Timestamp) -> Result<(i64, i64), Error> {
    const SQL: &str = "
        SELECT count(*), CAST(coalesce(sum(part.last_seq - part.first_seq + 1), 0) AS BIGINT)
        FROM job_log_archive part JOIN job ON job.id = part.job_id
        WHERE part.digest IS NOT NULL AND job.finished_at < $1";
    on!(tx, conn => sqlx::query_as(SQL).bind(before.millis()).fetch_one(conn))
}
