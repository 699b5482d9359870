//! Notices of infringement, and what trustees answered.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute, on};

use crate::takedown::{Answer, Case, CaseId, Decision, Notice};

#[derive(sqlx::FromRow)]
struct CaseRow {
    id: String,
    created_at: i64,
    notice: String,
    decision: Option<String>,
    answer: Option<String>,
    answered_at: Option<i64>,
    answered_by: Option<String>,
}

impl CaseRow {
    fn into_case(self) -> Result<Case, Error> {
        let key = &self.id;
        let answer = match (self.decision, self.answer, self.answered_at, self.answered_by) {
            (Some(decision), Some(text), Some(at), Some(by)) => Some(Answer {
                decision: decision
                    .parse()
                    .map_err(Error::corrupt("takedown_case", "decision", key))?,
                text,
                at: Timestamp::from_millis(at),
                by,
            }),
            _ => None,
        };
        Ok(Case {
            notice: serde_json::from_str(&self.notice).map_err(Error::corrupt(
                "takedown_case",
                "notice",
                key,
            ))?,
            id: key.parse().map_err(Error::corrupt("takedown_case", "id", key))?,
            created_at: Timestamp::from_millis(self.created_at),
            answer,
        })
    }
}

/// Lets one transaction at a time count and insert, until it ends.
pub async fn serialise(tx: &mut Tx) -> Result<(), Error> {
    // SQLite has one writer anyway.
    if tx.is_postgres() {
        execute!(tx, sqlx::query("LOCK TABLE takedown_case IN EXCLUSIVE MODE"))?;
    }
    Ok(())
}

/// Counts the cases since a time.
pub async fn count_since(tx: &mut Tx, since: Timestamp) -> Result<i64, Error> {
    const SQL: &str = "SELECT count(*) FROM takedown_case WHERE created_at >= $1";
    on!(tx, conn => sqlx::query_scalar(SQL).bind(since.millis()).fetch_one(conn))
}

/// Returns the case of the notice with this digest, if it is not older than `since`.
pub async fn find_by_digest(tx: &mut Tx, digest: &str, since: Timestamp) -> Result<Option<CaseId>, Error> {
    const SQL: &str = "SELECT id FROM takedown_case WHERE digest = $1 AND created_at >= $2 LIMIT 1";
    let id: Option<String> =
        on!(tx, conn => sqlx::query_scalar(SQL).bind(digest).bind(since.millis()).fetch_optional(conn))?;
    id.map(|id| id.parse().map_err(Error::corrupt("takedown_case", "id", &id)))
        .transpose()
}

/// Stores a new case.
pub async fn insert(
    tx: &mut Tx,
    id: CaseId,
    digest: &str,
    notice: &Notice,
    at: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO takedown_case (id, digest, created_at, notice) VALUES ($1, $2, $3, $4)";
    let notice = serde_json::to_string(notice).expect("texts are JSON");
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(id.to_string())
            .bind(digest)
            .bind(at.millis())
            .bind(notice)
    )?;
    Ok(())
}

/// Returns one case.
pub async fn find(tx: &mut Tx, id: CaseId) -> Result<Option<Case>, Error> {
    const SQL: &str = "
        SELECT id, created_at, notice, decision, answer, answered_at, answered_by
        FROM takedown_case WHERE id = $1";
    let row: Option<CaseRow> =
        on!(tx, conn => sqlx::query_as(SQL).bind(id.to_string()).fetch_optional(conn))?;
    row.map(CaseRow::into_case).transpose()
}

/// Returns up to `limit` cases, newest first, those older than `before`: a time and the id of the last one seen.
pub async fn list(tx: &mut Tx, before: Option<(Timestamp, CaseId)>, limit: i64) -> Result<Vec<Case>, Error> {
    const SQL: &str = "
        SELECT id, created_at, notice, decision, answer, answered_at, answered_by
        FROM takedown_case
        WHERE created_at < $1 OR (created_at = $1 AND id < $2)
        ORDER BY created_at DESC, id DESC
        LIMIT $3";
    let (at, id) = before.map_or((i64::MAX, String::new()), |(at, id)| {
        (at.millis(), id.to_string())
    });
    let rows: Vec<CaseRow> =
        on!(tx, conn => sqlx::query_as(SQL).bind(at).bind(id).bind(limit).fetch_all(conn))?;
    rows.into_iter().map(CaseRow::into_case).collect()
}

/// Writes what was answered, in place of an earlier answer. False when there is no such case.
pub async fn put_answer(tx: &mut Tx, id: CaseId, answer: &Answer) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE takedown_case SET decision = $2, answer = $3, answered_at = $4, answered_by = $5
        WHERE id = $1";
    let decision: Decision = answer.decision;
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(id.to_string())
            .bind(decision.as_str())
            .bind(&answer.text)
            .bind(answer.at.millis())
            .bind(&answer.by)
    )?;
    Ok(touched == 1)
}
