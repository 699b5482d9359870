//! What SQLite itself allows: a loop that claims and completes a hundred rows in one transaction, with our driver and our settings.
//!
//! It keeps no locks, leases, attempts or log lines and runs nothing.

use docket_db::{Db, execute, on, sqlx};

use crate::rate::Pace;

const ROWS: usize = 50_000;
const AT_ONCE: usize = 100;

const TABLE: &str =
    "CREATE TABLE raw (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, payload TEXT NOT NULL)";
const INDEX: &str = "CREATE INDEX raw_queued ON raw (id) WHERE state = 0";
const FILL: &str = "
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < $1)
    INSERT INTO raw (id, state, payload) SELECT n, 0, '{}' FROM number";
const CLAIM: &str = "
    UPDATE raw SET state = 1
    WHERE id IN (SELECT id FROM raw WHERE state = 0 ORDER BY id LIMIT $1)
    RETURNING id, payload";

/// How the rows of one transaction are completed.
#[derive(Clone, Copy)]
enum Completion {
    /// All by one statement.
    Together,
    /// Each by a statement of its own.
    OneByOne,
}

/// Rows that pass through in a second.
pub(crate) async fn measure(db: &Db) -> anyhow::Result<()> {
    let mut tx = db.write().await?;
    execute!(&mut tx, sqlx::query(TABLE))?;
    execute!(&mut tx, sqlx::query(INDEX))?;
    tx.commit().await?;
    for completion in [Completion::Together, Completion::OneByOne] {
        let mut tx = db.write().await?;
        execute!(&mut tx, sqlx::query("DELETE FROM raw"))?;
        execute!(&mut tx, sqlx::query(FILL).bind(ROWS as i64))?;
        tx.commit().await?;
        let pace = Pace::start();
        while pass(db, completion).await? > 0 {}
        let rate = pace.stop(ROWS);
        let how = match completion {
            Completion::Together => "completed together",
            Completion::OneByOne => "completed one by one",
        };
        rate.print("raw loop", "SQLite", "end to end", how, "rows");
    }
    Ok(())
}

/// Claims and completes up to [`AT_ONCE`] rows; returns how many there were.
async fn pass(db: &Db, completion: Completion) -> anyhow::Result<usize> {
    let mut tx = db.write().await?;
    let rows: Vec<(i64, String)> =
        on!(&mut tx, conn => sqlx::query_as(CLAIM).bind(AT_ONCE as i64).fetch_all(conn))?;
    match completion {
        Completion::Together => {
            const SQL: &str = "UPDATE raw SET state = 2 WHERE id IN (SELECT value FROM json_each($1))";
            let ids: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
            execute!(&mut tx, sqlx::query(SQL).bind(serde_json::to_string(&ids)?))?;
        }
        Completion::OneByOne => {
            for (id, _) in &rows {
                execute!(
                    &mut tx,
                    sqlx::query("UPDATE raw SET state = 2 WHERE id = $1").bind(id)
                )?;
            }
        }
    }
    tx.commit().await?;
    Ok(rows.len())
}
