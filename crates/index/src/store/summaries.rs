//! What people look packages up by: one row for each package that can be installed, and one for each direct dependency.
//!
//! The tables are kept by triggers (migration 0007), so nothing here writes.

use docket_core::{manifest::Manifest, name::PackageName, time::Timestamp, version::Version};
use docket_db::{Error, Tx, on};

/// A package as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The package.
    pub name: PackageName,
    /// Its highest version that can be installed.
    pub version: Version,
    /// When that was published.
    pub published_at: Timestamp,
    /// The licence of that version.
    pub license: String,
    /// What it is for; empty when it does not say.
    pub description: String,
}

/// A package whose highest version depends on another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependantSummary {
    /// Its name.
    pub name: PackageName,
    /// Its highest version.
    pub version: Version,
    /// The range it asks for.
    pub range: String,
}

/// A version that was published, and its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// When.
    pub published_at: Timestamp,
    /// What it says about itself.
    pub manifest: Manifest,
}

#[derive(sqlx::FromRow)]
struct SummaryRow {
    name: String,
    version: String,
    published_at: i64,
    license: String,
    description: String,
}

impl SummaryRow {
    fn into_summary(self) -> Result<Summary, Error> {
        Ok(Summary {
            name: decode_name(&self.name)?,
            version: decode_version(&self.name, &self.version)?,
            published_at: Timestamp::from_millis(self.published_at),
            license: self.license,
            description: self.description,
        })
    }
}

fn decode_name(name: &str) -> Result<PackageName, Error> {
    name.parse()
        .map_err(Error::corrupt("package_summary", "name", name))
}

fn decode_version(name: &str, version: &str) -> Result<Version, Error> {
    version
        .parse()
        .map_err(Error::corrupt("package_summary", "version", name))
}

/// How many words a search may have; see [`search`].
pub const TERMS: usize = 4;

/// Returns the packages whose name or description holds all of `terms`, which are in lower case: the best match first, equally good ones by
/// name. Each comes with its rank: 0 for the name itself, 1 and 2 for a name that begins with it or holds it, 3 for the others.
///
/// A list goes on after the `rank` and the name of its last package.
pub async fn search(
    tx: &mut Tx,
    terms: &[String; TERMS],
    after: Option<(i64, &str)>,
    limit: i64,
) -> Result<Vec<(i64, Summary)>, Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        rank: i64,
        #[sqlx(flatten)]
        summary: SummaryRow,
    }
    // What was typed is escaped: `%` and `_` are themselves.
    const SQL: &str = "
        SELECT rank, name, version, published_at, license, description
        FROM (SELECT name, version, published_at, license, description,
                     CAST(CASE WHEN name LIKE $1 ESCAPE '\\' THEN 0
                               WHEN name LIKE $1 || '%' ESCAPE '\\' THEN 1
                               WHEN name LIKE '%' || $1 || '%' ESCAPE '\\' THEN 2
                               ELSE 3 END AS BIGINT) AS rank
              FROM package_summary
              WHERE name || ' ' || lower(description) LIKE '%' || $2 || '%' ESCAPE '\\'
                AND ($3 = '' OR name || ' ' || lower(description) LIKE '%' || $3 || '%' ESCAPE '\\')
                AND ($4 = '' OR name || ' ' || lower(description) LIKE '%' || $4 || '%' ESCAPE '\\')
                AND ($5 = '' OR name || ' ' || lower(description) LIKE '%' || $5 || '%' ESCAPE '\\')) AS found
        WHERE rank > $6 OR (rank = $6 AND name > $7)
        ORDER BY rank, name
        LIMIT $8";
    let escaped = terms.each_ref().map(|term| {
        let mut text = String::with_capacity(term.len());
        for char in term.chars() {
            if matches!(char, '\\' | '%' | '_') {
                text.push('\\');
            }
            text.push(char);
        }
        text
    });
    let together: Vec<&str> = escaped
        .iter()
        .map(String::as_str)
        .filter(|term| !term.is_empty())
        .collect();
    let (rank, name) = after.unwrap_or((-1, ""));
    let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(SQL)
        .bind(together.join("-"))
        .bind(&escaped[0])
        .bind(&escaped[1])
        .bind(&escaped[2])
        .bind(&escaped[3])
        .bind(rank)
        .bind(name)
        .bind(limit)
        .fetch_all(conn))?;
    rows.into_iter()
        .map(|row| Ok((row.rank, row.summary.into_summary()?)))
        .collect()
}

/// Returns up to `limit` packages that can be installed, by name, after the package `after`; the first ones when that is empty.
pub async fn list(tx: &mut Tx, after: &str, limit: i64) -> Result<Vec<Summary>, Error> {
    const SQL: &str = "
        SELECT name, version, published_at, license, description
        FROM package_summary
        WHERE name > $1
        ORDER BY name
        LIMIT $2";
    let rows: Vec<SummaryRow> = on!(tx, conn => sqlx::query_as(SQL).bind(after).bind(limit).fetch_all(conn))?;
    rows.into_iter().map(SummaryRow::into_summary).collect()
}

/// Returns the summary of a package; `None` when no version of it can be installed.
pub async fn find(tx: &mut Tx, name: &PackageName) -> Result<Option<Summary>, Error> {
    const SQL: &str =
        "SELECT name, version, published_at, license, description FROM package_summary WHERE name = $1";
    let row: Option<SummaryRow> =
        on!(tx, conn => sqlx::query_as(SQL).bind(name.as_str()).fetch_optional(conn))?;
    row.map(SummaryRow::into_summary).transpose()
}

/// Counts the packages that can be installed.
pub async fn count(tx: &mut Tx) -> Result<i64, Error> {
    on!(tx, conn => sqlx::query_scalar("SELECT count(*) FROM package_summary").fetch_one(conn))
}

/// Returns up to `limit` packages whose highest version depends on `name`, by name, after the package `after`.
pub async fn list_dependants(
    tx: &mut Tx,
    name: &PackageName,
    after: &str,
    limit: i64,
) -> Result<Vec<DependantSummary>, Error> {
    const SQL: &str = "
        SELECT d.name, d.version, d.range
        FROM package_dependency d JOIN package_summary s ON s.name = d.name AND s.version = d.version
        WHERE d.dependency = $1 AND d.name > $2
        ORDER BY d.name
        LIMIT $3";
    let rows: Vec<(String, String, String)> = on!(tx, conn => sqlx::query_as(SQL)
        .bind(name.as_str())
        .bind(after)
        .bind(limit)
        .fetch_all(conn))?;
    let decode = |(name, version, range): (String, String, String)| {
        Ok(DependantSummary {
            version: decode_version(&name, &version)?,
            name: decode_name(&name)?,
            range,
        })
    };
    rows.into_iter().map(decode).collect()
}

/// Counts the packages whose highest version depends on `name`.
pub async fn count_dependants(tx: &mut Tx, name: &PackageName) -> Result<i64, Error> {
    // SQLite keeps to this order of a cross join: one look for each package. The other way is one for each version that ever depended on this one.
    const SQL: &str = "
        SELECT count(*)
        FROM package_summary s CROSS JOIN package_dependency d
        WHERE d.dependency = $1 AND d.name = s.name AND d.version = s.version";
    on!(tx, conn => sqlx::query_scalar(SQL).bind(name.as_str()).fetch_one(conn))
}

/// Returns the versions that were published last and can be installed, newest first.
pub async fn list_new_versions(tx: &mut Tx, limit: i64) -> Result<Vec<NewVersion>, Error> {
    const SQL: &str = "
        SELECT published_at, manifest
        FROM package_version
        WHERE manifest IS NOT NULL AND hash IS NOT NULL
        ORDER BY published_at DESC
        LIMIT $1";
    let rows: Vec<(i64, String)> = on!(tx, conn => sqlx::query_as(SQL).bind(limit).fetch_all(conn))?;
    rows.into_iter().map(decode_new).collect()
}

/// The same for one package.
pub async fn list_new_versions_of(
    tx: &mut Tx,
    name: &PackageName,
    limit: i64,
) -> Result<Vec<NewVersion>, Error> {
    const SQL: &str = "
        SELECT published_at, manifest
        FROM package_version
        WHERE name = $1 AND manifest IS NOT NULL AND hash IS NOT NULL
        ORDER BY published_at DESC
        LIMIT $2";
    let rows: Vec<(i64, String)> =
        on!(tx, conn => sqlx::query_as(SQL).bind(name.as_str()).bind(limit).fetch_all(conn))?;
    rows.into_iter().map(decode_new).collect()
}

fn decode_new((published_at, manifest): (i64, String)) -> Result<NewVersion, Error> {
    Ok(NewVersion {
        published_at: Timestamp::from_millis(published_at),
        manifest: Manifest::from_stored(&manifest).map_err(Error::corrupt(
            "package_version",
            "manifest",
            &manifest,
        ))?,
    })
}
