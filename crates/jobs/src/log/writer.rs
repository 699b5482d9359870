//! The writer of a worker's logs: whatever has gathered in all of them is one append.

use std::{sync::Arc, time::Duration};

use docket_db::Error;
use tokio::sync::mpsc;
use tracing::warn;

use super::Shared;
use crate::{JobId, Jobs, store, store::lines::Append};

/// How many logs, and about how many bytes, one append holds at most.
const LOGS_AT_ONCE: usize = 256;
const BYTES_AT_ONCE: usize = 1024 * 1024;

/// How long lines gather. A job that ends meanwhile stores them with its end, for nothing.
const GATHER: Duration = Duration::from_millis(2);

/// How long to wait before trying again when the database did not take an append.
const RETRY: Duration = Duration::from_millis(500);

/// Where logs say that they have lines to be stored.
pub(crate) type Dirty = mpsc::UnboundedSender<Arc<Shared>>;

/// Starts a writer; it ends when the last log and the last clone of the sender are gone.
pub(crate) fn start(jobs: Jobs) -> Dirty {
    let (dirty, inbox) = mpsc::unbounded_channel();
    tokio::spawn(write(jobs, inbox));
    dirty
}

/// The lines of one log that are being stored.
struct Batch {
    log: Arc<Shared>,
    append: Append,
}

async fn write(jobs: Jobs, mut inbox: mpsc::UnboundedReceiver<Arc<Shared>>) {
    let mut dirty = Vec::new();
    let mut batches: Vec<Batch> = Vec::new();
    loop {
        if batches.is_empty() {
            if inbox.recv_many(&mut dirty, LOGS_AT_ONCE).await == 0 {
                return;
            }
            tokio::time::sleep(GATHER).await;
        }
        // What could not be stored keeps no other log from being written.
        while dirty.len() < LOGS_AT_ONCE
            && let Ok(log) = inbox.try_recv()
        {
            dirty.push(log);
        }
        let mut bytes = 0;
        for log in dirty.drain(..) {
            // What is too much now waits in its log for the next append.
            if bytes > BYTES_AT_ONCE {
                log.queue_again();
                continue;
            }
            if let Some((lines, size)) = log.take_chunk() {
                bytes += size;
                let (id, attempt) = (log.id, log.attempt);
                batches.push(Batch {
                    log,
                    append: Append { id, attempt, lines },
                });
            }
        }
        batches = store_all(&jobs, batches).await;
        if !batches.is_empty() {
            tokio::time::sleep(RETRY).await;
            batches.retain(|batch| !batch.log.lost.is_cancelled());
        }
    }
}

/// Stores what it can and returns the rest. One that the database refuses does not keep the others from being stored.
async fn store_all(jobs: &Jobs, batches: Vec<Batch>) -> Vec<Batch> {
    if batches.is_empty() {
        return batches;
    }
    let together: Vec<Append> = batches.iter().map(|batch| batch.append.clone()).collect();
    match append(jobs, &together).await {
        Ok(lost) => {
            settle(jobs, batches, &lost);
            return Vec::new();
        }
        Err(error) => {
            warn!(
                error = &error as &dyn std::error::Error,
                "job logs could not be written; trying again"
            );
        }
    }
    let mut rest = Vec::new();
    for batch in batches {
        match append(jobs, std::slice::from_ref(&batch.append)).await {
            Ok(lost) => settle(jobs, vec![batch], &lost),
            Err(_) => rest.push(batch),
        }
    }
    rest
}

fn settle(jobs: &Jobs, batches: Vec<Batch>, lost: &[JobId]) {
    for Batch { log, append } in batches {
        if lost.contains(&log.id) {
            log.lost.cancel();
        }
        log.stored(append.lines.last().map_or(0, |line| line.seq));
        jobs.signals.log_grew(log.id);
    }
}

async fn append(jobs: &Jobs, appends: &[Append]) -> Result<Vec<JobId>, Error> {
    let mut tx = jobs.db().write().await?;
    let lost = store::lines::append(&mut tx, appends).await?;
    tx.commit().await?;
    Ok(lost)
}
