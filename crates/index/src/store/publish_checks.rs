//! What dry runs found out: see [`crate::checks`].

use docket_core::{digest::Sha256, manifest::Manifest, name::PackageName, time::Timestamp, version::Version};
use docket_db::{Error, Tx, execute, on};

use crate::checks::PublishCheck;

#[derive(sqlx::FromRow)]
struct CheckRow {
    commit_id: String,
    manifest: String,
    inputs: String,
    tarball: String,
    job_id: String,
    checked_at: i64,
}

impl CheckRow {
    fn into_check(self) -> Result<PublishCheck, Error> {
        let key = &self.commit_id;
        Ok(PublishCheck {
            manifest: Manifest::from_stored(&self.manifest).map_err(Error::corrupt(
                "publish_check",
                "manifest",
                key,
            ))?,
            tarball: self
                .tarball
                .parse()
                .map_err(Error::corrupt("publish_check", "tarball", key))?,
            inputs: self.inputs,
            job_id: self.job_id,
            at: Timestamp::from_millis(self.checked_at),
            commit: self.commit_id,
        })
    }
}

/// Keeps what a dry run found out, in place of what an earlier one found of the same commit and manifest.
///
/// # Errors
/// When the database fails.
pub async fn put(tx: &mut Tx, check: &PublishCheck) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO publish_check
            (name, version, commit_id, manifest_digest, manifest, inputs, tarball, job_id, checked_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (name, version, commit_id, manifest_digest)
        DO UPDATE SET inputs = $6, tarball = $7, job_id = $8, checked_at = $9";
    let manifest = check.manifest.to_line();
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(check.manifest.name.as_str())
            .bind(check.manifest.version.to_string())
            .bind(&check.commit)
            .bind(Sha256::of(manifest.as_bytes()).to_string())
            .bind(&manifest)
            .bind(&check.inputs)
            .bind(check.tarball.to_string())
            .bind(&check.job_id)
            .bind(check.at.millis())
    )?;
    Ok(())
}

/// Returns what was found out of a version at `since` or later, the newest first.
///
/// # Errors
/// When the database fails, or holds what is no check.
pub async fn list(
    tx: &mut Tx,
    name: &PackageName,
    version: Version,
    since: Timestamp,
) -> Result<Vec<PublishCheck>, Error> {
    const SQL: &str = "
        SELECT commit_id, manifest, inputs, tarball, job_id, checked_at
        FROM publish_check
        WHERE name = $1 AND version = $2 AND checked_at >= $3
        ORDER BY checked_at DESC";
    let rows: Vec<CheckRow> = on!(tx, conn => sqlx::query_as(SQL)
        .bind(name.as_str())
        .bind(version.to_string())
        .bind(since.millis())
        .fetch_all(conn))?;
    rows.into_iter().map(CheckRow::into_check).collect()
}

/// Removes the rows of a version.
pub async fn remove(tx: &mut Tx, name: &PackageName, version: Version) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM publish_check WHERE name = $1 AND version = $2";
    execute!(tx, sqlx::query(SQL).bind(name.as_str()).bind(version.to_string()))?;
    Ok(())
}

/// Forgets what was found out before `before`, and returns how much that was. The blobs are garbage then.
///
/// # Errors
/// When the database fails.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    const SQL: &str = "DELETE FROM publish_check WHERE checked_at < $1";
    execute!(tx, sqlx::query(SQL).bind(before.millis()))
}

/// True when something that was found out names this tarball.
///
/// # Errors
/// When the database fails.
pub async fn is_named(tx: &mut Tx, digest: Sha256) -> Result<bool, Error> {
    const SQL: &str = "SELECT count(*) FROM publish_check WHERE tarball = $1";
    let count: i64 = on!(tx, conn => sqlx::query_scalar(SQL).bind(digest.to_string()).fetch_one(conn))?;
    Ok(count > 0)
}
