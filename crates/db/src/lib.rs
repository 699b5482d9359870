//! The two-database seam: one [`Db`] that is SQLite or PostgreSQL, transactions, migrations and test databases.
//!
//! It owns no tables, though [`rows`] moves any as a whole. Stores elsewhere write each query once and run it on whichever database a [`Tx`] belongs to
//! with [`on!`]; where the two dialects differ, both texts stand side by side in the store.

mod connect;
mod migrate;
pub mod rows;
mod tx;

pub use connect::Db;
#[doc(hidden)]
pub use migrate::position;
pub use migrate::{Migration, Product};
pub use tx::Tx;

#[doc(hidden)]
pub use sqlx;
use sqlx::sqlite::SqliteError;

/// Why the database could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configured URL names no database we speak.
    #[error("the database URL must begin with `sqlite:` or `postgres://`")]
    UnknownScheme,
    /// The database did not accept a connection.
    #[error("the database at {place} cannot be reached")]
    Unreachable {
        /// Where it was looked for, without user name or password.
        place: String,
        /// What the driver said.
        #[source]
        cause: sqlx::Error,
    },
    /// A schema change failed, or the database was changed by a newer or different program.
    #[error("the {product} tables could not be brought up to date")]
    Migration {
        /// Which set of tables.
        product: &'static str,
        /// What the migrator said.
        #[source]
        cause: Box<sqlx::migrate::MigrateError>,
    },
    /// A table has a column of a kind that no table of ours has.
    #[error("table {table}: column {column} holds {kind}, not text or whole numbers")]
    ForeignColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What the database says it holds.
        kind: String,
    },
    /// A query failed.
    #[error("a database query failed")]
    Query(#[from] sqlx::Error),
    /// A stored row does not decode.
    #[error("table {table}, row {key}: column {column} holds a value that does not decode")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        key: String,
        /// What the decoder said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// True when the database answered and said no: it is there, and asking it something else may go well.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Query(sqlx::Error::Database(_)))
    }

    /// True when the database is away, busy or out of room: the same may go well in a while.
    pub fn is_temporary(&self) -> bool {
        /// SQLite's primary codes: busy, locked, I/O error, full.
        const SQLITE: [i32; 4] = [5, 6, 10, 13];
        /// PostgreSQL's classes: connection exception, insufficient resources, operator intervention.
        const POSTGRES: [&str; 3] = ["08", "53", "57"];
        match self {
            Self::Unreachable { .. } => true,
            Self::Query(sqlx::Error::Database(said)) => match said.try_downcast_ref::<SqliteError>() {
                // The low byte of an extended code is the primary one.
                Some(_) => said
                    .code()
                    .and_then(|code| code.parse::<i32>().ok())
                    .is_some_and(|code| SQLITE.contains(&(code & 0xff))),
                None => said
                    .code()
                    .is_some_and(|code| POSTGRES.iter().any(|class| code.starts_with(class))),
            },
            Self::Query(error) => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::Protocol(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::WorkerCrashed
            ),
            Self::UnknownScheme
            | Self::Migration { .. }
            | Self::ForeignColumn { .. }
            | Self::Corrupt { .. } => false,
        }
    }

    /// Returns a closure that names table, column and key of a value that did not decode.
    pub fn corrupt<E: std::error::Error + Send + Sync + 'static>(
        table: &'static str,
        column: &'static str,
        key: impl ToString,
    ) -> impl FnOnce(E) -> Self {
        let key = key.to_string();
        move |cause| Self::Corrupt {
            table,
            column,
            key,
            cause: Box::new(cause),
        }
    }
}

/// Runs one query on whichever database a [`Tx`] belongs to: `on!(tx, conn => query.fetch_all(conn))`.
///
/// The expression is compiled once for each driver; it must be a future of `Result<T, sqlx::Error>` with one `T`.
#[macro_export]
macro_rules! on {
    ($tx:expr, $conn:ident => $query:expr) => {
        match $tx {
            $crate::Tx::Sqlite(inner) => {
                let $conn = &mut **inner;
                $query.await
            }
            $crate::Tx::Postgres(inner) => {
                let $conn = &mut **inner;
                $query.await
            }
        }
        .map_err($crate::Error::from)
    };
}

/// Executes one statement on whichever database a [`Tx`] belongs to and gives the number of rows it touched:
/// `execute!(tx, sqlx::query(SQL).bind(id))`.
#[macro_export]
macro_rules! execute {
    ($tx:expr, $query:expr) => {
        match $tx {
            $crate::Tx::Sqlite(inner) => $query
                .execute(&mut **inner)
                .await
                .map(|done| done.rows_affected()),
            $crate::Tx::Postgres(inner) => $query
                .execute(&mut **inner)
                .await
                .map(|done| done.rows_affected()),
        }
        .map_err($crate::Error::from)
    };
}
