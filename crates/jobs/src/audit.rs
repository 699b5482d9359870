//! Whether the tables keep the promises of docs/jobs.md. What is found is damage, or a worker that is missing.

use docket_db::Error;

use crate::{Jobs, store};

/// For how long a lapsed lease may stay, in milliseconds, before somebody should have taken it.
const ABANDONED_MILLIS: i64 = 60_000;

/// How many examples a finding names.
const EXAMPLES: usize = 3;

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
        let found = found.into_iter().filter(|(_, which)| !which.is_empty());
        Ok(found
            .map(|(what, which)| {
                let examples = which
                    .iter()
                    .take(EXAMPLES)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", ");
                let more = if which.len() > EXAMPLES { ", …" } else { "" };
                format!("{} {what}: {examples}{more}", which.len())
            })
            .collect())
    }
}
