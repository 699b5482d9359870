//! Where tarballs can be fetched that were not imported.

use docket_db::{Error, Tx, execute, on};

use crate::tarballs::SourceUrl;

/// Returns the tarball source, if the registry was imported with one.
pub async fn find(tx: &mut Tx) -> Result<Option<SourceUrl>, Error> {
    const SQL: &str = "SELECT url FROM tarball_source";
    let url: Option<String> = on!(tx, conn => sqlx::query_scalar(SQL).fetch_optional(conn))?;
    url.map(|url| url.parse().map_err(Error::corrupt("tarball_source", "url", &url)))
        .transpose()
}

/// Makes `url` the tarball source, in place of an earlier one.
pub async fn replace(tx: &mut Tx, url: &SourceUrl) -> Result<(), Error> {
    execute!(&mut *tx, sqlx::query("DELETE FROM tarball_source"))?;
    const SQL: &str = "INSERT INTO tarball_source (url) VALUES ($1)";
    execute!(tx, sqlx::query(SQL).bind(url.to_string()))?;
    Ok(())
}
