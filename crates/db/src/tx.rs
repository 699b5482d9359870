//! Transactions on either database.

use sqlx::{Postgres, Sqlite, Transaction};

use crate::Error;

/// An open transaction. Dropping it without [`Tx::commit`] rolls back.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// Makes everything done in this transaction durable and visible.
    ///
    /// # Errors
    /// When the database refuses or is gone; then nothing of it happened, unless only the answer was lost.
    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// True on PostgreSQL, for the few texts that differ.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}
