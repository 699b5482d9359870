//! How the queue does, for people who look at it: the last day in numbers, the locks that are held, and who waits for what.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx};

use crate::{Holder, JobId, JobState, Jobs, store, why::what_of};

/// Into how many steps a day is cut.
pub const STEPS: usize = 48;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

const STEP_MILLIS: i64 = DAY_MILLIS / STEPS as i64;

/// How far back a job may have been stored whose failure counts in the depth of the queue, in days before the day that is shown.
const LOOK_BACK_DAYS: i64 = 7;

/// How many publishes of a day are looked at for how long they took, and how many of a week.
const MAX_ENDS: i64 = 10_000;
const SAMPLE: i64 = 250;

/// The last 24 hours, in half hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// When the first step began.
    pub start: Timestamp,
    /// At the end of each step: how many jobs had been stored and had not ended.
    pub depth: Vec<i64>,
    /// Of the publish jobs that ended well in each step: how long they ran.
    pub publishes: Vec<Option<Durations>>,
}

/// How long jobs ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durations {
    /// How many they were.
    pub count: usize,
    /// Half of them took at most this, in milliseconds.
    pub median_millis: i64,
    /// The longest, in milliseconds.
    pub max_millis: i64,
}

impl Durations {
    fn of(mut millis: Vec<i64>) -> Option<Self> {
        millis.sort_unstable();
        Some(Self {
            count: millis.len(),
            median_millis: *millis.get(millis.len().checked_sub(1)? / 2)?,
            max_millis: *millis.last()?,
        })
    }
}

/// What the front page says of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Publish jobs that ended well since midnight, UTC.
    pub published_today: i64,
    /// How long the newest of the last week ran: no more of them than tell the usual time.
    pub publishes: Option<Durations>,
    /// Jobs that run.
    pub running: i64,
    /// Jobs that wait.
    pub waiting: i64,
}

/// How many jobs of one kind ended in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The kind, such as `publish`.
    pub kind: String,
    /// How they ended.
    pub state: JobState,
    /// The code with which they failed; empty for others.
    pub code: String,
    /// How many they were.
    pub count: i64,
}

/// A lock that a running job has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLock {
    /// Its name, such as `package/prelude`.
    pub name: String,
    /// Who has it.
    pub holder: Holder,
    /// How many wait for it.
    pub waiting: i64,
}

impl Jobs {
    /// Returns the last 24 hours in numbers. Jobs that failed in that time more than a week after they were stored are not among them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn day(&self, tx: &mut Tx) -> Result<Day, Error> {
        let start = self.clock().now().plus_millis(-DAY_MILLIS);
        let now = store::jobs::count_active(tx).await?;
        let now = now.iter().map(|(.., count)| count).sum();
        let stored = store::statistics::count_stored(tx, JobId::before(start), start, STEP_MILLIS).await?;
        let after = JobId::before(start.plus_millis(-LOOK_BACK_DAYS * DAY_MILLIS));
        let ended = store::statistics::count_ended_since(tx, after, start, STEP_MILLIS).await?;
        let ends = store::statistics::list_ends(tx, "publish", start, MAX_ENDS).await?;
        let mut steps = vec![Vec::new(); STEPS];
        for (end, millis) in ends {
            steps[step_of((end - start.millis()) / STEP_MILLIS)].push(millis);
        }
        Ok(Day {
            start,
            depth: depth(now, &stored, &ended),
            publishes: steps.into_iter().map(Durations::of).collect(),
        })
    }

    /// Returns the numbers of the front page.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn service(&self, tx: &mut Tx) -> Result<Service, Error> {
        let now = self.clock().now();
        let midnight = now.plus_millis(-now.millis().rem_euclid(DAY_MILLIS));
        let week = now.plus_millis(-7 * DAY_MILLIS);
        let active = store::jobs::count_active(tx).await?;
        let count = |state: JobState| active.iter().filter(|one| one.1 == state).map(|one| one.2).sum();
        let ends = store::statistics::list_ends(tx, "publish", week, SAMPLE).await?;
        Ok(Service {
            published_today: store::statistics::count_ends(tx, "publish", midnight).await?,
            publishes: Durations::of(ends.into_iter().map(|(_, millis)| millis).collect()),
            running: count(JobState::Running),
            waiting: count(JobState::Queued),
        })
    }

    /// Counts the jobs that were stored in the last 24 hours and have ended, by kind, state and code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ended_of_the_last_day(&self, tx: &mut Tx) -> Result<Vec<Ended>, Error> {
        let after = JobId::before(self.clock().now().plus_millis(-DAY_MILLIS));
        let rows = store::statistics::count_ended(tx, after).await?;
        rows.into_iter()
            .map(|(kind, state, code, count)| {
                let state = state.parse().map_err(Error::corrupt("job", "state", &kind))?;
                Ok(Ended {
                    kind,
                    state,
                    code,
                    count,
                })
            })
            .collect()
    }

    /// Returns for how long, in milliseconds, the oldest job that waits has been there, for each kind of which one waits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn longest_waits(&self, tx: &mut Tx) -> Result<Vec<(String, i64)>, Error> {
        let now = self.clock().now().millis();
        let oldest = store::statistics::list_oldest_waiting(tx).await?;
        let waits = oldest
            .into_iter()
            .map(|(kind, stored)| (kind, (now - stored).max(0)));
        Ok(waits.collect())
    }

    /// Returns up to `limit` locks that are held, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn held_locks(&self, tx: &mut Tx, limit: i64) -> Result<Vec<HeldLock>, Error> {
        let rows = store::statistics::list_held(tx, limit).await?;
        rows.into_iter()
            .map(|row| {
                let job = row
                    .job_id
                    .parse()
                    .map_err(Error::corrupt("job_lock", "job_id", &row.job_id))?;
                Ok(HeldLock {
                    holder: Holder {
                        job,
                        what: what_of(
                            &row.kind,
                            row.package_name.as_deref(),
                            row.package_version.as_deref(),
                        ),
                        since: row.started_at.map(Timestamp::from_millis),
                    },
                    name: row.name,
                    waiting: row.waiting,
                })
            })
            .collect()
    }
}

/// The place of a step in the list: what happened just now may lie behind the last.
fn step_of(step: i64) -> usize {
    usize::try_from(step).unwrap_or_default().min(STEPS - 1)
}

/// How many jobs there were at the end of each step: as many as there are `now`, without those that were stored later, and with those that ended later.
fn depth(now: i64, stored: &[(i64, i64)], ended: &[(i64, i64)]) -> Vec<i64> {
    let mut changes = [0; STEPS];
    for (step, count) in stored {
        changes[step_of(*step)] += count;
    }
    for (step, count) in ended {
        changes[step_of(*step)] -= count;
    }
    let mut depth = [now; STEPS];
    for step in (1..STEPS).rev() {
        depth[step - 1] = depth[step] - changes[step];
    }
    depth.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_counts_who_was_stored_and_had_not_ended() {
        // Two are there before, of whom one ends in step 2. Five come in step 1, of whom four end in step 3. Seven come just now, behind the last step.
        let depth = depth(9, &[(1, 5), (99, 7)], &[(2, 1), (3, 4)]);
        assert_eq!(depth[..5], [2, 7, 6, 2, 2]);
        assert_eq!((depth[STEPS - 2], depth[STEPS - 1]), (2, 9));
    }

    #[test]
    fn half_take_at_most_the_median() {
        let of = |millis: &[i64]| Durations::of(millis.to_vec());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[5]).unwrap().median_millis, 5);
        assert_eq!(of(&[4, 1]).unwrap().median_millis, 1);
        let three = of(&[9, 1, 5]).unwrap();
        assert_eq!((three.count, three.median_millis, three.max_millis), (3, 5, 9));
    }
}
