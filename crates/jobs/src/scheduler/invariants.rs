//! The invariants of docs/jobs.md, as the simulation sees them.

use std::collections::BTreeMap;

use docket_core::time::Timestamp;

use super::model::{Model, ModelJob};
use crate::{
    Job, JobState,
    decide::{MAX_RESETS, ParkedOn},
    worker::Lane,
};

/// What holds between any two steps, after `accepted` jobs were accepted.
pub(super) fn check(model: &Model, accepted: usize) {
    assert_eq!(model.jobs.len(), accepted, "a job row is never lost");
    let mut held = BTreeMap::new();
    for job in model.jobs.values() {
        if job.job.state == JobState::Running {
            for lock in &job.locks {
                let other = held.insert(lock, job.job.id);
                assert_eq!(other, None, "two holders of the lock {lock}");
            }
        }
        check_job(job);
    }
    for job in model.jobs.values().filter(|job| job.is_queued()) {
        if let Some(ParkedOn::Lock(lock)) = &job.parked_on {
            let for_it = |other: &&ModelJob| {
                other.job.id != job.job.id
                    && other.locks.contains(lock)
                    && (other.job.state == JobState::Running
                        || (other.is_queued() && other.parked_on.as_ref() != job.parked_on.as_ref()))
            };
            assert!(
                model.jobs.values().any(|other| for_it(&other)),
                "nobody will wake {job:#?} in {:#?}",
                model.jobs
            );
        }
    }
}

fn check_job(job: &ModelJob) {
    assert!(job.effects <= 1, "effects twice: {job:#?}");
    assert!(job.job.resets <= MAX_RESETS, "{job:#?}");
    match job.job.state {
        JobState::Succeeded => assert_eq!(job.effects, 1, "ended well without effects: {job:#?}"),
        JobState::Cancelled => assert_eq!(job.effects, 0, "cancelled after its effects: {job:#?}"),
        _ => {}
    }
    assert_eq!(
        job.job.finished_at.is_some(),
        job.job.state.is_finished(),
        "{job:#?}"
    );
    for (place, pair) in job.log.windows(2).enumerate() {
        assert_eq!(pair[1].0, pair[0].0 + 1, "line {place} of {job:#?}");
        assert!(pair[1].1 > pair[0].1, "line {place} of {job:#?}");
    }
    assert!(job.log.first().is_none_or(|first| first.0 == 1));
}

/// First in, first out within a lock; never more of a kind than its limit.
pub(super) fn check_claims<'a>(model: &Model, claimed: impl Iterator<Item = &'a Job>, now: Timestamp) {
    for claimed in claimed {
        let job = &model.jobs[&claimed.id];
        for other in model.jobs.values().filter(|other| other.is_queued()) {
            let in_line = !matches!(other.parked_on, Some(ParkedOn::Time | ParkedOn::Kind(_)))
                && (other.job.run_after <= now || other.job.run_after <= other.job.created_at)
                && Lane::of(other.job.priority) == Lane::of(job.job.priority);
            let shares = other.locks.iter().any(|lock| job.locks.contains(lock));
            assert!(
                !(in_line && shares && other.order() < job.order()),
                "{:#?} overtook {other:#?}",
                job
            );
        }
        let rule = model.kinds.get(&claimed.kind).copied().unwrap_or_default();
        assert!(!rule.paused, "a paused kind started: {claimed:#?}");
        let running = model
            .jobs
            .values()
            .filter(|other| other.job.state == JobState::Running && other.job.kind == claimed.kind);
        let running = running.count() as i64;
        assert!(
            rule.max_running.is_none_or(|most| running <= most),
            "{running} of kind {}",
            claimed.kind
        );
    }
}
