//! Packages, their versions and manifests.

use std::collections::BTreeMap;

use docket_core::{
    digest::Sha256,
    location::Location,
    manifest::Manifest,
    metadata::{Metadata, PublishedVersion, UnpublishedVersion},
    name::PackageName,
    owner::Owner,
    time::Timestamp,
    version::Version,
};
use docket_db::{Error, Tx, execute, on};

#[derive(sqlx::FromRow)]
struct VersionRow {
    version: String,
    published_at: i64,
    bytes: Option<i64>,
    hash: Option<String>,
    compilers: Option<String>,
    #[sqlx(rename = "ref")]
    git_ref: Option<String>,
    unpublished_at: Option<i64>,
    unpublished_reason: Option<String>,
}

/// Returns the metadata of a package.
pub async fn find_metadata(tx: &mut Tx, name: &PackageName) -> Result<Option<Metadata>, Error> {
    const PACKAGE: &str = "SELECT location, owners FROM package WHERE name = $1";
    const VERSIONS: &str = "
        SELECT version, published_at, bytes, hash, compilers, ref, unpublished_at, unpublished_reason
        FROM package_version
        WHERE name = $1";
    let package: Option<(String, Option<String>)> =
        on!(&mut *tx, conn => sqlx::query_as(PACKAGE).bind(name.as_str()).fetch_optional(conn))?;
    let Some((location, owners)) = package else {
        return Ok(None);
    };
    let mut metadata = Metadata {
        location: serde_json::from_str(&location).map_err(Error::corrupt("package", "location", name))?,
        owners: owners
            .map(|owners| serde_json::from_str(&owners))
            .transpose()
            .map_err(Error::corrupt("package", "owners", name))?,
        published: BTreeMap::new(),
        unpublished: BTreeMap::new(),
    };
    let rows: Vec<VersionRow> =
        on!(tx, conn => sqlx::query_as(VERSIONS).bind(name.as_str()).fetch_all(conn))?;
    for row in rows {
        let key = format!("{name}@{}", row.version);
        let version: Version =
            row.version
                .parse()
                .map_err(Error::corrupt("package_version", "version", &key))?;
        let published_time = Timestamp::from_millis(row.published_at);
        if let (Some(at), Some(reason)) = (row.unpublished_at, row.unpublished_reason) {
            let reason =
                reason
                    .parse()
                    .map_err(Error::corrupt("package_version", "unpublished_reason", &key))?;
            let entry = UnpublishedVersion {
                published_time,
                reason,
                unpublished_time: Timestamp::from_millis(at),
            };
            metadata.unpublished.insert(version, entry);
        } else {
            let entry = PublishedVersion {
                bytes: row.bytes.unwrap_or_default().unsigned_abs(),
                compilers: serde_json::from_str(&row.compilers.unwrap_or_default())
                    .map_err(Error::corrupt("package_version", "compilers", &key))?,
                hash: row.hash.unwrap_or_default().parse().map_err(Error::corrupt(
                    "package_version",
                    "hash",
                    &key,
                ))?,
                published_time,
                git_ref: row.git_ref.unwrap_or_default(),
            };
            metadata.published.insert(version, entry);
        }
    }
    Ok(Some(metadata))
}

/// Writes the location and the owners of a package, new or known.
pub async fn put_package(
    tx: &mut Tx,
    name: &PackageName,
    location: &Location,
    owners: Option<&[Owner]>,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO package (name, location, owners) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET location = excluded.location, owners = excluded.owners";
    let owners = owners.map(|owners| json(&owners));
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(name.as_str())
            .bind(json(location))
            .bind(&owners)
    )?;
    Ok(())
}

/// Writes a published version of a known package; its index line stays as it is.
pub async fn put_published(
    tx: &mut Tx,
    name: &PackageName,
    version: Version,
    entry: &PublishedVersion,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO package_version (name, version, major, minor, patch, published_at, bytes, hash, compilers, ref)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (name, version) DO UPDATE
        SET published_at = excluded.published_at, bytes = excluded.bytes, hash = excluded.hash,
            compilers = excluded.compilers, ref = excluded.ref, unpublished_at = NULL, unpublished_reason = NULL";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(name.as_str())
            .bind(version.to_string())
            .bind(i64::from(version.major))
            .bind(i64::from(version.minor))
            .bind(i64::from(version.patch))
            .bind(entry.published_time.millis())
            .bind(entry.bytes as i64)
            .bind(entry.hash.to_string())
            .bind(json(&entry.compilers))
            .bind(&entry.git_ref)
    )?;
    Ok(())
}

/// Writes the compilers of a version that is published. False when it is not.
pub async fn put_compilers(
    tx: &mut Tx,
    name: &PackageName,
    version: Version,
    compilers: &[Version],
) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE package_version SET compilers = $3
        WHERE name = $1 AND version = $2 AND compilers IS NOT NULL";
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(name.as_str())
            .bind(version.to_string())
            .bind(json(&compilers))
    )?;
    Ok(touched == 1)
}

/// Writes an unpublished version of a known package.
pub async fn put_unpublished(
    tx: &mut Tx,
    name: &PackageName,
    version: Version,
    entry: &UnpublishedVersion,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO package_version (name, version, major, minor, patch, published_at, unpublished_at, unpublished_reason)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (name, version) DO UPDATE
        SET published_at = excluded.published_at, bytes = NULL, hash = NULL, compilers = NULL, ref = NULL,
            unpublished_at = excluded.unpublished_at, unpublished_reason = excluded.unpublished_reason";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(name.as_str())
            .bind(version.to_string())
            .bind(i64::from(version.major))
            .bind(i64::from(version.minor))
            .bind(i64::from(version.patch))
            .bind(entry.published_time.millis())
            .bind(entry.unpublished_time.millis())
            .bind(entry.reason.to_string())
    )?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("registry values are JSON")
}

/// Returns the index lines of a package, lowest version first.
async fn list_index_lines(tx: &mut Tx, name: &PackageName) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        SELECT manifest
        FROM package_version
        WHERE name = $1 AND manifest IS NOT NULL
        ORDER BY major, minor, patch";
    on!(tx, conn => sqlx::query_scalar(SQL).bind(name.as_str()).fetch_all(conn))
}

/// Returns the manifests of a package that are in the index, lowest version first.
pub async fn list_manifests(tx: &mut Tx, name: &PackageName) -> Result<Vec<Manifest>, Error> {
    let lines = list_index_lines(tx, name).await?;
    lines
        .iter()
        .map(|line| Manifest::from_stored(line).map_err(Error::corrupt("package_version", "manifest", name)))
        .collect()
}

/// Returns the manifests in the index that depend on `name`, by name and version.
pub async fn list_manifests_naming(tx: &mut Tx, name: &PackageName) -> Result<Vec<Manifest>, Error> {
    const SQL: &str = "
        SELECT v.manifest
        FROM package_dependency d JOIN package_version v ON v.name = d.name AND v.version = d.version
        WHERE d.dependency = $1 AND v.manifest IS NOT NULL
        ORDER BY v.name, v.major, v.minor, v.patch";
    let lines: Vec<String> = on!(tx, conn => sqlx::query_scalar(SQL).bind(name.as_str()).fetch_all(conn))?;
    lines
        .iter()
        .map(|line| Manifest::from_stored(line).map_err(Error::corrupt("package_version", "manifest", name)))
        .collect()
}

/// Returns the text of a package's index file; `None` when it has none.
pub async fn find_index_file(tx: &mut Tx, name: &PackageName) -> Result<Option<String>, Error> {
    let lines = list_index_lines(tx, name).await?;
    // Every line ends with a newline, the last one too (registry.md §2.4).
    Ok((!lines.is_empty()).then(|| lines.join("\n") + "\n"))
}

/// Writes the index line of a version that is in the metadata. False when it is not.
pub async fn put_manifest(tx: &mut Tx, manifest: &Manifest) -> Result<bool, Error> {
    const SQL: &str = "UPDATE package_version SET manifest = $3 WHERE name = $1 AND version = $2";
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(manifest.name.as_str())
            .bind(manifest.version.to_string())
            .bind(manifest.to_line())
    )?;
    Ok(touched == 1)
}

/// Removes the index line of a version.
pub async fn remove_manifest(tx: &mut Tx, name: &PackageName, version: Version) -> Result<(), Error> {
    const SQL: &str = "UPDATE package_version SET manifest = NULL WHERE name = $1 AND version = $2";
    execute!(tx, sqlx::query(SQL).bind(name.as_str()).bind(version.to_string()))?;
    Ok(())
}

/// Returns the versions that can be installed and were published at `since` or later, by name and version.
pub async fn list_published_since(
    tx: &mut Tx,
    since: Timestamp,
) -> Result<Vec<(PackageName, Version)>, Error> {
    const SQL: &str = "
        SELECT name, version
        FROM package_version
        WHERE published_at >= $1 AND manifest IS NOT NULL AND hash IS NOT NULL
        ORDER BY name, major, minor, patch";
    let rows: Vec<(String, String)> =
        on!(tx, conn => sqlx::query_as(SQL).bind(since.millis()).fetch_all(conn))?;
    let decode = |(name, version): (String, String)| {
        let version = version
            .parse()
            .map_err(Error::corrupt("package_version", "version", &name))?;
        let name = name
            .parse()
            .map_err(Error::corrupt("package_version", "name", &name))?;
        Ok((name, version))
    };
    rows.into_iter().map(decode).collect()
}

/// Returns the location of every package, by name.
pub async fn list_locations(tx: &mut Tx) -> Result<Vec<(PackageName, Location)>, Error> {
    const SQL: &str = "SELECT name, location FROM package ORDER BY name";
    let rows: Vec<(String, String)> = on!(tx, conn => sqlx::query_as(SQL).fetch_all(conn))?;
    let decode = |(name, location): (String, String)| {
        let location =
            serde_json::from_str(&location).map_err(Error::corrupt("package", "location", &name))?;
        let name = name.parse().map_err(Error::corrupt("package", "name", &name))?;
        Ok((name, location))
    };
    rows.into_iter().map(decode).collect()
}

/// Returns the name and version of a published tarball with this digest.
pub async fn find_by_hash(tx: &mut Tx, hash: Sha256) -> Result<Option<(String, String)>, Error> {
    const SQL: &str = "SELECT name, version FROM package_version WHERE hash = $1 LIMIT 1";
    on!(tx, conn => sqlx::query_as(SQL).bind(hash.to_string()).fetch_optional(conn))
}

/// Returns every published version, as `name@version`, with the digest of its tarball.
pub(crate) async fn list_hashes(tx: &mut Tx) -> Result<Vec<(String, Sha256)>, Error> {
    const SQL: &str = "
        SELECT name || '@' || version, hash FROM package_version
        WHERE hash IS NOT NULL
        ORDER BY name, major, minor, patch";
    let rows: Vec<(String, String)> = on!(tx, conn => sqlx::query_as(SQL).fetch_all(conn))?;
    rows.into_iter()
        .map(|(version, hash)| {
            let hash = hash
                .parse()
                .map_err(Error::corrupt("package_version", "hash", &version))?;
            Ok((version, hash))
        })
        .collect()
}

/// Returns the names of all packages, sorted.
pub async fn list_names(tx: &mut Tx) -> Result<Vec<PackageName>, Error> {
    const SQL: &str = "SELECT name FROM package ORDER BY name";
    let names: Vec<String> = on!(tx, conn => sqlx::query_scalar(SQL).fetch_all(conn))?;
    names
        .into_iter()
        .map(|name| name.parse().map_err(Error::corrupt("package", "name", &name)))
        .collect()
}

/// True when nothing was ever published or imported.
pub async fn is_empty(tx: &mut Tx) -> Result<bool, Error> {
    const SQL: &str = "SELECT (SELECT count(*) FROM package) + (SELECT count(*) FROM package_set)";
    let count: i64 = on!(tx, conn => sqlx::query_scalar(SQL).fetch_one(conn))?;
    Ok(count == 0)
}
