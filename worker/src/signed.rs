//! What unpublish and transfer jobs have in common: their payload is the envelope that was posted.

use docket_core::json;
use docket_core::operation::{Signed, SignedOperation};
use docket_jobs::{Failure, Run};

/// Seconds one attempt may take (registry spec, section 6.2).
pub(crate) const TIMEOUT_SECS: u64 = 10 * 60;

/// Attempts before a job fails because of something on our side.
pub(crate) const MAX_ATTEMPTS: i64 = 5;

/// Reads the operation inside the job's envelope. Its signature was checked before the job was stored.
pub(crate) fn operation(run: &Run) -> Result<SignedOperation, Failure> {
    let signed: Signed = json::decode(&run.job.payload).map_err(|_| wrong_payload("a signed operation"))?;
    signed
        .operation()
        .map_err(|_| wrong_payload("an operation that needs a signature"))
}

/// The API stores nothing else, so this is a defect of ours.
pub(crate) fn wrong_payload(expected: &'static str) -> Failure {
    Failure::Unavailable {
        detail: format!("The payload of this job is not {expected}."),
        cause: None,
    }
}
