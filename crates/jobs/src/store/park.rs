//! What queued jobs wait for: a job that must wait is parked, and is not looked at again before what it waits for is there.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute};
use serde::Serialize;

use super::{over_ids, over_list, to_id_list, to_list};
use crate::{JobId, decide::ParkedOn, worker::Lane};

/// How many jobs whose time has come are looked at in one transaction: the rest follow in the next.
const DUE_AT_ONCE: i64 = 500;

/// Parks jobs. One with several locks waits in the line of one of them; its places in the lines of the others are kept.
pub(crate) async fn park(tx: &mut Tx, parked: &[(JobId, ParkedOn)]) -> Result<(), Error> {
    if parked.is_empty() {
        return Ok(());
    }
    #[derive(Serialize)]
    struct ParkedRow {
        id: JobId,
        parked_on: String,
    }
    let list = to_list(parked.iter().map(|(id, on)| ParkedRow {
        id: *id,
        parked_on: on.to_stored(),
    }));
    let park = over_list!(
        tx,
        "UPDATE job SET parked_on = list.parked_on FROM",
        (id TEXT, parked_on TEXT),
        "WHERE job.id = list.id AND coalesce(job.state = 'queued', FALSE)"
    );
    execute!(&mut *tx, sqlx::query(park).bind(&list))?;
    let in_lines = parked.iter().any(|(_, on)| matches!(on, ParkedOn::Lock(_)));
    if in_lines {
        let reserve = over_list!(
            tx,
            "UPDATE job_lock SET reserved = 1 FROM",
            (id TEXT, parked_on TEXT),
            "WHERE job_lock.job_id = list.id AND job_lock.reserved = 0
               AND list.parked_on LIKE 'lock/%' AND list.parked_on <> 'lock/' || job_lock.name"
        );
        execute!(tx, sqlx::query(reserve).bind(&list))?;
    }
    Ok(())
}

/// Lets the jobs be looked at whose time has come, the first [`DUE_AT_ONCE`] of them.
pub(crate) async fn unpark_due(tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE job SET parked_on = NULL
        WHERE id IN (SELECT id FROM job
                     WHERE state = 'queued' AND parked_on = 'time' AND run_after <= $1
                     ORDER BY run_after LIMIT $2)";
    execute!(tx, sqlx::query(SQL).bind(now.millis()).bind(DUE_AT_ONCE))?;
    Ok(())
}

/// Takes jobs out of the lines in which their places were kept.
pub(crate) async fn unreserve(tx: &mut Tx, ids: &[JobId]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = over_ids!(
        tx,
        "UPDATE job_lock SET reserved = 0 WHERE reserved = 1 AND job_id IN (SELECT list.id FROM",
        ")"
    );
    let list = to_id_list(tx, ids);
    execute!(tx, sqlx::query(sql).bind(list))?;
    Ok(())
}

/// Lets whoever stands first in line be looked at, in each lane, for each lock of jobs that have left `running` or the line.
///
/// Returns how many these are. Where nobody waits for any lock, which is most of the time, the first look says so.
pub(crate) async fn unpark_after(tx: &mut Tx, left: &[JobId]) -> Result<u64, Error> {
    if left.is_empty() {
        return Ok(0);
    }
    let sql = over_ids!(
        tx,
        "UPDATE job SET parked_on = NULL
         WHERE id IN (SELECT (SELECT first.id FROM job first
                              WHERE first.state = 'queued' AND first.parked_on = 'lock/' || job_lock.name
                                AND first.priority BETWEEN lane.lowest AND lane.highest
                              ORDER BY first.priority DESC, first.id LIMIT 1)
                      FROM (SELECT CAST($2 AS BIGINT) AS lowest, CAST($3 AS BIGINT) AS highest
                            UNION ALL SELECT CAST($4 AS BIGINT), CAST($5 AS BIGINT)) AS lane
                      CROSS JOIN",
        "JOIN job_lock ON job_lock.job_id = list.id
                      WHERE EXISTS (SELECT 1 FROM job WHERE state = 'queued' AND parked_on >= 'lock/' AND parked_on < 'lock0'))"
    );
    let (foreground, background) = (Lane::Foreground.priorities(), Lane::Background.priorities());
    let list = to_id_list(tx, left);
    execute!(
        tx,
        sqlx::query(sql)
            .bind(list)
            .bind(foreground.start())
            .bind(foreground.end())
            .bind(background.start())
            .bind(background.end())
    )
}

/// Lets the first `places` jobs be looked at that wait for their kind.
pub(crate) async fn unpark_kind(tx: &mut Tx, kind: &str, places: i64) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE job SET parked_on = NULL
        WHERE id IN (SELECT id FROM job
                     WHERE state = 'queued' AND parked_on = $1
                     ORDER BY priority DESC, id LIMIT $2)";
    let parked_on = ParkedOn::Kind(kind.to_owned()).to_stored();
    execute!(tx, sqlx::query(SQL).bind(parked_on).bind(places))?;
    Ok(())
}

/// Lets whoever stands first in line be looked at, for each lock that nobody holds: the net under what [`unpark_after`] did not see, because a
/// process of an older version ended the job. Returns how many there were.
pub(crate) async fn unpark_forgotten(tx: &mut Tx) -> Result<u64, Error> {
    const SQL: &str = "
        UPDATE job SET parked_on = NULL
        WHERE id IN (
            SELECT (SELECT first.id FROM job first
                    WHERE first.state = 'queued' AND first.parked_on = line.parked_on
                      AND (first.priority >= 0) = line.is_foreground
                    ORDER BY first.priority DESC, first.id LIMIT 1)
            FROM (SELECT DISTINCT parked_on, priority >= 0 AS is_foreground
                  FROM job WHERE state = 'queued' AND parked_on LIKE 'lock/%') AS line
            WHERE line.parked_on NOT IN (SELECT 'lock/' || job_lock.name FROM job JOIN job_lock ON job_lock.job_id = job.id
                                         WHERE job.state = 'running'))";
    execute!(tx, sqlx::query(SQL))
}
