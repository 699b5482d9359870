//! Wake-ups: that a job may be ready, or that a log has grown.
//!
//! They only shorten waits. Whoever waits also looks at the database every few seconds, so a lost signal costs time, not work.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use docket_db::{Db, Error, Tx};
use tokio::sync::{broadcast, watch};
use tracing::warn;

use crate::JobId;

/// The PostgreSQL channel for both signals: an empty payload means a job, a job's id means its log.
const CHANNEL: &str = "docket_jobs";

/// How long to wait before listening again after the connection was lost.
const RECONNECT: Duration = Duration::from_secs(1);

/// The signals of one process; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Signals {
    jobs: Arc<watch::Sender<()>>,
    logs: broadcast::Sender<JobId>,
}

impl Signals {
    /// Makes the signals, and on PostgreSQL a task that relays those of other processes until the last clone is gone.
    pub(crate) fn start(db: &Db) -> Self {
        let signals = Self {
            jobs: Arc::new(watch::channel(()).0),
            logs: broadcast::channel(1024).0,
        };
        if matches!(db, Db::Postgres(_)) {
            tokio::spawn(relay(
                db.clone(),
                Arc::downgrade(&signals.jobs),
                signals.logs.downgrade(),
            ));
        }
        signals
    }

    /// Says in this process that a job may be ready.
    pub(crate) fn job_ready(&self) {
        self.jobs.send_replace(());
    }

    /// Says in this process that the log of `job` has grown or ended.
    pub(crate) fn log_grew(&self, job: JobId) {
        // No receiver is fine: nobody watches.
        let _ = self.logs.send(job);
    }

    /// Hears whenever a job may be ready from now on; every receiver hears it.
    pub(crate) fn watch_jobs(&self) -> watch::Receiver<()> {
        self.jobs.subscribe()
    }

    /// Hears of all logs that grow from now on.
    pub(crate) fn watch_logs(&self) -> broadcast::Receiver<JobId> {
        self.logs.subscribe()
    }
}

/// Tells other processes, when `tx` commits, that a job may be ready.
pub(crate) async fn announce_job(tx: &mut Tx) -> Result<(), Error> {
    announce(tx, "").await
}

/// Tells other processes, when `tx` commits, that the log of `job` has grown or ended.
pub(crate) async fn announce_log(tx: &mut Tx, job: JobId) -> Result<(), Error> {
    announce(tx, &job.to_string()).await
}

/// PostgreSQL folds equal notifications of one transaction into one, and sends them at the commit.
async fn announce(tx: &mut Tx, payload: &str) -> Result<(), Error> {
    if let Tx::Postgres(tx) = tx {
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(payload)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Relays what other processes announce, for as long as somebody here listens.
async fn relay(db: Db, jobs: Weak<watch::Sender<()>>, logs: broadcast::WeakSender<JobId>) {
    while jobs.strong_count() > 0 {
        if let Err(error) = relay_once(&db, &jobs, &logs).await {
            warn!(
                error = &error as &dyn std::error::Error,
                "the connection for wake-ups was lost; listening again"
            );
            tokio::time::sleep(RECONNECT).await;
        }
    }
}

async fn relay_once(
    db: &Db,
    jobs: &Weak<watch::Sender<()>>,
    logs: &broadcast::WeakSender<JobId>,
) -> Result<(), Error> {
    let Some(mut listener) = db.listener().await? else {
        return Ok(());
    };
    listener.listen(CHANNEL).await?;
    // Whatever was announced while nobody listened is found by looking once.
    while let Some(wake) = jobs.upgrade() {
        wake.send_replace(());
        drop(wake);
        // `None` means that the connection was lost and made again, perhaps with signals missed in between.
        while let Some(heard) = listener.try_recv().await? {
            let (Some(jobs), Some(logs)) = (jobs.upgrade(), logs.upgrade()) else {
                return Ok(());
            };
            match heard.payload().parse() {
                Ok(job) => drop(logs.send(job)),
                Err(_) => jobs.send_replace(()),
            }
        }
    }
    Ok(())
}
