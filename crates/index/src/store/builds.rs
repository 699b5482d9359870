//! With which compilers each version was tried, and the packages whose metadata file waits for its commit.

use std::{collections::HashSet, str::FromStr};

use docket_core::{name::PackageName, time::Timestamp, version::Version};
use docket_db::{Error, Tx, execute, on};

/// What came of trying a version with a compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It compiles.
    Compiles,
    /// It does not.
    Fails,
    /// Its dependencies have no versions that this compiler is known to compile; that can change.
    NoPlan,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Compiles, Self::Fails, Self::NoPlan];

    /// The word used in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compiles => "compiles",
            Self::Fails => "fails",
            Self::NoPlan => "no-plan",
        }
    }
}

/// A word that is not an outcome.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the outcome of a build")]
pub struct UnknownOutcome(String);

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(text: &str) -> Result<Self, UnknownOutcome> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or_else(|| UnknownOutcome(text.to_owned()))
    }
}

/// One trial of a version with a compiler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The package.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// The compiler.
    pub compiler: Version,
    /// What came of it.
    pub outcome: Outcome,
    /// The first error, when it does not compile.
    pub error: Option<String>,
    /// The job whose log tells the rest.
    pub job_id: String,
    /// When.
    pub at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct BuildRow {
    version: String,
    compiler: String,
    outcome: String,
    error: Option<String>,
    job_id: String,
    at: i64,
}

/// Writes what came of a trial, in place of an earlier one.
pub async fn put(tx: &mut Tx, build: &Build) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO build_result (name, version, compiler, outcome, error, job_id, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (name, version, compiler) DO UPDATE
        SET outcome = excluded.outcome, error = excluded.error, job_id = excluded.job_id, at = excluded.at";
    // PostgreSQL refuses NUL in text, and compilers print anything.
    let error = build.error.as_ref().map(|error| error.replace('\0', "\u{2400}"));
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(build.name.as_str())
            .bind(build.version.to_string())
            .bind(build.compiler.to_string())
            .bind(build.outcome.as_str())
            .bind(&error)
            .bind(&build.job_id)
            .bind(build.at.millis())
    )?;
    Ok(())
}

/// Returns the trials of all versions of a package.
pub async fn list(tx: &mut Tx, name: &PackageName) -> Result<Vec<Build>, Error> {
    const SQL: &str = "
        SELECT version, compiler, outcome, error, job_id, at
        FROM build_result
        WHERE name = $1";
    let rows: Vec<BuildRow> = on!(tx, conn => sqlx::query_as(SQL).bind(name.as_str()).fetch_all(conn))?;
    let decode = |row: BuildRow| {
        let key = format!("{name}@{}/{}", row.version, row.compiler);
        Ok(Build {
            name: name.clone(),
            version: row
                .version
                .parse()
                .map_err(Error::corrupt("build_result", "version", &key))?,
            compiler: row
                .compiler
                .parse()
                .map_err(Error::corrupt("build_result", "compiler", &key))?,
            outcome: row
                .outcome
                .parse()
                .map_err(Error::corrupt("build_result", "outcome", &key))?,
            error: row.error,
            job_id: row.job_id,
            at: Timestamp::from_millis(row.at),
        })
    };
    rows.into_iter().map(decode).collect()
}

/// Notes that the metadata file of a package is to be committed.
pub async fn put_pending(tx: &mut Tx, name: &PackageName) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO metadata_pending (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
    execute!(tx, sqlx::query(SQL).bind(name.as_str()))?;
    Ok(())
}

/// Returns the packages whose metadata file is to be committed.
pub(crate) async fn list_pending(tx: &mut Tx) -> Result<Vec<PackageName>, Error> {
    const SQL: &str = "SELECT name FROM metadata_pending ORDER BY name";
    let names: Vec<String> = on!(tx, conn => sqlx::query_scalar(SQL).fetch_all(conn))?;
    decode_names(names)
}

/// Takes the notes of up to `limit` packages away and returns their names, sorted.
pub async fn take_pending(tx: &mut Tx, limit: i64) -> Result<Vec<PackageName>, Error> {
    const SQL: &str = "
        DELETE FROM metadata_pending
        WHERE name IN (SELECT name FROM metadata_pending ORDER BY name LIMIT $1)
        RETURNING name";
    let mut names: Vec<String> = on!(tx, conn => sqlx::query_scalar(SQL).bind(limit).fetch_all(conn))?;
    names.sort();
    decode_names(names)
}

fn decode_names(names: Vec<String>) -> Result<Vec<PackageName>, Error> {
    names
        .into_iter()
        .map(|name| {
            name.parse()
                .map_err(Error::corrupt("metadata_pending", "name", &name))
        })
        .collect()
}

/// Returns the jobs in whose logs it is told why a version does not compile, or could not be tried.
pub async fn list_failed_jobs(tx: &mut Tx) -> Result<HashSet<String>, Error> {
    const SQL: &str = "SELECT job_id FROM build_result WHERE outcome <> 'compiles'";
    let jobs: Vec<String> = on!(tx, conn => sqlx::query_scalar(SQL).fetch_all(conn))?;
    Ok(jobs.into_iter().collect())
}
