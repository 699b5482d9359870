//! How attempts end, many in one statement, each fenced by its attempt number.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, on};
use serde_json::json;

use super::{over_list, park};
use crate::{JobId, decide::Ending};

/// The end of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) id: JobId,
    /// Which attempt ends: nothing happens when it is no longer the current one.
    pub(crate) attempt: i64,
    pub(crate) ending: Ending,
}

/// Ends attempts, frees their locks, and returns how many jobs came to be first in a line by that.
///
/// After [`serialise`](super::claim::serialise). An attempt that is no longer current ends nothing. A job whose effects are committed cannot be cancelled any more.
pub(crate) async fn apply(tx: &mut Tx, ends: &[End], now: Timestamp) -> Result<u64, Error> {
    if ends.is_empty() {
        return Ok(0);
    }
    let sql = over_list!(
        tx,
        "UPDATE job
         SET state = ended.state, run_after = coalesce(ended.run_after, job.run_after), parked_on = ended.parked_on,
             resets = resets + ended.lapsed, retries = retries + ended.unavailable,
             started_at = CASE WHEN ended.state = 'queued' THEN NULL ELSE started_at END,
             finished_at = CASE WHEN ended.state = 'queued' THEN NULL ELSE $2 END,
             error_code = ended.code, error_detail = ended.detail, lease_by = NULL, lease_until = NULL
         FROM (SELECT list.value ->> 'id' AS job_id, CAST(list.value ->> 'attempt' AS BIGINT) AS number,
                      list.value ->> 'state' AS state, CAST(list.value ->> 'run_after' AS BIGINT) AS run_after,
                      list.value ->> 'parked_on' AS parked_on, CAST(list.value ->> 'lapsed' AS BIGINT) AS lapsed,
                      CAST(list.value ->> 'unavailable' AS BIGINT) AS unavailable,
                      list.value ->> 'code' AS code, list.value ->> 'detail' AS detail
               FROM",
        ") AS ended
         WHERE job.id = ended.job_id AND job.attempt = ended.number AND job.state = 'running'
           AND (ended.state <> 'cancelled' OR job.effects_at IS NULL)
         RETURNING job.id"
    );
    let list: Vec<_> = ends.iter().map(|end| to_row(end, now)).collect();
    let ended: Vec<String> = on!(&mut *tx, conn => sqlx::query_scalar(sql)
        .bind(serde_json::Value::from(list).to_string())
        .bind(now.millis())
        .fetch_all(conn))?;
    let ended = ended
        .iter()
        .map(|id| id.parse().map_err(Error::corrupt("job", "id", id)));
    let ended = ended.collect::<Result<Vec<JobId>, _>>()?;
    park::unpark_after(tx, &ended).await
}

fn to_row(end: &End, now: Timestamp) -> serde_json::Value {
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
    json!({
        "id": end.id.to_string(),
        "attempt": end.attempt,
        "state": end.ending.state().as_str(),
        "run_after": run_after.map(Timestamp::millis),
        "parked_on": waits.then(|| crate::decide::ParkedOn::Time.to_stored()),
        "lapsed": i64::from(end.ending == Ending::Lapsed),
        "unavailable": i64::from(matches!(end.ending, Ending::Retry { .. })),
        "code": code,
        // PostgreSQL refuses NUL in text, and programs print anything. The log stores JSON, where it is escaped.
        "detail": detail.map(|detail| detail.replace('\0', "\u{2400}")),
    })
}
