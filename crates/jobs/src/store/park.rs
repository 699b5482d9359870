//! What queued jobs wait for: a job that must wait is parked, and is not looked at again before what it waits for is there.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute, on};
use serde_json::json;

use super::over_list;
use crate::{JobId, decide::ParkedOn, worker::Lane};

/// How many jobs whose time has come are looked at in one transaction: the rest follow in the next.
const DUE_AT_ONCE: i64 = 500;

/// Parks jobs. One with several locks waits in the line of one of them; its places in the lines of the others are kept.
pub(crate) async fn park(tx: &mut Tx, parked: &[(JobId, ParkedOn)]) -> Result<(), Error> {
    if parked.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = parked
        .iter()
        .map(|(id, on)| json!({ "id": id.to_string(), "on": on.to_stored() }))
        .collect();
    let list = serde_json::Value::from(list).to_string();
    let park = over_list!(
        tx,
        "UPDATE job SET parked_on = parked.reason FROM (SELECT list.value ->> 'id' AS job_id, list.value ->> 'on' AS reason FROM",
        ") AS parked WHERE job.id = parked.job_id AND job.state || '' = 'queued'"
    );
    execute!(&mut *tx, sqlx::query(park).bind(&list))?;
    let in_lines = parked.iter().any(|(_, on)| matches!(on, ParkedOn::Lock(_)));
    if in_lines {
        let reserve = over_list!(
            tx,
            "UPDATE job_lock SET reserved = 1 FROM (SELECT list.value ->> 'id' AS job_id, list.value ->> 'on' AS reason FROM",
            ") AS parked WHERE job_lock.job_id = parked.job_id AND job_lock.reserved = 0
                 AND parked.reason LIKE 'lock/%' AND parked.reason <> 'lock/' || job_lock.name"
        );
        execute!(tx, sqlx::query(reserve).bind(&list))?;
    }
    Ok(())
}

/// Lets the jobs be looked at whose time has come. Returns when the next one's comes.
pub(crate) async fn unpark_due(tx: &mut Tx, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    const UNPARK: &str = "
        UPDATE job SET parked_on = NULL
        WHERE id IN (SELECT id FROM job
                     WHERE state = 'queued' AND parked_on = 'time' AND run_after <= $1
                     ORDER BY run_after LIMIT $2)";
    const NEXT: &str = "SELECT min(run_after) FROM job WHERE state = 'queued' AND parked_on = 'time'";
    let next: Option<i64> = on!(&mut *tx, conn => sqlx::query_scalar(NEXT).fetch_one(conn))?;
    if next.is_none_or(|at| at > now.millis()) {
        return Ok(next.map(Timestamp::from_millis));
    }
    execute!(&mut *tx, sqlx::query(UNPARK).bind(now.millis()).bind(DUE_AT_ONCE))?;
    let next: Option<i64> = on!(tx, conn => sqlx::query_scalar(NEXT).fetch_one(conn))?;
    Ok(next.map(Timestamp::from_millis))
}

/// Lets whoever stands first in line be looked at, in each lane, for each lock of jobs that have left `running` or the line.
///
/// Returns how many these are.
pub(crate) async fn unpark_after(tx: &mut Tx, left: &[JobId]) -> Result<u64, Error> {
    if left.is_empty() {
        return Ok(0);
    }
    let list: Vec<_> = left.iter().map(|id| json!({ "id": id.to_string() })).collect();
    let list = serde_json::Value::from(list).to_string();
    let sql = over_list!(
        tx,
        "UPDATE job SET parked_on = NULL
         WHERE id IN (SELECT (SELECT first.id FROM job first
                              WHERE first.state = 'queued' AND first.parked_on = 'lock/' || job_lock.name
                                AND first.priority BETWEEN lane.lowest AND lane.highest
                              ORDER BY first.priority DESC, first.id LIMIT 1)
                      FROM (SELECT CAST($2 AS BIGINT) AS lowest, CAST($3 AS BIGINT) AS highest
                            UNION ALL SELECT CAST($4 AS BIGINT), CAST($5 AS BIGINT)) AS lane
                      CROSS JOIN",
        "JOIN job_lock ON job_lock.job_id = list.value ->> 'id')"
    );
    let (foreground, background) = (Lane::Foreground.priorities(), Lane::Background.priorities());
    execute!(
        tx,
        sqlx::query(sql)
            .bind(&list)
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
