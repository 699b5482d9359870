//! Whether the tables keep the promises of docs/jobs.md. What is found is damage, or a worker that is missing.

use std::collections::HashSet;

use docket_core::finding::finding;
use docket_db::Error;
use docket_storage::Storage;

use crate::{Jobs, archive_storage, store};

/// For how long a lapsed lease may stay, in milliseconds, before somebody should have taken it.
const ABANDONED_MILLIS: i64 = 60_000;

/// Why an audit of the archive stopped.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database did not answer.
    #[error(transparent)]
    Database(#[from] Error),
    /// The storage did not answer.
    #[error(transparent)]
    Storage(#[from] docket_storage::Error),
}

impl Jobs {
    /// Looks for what must not be, and says each in a sentence that names examples. It reads every log's rows, so it takes a while.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&self) -> Result<Vec<String>, Error> {
        let abandoned_before = self.clock().now().plus_millis(-ABANDONED_MILLIS);
        let mut tx = self.db().read().await?;
        let found = [
            (
                "locks are held by two running jobs at once",
                store::audit::list_shared_locks(&mut tx).await?,
            ),
            (
                "job logs have a gap, or end where their job does not",
                store::audit::list_torn_logs(&mut tx).await?,
            ),
            (
                "jobs have ended only by half",
                store::audit::list_half_ended(&mut tx).await?,
            ),
            (
                "running jobs have lost their worker and nobody takes them; start one with `docketd work`",
                store::audit::list_abandoned(&mut tx, abandoned_before).await?,
            ),
            (
                "locks have a line of waiting jobs and nobody who will wake them",
                store::audit::list_forgotten_lines(&mut tx).await?,
            ),
        ];
        Ok(found
            .into_iter()
            .filter_map(|(what, which)| finding(what, &which))
            .collect())
    }

    /// Looks for archived lines whose blob is not in `storage`, and says that in a sentence that names examples.
    ///
    /// # Errors
    /// When database or storage fails.
    pub async fn audit_archive(&self, storage: &Storage) -> Result<Option<String>, AuditError> {
        let archive = archive_storage(storage);
        let mut tx = self.db().read().await?;
        let named = store::archive::list_named(&mut tx).await?;
        drop(tx);
        let stored = archive.digests().await?;
        let stored: HashSet<String> = stored.into_iter().map(|digest| digest.hex()).collect();
        let missing = named.into_iter().filter(|(digest, _)| !stored.contains(digest));
        let missing: Vec<_> = missing.map(|(_, part)| part).collect();
        Ok(finding("parts of archived logs have no blob", &missing))
    }
}
