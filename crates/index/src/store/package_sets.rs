//! Package sets.

use docket_core::{name::PackageName, package_set::PackageSet, version::Version};
use docket_db::{Error, Tx, execute, on};

#[derive(sqlx::FromRow)]
struct SetRow {
    version: String,
    compiler: String,
    published: String,
    packages: String,
}

impl SetRow {
    fn into_set(self) -> Result<PackageSet, Error> {
        let key = &self.version;
        Ok(PackageSet {
            version: self
                .version
                .parse()
                .map_err(Error::corrupt("package_set", "version", key))?,
            compiler: self
                .compiler
                .parse()
                .map_err(Error::corrupt("package_set", "compiler", key))?,
            published: self
                .published
                .parse()
                .map_err(Error::corrupt("package_set", "published", key))?,
            packages: serde_json::from_str(&self.packages).map_err(Error::corrupt(
                "package_set",
                "packages",
                key,
            ))?,
        })
    }
}

/// Stores a set. Sets never change: storing the same version again keeps what is there.
pub async fn insert(tx: &mut Tx, set: &PackageSet) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO package_set (version, major, minor, patch, compiler, published, packages)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (version) DO NOTHING";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(set.version.to_string())
            .bind(i64::from(set.version.major))
            .bind(i64::from(set.version.minor))
            .bind(i64::from(set.version.patch))
            .bind(set.compiler.to_string())
            .bind(set.published.to_string())
            .bind(serde_json::to_string(&set.packages).expect("names and versions are JSON"))
    )?;
    Ok(())
}

/// Returns one set.
pub async fn find(tx: &mut Tx, version: Version) -> Result<Option<PackageSet>, Error> {
    const SQL: &str = "SELECT version, compiler, published, packages FROM package_set WHERE version = $1";
    let row: Option<SetRow> =
        on!(tx, conn => sqlx::query_as(SQL).bind(version.to_string()).fetch_optional(conn))?;
    row.map(SetRow::into_set).transpose()
}

/// Returns the set with the highest version.
pub async fn latest(tx: &mut Tx) -> Result<Option<PackageSet>, Error> {
    const SQL: &str = "
        SELECT version, compiler, published, packages
        FROM package_set
        ORDER BY major DESC, minor DESC, patch DESC
        LIMIT 1";
    let row: Option<SetRow> = on!(tx, conn => sqlx::query_as(SQL).fetch_optional(conn))?;
    row.map(SetRow::into_set).transpose()
}

/// Returns the versions of the sets that hold `name` at `version`, lowest first.
pub async fn list_versions_holding(
    tx: &mut Tx,
    name: &PackageName,
    version: Version,
) -> Result<Vec<Version>, Error> {
    // A set is compact JSON of names and versions, neither of which holds a character that LIKE or JSON treats in its own way.
    const SQL: &str = "
        SELECT version
        FROM package_set
        WHERE packages LIKE '%\"' || $1 || '\":\"' || $2 || '\"%'
        ORDER BY major, minor, patch";
    let versions: Vec<String> = on!(tx, conn => sqlx::query_scalar(SQL)
        .bind(name.as_str())
        .bind(version.to_string())
        .fetch_all(conn))?;
    versions
        .iter()
        .map(|text| {
            text.parse()
                .map_err(Error::corrupt("package_set", "version", text))
        })
        .collect()
}

/// Counts the sets.
pub async fn count(tx: &mut Tx) -> Result<usize, Error> {
    let count: i64 = on!(tx, conn => sqlx::query_scalar("SELECT count(*) FROM package_set").fetch_one(conn))?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Returns up to `limit` sets with a higher version than `after`, lowest first.
pub async fn list_after(tx: &mut Tx, after: Option<Version>, limit: i64) -> Result<Vec<PackageSet>, Error> {
    const SQL: &str = "
        SELECT version, compiler, published, packages
        FROM package_set
        WHERE (major, minor, patch) > ($1, $2, $3)
        ORDER BY major, minor, patch
        LIMIT $4";
    let [major, minor, patch] = after.map_or([-1; 3], |version| {
        [version.major, version.minor, version.patch].map(i64::from)
    });
    let rows: Vec<SetRow> = on!(tx, conn => sqlx::query_as(SQL)
        .bind(major)
        .bind(minor)
        .bind(patch)
        .bind(limit)
        .fetch_all(conn))?;
    rows.into_iter().map(SetRow::into_set).collect()
}

/// Returns all sets, lowest version first.
pub async fn list(tx: &mut Tx) -> Result<Vec<PackageSet>, Error> {
    const SQL: &str =
        "SELECT version, compiler, published, packages FROM package_set ORDER BY major, minor, patch";
    let rows: Vec<SetRow> = on!(tx, conn => sqlx::query_as(SQL).fetch_all(conn))?;
    rows.into_iter().map(SetRow::into_set).collect()
}
