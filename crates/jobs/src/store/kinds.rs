//! What operators said about kinds of jobs.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute, on};

use crate::KindSetting;

#[derive(sqlx::FromRow)]
struct Row {
    kind: String,
    paused_at: Option<i64>,
    paused_by: Option<String>,
    max_running: Option<i64>,
}

/// Returns what was said, by kind.
pub(crate) async fn list(tx: &mut Tx) -> Result<Vec<KindSetting>, Error> {
    const SQL: &str = "SELECT kind, paused_at, paused_by, max_running FROM job_kind ORDER BY kind";
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(SQL).fetch_all(conn))?;
    let settings = rows.into_iter().map(|row| KindSetting {
        kind: row.kind,
        paused_at: row.paused_at.map(Timestamp::from_millis),
        paused_by: row.paused_by,
        max_running: row.max_running,
    });
    Ok(settings.collect())
}

/// Stores what was said about a kind.
pub(crate) async fn store(tx: &mut Tx, setting: &KindSetting) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO job_kind (kind, paused_at, paused_by, max_running)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (kind) DO UPDATE
        SET paused_at = excluded.paused_at, paused_by = excluded.paused_by, max_running = excluded.max_running";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(&setting.kind)
            .bind(setting.paused_at.map(Timestamp::millis))
            .bind(&setting.paused_by)
            .bind(setting.max_running)
    )?;
    Ok(())
}
