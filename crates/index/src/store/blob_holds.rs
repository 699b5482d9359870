//! Who wants what of a blob that has no row: see [`crate::blobs`].

use docket_core::{digest::Sha256, time::Timestamp};
use docket_db::{Error, Tx, execute};

/// Holds a blob from `at` on, unless it was condemned after `lapsed`. False when it was.
pub async fn hold(tx: &mut Tx, digest: Sha256, at: Timestamp, lapsed: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO blob_hold (digest, state, at) VALUES ($1, 'held', $2)
        ON CONFLICT (digest) DO UPDATE SET state = 'held', at = $2
        WHERE blob_hold.state = 'held' OR blob_hold.at < $3";
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(digest.to_string())
            .bind(at.millis())
            .bind(lapsed.millis())
    )?;
    Ok(touched > 0)
}

/// Keeps a blob that is held from being condemned before `tx` ends. False when nobody holds it any more.
pub async fn keep(tx: &mut Tx, digest: Sha256, at: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "UPDATE blob_hold SET at = $2 WHERE digest = $1 AND state = 'held'";
    Ok(execute!(tx, sqlx::query(SQL).bind(digest.to_string()).bind(at.millis()))? > 0)
}

/// Condemns a blob at `at`, unless it is held since `hold_lapsed` or condemned since `lapsed`. False when it is.
pub async fn condemn(
    tx: &mut Tx,
    digest: Sha256,
    at: Timestamp,
    hold_lapsed: Timestamp,
    lapsed: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        INSERT INTO blob_hold (digest, state, at) VALUES ($1, 'condemned', $2)
        ON CONFLICT (digest) DO UPDATE SET state = 'condemned', at = $2
        WHERE (blob_hold.state = 'held' AND blob_hold.at < $3)
            OR (blob_hold.state = 'condemned' AND blob_hold.at < $4)";
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(digest.to_string())
            .bind(at.millis())
            .bind(hold_lapsed.millis())
            .bind(lapsed.millis())
    )?;
    Ok(touched > 0)
}

/// Takes back what [`condemn`] did at `at`.
pub async fn release(tx: &mut Tx, digest: Sha256, at: Timestamp) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM blob_hold WHERE digest = $1 AND state = 'condemned' AND at = $2";
    execute!(tx, sqlx::query(SQL).bind(digest.to_string()).bind(at.millis()))?;
    Ok(())
}

/// Forgets what is older than `before`.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<(), Error> {
    execute!(
        tx,
        sqlx::query("DELETE FROM blob_hold WHERE at < $1").bind(before.millis())
    )?;
    Ok(())
}
