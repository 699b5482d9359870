//! Recording trials of versions with compilers. Rows at once; the metadata files in batches, because a new compiler means thousands of them
//! (registry.md §3.8: "hundreds of 'Update metadata' commits").

use docket_core::{name::PackageName, time::Timestamp, version::Version};
use docket_db::{Error, Tx};

use crate::{
    ChangeFile, Repository,
    job_change::{ByJob, metadata_path},
    store::{
        builds::{self, Build, Outcome},
        changes, packages,
    },
};

/// How many metadata files one commit holds at most.
const BATCH: i64 = 1000;

/// Records what came of a trial. A version that compiles gets the compiler added, and its metadata file waits for [`commit_metadata`].
///
/// False when the version is not published any more; then nothing was written.
///
/// # Errors
/// When the database fails.
pub async fn record_build(tx: &mut Tx, build: &Build) -> Result<bool, Error> {
    let metadata = packages::find_metadata(tx, &build.name).await?;
    let entry = metadata.and_then(|mut metadata| metadata.published.remove(&build.version));
    let Some(mut entry) = entry else {
        return Ok(false);
    };
    if build.outcome == Outcome::Compiles && entry.add_compiler(build.compiler) {
        if !packages::put_compilers(tx, &build.name, build.version, &entry.compilers).await? {
            return Ok(false);
        }
        builds::put_pending(tx, &build.name).await?;
    }
    builds::put(tx, build).await?;
    Ok(true)
}

/// Commits the metadata files that wait, many at once, and returns how many there were.
///
/// # Errors
/// When the database fails.
pub async fn commit_metadata(tx: &mut Tx, by: &ByJob) -> Result<usize, Error> {
    // Before looking: whoever changes one of these packages meanwhile would be overwritten by what was read before.
    changes::lock(tx).await?;
    let names = builds::take_pending(tx, BATCH).await?;
    let mut files = Vec::new();
    for name in &names {
        if let Some(metadata) = packages::find_metadata(tx, name).await? {
            files.push(ChangeFile {
                path: metadata_path(name),
                content: Some(metadata.to_text()),
            });
        }
    }
    let message = match names.as_slice() {
        [] => return Ok(0),
        [name] => format!("Update metadata for {name}"),
        _ => format!(
            "Update metadata for {} packages\n\nCompilers of {}",
            names.len(),
            names
                .iter()
                .map(PackageName::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    by.append_all(tx, Repository::Registry, &message, files).await?;
    Ok(names.len())
}

/// Records that a version was published with a compiler, which is its first trial.
pub(crate) async fn record_publication(
    tx: &mut Tx,
    name: &PackageName,
    version: Version,
    compilers: &[Version],
    by: &ByJob,
) -> Result<(), Error> {
    let at: Timestamp = by.at;
    for compiler in compilers {
        let build = Build {
            name: name.clone(),
            version,
            compiler: *compiler,
            outcome: Outcome::Compiles,
            error: None,
            job_id: by.job_id.clone(),
            at,
        };
        builds::put(tx, &build).await?;
    }
    Ok(())
}
