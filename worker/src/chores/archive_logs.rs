//! Moving the logs of jobs that ended long ago from the database to the storage, and removing archived logs that need not be kept.
//!
//! Part by part: the blob is stored and read back, then one transaction names it and deletes the rows of its lines (see `docket_jobs`, "archive").
//! A run that is killed leaves at most a blob that nothing names, which the next run finds there, or else the clean-up.

use std::time::{Duration, Instant};

use docket_core::digest::Sha256;
use docket_core::time::Timestamp;
use docket_index::blobs;
use docket_jobs::{Failure, JobId, Part, Run, archive_storage};
use docket_storage::Storage;

use crate::outcome::JobError;
use crate::publish::STORAGE;
use crate::state::WorkerState;

/// The task.
pub(super) const TASK: &str = "archive-logs";

/// How many jobs, and how many parts to remove, are looked at together.
const PAGE: usize = 500;

/// How long a run goes on; the next one does the rest. Less than an attempt may take.
const WORKING_TIME: Duration = Duration::from_secs(50 * 60);

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// For how long logs are kept, and where. Counted from the end of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Days after which a log moves to the storage; never when absent.
    pub archive_after_days: Option<u32>,
    /// Days after which an archived log is removed; never when absent.
    pub remove_after_days: Option<u32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            archive_after_days: Some(30),
            remove_after_days: None,
        }
    }
}

/// What was moved.
#[derive(Debug, Default)]
struct Moved {
    logs: u64,
    lines: usize,
    bytes: usize,
}

pub(super) async fn run(state: &WorkerState, run: &Run) -> Result<(), Failure> {
    let now = run.jobs().clock().now();
    let before = |days: u32| now.plus_millis(-i64::from(days) * DAY_MILLIS);
    match state.retention.archive_after_days {
        None => run
            .log
            .info("Logs stay in the database ([logs] archive_after_days = 0)."),
        Some(days) => archive(state, run, before(days)).await?,
    }
    if let Some(days) = state.retention.remove_after_days {
        let (mut lines, mut parts) = (0, PAGE);
        while parts == PAGE {
            let removed = run.jobs().remove_archived(before(days), PAGE).await?;
            lines += removed.0;
            parts = removed.1;
        }
        run.log.info(format!(
            "Removed {lines} archived lines of jobs that ended more than {days} days ago."
        ));
    }
    Ok(())
}

/// Moves the logs of all jobs that ended before `before`.
async fn archive(state: &WorkerState, run: &Run, before: Timestamp) -> Result<(), JobError> {
    let storage = archive_storage(&state.storage);
    let began = Instant::now();
    let (mut moved, mut after) = (Moved::default(), None);
    'jobs: loop {
        let page = run.jobs().list_logged(after, before, PAGE).await?;
        'next: for (job, _) in page.iter().filter(|(_, is_old)| *is_old) {
            while let Some(part) = run.jobs().next_part(*job).await? {
                if began.elapsed() > WORKING_TIME {
                    run.log.info("The rest is for the next run.");
                    break 'jobs;
                }
                if !move_part(&storage, run, *job, &part).await? {
                    run.log
                        .info(format!("The log of job {job} is left for the next run."));
                    continue 'next;
                }
                moved.lines += part.lines();
                moved.bytes += part.blob().len();
            }
            moved.logs += 1;
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => after = Some(*last),
            _ => break,
        }
    }
    run.log.info(format!(
        "Archived {} logs: {} lines in {} bytes.",
        moved.logs, moved.lines, moved.bytes
    ));
    Ok(())
}

/// Stores the blob of a part and puts it in the place of its rows. False when that cannot be now: the blob is being removed, or the rows are not
/// there any more, because another attempt moved them or the job runs again.
async fn move_part(storage: &Storage, run: &Run, job: JobId, part: &Part) -> Result<bool, JobError> {
    let (jobs, digest) = (run.jobs(), Sha256::of(part.blob()));
    let mut tx = jobs.db().write().await?;
    if !blobs::hold(&mut tx, digest, jobs.clock().now()).await? {
        return Ok(false);
    }
    tx.commit().await?;
    let unavailable = JobError::unavailable(STORAGE);
    let stored = storage.put(part.blob().clone()).await;
    stored.map_err(unavailable)?;
    // The rows are about to go: what the storage has must be what it was given.
    let blob = storage
        .find(digest)
        .await
        .map_err(JobError::unavailable(STORAGE))?;
    let blob =
        blob.ok_or_else(|| JobError::unavailable(STORAGE)("a blob is not there that was just stored"))?;
    let verified = jobs.verify_part(part, blob).await;
    verified.map_err(JobError::local("read an archived log back"))?;
    let mut tx = jobs.db().write().await?;
    if !blobs::keep(&mut tx, digest, jobs.clock().now()).await?
        || !jobs.archive(&mut tx, job, part, digest).await?
    {
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}
