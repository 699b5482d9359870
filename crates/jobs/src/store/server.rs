//! What only a database server can do: carry wake-ups between processes, and tell one time to all of them.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx};

/// Notifies `channel` of each payload when `tx` commits. Nothing on SQLite, where there is only one process.
pub(crate) async fn notify(tx: &mut Tx, channel: &str, payloads: &[String]) -> Result<(), Error> {
    const SQL: &str = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS list(payload)";
    if let Tx::Postgres(conn) = tx {
        sqlx::query(SQL)
            .bind(channel)
            .bind(payloads)
            .execute(&mut **conn)
            .await?;
    }
    Ok(())
}

/// The server's time; `None` on SQLite, whose time is this machine's.
pub(crate) async fn time(tx: &mut Tx) -> Result<Option<Timestamp>, Error> {
    const SQL: &str = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";
    let Tx::Postgres(conn) = tx else {
        return Ok(None);
    };
    let millis: i64 = sqlx::query_scalar(SQL).fetch_one(&mut **conn).await?;
    Ok(Some(Timestamp::from_millis(millis)))
}
