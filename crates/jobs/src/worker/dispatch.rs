//! The dispatcher of a worker: it alone moves jobs between the queue and the slots of this process.
//!
//! It takes turns, each of which is a transaction that ends whatever has ended, claims for whatever is free, or both. What comes while a turn is under
//! way is in the next one, so the more there is to do the less each job costs, and with little to do nobody waits for company. PostgreSQL works at
//! two turns at once: one that ends, and one that claims.

use std::{collections::HashSet, sync::Arc, time::Duration};

use docket_core::time::Timestamp;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{
    Config, Lane,
    slot::{Claim, Left, Slot},
    turn::{Done, Turn, Turns},
};
use crate::{JobId, Jobs, scheduler::Cycle};

/// How long a worker waits for a signal before it looks for itself.
const POLL: Duration = Duration::from_secs(1);

/// How long a worker waits when the database does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// How often the last ends are tried to be stored once the server stops, before the leases are left to lapse.
const LAST_TRIES: u32 = 10;

/// How many ends one transaction stores.
const ENDS_AT_ONCE: usize = 1000;

/// How many jobs are worth a transaction of their own beside another one.
///
/// So many of a lane one transaction claims, where it has so many free slots. With many slots it claims half of them: while the database works on one
/// half, the other half runs.
const AT_ONCE: usize = 64;

/// The jobs of one lane.
#[derive(Debug)]
struct LaneState {
    lane: Lane,
    free: usize,
    /// How many jobs one transaction claims at most.
    at_once: usize,
    /// There may be something for it in the queue.
    is_curious: bool,
    claims: mpsc::UnboundedSender<Claim>,
}

/// Moves jobs between the queue and the slots.
pub(super) struct Dispatcher {
    turns: Turns,
    lanes: Vec<LaneState>,
    left: mpsc::UnboundedSender<Left>,
    inbox: mpsc::UnboundedReceiver<Left>,
    /// What this process holds, as far as it knows.
    held: HashSet<JobId>,
    /// The answer to a commit was lost: the database may think that we hold more.
    in_doubt: bool,
    /// The turns that are under way.
    under_way: JoinSet<Done>,
    is_ending: bool,
    is_claiming: bool,
    /// No turn begins before: the database does not answer.
    rests_until: Instant,
    /// When to look at the queue though nobody says that there is something.
    look_at: Instant,
}

impl Dispatcher {
    pub(super) fn new(jobs: Jobs, config: Config, kinds: Arc<[&'static str]>) -> Self {
        let (left, inbox) = mpsc::unbounded_channel();
        Self {
            turns: Turns { jobs, config, kinds },
            lanes: Vec::new(),
            left,
            inbox,
            held: HashSet::new(),
            in_doubt: false,
            under_way: JoinSet::new(),
            is_ending: false,
            is_claiming: false,
            rests_until: Instant::now(),
            look_at: Instant::now(),
        }
    }

    /// Adds the slots of a lane, and returns where their jobs come out.
    pub(super) fn open(&mut self, lane: Lane, slots: usize) -> mpsc::UnboundedReceiver<Claim> {
        let (claims, receiver) = mpsc::unbounded_channel();
        self.lanes.push(LaneState {
            lane,
            free: slots,
            at_once: AT_ONCE.max(slots / 2),
            is_curious: true,
            claims,
        });
        receiver
    }

    /// Runs until `shutdown`, and then until every slot is free.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut ready = self.turns.jobs.signals.watch_jobs();
        let mut left: Vec<Left> = Vec::new();
        let mut tries_left = LAST_TRIES;
        loop {
            let stopping = shutdown.is_cancelled();
            if stopping && left.is_empty() && self.held.is_empty() && self.under_way.is_empty() {
                return;
            }
            self.begin_turn(&mut left, stopping);
            self.begin_turn(&mut left, stopping);
            let rests = self.rests_until > Instant::now();
            tokio::select! {
                Some(done) = self.under_way.join_next() => {
                    let done = done.expect("a turn does not panic, and nobody aborts it");
                    if !self.settle(done) && stopping {
                        tries_left -= 1;
                        if tries_left == 0 {
                            error!("the ends of jobs could not be stored; their leases will lapse");
                            return;
                        }
                    }
                }
                _ = self.inbox.recv_many(&mut left, ENDS_AT_ONCE) => {}
                _ = ready.changed() => self.look_everywhere(),
                () = tokio::time::sleep_until(self.look_at), if !stopping => {
                    self.look_at = Instant::now() + POLL;
                    self.look_everywhere();
                }
                // Signals do not shorten this wait: the database needs time, not more questions.
                () = tokio::time::sleep_until(self.rests_until), if rests => {}
                () = shutdown.cancelled(), if !stopping => {}
            }
        }
    }

    /// Begins a turn for what has left its slot, for what is free, or for both, unless there is nothing to do or another one is at it.
    fn begin_turn(&mut self, left: &mut Vec<Left>, stopping: bool) {
        if Instant::now() < self.rests_until {
            return;
        }
        let is_postgres = self.turns.jobs.db().is_postgres();
        // SQLite has one writer, and a few jobs go cheaper together with what comes meanwhile.
        let at_least = match self.under_way.is_empty() {
            true => 1,
            false if is_postgres => AT_ONCE,
            false => return,
        };
        let ends = left.len() >= at_least && !self.is_ending;
        let only_ends = ends && is_postgres && left.len() >= AT_ONCE;
        let left: Vec<Left> = if ends {
            left.drain(..left.len().min(ENDS_AT_ONCE)).collect()
        } else {
            Vec::new()
        };
        let freed = |lane: Lane| left.iter().filter(|left| left.lane == lane).count();
        let wanted = self.lanes.iter().map(|state| {
            // Whoever ends attempts looks for those whom it lets go.
            let looks = state.is_curious || ends;
            let wanted = (state.free + freed(state.lane)).min(state.at_once);
            (state.lane, if looks { wanted } else { 0 })
        });
        let mut wanted: Vec<(Lane, usize)> = wanted.collect();
        let claims = !stopping
            && !only_ends
            && !self.is_claiming
            && wanted.iter().any(|(_, wanted)| *wanted >= at_least);
        if !claims {
            wanted.clear();
        }
        if !ends && !claims {
            return;
        }
        self.is_ending |= ends;
        self.is_claiming |= claims;
        for (lane, (_, wanted)) in self.lanes.iter_mut().zip(&wanted) {
            // What becomes ready from here on is looked at again.
            lane.is_curious &= *wanted == 0;
        }
        let in_doubt = (claims && self.in_doubt).then(|| self.held.clone());
        let turn = Turn {
            ends,
            claims,
            left,
            wanted,
            in_doubt,
        };
        self.under_way.spawn(self.turns.clone().take(turn));
    }

    /// Takes in what a turn brought. False when it brought nothing, because the database did not take it.
    fn settle(&mut self, done: Done) -> bool {
        let Done {
            turn,
            result,
            refused,
        } = done;
        self.is_ending &= !turn.ends;
        self.is_claiming &= !turn.claims;
        let has_refused = !refused.is_empty();
        self.leave_again(refused, RETRY);
        match result {
            Ok(cycle) => {
                // The answer to this turn's question counts, not one to an earlier turn's.
                self.in_doubt &= turn.in_doubt.is_none();
                self.hand_over(turn.left, &turn.wanted, cycle);
                !has_refused
            }
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "jobs could not be ended or claimed; trying again"
                );
                self.in_doubt |= turn.claims;
                self.look_everywhere();
                self.rests_until = Instant::now() + RETRY;
                self.leave_again(turn.left, Duration::ZERO);
                false
            }
        }
    }

    fn look_everywhere(&mut self) {
        for lane in &mut self.lanes {
            lane.is_curious = true;
        }
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

    /// Says what was ended, hands over what was claimed, and decides when to look again.
    fn hand_over(&mut self, left: Vec<Left>, wanted: &[(Lane, usize)], cycle: Cycle) {
        let jobs = &self.turns.jobs;
        for left in left {
            self.held.remove(&left.job.id);
            let lane = self.lanes.iter_mut().find(|lane| lane.lane == left.lane);
            lane.expect("a slot is of an open lane").free += 1;
            if left.ending.is_some() {
                jobs.signals.log_grew(left.job.id);
            }
            left.say_stored();
        }
        for ((lane, claimed), (_, wanted)) in self.lanes.iter_mut().zip(cycle.claimed).zip(wanted) {
            // There may be more where all places were filled.
            lane.is_curious |= *wanted > 0 && claimed.len() == *wanted;
            for job in claimed {
                lane.free -= 1;
                self.held.insert(job.id);
                let slot = Slot::new(lane.lane, job.clone(), self.left.clone());
                // When nobody takes it, its slot gives it back.
                let _ = lane.claims.send(Claim { job, slot });
            }
        }
        if cycle.unparked > 0 && self.lanes.iter().all(|lane| lane.free == 0) {
            jobs.signals.job_ready_elsewhere();
        }
        if !wanted.is_empty() {
            let now = jobs.clock().now();
            let until = |at: Timestamp| {
                Duration::from_millis(at.millis().saturating_sub(now.millis()).max(0).unsigned_abs())
            };
            self.look_at = Instant::now() + cycle.next_due.map_or(POLL, until).min(POLL);
        }
        if cycle.more || cycle.unparked > 0 {
            self.look_everywhere();
        }
    }
}
