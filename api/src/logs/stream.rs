//! A log as a stream of pages that ends with the job, or when the server stops.

use std::time::Duration;

use docket_jobs::{Tail, TailPage};
use futures_util::{Stream, stream};
use tokio_util::sync::CancellationToken;

/// How long to wait when the database does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// The pages of `tail` until the last one. A lost database only delays it; `stopping` ends it early, for the client to reconnect.
pub(super) fn pages(
    tail: Tail,
    stopping: CancellationToken,
) -> impl Stream<Item = TailPage> + Send + 'static {
    stream::unfold(Some((tail, stopping)), |state| async move {
        let (mut tail, stopping) = state?;
        loop {
            let next = tokio::select! {
                next = tail.next() => next,
                () = stopping.cancelled() => return None,
            };
            match next {
                Ok(Some(page)) => {
                    let more = page.finished.is_none();
                    return Some((page, more.then_some((tail, stopping))));
                }
                Ok(None) => return None,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a log could not be read; trying again"
                    );
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    })
}
