//! A log as a stream of pages that ends with the job, or when the server stops.

use std::time::Duration;

use docket_jobs::{LogError, Tail, TailPage};
use futures_util::{Stream, stream};

use crate::limits::Watching;

/// How long to wait when the database does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// The pages of `tail` until the last one. A lost database only delays it; a server that stops ends it early, for the client to reconnect. Lines that
/// are lost for good are an error, and the end.
pub(super) fn pages(
    tail: Tail,
    watching: Watching,
) -> impl Stream<Item = Result<TailPage, LogError>> + Send + 'static {
    stream::unfold(Some((tail, watching)), |state| async move {
        let (mut tail, watching) = state?;
        loop {
            let next = tokio::select! {
                next = tail.next() => next,
                () = watching.stopping.cancelled() => return None,
            };
            match next {
                Ok(Some(page)) => {
                    let more = page.finished.is_none();
                    return Some((Ok(page), more.then_some((tail, watching))));
                }
                Ok(None) => return None,
                Err(error) if !error.is_temporary() => return Some((Err(error), None)),
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

/// Tells the operator what a watcher could not be given.
pub(super) fn log_damaged(error: &LogError) {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "a log is damaged; run `docketd doctor`"
    );
}
