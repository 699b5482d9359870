//! The versions that can be installed, and how packages are tied together.

use docket_core::name::PackageName;
use docket_db::{Error, Tx, on};

/// Which packages to read: no more than the answer can depend on, since a registry grows and each publish asks.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// All of them.
    Everything,
    /// These, and what any version of them depends on, directly or not.
    Needed(&'a [&'a PackageName]),
    /// This one and those that depend on it, directly or not, and what any of them depends on.
    Around(&'a PackageName),
}

/// One version.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    /// The index line.
    pub manifest: String,
    /// The compilers it is known to work with: a JSON array.
    pub compilers: String,
}

/// The rows of some packages, by name and version: `within!(tables, condition)`.
macro_rules! within {
    ($tables:expr, $condition:expr) => {
        concat!(
            $tables,
            " SELECT manifest, compilers FROM package_version WHERE manifest IS NOT NULL AND compilers IS NOT NULL ",
            $condition,
            " ORDER BY name, major, minor, patch"
        )
    };
}

/// The same for those that are needed by the packages of a table `first`.
///
/// PostgreSQL takes the names that a step finds for many, and would read and sort whole tables to join them, in each step. So it is told to look at the rows of
/// one name after the other (LATERAL), and to have all names before it reads versions (ARRAY): 7 ms in place of 300 for `halogen` in the real registry.
macro_rules! needed_by {
    (sqlite, $first:expr) => {
        needed_by!(
            $first,
            "JOIN package_dependency d ON d.name = n.name",
            "IN (SELECT name FROM needed)"
        )
    };
    (postgres, $first:expr) => {
        needed_by!(
            $first,
            "CROSS JOIN LATERAL (SELECT DISTINCT dependency FROM package_dependency WHERE name = n.name) d",
            "= ANY(ARRAY(SELECT name FROM needed))"
        )
    };
    ($first:expr, $dependencies:expr, $among_them:expr) => {
        within!(
            concat!(
                "WITH RECURSIVE first(name) AS (",
                $first,
                "), needed(name) AS (SELECT name FROM first UNION SELECT d.dependency FROM needed n ",
                $dependencies,
                ")"
            ),
            concat!("AND name ", $among_them)
        )
    };
}

/// Returns the versions in `scope` that are both published and in the index, by name and version.
pub async fn list(tx: &mut Tx, scope: Scope<'_>) -> Result<Vec<Row>, Error> {
    const EVERYTHING: &str = within!("", "");
    // On SQLite, and on PostgreSQL.
    const NEEDED: [&str; 2] = [
        needed_by!(sqlite, "SELECT value FROM json_each($1)"),
        needed_by!(postgres, "SELECT json_array_elements_text($1::json)"),
    ];
    const AROUND: [&str; 2] = [
        needed_by!(
            sqlite,
            "SELECT $1 UNION SELECT d.name FROM first f JOIN package_dependency d ON d.dependency = f.name"
        ),
        needed_by!(
            postgres,
            "SELECT $1 UNION SELECT d.name FROM first f CROSS JOIN LATERAL (
                SELECT DISTINCT name FROM package_dependency WHERE dependency = f.name) d"
        ),
    ];
    let here = usize::from(tx.is_postgres());
    on!(tx, conn => match scope {
        Scope::Everything => sqlx::query_as(EVERYTHING),
        Scope::Needed(names) => {
            let names = serde_json::to_string(names).expect("names are JSON");
            sqlx::query_as(NEEDED[here]).bind(names)
        }
        Scope::Around(name) => sqlx::query_as(AROUND[here]).bind(name.as_str().to_owned()),
    }.fetch_all(conn))
}
