//! The daily package set: what was published lately and fits goes in (registry spec, section 5.6).

use std::collections::BTreeMap;

use docket_core::name::PackageName;
use docket_core::operation::PackageSetUpdate;
use docket_core::package_set::PackageSet;
use docket_core::package_set::checks::{self, UpdateError};
use docket_core::package_set::dependencies::Dependencies;
use docket_core::version::Version;
use docket_jobs::{Failure, NewJob, Run};

/// The task.
pub(super) const TASK: &str = "package-set-update";

/// How far back it looks, in milliseconds. More than a day: what did not fit yesterday, or was missed, may fit today.
const LATELY_MILLIS: i64 = 7 * 24 * 60 * 60 * 1000;

pub(super) async fn run(run: &Run) -> Result<(), Failure> {
    let since = run.jobs().clock().now().plus_millis(-LATELY_MILLIS);
    let mut tx = run.jobs().db().read().await?;
    let Some(set) = docket_index::latest_package_set(&mut tx).await? else {
        run.log
            .info("There is no package set yet; the first one is for a trustee to ask for.");
        return Ok(());
    };
    let recent = docket_index::list_published_since(&mut tx, since).await?;
    let wanted = newer_than_in(&set, recent);
    let mut dependencies = Dependencies::default();
    for name in set.packages.keys().chain(wanted.keys()) {
        for manifest in docket_index::list_manifests(&mut tx, name).await? {
            dependencies.insert(&manifest);
        }
    }
    drop(tx);
    let (fitting, left_out) = fitting(&set, wanted, &dependencies);
    for reason in left_out {
        run.log.info(reason);
    }
    if fitting.is_empty() {
        run.log.info(format!(
            "Nothing that was published lately goes into the package set {}.",
            set.version
        ));
        return Ok(());
    }
    let update = PackageSetUpdate {
        compiler: None,
        packages: fitting
            .into_iter()
            .map(|(name, version)| (name, Some(version)))
            .collect(),
    };
    let new = NewJob {
        actor: Some(super::actor(TASK)),
        parent: Some(run.job.id),
        ..NewJob::package_set(&update)
    };
    let mut tx = run.begin().await?;
    let enqueued = run.jobs().enqueue(&mut tx, &new).await?;
    tx.commit().await?;
    run.jobs().wake_workers();
    run.log.notice(format!(
        "Job {} tries {} packages on top of the package set {}.",
        enqueued.job,
        update.packages.len(),
        set.version
    ));
    Ok(())
}

/// The highest version of each package that the set does not have, or has lower.
fn newer_than_in(set: &PackageSet, recent: Vec<(PackageName, Version)>) -> BTreeMap<PackageName, Version> {
    // By version, so that the highest of a package is the last to come.
    recent
        .into_iter()
        .filter(|(name, version)| set.packages.get(name).is_none_or(|current| current < version))
        .collect()
}

/// Takes out what cannot go in, until the rest can: one that is out may have been what another needs. Also says what is out, and why.
fn fitting(
    set: &PackageSet,
    mut wanted: BTreeMap<PackageName, Version>,
    dependencies: &Dependencies,
) -> (BTreeMap<PackageName, Version>, Vec<String>) {
    let mut left_out = Vec::new();
    loop {
        let update = PackageSetUpdate {
            compiler: None,
            packages: wanted
                .iter()
                .map(|(name, version)| (name.clone(), Some(*version)))
                .collect(),
        };
        match checks::check(set, &update, dependencies) {
            Ok(_) => return (wanted, left_out),
            Err(UpdateError::Rejected(rejections)) if !rejections.updates.is_empty() => {
                left_out.push(rejections.to_string());
                for (name, _, _) in &rejections.updates {
                    wanted.remove(name);
                }
            }
            Err(other) => {
                if !wanted.is_empty() {
                    left_out.push(other.to_string());
                }
                return (BTreeMap::new(), left_out);
            }
        }
    }
}
