//! Removing jobs for good, with their logs: only ever those that nobody asked for by hand, and only when an operator says so.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx};

use crate::{JobId, Jobs, store};

/// A job that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedJob {
    /// Which.
    pub id: JobId,
    /// How many lines its log has.
    pub lines: i64,
}

impl Jobs {
    /// Returns up to `limit` jobs of these kinds behind `after` that ended before `before`, by id. Fewer are the last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_ended(
        &self,
        tx: &mut Tx,
        kinds: &[&str],
        before: Timestamp,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<EndedJob>, Error> {
        store::prune::list_ended(tx, kinds, before, after, limit as i64).await
    }

    /// Removes jobs that have ended, with their logs, and returns how many. The blobs of archived lines are garbage then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_ended(&self, tx: &mut Tx, jobs: &[JobId]) -> Result<u64, Error> {
        store::prune::remove_ended(tx, jobs).await
    }

    /// Counts the archived parts, and the lines in them, of jobs that ended before `before`: what [`Jobs::remove_archived`] would take away.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_archived(&self, tx: &mut Tx, before: Timestamp) -> Result<(i64, i64), Error> {
        store::prune::count_archived(tx, before).await
    }
}
