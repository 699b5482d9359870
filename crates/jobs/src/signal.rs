//! Wake-ups: that a job may be ready, that a log has grown, that a running job is to stop.
//!
//! They only shorten waits. Whoever waits also looks at the database every few seconds, so a lost signal costs time, not work. On PostgreSQL
//! they reach the other processes by NOTIFY, after the commit of what they are about: whatever gathers while one statement is under way
//! goes out with the next, because NOTIFY in every transaction halves the rate of enqueues (design/measurements.md).

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::Duration,
};

use docket_db::{Db, Error};
use tokio::sync::{broadcast, mpsc, watch};
use tracing::warn;

use crate::{Clock, JobId, store};

/// The PostgreSQL channel for all signals.
const CHANNEL: &str = "docket_jobs";

/// How many bytes the payload of one notification may have (PostgreSQL takes fewer than 8,000).
const PAYLOAD_BYTES: usize = 7_900;

/// How long to wait before listening or announcing again after the connection was lost.
const RECONNECT: Duration = Duration::from_secs(1);

/// How often the clock is set by the database's.
const SET_CLOCK: Duration = Duration::from_secs(20);

/// How many announcements are gathered at most.
const GATHERED: usize = 10_000;

/// What one process tells the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Signal {
    /// A job may be ready.
    Job,
    /// Somebody asked a running job to stop.
    Leases,
    /// The log of a job has grown or ended.
    Log(JobId),
}

/// The signals of one process; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Signals {
    heard: Arc<Heard>,
    /// To the other processes; absent where there are none.
    others: Option<mpsc::UnboundedSender<Signal>>,
}

/// Where signals of this process and of others arrive.
#[derive(Debug)]
struct Heard {
    jobs: watch::Sender<()>,
    leases: watch::Sender<()>,
    logs: broadcast::Sender<JobId>,
}

impl Signals {
    /// Makes the signals, and on PostgreSQL the tasks that carry them between processes until the last clone is gone.
    pub(crate) fn start(db: &Db, clock: &Clock) -> Self {
        let heard = Arc::new(Heard {
            jobs: watch::channel(()).0,
            leases: watch::channel(()).0,
            logs: broadcast::channel(1024).0,
        });
        let others = db.is_postgres().then(|| {
            let (others, outbox) = mpsc::unbounded_channel();
            tokio::spawn(announce(db.clone(), outbox));
            tokio::spawn(relay(db.clone(), Arc::downgrade(&heard)));
            tokio::spawn(keep_clock(db.clone(), clock.clone(), Arc::downgrade(&heard)));
            others
        });
        Self { heard, others }
    }

    /// Says that a job may be ready.
    pub(crate) fn job_ready(&self) {
        self.send(Signal::Job);
    }

    /// Says that a running job is to stop.
    pub(crate) fn look_at_leases(&self) {
        self.send(Signal::Leases);
    }

    /// Says that the log of `job` has grown or ended.
    pub(crate) fn log_grew(&self, job: JobId) {
        self.send(Signal::Log(job));
    }

    /// Says to other processes only that a job may be ready.
    pub(crate) fn job_ready_elsewhere(&self) {
        if let Some(others) = &self.others {
            let _ = others.send(Signal::Job);
        }
    }

    fn send(&self, signal: Signal) {
        self.heard.hear(signal);
        if let Some(others) = &self.others {
            // The task is gone only with its runtime.
            let _ = others.send(signal);
        }
    }

    /// Hears whenever a job may be ready from now on; every receiver hears it.
    pub(crate) fn watch_jobs(&self) -> watch::Receiver<()> {
        self.heard.jobs.subscribe()
    }

    /// Hears whenever a running job is to stop.
    pub(crate) fn watch_leases(&self) -> watch::Receiver<()> {
        self.heard.leases.subscribe()
    }

    /// Hears of all logs that grow from now on.
    pub(crate) fn watch_logs(&self) -> broadcast::Receiver<JobId> {
        self.heard.logs.subscribe()
    }
}

impl Heard {
    fn hear(&self, signal: Signal) {
        match signal {
            Signal::Job => self.jobs.send_replace(()),
            Signal::Leases => self.leases.send_replace(()),
            // No receiver is fine: nobody watches.
            Signal::Log(job) => drop(self.logs.send(job)),
        }
    }
}

/// Sends what has gathered, again and again. What cannot be sent is dropped: the others look for themselves.
async fn announce(db: Db, mut outbox: mpsc::UnboundedReceiver<Signal>) {
    let mut gathered = Vec::new();
    while outbox.recv_many(&mut gathered, GATHERED).await > 0 {
        let signals: BTreeSet<Signal> = gathered.drain(..).collect();
        if let Err(error) = notify(&db, &payloads(&signals)).await
            && !db.is_closed()
        {
            warn!(
                error = &error as &dyn std::error::Error,
                "other processes could not be woken; they look for themselves within seconds"
            );
            tokio::time::sleep(RECONNECT).await;
        }
    }
}

async fn notify(db: &Db, payloads: &[String]) -> Result<(), Error> {
    let mut tx = db.write().await?;
    store::server::notify(&mut tx, CHANNEL, payloads).await?;
    tx.commit().await
}

/// An empty payload means a job, the word `leases` a job that is to stop, and ids the logs that grew.
fn payloads(signals: &BTreeSet<Signal>) -> Vec<String> {
    let mut payloads: Vec<String> = Vec::new();
    let mut ids = String::new();
    for signal in signals {
        match signal {
            Signal::Job => payloads.push(String::new()),
            Signal::Leases => payloads.push("leases".to_owned()),
            Signal::Log(job) => {
                let id = job.to_string();
                if ids.len() + id.len() >= PAYLOAD_BYTES {
                    payloads.push(std::mem::take(&mut ids));
                }
                if !ids.is_empty() {
                    ids.push(' ');
                }
                ids.push_str(&id);
            }
        }
    }
    if !ids.is_empty() {
        payloads.push(ids);
    }
    payloads
}

/// Relays what other processes announce, for as long as somebody here listens.
async fn relay(db: Db, heard: Weak<Heard>) {
    while heard.strong_count() > 0 && !db.is_closed() {
        if let Err(error) = relay_once(&db, &heard).await
            && !db.is_closed()
        {
            warn!(
                error = &error as &dyn std::error::Error,
                "the connection for wake-ups was lost; listening again"
            );
            tokio::time::sleep(RECONNECT).await;
        }
    }
}

async fn relay_once(db: &Db, heard: &Weak<Heard>) -> Result<(), Error> {
    let Some(mut listener) = db.listener().await? else {
        return Ok(());
    };
    listener.listen(CHANNEL).await?;
    // Whatever was announced while nobody listened is found by looking once.
    while let Some(here) = heard.upgrade() {
        here.hear(Signal::Job);
        here.hear(Signal::Leases);
        drop(here);
        // `None` means that the connection was lost and made again, perhaps with signals missed in between.
        while let Some(notification) = listener.try_recv().await? {
            let Some(here) = heard.upgrade() else {
                return Ok(());
            };
            match notification.payload() {
                "" => here.hear(Signal::Job),
                "leases" => here.hear(Signal::Leases),
                ids => {
                    for id in ids.split(' ').filter_map(|id| id.parse().ok()) {
                        here.hear(Signal::Log(id));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Sets `clock` by the database's from time to time.
async fn keep_clock(db: Db, clock: Clock, alive: Weak<Heard>) {
    while alive.strong_count() > 0 && !db.is_closed() {
        if let Err(error) = set_clock(&db, &clock).await
            && !db.is_closed()
        {
            warn!(
                error = &error as &dyn std::error::Error,
                "the database was not asked for the time; trying again"
            );
        }
        tokio::time::sleep(SET_CLOCK).await;
    }
}

async fn set_clock(db: &Db, clock: &Clock) -> Result<(), Error> {
    let mut tx = db.read().await?;
    let asked = clock.now();
    if let Some(there) = store::server::time(&mut tx).await? {
        clock.set_by(asked, there);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use docket_core::time::Timestamp;

    use super::*;

    #[test]
    fn equal_signals_go_out_once_and_ids_share_a_payload() {
        let ids: Vec<JobId> = (0..500).map(|_| JobId::new(Timestamp::from_millis(1))).collect();
        let signals = ids.iter().map(|id| Signal::Log(*id));
        let signals = signals
            .chain([Signal::Job, Signal::Job, Signal::Leases])
            .collect();
        let payloads = payloads(&signals);
        assert_eq!(payloads[..2], ["", "leases"]);
        assert_eq!(payloads.len(), 5, "500 ids of 36 characters need three payloads");
        assert!(payloads.iter().all(|payload| payload.len() < 8000));
        let sent: Vec<JobId> = payloads[2..]
            .iter()
            .flat_map(|ids| ids.split(' '))
            .map(|id| id.parse().unwrap())
            .collect();
        assert_eq!(sent, ids);
    }
}
