//! Opening a database from its URL.

use std::{io, num::NonZero, str::FromStr, thread, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{Error, Tx};

/// How long a caller waits for a connection of the pool, and a starting program for the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// By default each statement of PostgreSQL sees a newer state; SQLite shows one state to a whole transaction by itself.
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A process that is stopped, or a machine that is gone, in the middle of a transaction must not keep its locks: the server ends it, after 30 seconds or
/// when its operator says. And nothing here runs long enough for compiled queries to pay: compiling takes 200 ms each time.
const SETTINGS: &str = "
    SELECT set_config(name, coalesce(nullif(setting, '0'), '30s'), false), set_config('jit', 'off', false)
    FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'";

/// How many connections to PostgreSQL one process keeps at most.
const MAX_CONNECTIONS: u32 = 16;

/// How much of the database each reading connection of SQLite keeps in memory, in KiB, as SQLite writes it: with a minus. Each has a cache of its own, and behind
/// all of them is that of the system: more of it costs memory many times, for as long as the database grows, and saves no time (docs/benchmarks/soak.md).
const READ_CACHE: &str = "-64";

/// How many connections for reading SQLite one process keeps at most. Each is a thread that computes, so more than two for each processor only take memory;
/// but a long reading, such as that of a backup, keeps one, and pages must not wait for it.
fn max_readers() -> u32 {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(2 * processors).unwrap_or(u32::MAX).clamp(8, 32)
}

/// A database: a handle that is cheap to clone.
#[derive(Debug, Clone)]
pub enum Db {
    /// SQLite in WAL mode: many readers, and one writer behind a pool of a single connection, so that writers wait
    /// in line here instead of failing halfway with `SQLITE_BUSY`.
    Sqlite {
        /// Connections for reading.
        read: SqlitePool,
        /// The one connection for writing.
        write: SqlitePool,
    },
    /// PostgreSQL.
    Postgres(PgPool),
}

impl Db {
    /// Opens the database named by `url` (`sqlite:PATH` or `postgres://user:password@host:port/name`) and checks that it answers.
    ///
    /// A SQLite file is created when it does not exist.
    ///
    /// # Errors
    /// At once, when the URL is not understood or the database cannot be reached. The text never holds a password.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        if url.starts_with("sqlite:") {
            Self::open_sqlite(url).await
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Self::open_postgres(url).await
        } else {
            Err(Error::UnknownScheme)
        }
    }

    async fn open_sqlite(url: &str) -> Result<Self, Error> {
        let place = url.trim_start_matches("sqlite:").to_owned();
        let unreachable = |cause| Error::Unreachable {
            place: place.clone(),
            cause,
        };
        // FULL, because a job that was accepted must survive a power cut (architecture.md §4).
        let options = SqliteConnectOptions::from_str(url)
            .map_err(&unreachable)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(CONNECT_TIMEOUT)
            .disable_statement_logging();
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT_TIMEOUT)
            // SQLite itself ends a transaction for which the disk has no room. The driver then counts one that is open for ever, and begins no other.
            .before_acquire(|conn, _| Box::pin(async move { Ok(!conn.is_in_transaction()) }))
            .connect_with(options.clone())
            .await
            .map_err(&unreachable)?;
        let read = SqlitePoolOptions::new()
            .max_connections(max_readers())
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_with(options.read_only(true).pragma("cache_size", READ_CACHE))
            .await
            .map_err(&unreachable)?;
        Ok(Self::Sqlite { read, write })
    }

    async fn open_postgres(url: &str) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|cause| Error::Unreachable {
                place: "the configured URL".to_owned(),
                cause,
            })?
            .application_name("docket")
            .disable_statement_logging();
        let place = format!(
            "{}:{}/{}",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or_default()
        );
        // One connection first: the pool would hide a refused connection behind its own time-out.
        let first = tokio::time::timeout(CONNECT_TIMEOUT, options.connect());
        let silent = |_elapsed| {
            let text = format!("no answer within {CONNECT_TIMEOUT:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, text).into())
        };
        let first = first.await.unwrap_or_else(silent);
        drop(first.map_err(|cause| Error::Unreachable { place, cause })?);
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(CONNECT_TIMEOUT)
            .after_connect(|conn, _| {
                Box::pin(async move { sqlx::query(SETTINGS).execute(conn).await.map(drop) })
            })
            .connect_lazy_with(options);
        Ok(Self::Postgres(pool))
    }

    /// Begins a transaction for reading; what it reads is one consistent state.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn read(&self) -> Result<Tx, Error> {
        Ok(match self {
            Self::Sqlite { read, .. } => Tx::Sqlite(read.begin().await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin_with(BEGIN_READ).await?),
        })
    }

    /// Begins a transaction for writing. On SQLite it takes the write lock immediately.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn write(&self) -> Result<Tx, Error> {
        Ok(match self {
            Self::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Opens a connection that hears notifications, on PostgreSQL; `None` on SQLite, where there is only one process.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn listener(&self) -> Result<Option<PgListener>, Error> {
        match self {
            Self::Sqlite { .. } => Ok(None),
            Self::Postgres(pool) => Ok(Some(PgListener::connect_with(pool).await?)),
        }
    }

    /// True on PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// True once [`Db::close`] was called.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Sqlite { write, .. } => write.is_closed(),
            Self::Postgres(pool) => pool.is_closed(),
        }
    }

    /// Closes all connections after the queries under way; on SQLite this also writes the log back into the file.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}
