//! What the registry knows of the package before its source is fetched (sections 3.1 and 3.4).
//!
//! The checks of section 3.4 are done here, since the manifest must later agree with the request anyway: an author
//! whose version is published already hears so without a fetch.

use docket_core::location::Location;
use docket_core::manifest::Manifest;
use docket_core::metadata::{Metadata, PublishedVersion};
use docket_core::operation::Publish;
use docket_jobs::Run;
use docket_package::request;

use crate::outcome::JobError;

/// Where a version stands.
pub(super) enum Standing {
    /// Something is to be done.
    Open {
        /// Where the package's source is.
        location: Location,
        /// Its entry, when it is in the metadata and not in the index: an import or another registry left it so.
        incomplete: Option<PublishedVersion>,
    },
    /// Published by an earlier attempt of this very job, which did not get to end it.
    Done,
    /// Published before.
    Complete {
        manifest: Box<Manifest>,
        /// Its entry, in words.
        entry: String,
    },
}

/// Reads what the job was given.
pub(super) fn read(run: &Run) -> Result<Publish, JobError> {
    serde_json::from_str(&run.job.payload).map_err(JobError::local("read the job's payload"))
}

/// Checks the request against what is registered.
pub(super) async fn check(run: &Run, request: &Publish) -> Result<Standing, JobError> {
    let (name, version) = (&request.name, request.version);
    let mut tx = run.jobs().db().read().await?;
    let metadata = docket_index::find_metadata(&mut tx, name).await?;
    let lines = docket_index::list_manifests(&mut tx, name).await?;
    drop(tx);
    request::check(metadata.as_ref(), request)?;
    let Some(metadata) = metadata else {
        let location = request.location.clone();
        let location = location.expect("a package that is not registered has a location in its request");
        return Ok(Standing::Open {
            location,
            incomplete: None,
        });
    };
    let Metadata {
        location,
        mut published,
        ..
    } = metadata;
    let Some(entry) = published.remove(&version) else {
        return Ok(Standing::Open {
            location,
            incomplete: None,
        });
    };
    let Some(manifest) = lines.into_iter().find(|manifest| manifest.version == version) else {
        return Ok(Standing::Open {
            location,
            incomplete: Some(entry),
        });
    };
    // The package's lock is held, so only an earlier attempt can have published it since the job was made.
    if run.job.attempt > 1 && entry.published_time >= run.job.created_at {
        return Ok(Standing::Done);
    }
    let entry = format!(
        "published {}, {} bytes, {}",
        entry.published_time, entry.bytes, entry.hash
    );
    Ok(Standing::Complete {
        manifest: Box::new(manifest),
        entry,
    })
}
