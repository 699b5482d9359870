//! New tags of known packages become publish jobs, for authors who only push a tag (registry spec, section 5.6).

use std::collections::BTreeSet;

use docket_core::metadata::Metadata;
use docket_core::name::PackageName;
use docket_core::operation::Publish;
use docket_core::version::Version;
use docket_github::{Client, Repository, Tag};
use docket_jobs::{Failure, NewJob, Run};

use super::github::{Trouble, packages_on_github};
use crate::outcome::OURS;

/// The task.
pub(super) const TASK: &str = "import-tags";

/// How old a tagged commit may be, in milliseconds. Longer than a day, so that days without a run are caught up; nothing is
/// enqueued twice all the same.
const LATELY_MILLIS: i64 = 7 * 24 * 60 * 60 * 1000;

pub(super) async fn run(github: &Client, run: &Run) -> Result<(), Failure> {
    let mut trouble = Trouble::default();
    let mut enqueued = 0;
    for (name, metadata, repository) in packages_on_github(run).await? {
        match new_tags(github, run, &metadata, &repository).await {
            Ok(tags) => {
                for (tag, version) in tags {
                    enqueued += usize::from(enqueue(run, &name, tag, version).await?);
                }
            }
            Err(error) => trouble.note(run, &repository, error)?,
        }
    }
    run.log
        .info(format!("{enqueued} new tags are being published. {trouble}"));
    Ok(())
}

/// The tags that name a version not seen before, on a commit of the last days. Tags first: that question costs nothing while the answer
/// stays the same.
async fn new_tags(
    github: &Client,
    run: &Run,
    metadata: &Metadata,
    repository: &Repository,
) -> Result<Vec<(Tag, Version)>, docket_github::Error> {
    let known = |version: &Version| {
        metadata.published.contains_key(version) || metadata.unpublished.contains_key(version)
    };
    let tags = github.tags(repository).await?;
    let mut new: Vec<(Tag, Version)> = tags
        .into_iter()
        .filter_map(|tag| Some((Version::parse_lenient(&tag.name).ok()?, tag)))
        .filter(|(version, _)| !known(version))
        .map(|(version, tag)| (tag, version))
        .collect();
    if new.is_empty() {
        return Ok(new);
    }
    let since = run.jobs().clock().now().plus_millis(-LATELY_MILLIS);
    let commits: BTreeSet<String> = github
        .commits_since(repository, since)
        .await?
        .into_iter()
        .collect();
    new.retain(|(tag, _)| commits.contains(&tag.sha));
    Ok(new)
}

/// Enqueues the publish, unless it was tried before: an author mends a failure with another tag, or publishes again. A try that failed through
/// nobody's fault but ours is made again, for as long as the tag is new.
async fn enqueue(run: &Run, name: &PackageName, tag: Tag, version: Version) -> Result<bool, Failure> {
    let operation = Publish {
        compiler: None,
        location: None,
        name: name.clone(),
        git_ref: tag.name,
        resolutions: None,
        version,
    };
    let new = NewJob {
        actor: Some(super::actor(TASK)),
        parent: Some(run.job.id),
        ..NewJob::publish(&operation)
    };
    let mut tx = run.begin().await?;
    let enqueued = run.jobs().enqueue(&mut tx, &new).await?;
    let before = run
        .jobs()
        .find_earlier(&mut tx, &new.dedup_key, enqueued.job)
        .await?;
    let was_tried =
        before.is_some_and(|job| !job.error_code.is_some_and(|code| OURS.contains(&code.as_str())));
    if !enqueued.created || was_tried {
        return Ok(false);
    }
    tx.commit().await?;
    run.jobs().wake_workers();
    run.log
        .notice(format!("Job {} publishes {name}@{version}.", enqueued.job));
    Ok(true)
}
