//! Heartbeats: the leases of everything that runs in this process are renewed together, and what they hear is passed on.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use docket_core::time::Timestamp;
use docket_db::Error;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Progress;
use crate::{Job, JobId, Jobs, store, store::lease::Held};

/// What runs in this process. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Heartbeats(Arc<Mutex<HashMap<JobId, Beat>>>);

#[derive(Debug)]
struct Beat {
    attempt: i64,
    valid_until: Timestamp,
    hold: Hold,
}

/// What an attempt hears about its lease.
#[derive(Debug, Clone, Default)]
pub(super) struct Hold {
    /// Cancelled when another attempt may have begun.
    pub(super) lost: CancellationToken,
    /// Cancelled when somebody asked for the job's cancellation.
    pub(super) cancel: CancellationToken,
    by: Arc<Mutex<String>>,
}

impl Hold {
    /// Who asked for the cancellation, in words.
    pub(super) fn cancelled_by(&self) -> String {
        self.by
            .lock()
            .expect("nothing panics while it holds a name")
            .clone()
    }
}

impl Heartbeats {
    /// Renews the lease of `job`, which ends at `valid_until` at first, until [`Heartbeats::release`].
    pub(super) fn hold(&self, job: &Job, valid_until: Timestamp) -> Hold {
        let hold = Hold::default();
        let beat = Beat {
            attempt: job.attempt,
            valid_until,
            hold: hold.clone(),
        };
        self.beats().insert(job.id, beat);
        hold
    }

    pub(super) fn release(&self, job: JobId) {
        self.beats().remove(&job);
    }

    fn beats(&self) -> MutexGuard<'_, HashMap<JobId, Beat>> {
        self.0
            .lock()
            .expect("nothing panics while it holds the heartbeats")
    }

    fn held(&self) -> Vec<Held> {
        let beats = self.beats();
        let held = beats.iter().map(|(id, beat)| Held {
            id: *id,
            attempt: beat.attempt,
        });
        let mut held: Vec<_> = held.collect();
        held.sort_by_key(|held| held.id);
        held
    }

    /// Renews all leases three times in their length, and at once when some job is to be cancelled, until `over`.
    pub(super) async fn keep(self, jobs: Jobs, lease_secs: u64, progress: Progress, over: CancellationToken) {
        let every = Duration::from_millis(lease_secs * 1000 / 3);
        let mut leases = jobs.signals.watch_leases();
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                _ = leases.changed() => {}
                () = over.cancelled() => return,
            }
            let held = self.held();
            if held.is_empty() {
                continue;
            }
            let until = jobs.clock().now().plus_millis(lease_secs as i64 * 1000);
            // A connection that hangs is as bad as one that fails: nobody hears that the leases are gone.
            match tokio::time::timeout(every, renew(&jobs, &held, until)).await {
                Ok(Ok(current)) => {
                    progress.made();
                    self.pass_on(&held, &current, until);
                }
                failed => {
                    let error = failed.ok().and_then(Result::err);
                    let error = error.as_ref().map(|error| error as &dyn std::error::Error);
                    warn!(error, "leases could not be renewed; trying again");
                    self.give_up(jobs.clock().now());
                }
            }
        }
    }

    fn pass_on(&self, asked: &[Held], current: &HashMap<JobId, Option<String>>, until: Timestamp) {
        let mut beats = self.beats();
        for held in asked {
            let Some(beat) = beats
                .get_mut(&held.id)
                .filter(|beat| beat.attempt == held.attempt)
            else {
                continue;
            };
            match current.get(&held.id) {
                None => beat.hold.lost.cancel(),
                Some(cancel_by) => {
                    beat.valid_until = until;
                    if let Some(by) = cancel_by {
                        by.clone_into(
                            &mut beat.hold.by.lock().expect("nothing panics while it holds a name"),
                        );
                        beat.hold.cancel.cancel();
                    }
                }
            }
        }
    }

    /// Leases that ran out while the database did not answer may have been taken by another worker.
    fn give_up(&self, now: Timestamp) {
        for beat in self.beats().values() {
            if now >= beat.valid_until {
                beat.hold.lost.cancel();
            }
        }
    }
}

async fn renew(
    jobs: &Jobs,
    held: &[Held],
    until: Timestamp,
) -> Result<HashMap<JobId, Option<String>>, Error> {
    let mut tx = jobs.db().write().await?;
    let current = store::lease::renew(&mut tx, held, until).await?;
    tx.commit().await?;
    Ok(current)
}
