//! The dispatcher of a worker: it alone moves jobs between the queue and the slots of this process.
//!
//! One transaction ends whatever has ended and claims for whatever is free. What comes while it is under way is in the next one, so the
//! more there is to do the less each job costs, and with little to do nobody waits for company.

use std::{collections::HashSet, sync::Arc, time::Duration};

use docket_core::time::Timestamp;
use docket_db::Error;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{
    Config, Lane,
    slot::{Claim, Left, Slot},
};
use crate::{
    JobId, Jobs,
    scheduler::{self, Cycle, Request},
    store::{claim::Taking, ends::End},
};

/// How long a worker waits for a signal before it looks for itself.
const POLL: Duration = Duration::from_secs(1);

/// How long a worker waits when the database does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// How often the last ends are tried to be stored once the server stops, before the leases are left to lapse.
const LAST_TRIES: u32 = 10;

/// How many ends one transaction stores.
const ENDS_AT_ONCE: usize = 1000;

/// How many jobs of a lane one transaction claims at least, where it has so many free slots. With many slots it claims half of them: while the database
/// works on one half, the other half runs.
const CLAIMS_AT_ONCE: usize = 64;

/// The jobs of one lane.
#[derive(Debug)]
struct LaneState {
    lane: Lane,
    free: usize,
    /// How many jobs one transaction claims at most.
    at_once: usize,
    claims: mpsc::UnboundedSender<Claim>,
}

/// Moves jobs between the queue and the slots.
pub(super) struct Dispatcher {
    jobs: Jobs,
    config: Config,
    kinds: Arc<[&'static str]>,
    lanes: Vec<LaneState>,
    left: mpsc::UnboundedSender<Left>,
    inbox: mpsc::UnboundedReceiver<Left>,
    /// What this process holds, as far as it knows.
    held: HashSet<JobId>,
    /// The answer to a commit was lost: the database may think that we hold more.
    in_doubt: bool,
}

impl Dispatcher {
    pub(super) fn new(jobs: Jobs, config: Config, kinds: Arc<[&'static str]>) -> Self {
        let (left, inbox) = mpsc::unbounded_channel();
        Self {
            jobs,
            config,
            kinds,
            lanes: Vec::new(),
            left,
            inbox,
            held: HashSet::new(),
            in_doubt: false,
        }
    }

    /// Adds the slots of a lane, and returns where their jobs come out.
    pub(super) fn open(&mut self, lane: Lane, slots: usize) -> mpsc::UnboundedReceiver<Claim> {
        let (claims, receiver) = mpsc::unbounded_channel();
        self.lanes.push(LaneState {
            lane,
            free: slots,
            at_once: CLAIMS_AT_ONCE.max(slots / 2),
            claims,
        });
        receiver
    }

    /// Runs until `shutdown`, and then until every slot is free.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut ready = self.jobs.signals.watch_jobs();
        ready.mark_changed();
        let mut left: Vec<Left> = Vec::new();
        let mut look_at = Instant::now();
        let mut tries_left = LAST_TRIES;
        loop {
            let stopping = shutdown.is_cancelled();
            if stopping && left.is_empty() && self.held.is_empty() {
                return;
            }
            let wants = !stopping && self.lanes.iter().any(|lane| lane.free > 0);
            tokio::select! {
                _ = self.inbox.recv_many(&mut left, ENDS_AT_ONCE) => {}
                _ = ready.changed(), if wants => {}
                () = tokio::time::sleep_until(look_at), if wants => {}
                () = shutdown.cancelled(), if !stopping => continue,
            }
            // What becomes ready from here on is looked at again.
            ready.mark_unchanged();
            match self.cycle(&left, !stopping).await {
                Ok(cycle) => {
                    look_at = Instant::now() + self.settle(std::mem::take(&mut left), cycle);
                }
                Err(error) => {
                    self.in_doubt = true;
                    if stopping {
                        tries_left -= 1;
                        if tries_left == 0 {
                            error!(
                                error = &error as &dyn std::error::Error,
                                "the ends of jobs could not be stored; their leases will lapse"
                            );
                            return;
                        }
                    }
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "jobs could not be ended or claimed; trying again"
                    );
                    // A database that answers may refuse one end and take the others; for one that does not, all have to wait.
                    if left.is_empty() || !error.is_refusal() {
                        // Signals do not shorten this wait: the database needs time, not more questions.
                        tokio::time::sleep(RETRY).await;
                        self.leave_again(std::mem::take(&mut left), Duration::ZERO);
                    } else {
                        let refused = self.end_one_by_one(std::mem::take(&mut left)).await;
                        self.leave_again(refused, RETRY);
                    }
                    look_at = Instant::now();
                    ready.mark_changed();
                }
            }
        }
    }

    /// Ends each attempt in a transaction of its own, and returns those that are refused.
    async fn end_one_by_one(&mut self, left: Vec<Left>) -> Vec<Left> {
        let mut refused = Vec::new();
        for left in left {
            match self.cycle(std::slice::from_ref(&left), false).await {
                Ok(cycle) => {
                    self.settle(vec![left], cycle);
                }
                Err(_) => refused.push(left),
            }
        }
        refused
    }

    /// What could not be stored is tried again after `pause`, even if nothing else happens.
    fn leave_again(&self, left: Vec<Left>, pause: Duration) {
        if left.is_empty() {
            return;
        }
        let inbox = self.left.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            for left in left {
                // The receiver is gone only when the dispatcher has given up.
                let _ = inbox.send(left);
            }
        });
    }

    /// One transaction: ends what has ended, and claims if it may.
    async fn cycle(&mut self, left: &[Left], claim: bool) -> Result<Cycle, Error> {
        let now = self.jobs.clock().now();
        let ends: Vec<End> = left.iter().filter_map(Left::end).collect();
        let freed = |lane: Lane| left.iter().filter(|left| left.lane == lane).count();
        let wanted = self.lanes.iter().map(|state| {
            let wanted = (state.free + freed(state.lane)).min(state.at_once);
            (state.lane, if claim { wanted } else { 0 })
        });
        let wanted: Vec<(Lane, usize)> = wanted.collect();
        let request = Request {
            ends: &ends,
            wanted: &wanted,
            kinds: &self.kinds,
            taking: Taking {
                worker: &self.config.name,
                now,
                lease_until: now.plus_millis(self.config.lease_secs as i64 * 1000),
            },
            in_doubt: self.in_doubt.then_some(&self.held),
        };
        let mut tx = self.jobs.db().write().await?;
        let cycle = scheduler::cycle(&mut tx, &request).await?;
        tx.commit().await?;
        self.in_doubt &= !claim;
        self.config.progress.made();
        Ok(cycle)
    }

    /// Hands over what was claimed and says what was ended. Returns how long to wait for a signal before looking again.
    fn settle(&mut self, left: Vec<Left>, cycle: Cycle) -> Duration {
        for left in left {
            self.held.remove(&left.job.id);
            let lane = self.lanes.iter_mut().find(|lane| lane.lane == left.lane);
            lane.expect("a slot is of an open lane").free += 1;
            if left.ending.is_some() {
                self.jobs.signals.log_grew(left.job.id);
            }
            left.say_stored();
        }
        let mut more = cycle.more;
        for (lane, claimed) in self.lanes.iter_mut().zip(cycle.claimed) {
            more |= claimed.len() == lane.at_once && claimed.len() < lane.free;
            for job in claimed {
                lane.free -= 1;
                self.held.insert(job.id);
                let slot = Slot::new(lane.lane, job.clone(), self.left.clone());
                // When nobody takes it, its slot gives it back.
                let _ = lane.claims.send(Claim { job, slot });
            }
        }
        if cycle.unparked > 0 && self.lanes.iter().all(|lane| lane.free == 0) {
            self.jobs.signals.job_ready_elsewhere();
        }
        if more {
            return Duration::ZERO;
        }
        let now = self.jobs.clock().now();
        let until = |at: Timestamp| {
            Duration::from_millis(at.millis().saturating_sub(now.millis()).max(0).unsigned_abs())
        };
        cycle.next_due.map_or(POLL, until).min(POLL)
    }
}
