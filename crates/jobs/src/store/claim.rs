//! Claiming ready jobs: the facts, and the step from `queued` to `running`.

use std::collections::HashMap;

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, on};

use super::{
    jobs::{JobRow, job_columns},
    over_ids,
    planner::index_settings,
    to_id_list,
};
use crate::{
    Job, JobId,
    decide::{Candidate, KindRule, Reserved, Scene},
    worker::Lane,
};

/// Lets no other scheduler decide before `tx` ends, in any process. On SQLite a write transaction does so already.
///
/// Whatever takes jobs, parks them or lets them go calls this before: so a job that parks on a lock cannot miss that the lock is freed in the same
/// moment. Whoever has called it waits for no row of a running job: those who end attempts have such rows, and wait for this.
pub(crate) async fn serialise(tx: &mut Tx) -> Result<(), Error> {
    if let Tx::Postgres(tx) = tx {
        // One answer to wait for, while others wait for this lock.
        const SQL: &str = concat!(
            "SELECT pg_advisory_xact_lock(hashtext('docket_jobs claim')), ",
            index_settings!()
        );
        sqlx::query(SQL).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Stands in no lock's name: where a list of them is one text.
const BETWEEN_LOCKS: &str = "\n";

/// Returns the facts that decide which jobs may run, by one statement: a claim waits for few answers. What runs is one row for each kind, however many run.
pub(crate) async fn load_scene(tx: &mut Tx) -> Result<Scene, Error> {
    const SQL: &str = "
        SELECT 'runs' AS fact, NULL AS id, running.kind AS kind, string_agg(running.locks, $1) AS locks, count(*) AS number
        FROM (SELECT job.kind, (SELECT string_agg(name, $1) FROM job_lock WHERE job_lock.job_id = job.id) AS locks
              FROM job WHERE job.state = 'running') AS running
        GROUP BY running.kind
        UNION ALL
        SELECT 'reserves', job.id, job.kind, job_lock.name, job.priority
        FROM job_lock CROSS JOIN job
        WHERE job.id = job_lock.job_id AND job_lock.reserved = 1 AND coalesce(job.state = 'queued', FALSE) AND coalesce(job.parked_on, 'lock/') LIKE 'lock/%'
        UNION ALL
        SELECT CASE WHEN paused_at IS NULL THEN 'limit' ELSE 'paused' END, NULL, kind, NULL, max_running
        FROM job_kind
        UNION ALL
        SELECT 'due', NULL, NULL, NULL, min(run_after)
        FROM job WHERE state = 'queued' AND parked_on = 'time'";
    type Row = (
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<i64>,
    );
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(SQL).bind(BETWEEN_LOCKS).fetch_all(conn))?;
    let mut scene = Scene::default();
    for (fact, id, kind, locks, number) in rows {
        let (id, kind) = (id.unwrap_or_default(), kind.unwrap_or_default());
        match (fact.as_str(), locks) {
            ("runs", locks) => {
                let locks = locks.unwrap_or_default();
                let locks = locks.split_terminator(BETWEEN_LOCKS).map(str::to_owned);
                scene.run(kind, number.unwrap_or_default(), locks);
            }
            ("reserves", Some(lock)) => scene.reserves(Reserved {
                lock,
                id: id.parse().map_err(Error::corrupt("job", "id", &id))?,
                priority: number.unwrap_or_default(),
            }),
            ("due", _) => scene.next_due = number.map(Timestamp::from_millis),
            ("paused" | "limit", _) => scene.rules(
                kind,
                KindRule {
                    paused: fact == "paused",
                    max_running: number,
                },
            ),
            _ => unreachable!("the statement above names these facts"),
        }
    }
    Ok(scene)
}

/// Returns the first `limit` jobs of `kinds` in `lane` that are to be looked at, in the order of the queue.
pub(crate) async fn list_candidates(
    tx: &mut Tx,
    lane: Lane,
    kinds: &[&str],
    limit: usize,
) -> Result<Vec<Candidate>, Error> {
    const SQL: &str = "
        SELECT id, kind, priority, CASE WHEN run_after > created_at THEN run_after ELSE 0 END,
               (SELECT string_agg(name, $5) FROM job_lock WHERE job_lock.job_id = job.id)
        FROM job
        WHERE state = 'queued' AND parked_on IS NULL AND priority BETWEEN $1 AND $2
          AND ',' || $3 || ',' LIKE '%,' || kind || ',%'
        ORDER BY priority DESC, id
        LIMIT $4";
    type Row = (String, String, i64, i64, Option<String>);
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(SQL)
        .bind(lane.priorities().start())
        .bind(lane.priorities().end())
        .bind(kinds.join(","))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(BETWEEN_LOCKS)
        .fetch_all(conn))?;
    rows.into_iter()
        .map(|(id, kind, priority, run_after, locks)| {
            let locks = locks.unwrap_or_default();
            let mut locks: Vec<String> = locks.split_terminator(BETWEEN_LOCKS).map(str::to_owned).collect();
            // The databases join them in any order.
            locks.sort_unstable();
            Ok(Candidate {
                id: id.parse().map_err(Error::corrupt("job", "id", &id))?,
                kind,
                priority,
                run_after: Timestamp::from_millis(run_after),
                locks,
            })
        })
        .collect()
}

/// Who takes jobs, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taking<'a> {
    pub(crate) worker: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) lease_until: Timestamp,
}

/// Takes queued jobs. Each claim raises the attempt number, which is the fence of everything the run writes.
///
/// A job may be stored while the transaction waits to begin, after `now`; it starts when it was stored, not before.
pub(crate) async fn take(tx: &mut Tx, ids: &[JobId], taking: Taking<'_>) -> Result<Vec<Job>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = over_ids!(
        tx,
        "UPDATE job
         SET state = 'running', attempt = attempt + 1, started_at = CASE WHEN created_at > $2 THEN created_at ELSE $2 END, lease_by = $3, lease_until = $4
         WHERE coalesce(state = 'queued', FALSE) AND id IN (SELECT list.id FROM",
        concat!(") RETURNING ", job_columns!())
    );
    let list = to_id_list(tx, ids);
    let rows: Vec<JobRow> = on!(&mut *tx, conn => sqlx::query_as(sql)
        .bind(list)
        .bind(taking.now.millis())
        .bind(taking.worker)
        .bind(taking.lease_until.millis())
        .fetch_all(conn))?;
    // Neither database returns rows in the order of the list.
    let place: HashMap<JobId, usize> = ids.iter().copied().zip(0..).collect();
    let mut jobs = rows
        .into_iter()
        .map(JobRow::into_job)
        .collect::<Result<Vec<_>, _>>()?;
    jobs.sort_by_key(|job| place[&job.id]);
    Ok(jobs)
}

/// True when some lease has lapsed.
pub(crate) async fn has_lapsed(tx: &mut Tx, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "SELECT count(*) FROM job WHERE state = 'running' AND lease_until < $1";
    let lapsed: i64 = on!(tx, conn => sqlx::query_scalar(SQL).bind(now.millis()).fetch_one(conn))?;
    Ok(lapsed > 0)
}

/// Returns the running jobs whose lease has lapsed, locked until `tx` ends; without those whose attempt is in the middle of a transaction, for
/// that attempt is alive. One that does not decode is left out: it must not keep the others waiting.
pub(crate) async fn list_lapsed(tx: &mut Tx, now: Timestamp) -> Result<Vec<Job>, Error> {
    const SQLITE: &str = concat!(
        "SELECT ",
        job_columns!(),
        " FROM job WHERE state = 'running' AND lease_until < $1 ORDER BY id"
    );
    const POSTGRES: &str = concat!(
        "SELECT ",
        job_columns!(),
        " FROM job WHERE state = 'running' AND lease_until < $1 ORDER BY id FOR UPDATE SKIP LOCKED"
    );
    let sql = if tx.is_postgres() { POSTGRES } else { SQLITE };
    let rows: Vec<JobRow> = on!(tx, conn => sqlx::query_as(sql).bind(now.millis()).fetch_all(conn))?;
    let decoded = rows.into_iter().filter_map(|row| {
        row.into_job()
            .inspect_err(|error| {
                tracing::error!(error = error as &dyn std::error::Error, "a job cannot be read")
            })
            .ok()
    });
    Ok(decoded.collect())
}

/// Returns the jobs that `worker` has in the database's eyes, with their attempts.
pub(crate) async fn list_held_by(tx: &mut Tx, worker: &str) -> Result<Vec<(JobId, i64)>, Error> {
    const SQL: &str = "SELECT id, attempt FROM job WHERE state = 'running' AND lease_by = $1";
    let rows: Vec<(String, i64)> = on!(tx, conn => sqlx::query_as(SQL).bind(worker).fetch_all(conn))?;
    rows.into_iter()
        .map(|(id, attempt)| Ok((id.parse().map_err(Error::corrupt("job", "id", &id))?, attempt)))
        .collect()
}
