//! Bringing a product's tables up to date.

use sqlx::{
    AssertSqlSafe,
    migrate::{MigrateError, MigrationType, Migrator},
};

use crate::{Db, Error, Tx, on, rows};

/// One schema change, in both dialects under one name.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its position: migrations run in this order, each once.
    pub version: i64,
    /// Its name, equal to the file's.
    pub name: &'static str,
    /// The text for SQLite.
    pub sqlite: &'static str,
    /// The text for PostgreSQL.
    pub postgres: &'static str,
}

/// The tables of one product, with a table of its own that remembers which changes were made.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// The folder under `migrations/`.
    pub name: &'static str,
    /// Where it is remembered which migrations ran.
    pub history_table: &'static str,
    /// All of them, oldest first.
    pub migrations: &'static [Migration],
}

/// The tables of the crate whose `lib.rs` this is called in: `product!("jobs", "docket_jobs_migration", ["0001_jobs"])`.
///
/// Each name is that of two files, `migrations/PRODUCT/sqlite/NAME.sql` and the same below `postgres`, and begins with its position.
#[macro_export]
macro_rules! product {
    ($product:literal, $history_table:literal, [$($name:literal),* $(,)?]) => {
        $crate::Product {
            name: $product,
            history_table: $history_table,
            migrations: &[$(
                $crate::Migration {
                    version: $crate::position($name),
                    name: $name,
                    sqlite: include_str!(concat!("../../../migrations/", $product, "/sqlite/", $name, ".sql")),
                    postgres: include_str!(concat!("../../../migrations/", $product, "/postgres/", $name, ".sql")),
                },
            )*],
        }
    };
}

/// The position of a migration, by the four digits its name begins with.
#[doc(hidden)]
#[must_use]
pub const fn position(name: &str) -> i64 {
    let digits = name.as_bytes();
    let (mut position, mut at) = (0, 0);
    while at < 4 {
        assert!(
            digits[at].is_ascii_digit(),
            "a migration's name begins with four digits"
        );
        position = position * 10 + (digits[at] - b'0') as i64;
        at += 1;
    }
    position
}

impl Product {
    /// The position of the newest migration.
    #[must_use]
    pub fn newest(&self) -> i64 {
        self.migrations
            .iter()
            .map(|migration| migration.version)
            .max()
            .unwrap_or(0)
    }

    /// Returns the position of the newest migration that ran, which may be one of a newer program; 0 before the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn version(&self, tx: &mut Tx) -> Result<i64, Error> {
        if rows::is_table(tx, self.history_table).await? {
            let sql = format!("SELECT coalesce(max(version), 0) FROM {}", self.history_table);
            return on!(tx, conn => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(conn));
        }
        Ok(0)
    }

    /// Returns the tables that the migrations up to `version` make, each after those that it refers to.
    #[must_use]
    pub fn tables(&self, version: i64) -> Vec<&'static str> {
        let made = |line: &'static str| line.strip_prefix("CREATE TABLE ")?.split_whitespace().next();
        self.migrations
            .iter()
            .filter(|migration| migration.version <= version)
            .flat_map(|migration| migration.sqlite.lines().filter_map(made))
            .collect()
    }

    /// Runs the migrations that `db` has not seen yet. Safe to call from many processes at once.
    ///
    /// # Errors
    /// When a merged migration was edited, or one of them fails; the failing one leaves no trace.
    pub async fn migrate(&self, db: &Db) -> Result<(), Error> {
        match db {
            // sqlx locks out other processes only on PostgreSQL; here the write lock of one transaction around it all does.
            Db::Sqlite { .. } => {
                let mut tx = db.write().await?;
                self.migrate_to(&mut tx, self.newest()).await?;
                tx.commit().await
            }
            Db::Postgres(pool) => {
                let done = self.migrator(true, self.newest()).run(pool).await;
                done.map_err(|cause| self.failed(cause))
            }
        }
    }

    /// Runs in `tx` the migrations up to `version` that the database has not seen yet.
    ///
    /// # Errors
    /// As [`Product::migrate`]; then `tx` must not be committed.
    pub async fn migrate_to(&self, tx: &mut Tx, version: i64) -> Result<(), Error> {
        let migrator = self.migrator(tx.is_postgres(), version);
        let done = match tx {
            Tx::Sqlite(inner) => migrator.run(&mut **inner).await,
            Tx::Postgres(inner) => migrator.run(&mut **inner).await,
        };
        done.map_err(|cause| self.failed(cause))
    }

    fn migrator(&self, postgres: bool, version: i64) -> Migrator {
        let migrations = self.migrations.iter().filter(|one| one.version <= version);
        let migrations = migrations.map(|migration| {
            let sql = if postgres {
                migration.postgres
            } else {
                migration.sqlite
            };
            sqlx::migrate::Migration::new(
                migration.version,
                migration.name.into(),
                MigrationType::Simple,
                sqlx::SqlSafeStr::into_sql_str(sql),
                false,
            )
        });
        let mut migrator = Migrator::with_migrations(migrations.collect());
        migrator.dangerous_set_table_name(self.history_table);
        // A newer program may have migrated already while this older one still runs (rolling upgrade).
        migrator.set_ignore_missing(true);
        migrator
    }

    fn failed(&self, cause: MigrateError) -> Error {
        Error::Migration {
            product: self.name,
            cause: Box::new(cause),
        }
    }
}
