//! What operators say about kinds of jobs: pause one, or let only so many run.

use docket_core::time::Timestamp;
use docket_db::Error;

use crate::{Jobs, store};

/// What was said about one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindSetting {
    /// The kind, such as `publish`.
    pub kind: String,
    /// Since when its jobs do not start; absent while they do.
    pub paused_at: Option<Timestamp>,
    /// Who paused it, in words.
    pub paused_by: Option<String>,
    /// How many may run in all processes together; absent without a limit.
    pub max_running: Option<i64>,
}

impl Jobs {
    /// Returns what was said about kinds; one about which nothing was said is not among them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn kind_settings(&self) -> Result<Vec<KindSetting>, Error> {
        let mut tx = self.db().read().await?;
        store::kinds::list(&mut tx).await
    }

    /// Pauses a kind: its jobs that run go on, others do not start before [`Jobs::resume_kind`]. `by` says who wants it so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pause_kind(&self, kind: &str, by: &str) -> Result<KindSetting, Error> {
        let now = self.clock().now();
        self.set_kind(kind, |setting| {
            setting.paused_at.get_or_insert(now);
            setting.paused_by = Some(by.to_owned());
        })
        .await
    }

    /// Lets the jobs of a kind start again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume_kind(&self, kind: &str) -> Result<KindSetting, Error> {
        self.set_kind(kind, |setting| {
            setting.paused_at = None;
            setting.paused_by = None;
        })
        .await
    }

    /// Lets at most `max_running` jobs of a kind run, in all processes together; `None` takes the limit away. Those that run go on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn limit_kind(&self, kind: &str, max_running: Option<u32>) -> Result<KindSetting, Error> {
        self.set_kind(kind, |setting| setting.max_running = max_running.map(i64::from))
            .await
    }

    async fn set_kind(
        &self,
        kind: &str,
        change: impl FnOnce(&mut KindSetting),
    ) -> Result<KindSetting, Error> {
        let mut tx = self.db().write().await?;
        store::claim::serialise(&mut tx).await?;
        let settings = store::kinds::list(&mut tx).await?;
        let known = settings.into_iter().find(|setting| setting.kind == kind);
        let mut setting = known.unwrap_or_else(|| KindSetting {
            kind: kind.to_owned(),
            paused_at: None,
            paused_by: None,
            max_running: None,
        });
        change(&mut setting);
        store::kinds::store(&mut tx, &setting).await?;
        if setting.paused_at.is_none() {
            // Without a limit nothing else would look at those that wait; with one, those too many park again.
            store::park::unpark_kind(&mut tx, kind, i64::MAX).await?;
        }
        tx.commit().await?;
        self.wake_workers();
        Ok(setting)
    }
}
