//! The scheduler: one transaction that ends attempts and claims jobs, told over a small store.
//!
//! What may run is decided in [`decide`](crate::decide); the [`Store`] brings the facts and carries out. In production a store is a transaction
//! of SQLite or PostgreSQL. In the tests it is also a model in memory, which is run from seeds through crashes, pauses, lost answers and clocks that
//! jump, and with which both databases must agree (`scheduler/`).

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod model;
#[cfg(test)]
mod simulation;

use std::collections::HashSet;

use docket_core::time::Timestamp;
use docket_db::{Error, Tx};

use crate::{
    Job, JobId, JobState, Level,
    decide::{self, Candidate, Ending, ParkedOn, Scene, Verdict},
    log, store,
    store::{claim::Taking, ends::End},
    worker::Lane,
};

/// How many jobs are looked at beyond those that are wanted, once some of them had to wait.
const LOOK_AHEAD: usize = 32;

/// How many jobs are looked at in one transaction: others wait for it to end.
const LOOK_AT_MOST: usize = 2000;

/// What the scheduler asks of a transaction. No other scheduler's may overlap it once [`Store::serialise`] has returned.
#[allow(async_fn_in_trait, reason = "nobody outside this crate implements it")]
pub(crate) trait Store {
    async fn serialise(&mut self) -> Result<(), Error>;
    async fn apply_ends(&mut self, ends: &[End], now: Timestamp) -> Result<Vec<JobId>, Error>;
    async fn unpark_due(&mut self, now: Timestamp) -> Result<(), Error>;
    async fn unpark_kind(&mut self, kind: &str, places: i64) -> Result<(), Error>;
    async fn scene(&mut self) -> Result<Scene, Error>;
    async fn candidates(&mut self, lane: Lane, kinds: &[&str], limit: usize)
    -> Result<Vec<Candidate>, Error>;
    async fn park(&mut self, parked: &[(JobId, ParkedOn)]) -> Result<(), Error>;
    async fn unpark_after(&mut self, left: &[JobId]) -> Result<u64, Error>;
    async fn unreserve(&mut self, ids: &[JobId]) -> Result<(), Error>;
    async fn take(&mut self, ids: &[JobId], taking: Taking<'_>) -> Result<Vec<Job>, Error>;
    async fn held_by(&mut self, worker: &str) -> Result<Vec<(JobId, i64)>, Error>;
    async fn lapsed(&mut self, now: Timestamp) -> Result<Vec<Job>, Error>;
}

impl Store for Tx {
    async fn serialise(&mut self) -> Result<(), Error> {
        store::claim::serialise(self).await
    }

    async fn apply_ends(&mut self, ends: &[End], now: Timestamp) -> Result<Vec<JobId>, Error> {
        store::ends::apply(self, ends, now).await
    }

    async fn unpark_due(&mut self, now: Timestamp) -> Result<(), Error> {
        store::park::unpark_due(self, now).await
    }

    async fn unpark_kind(&mut self, kind: &str, places: i64) -> Result<(), Error> {
        store::park::unpark_kind(self, kind, places).await
    }

    async fn scene(&mut self) -> Result<Scene, Error> {
        store::claim::load_scene(self).await
    }

    async fn candidates(
        &mut self,
        lane: Lane,
        kinds: &[&str],
        limit: usize,
    ) -> Result<Vec<Candidate>, Error> {
        store::claim::list_candidates(self, lane, kinds, limit).await
    }

    async fn park(&mut self, parked: &[(JobId, ParkedOn)]) -> Result<(), Error> {
        store::park::park(self, parked).await
    }

    async fn unpark_after(&mut self, left: &[JobId]) -> Result<u64, Error> {
        store::park::unpark_after(self, left).await
    }

    async fn unreserve(&mut self, ids: &[JobId]) -> Result<(), Error> {
        store::park::unreserve(self, ids).await
    }

    async fn take(&mut self, ids: &[JobId], taking: Taking<'_>) -> Result<Vec<Job>, Error> {
        store::claim::take(self, ids, taking).await
    }

    async fn held_by(&mut self, worker: &str) -> Result<Vec<(JobId, i64)>, Error> {
        store::claim::list_held_by(self, worker).await
    }

    async fn lapsed(&mut self, now: Timestamp) -> Result<Vec<Job>, Error> {
        store::claim::list_lapsed(self, now).await
    }
}

/// What a worker wants of one transaction.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// Attempts that have ended.
    pub(crate) ends: &'a [End],
    /// How many jobs of which lane it can run.
    pub(crate) wanted: &'a [(Lane, usize)],
    /// The kinds that it can run.
    pub(crate) kinds: &'a [&'a str],
    /// Who it is, what time it is, and until when it takes jobs.
    pub(crate) taking: Taking<'a>,
    /// What it runs, when the answer to an earlier commit was lost: whatever else the database thinks it has goes back in the queue.
    pub(crate) in_doubt: Option<&'a HashSet<JobId>>,
}

/// What one transaction brings, once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Cycle {
    /// What was claimed, in the order of [`Request::wanted`].
    pub(crate) claimed: Vec<Vec<Job>>,
    /// When the next job becomes ready that waits for time alone.
    pub(crate) next_due: Option<Timestamp>,
    /// There is more to look at than one transaction should.
    pub(crate) more: bool,
    /// How many jobs came to be first in a line.
    pub(crate) unparked: u64,
}

/// Ends what has ended, and claims what may run.
pub(crate) async fn cycle(store: &mut impl Store, request: &Request<'_>) -> Result<Cycle, Error> {
    let now = request.taking.now;
    let mut cycle = Cycle::default();
    // Whoever parks on a lock of these jobs meanwhile has done so when `serialise` returns, and is found.
    let ended = store.apply_ends(request.ends, now).await?;
    store.serialise().await?;
    cycle.unparked = store.unpark_after(&ended).await?;
    if request.wanted.iter().all(|(_, wanted)| *wanted == 0) {
        cycle.claimed = request.wanted.iter().map(|_| Vec::new()).collect();
        return Ok(cycle);
    }
    if let Some(known) = request.in_doubt {
        give_back_unknown(store, known, request.taking).await?;
    }
    let mut scene = store.scene().await?;
    if scene.next_due.is_some_and(|at| at <= now) {
        store.unpark_due(now).await?;
        scene = store.scene().await?;
    }
    cycle.next_due = scene.next_due;
    for (kind, places) in scene.free_places() {
        store.unpark_kind(&kind, places).await?;
    }
    for (lane, wanted) in request.wanted {
        let (claimed, more) = claim(store, &mut scene, request, *lane, *wanted).await?;
        cycle.claimed.push(claimed);
        cycle.more |= more;
    }
    Ok(cycle)
}

/// Claims up to `wanted` jobs of `lane`, and parks those that have to wait. The second value is true when it stopped before it saw all.
async fn claim(
    store: &mut impl Store,
    scene: &mut Scene,
    request: &Request<'_>,
    lane: Lane,
    wanted: usize,
) -> Result<(Vec<Job>, bool), Error> {
    let (mut claimed, mut looked_at) = (Vec::new(), 0);
    while claimed.len() < wanted {
        if looked_at >= LOOK_AT_MOST {
            return Ok((claimed, true));
        }
        let ahead = if looked_at == 0 { 0 } else { LOOK_AHEAD };
        let limit = wanted - claimed.len() + ahead;
        let candidates = store.candidates(lane, request.kinds, limit).await?;
        let (mut take, mut park, mut left_lines) = (Vec::new(), Vec::new(), Vec::new());
        let mut unreserve = Vec::new();
        let mut left_locks: HashSet<&str> = HashSet::new();
        let mut deferred = false;
        for candidate in &candidates {
            if claimed.len() + take.len() == wanted {
                break;
            }
            // Somebody left this line a moment ago: who is next in it is not among these candidates. Who waits for that keeps its places.
            if candidate
                .locks
                .iter()
                .any(|lock| left_locks.contains(lock.as_str()))
            {
                left_locks.extend(candidate.locks.iter().map(String::as_str));
                deferred = true;
                continue;
            }
            match scene.judge(candidate, request.taking.now) {
                Verdict::Claim => {
                    take.push(candidate.id);
                    if scene.keeps_places_of(candidate.id) {
                        unreserve.push(candidate.id);
                    }
                }
                Verdict::Park(on) => {
                    // Whoever waits for its time or its kind leaves the lines of its locks.
                    if !matches!(on, ParkedOn::Lock(_)) {
                        left_lines.push(candidate.id);
                        left_locks.extend(candidate.locks.iter().map(String::as_str));
                    }
                    park.push((candidate.id, on));
                }
            }
        }
        store.park(&park).await?;
        claimed.extend(store.take(&take, request.taking).await?);
        store.unreserve(&unreserve).await?;
        let unparked = store.unpark_after(&left_lines).await?;
        looked_at += candidates.len();
        if candidates.len() < limit && unparked == 0 && !deferred {
            break;
        }
    }
    Ok((claimed, false))
}

async fn give_back_unknown(
    store: &mut impl Store,
    known: &HashSet<JobId>,
    taking: Taking<'_>,
) -> Result<(), Error> {
    let held = store.held_by(taking.worker).await?;
    let unknown = held.into_iter().filter(|(id, _)| !known.contains(id));
    let unknown: Vec<End> = unknown
        .map(|(id, attempt)| End {
            id,
            attempt,
            ending: Ending::GivenBack,
            lines: Vec::new(),
        })
        .collect();
    let ended = store.apply_ends(&unknown, taking.now).await?;
    store.unpark_after(&ended).await?;
    Ok(())
}

/// Ends every attempt whose lease has lapsed, and returns their jobs.
pub(crate) async fn reap(store: &mut impl Store, now: Timestamp) -> Result<Vec<JobId>, Error> {
    store.serialise().await?;
    let lapsed = store.lapsed(now).await?;
    let ends = lapsed.iter().map(|job| {
        let (ending, line) = decide::after_lapse(job.attempt, job.resets);
        let level = match ending.state() {
            JobState::Queued => Level::Warn,
            _ => Level::Error,
        };
        End {
            id: job.id,
            attempt: job.attempt,
            ending,
            lines: vec![log::closing_line(job, level, line, now)],
        }
    });
    let ends: Vec<End> = ends.collect();
    let ended = store.apply_ends(&ends, now).await?;
    store.unpark_after(&ended).await?;
    Ok(lapsed.into_iter().map(|job| job.id).collect())
}
