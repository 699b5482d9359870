//! The history that imported repositories bring along.

use docket_core::digest::Sha256;
use docket_db::{Error, Tx, execute, on};

use super::changes::Repository;

/// Where a repository's history began before Docket.
#[derive(Debug, Clone)]
pub struct Base {
    /// The commit that the first change of the feed follows.
    pub commit_id: String,
    /// The blob that holds the history as a git bundle.
    pub bundle: Sha256,
}

/// Returns the base of `repository`, if it was imported with its history.
pub async fn find(tx: &mut Tx, repository: Repository) -> Result<Option<Base>, Error> {
    const SQL: &str = "SELECT commit_id, bundle FROM repository_base WHERE repository = $1";
    let row: Option<(String, String)> =
        on!(tx, conn => sqlx::query_as(SQL).bind(repository.as_str()).fetch_optional(conn))?;
    row.map(|(commit_id, bundle)| {
        let bundle = bundle
            .parse()
            .map_err(Error::corrupt("repository_base", "bundle", repository))?;
        Ok(Base { commit_id, bundle })
    })
    .transpose()
}

/// Records the base of `repository`.
pub async fn insert(tx: &mut Tx, repository: Repository, base: &Base) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO repository_base (repository, commit_id, bundle) VALUES ($1, $2, $3)";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(repository.as_str())
            .bind(&base.commit_id)
            .bind(base.bundle.to_string())
    )?;
    Ok(())
}

/// True when `digest` is that of a repository's history.
pub async fn is_bundle(tx: &mut Tx, digest: Sha256) -> Result<bool, Error> {
    const SQL: &str = "SELECT count(*) FROM repository_base WHERE bundle = $1";
    let count: i64 = on!(tx, conn => sqlx::query_scalar(SQL).bind(digest.to_string()).fetch_one(conn))?;
    Ok(count > 0)
}

/// True when any repository was imported with its history.
pub async fn any(tx: &mut Tx) -> Result<bool, Error> {
    const SQL: &str = "SELECT count(*) FROM repository_base";
    let count: i64 = on!(tx, conn => sqlx::query_scalar(SQL).fetch_one(conn))?;
    Ok(count > 0)
}
