//! Pushing the repositories to their remotes, in batches, behind everything that people wait for.
//!
//! A watcher enqueues one job when a remote lacks something; the job is tried again for as long as the remote is down, with longer and
//! longer waits. What was published stays published meanwhile: the remotes follow, they do not lead.

use std::time::Duration;

use docket_index::git::remote::{PushError, Remotes};
use docket_jobs::worker::Handler;
use docket_jobs::{Actor, Failure, Jobs, NewJob, Role, Run};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// The kind of push jobs.
pub const KIND: &str = "push";

/// The lock that one pusher at a time holds.
const LOCK: &str = "git/push";

const PRIORITY: i64 = -1;

/// Seconds one attempt may take.
const TIMEOUT_SECS: u64 = 30 * 60;

/// A remote that is down for days is tried for days: waits grow to five minutes.
const MAX_ATTEMPTS: i64 = 10_000;

/// How often it is looked whether a remote lacks something: what changes meanwhile shares a push.
const LOOK: Duration = Duration::from_secs(10);

/// Returns what runs push jobs.
#[must_use]
pub fn handler(remotes: Remotes) -> Handler {
    Handler::new(KIND, TIMEOUT_SECS, MAX_ATTEMPTS, move |attempt| {
        let remotes = remotes.clone();
        async move { run(&remotes, &attempt).await }
    })
}

/// Enqueues a push whenever a remote lacks something, until `shutdown`.
pub async fn watch(remotes: Remotes, jobs: Jobs, shutdown: CancellationToken) {
    if remotes.repositories().is_empty() {
        return;
    }
    loop {
        if let Err(error) = look(&remotes, &jobs).await {
            warn!(
                error = &error as &dyn std::error::Error,
                "it could not be seen whether the remotes are up to date; looking again"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Enqueues a push when a remote lacks something and none is under way. True when one is needed.
///
/// # Errors
/// When the database fails.
pub async fn look(remotes: &Remotes, jobs: &Jobs) -> Result<bool, docket_db::Error> {
    let mut behind = 0;
    for (repository, _) in remotes.repositories() {
        behind += remotes.state(repository).await?.1;
    }
    if behind == 0 {
        return Ok(false);
    }
    let new = NewJob {
        priority: PRIORITY,
        locks: vec![LOCK.to_owned()],
        actor: Some(Actor {
            role: Role::Schedule,
            name: KIND.to_owned(),
            key: None,
        }),
        ..NewJob::new(KIND, "{}".to_owned(), KIND.to_owned())
    };
    let mut tx = jobs.db().write().await?;
    let enqueued = jobs.enqueue(&mut tx, &new).await?;
    if enqueued.created {
        tx.commit().await?;
        jobs.wake_workers();
    }
    Ok(true)
}

async fn run(remotes: &Remotes, run: &Run) -> Result<(), Failure> {
    let mut failed = None;
    for (repository, remote) in remotes.repositories() {
        match remotes.push(repository, run.jobs().clock().now()).await {
            Ok(pushed) => {
                let tags = match pushed.tags {
                    0 => String::new(),
                    tags => format!(" and {tags} tags"),
                };
                run.log.info(format!(
                    "Pushed {} commits{tags} of the {repository} to {}.",
                    pushed.commits,
                    remote.url()
                ));
                if pushed.foreign_commits > 0 {
                    run.log.warn(format!(
                        "{} commits on the remote of the {repository} are not ours; ours follow them.",
                        pushed.foreign_commits
                    ));
                }
            }
            // One remote that is down keeps no other waiting.
            Err(error) => {
                run.log.warn(format!("{error}."));
                failed = Some(error);
            }
        }
    }
    match failed {
        None => Ok(()),
        Some(error) => Err(failure(error)),
    }
}

fn failure(error: PushError) -> Failure {
    Failure::Unavailable {
        detail: "Not everything could be pushed.".to_owned(),
        cause: Some(error.into()),
    }
}
