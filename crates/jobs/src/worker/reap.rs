//! Lapsed leases: a job whose worker fell silent goes back in the queue, or is given up.

use std::time::Duration;

use docket_db::Error;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{Jobs, scheduler, store};

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
    let lapsed = scheduler::reap(&mut tx, now).await?;
    tx.commit().await?;
    for id in lapsed {
        jobs.signals.log_grew(id);
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
