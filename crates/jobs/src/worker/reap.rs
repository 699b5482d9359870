//! Lapsed leases: a job whose worker fell silent goes back in the queue, or is given up.

use std::time::Duration;

use docket_db::Error;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    JobState, Jobs, Level, decide, log, store,
    store::{ends::End, lines::Append},
};

/// How often lapsed leases are looked for.
const REAP: Duration = Duration::from_secs(1);

/// In how many of these looks it is also seen whether a line was forgotten.
const FORGOTTEN_EVERY: u32 = 30;

/// Looks for lapsed leases until `shutdown`.
pub(super) async fn reap(jobs: Jobs, shutdown: CancellationToken) {
    for look in 0_u32.. {
        let done = async {
            reap_once(&jobs).await?;
            if look % FORGOTTEN_EVERY == 0 {
                unpark_forgotten(&jobs).await?;
            }
            Ok::<(), Error>(())
        };
        if let Err(error) = done.await {
            warn!(
                error = &error as &dyn std::error::Error,
                "lapsed leases could not be looked for; trying again"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(REAP) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Ends every attempt whose lease has lapsed.
pub(crate) async fn reap_once(jobs: &Jobs) -> Result<(), Error> {
    let now = jobs.clock().now();
    let mut tx = jobs.db().read().await?;
    let any = store::claim::has_lapsed(&mut tx, now).await?;
    drop(tx);
    if !any {
        return Ok(());
    }
    let mut tx = jobs.db().write().await?;
    store::claim::serialise(&mut tx).await?;
    let lapsed = store::claim::list_lapsed(&mut tx, now).await?;
    let (mut appends, mut ends) = (Vec::new(), Vec::new());
    for job in &lapsed {
        let (ending, line) = decide::after_lapse(job.attempt, job.resets);
        let level = match ending.state() {
            JobState::Queued => Level::Warn,
            _ => Level::Error,
        };
        appends.push(Append {
            id: job.id,
            attempt: job.attempt,
            lines: vec![log::closing_line(job, level, line, now)],
        });
        ends.push(End {
            id: job.id,
            attempt: job.attempt,
            ending,
        });
    }
    store::lines::append(&mut tx, &appends).await?;
    store::ends::apply(&mut tx, &ends, now).await?;
    tx.commit().await?;
    for job in &lapsed {
        jobs.signals.log_grew(job.id);
    }
    jobs.wake_workers();
    Ok(())
}

async fn unpark_forgotten(jobs: &Jobs) -> Result<(), Error> {
    let mut tx = jobs.db().write().await?;
    store::claim::serialise(&mut tx).await?;
    let found = store::park::unpark_forgotten(&mut tx).await?;
    tx.commit().await?;
    if found > 0 {
        jobs.wake_workers();
    }
    Ok(())
}
