//! Storing jobs.

use docket_core::time::Timestamp;
use docket_db::{Db, Error, Tx, execute, on};

use crate::{Enqueued, JobId, NewJob, decide::ParkedOn};

/// A job as it is stored.
struct Row<'a> {
    new: &'a NewJob,
    id: JobId,
    now: Timestamp,
    run_after: Timestamp,
    parked_on: Option<String>,
    actor: Option<String>,
}

impl<'a> Row<'a> {
    fn of(new: &'a NewJob, now: Timestamp) -> Self {
        let run_after = new.run_after.unwrap_or(now);
        let actor = new.actor.as_ref();
        Self {
            new,
            id: JobId::new(now),
            now,
            run_after,
            parked_on: (run_after > now).then(|| ParkedOn::Time.to_stored()),
            actor: actor.map(|actor| serde_json::to_string(actor).expect("words are JSON")),
        }
    }
}

/// The text that stores a job, around what it selects; its values are those of [`with_values!`].
macro_rules! insert_job {
    ($values:expr) => {
        concat!(
            "INSERT INTO job (id, kind, state, priority, payload, package_name, package_version, dedup_key,
                              run_after, created_at, parent_id, actor, compiler, parked_on) ",
            $values,
            " ON CONFLICT (dedup_key) WHERE state IN ('queued', 'running') DO NOTHING"
        )
    };
}

/// A statement with the values of a [`Row`] in `$1` to `$13`.
macro_rules! with_values {
    ($sql:expr, $row:expr) => {
        sqlx::query($sql)
            .bind($row.id.to_string())
            .bind($row.new.kind)
            .bind($row.new.priority)
            .bind(&$row.new.payload)
            .bind($row.new.package_name.as_ref().map(ToString::to_string))
            .bind($row.new.package_version.as_ref().map(ToString::to_string))
            .bind(&$row.new.dedup_key)
            .bind($row.run_after.millis())
            .bind($row.now.millis())
            .bind($row.new.parent.map(|parent| parent.to_string()))
            .bind(&$row.actor)
            .bind($row.new.compiler.map(|compiler| compiler.to_string()))
            .bind(&$row.parked_on)
    };
}

/// Stores `new` and its locks, or returns the active job of the same operation.
pub(crate) async fn insert(tx: &mut Tx, new: &NewJob, now: Timestamp) -> Result<Enqueued, Error> {
    const INSERT: &str =
        insert_job!("VALUES ($1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)");
    const ACTIVE: &str = "SELECT id FROM job WHERE dedup_key = $1 AND state IN ('queued', 'running')";
    const LOCK: &str = "INSERT INTO job_lock (name, job_id) VALUES ($1, $2)";

    let row = Row::of(new, now);
    while execute!(&mut *tx, with_values!(INSERT, row))? == 0 {
        let active: Option<String> =
            on!(&mut *tx, conn => sqlx::query_scalar(ACTIVE).bind(&new.dedup_key).fetch_optional(conn))?;
        // None: it ended between the two statements, so the insert will succeed now.
        if let Some(active) = active {
            let job = active.parse().map_err(Error::corrupt("job", "id", &active))?;
            return Ok(Enqueued { job, created: false });
        }
    }
    for lock in &new.locks {
        execute!(&mut *tx, sqlx::query(LOCK).bind(lock).bind(row.id.to_string()))?;
    }
    Ok(Enqueued {
        job: row.id,
        created: true,
    })
}

/// Stores `new` and its locks on PostgreSQL, where nobody asked for its operation before and fewer than `most` jobs of its kind are active for its package.
/// `None`, with nothing stored, where one of these is not so, and on SQLite.
///
/// One statement, which is a transaction of its own, is one answer to wait for; with a look at each of these they are six. On SQLite the commit is what takes time.
pub(crate) async fn insert_first(
    db: &Db,
    new: &NewJob,
    most: i64,
    now: Timestamp,
) -> Result<Option<JobId>, Error> {
    // An active job of the operation is the conflict; one that has ended is looked for.
    const SQL: &str = concat!(
        "WITH stored AS (",
        insert_job!(
            "SELECT $1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
             WHERE NOT EXISTS (SELECT 1 FROM job WHERE dedup_key = $7 AND state IN ('succeeded', 'failed', 'cancelled'))
               AND $15 > (SELECT count(*) FROM job WHERE package_name = $5 AND kind = $2 AND state IN ('queued', 'running'))"
        ),
        " RETURNING id),
         locked AS (INSERT INTO job_lock (name, job_id) SELECT name, id FROM stored CROSS JOIN unnest($14) AS name)
         SELECT id FROM stored"
    );
    let Db::Postgres(pool) = db else {
        return Ok(None);
    };
    let row = Row::of(new, now);
    let stored = with_values!(SQL, row)
        .bind(&new.locks)
        .bind(most)
        .execute(pool)
        .await?;
    Ok((stored.rows_affected() == 1).then_some(row.id))
}
