//! Documentation: what Pursuit shows of a published version (registry spec, sections 3.7 and 3.8).
//!
//! A job of its own follows a publish and is tried again by itself, so that a service of others that is down, or that refuses, never
//! touches what was published. What is documented is the stored tarball: it is what people install, while the tag it was made from can
//! have moved since.

mod build;
mod pursuit;
mod refusal;

use std::collections::BTreeMap;

use docket_core::manifest::Manifest;
use docket_core::metadata::PublishedVersion;
use docket_core::name::PackageName;
use docket_core::version::Version;
use docket_db::Tx;
use docket_jobs::worker::Handler;
use docket_jobs::{Failure, NewJob, Run};
use serde::{Deserialize, Serialize};

use crate::outcome::JobError;
use crate::publish::Plan;
use crate::rejection::Rejection;
use crate::state::WorkerState;
use crate::work_dir;

pub use pursuit::{Pursuit, PursuitError};
pub use refusal::DocumentationRefusal;

/// The kind of documentation jobs.
pub const KIND: &str = "documentation";

/// Behind everything that people wait for, before the builds of the matrix.
const PRIORITY: i64 = -3;

/// Seconds one attempt may take: one build, and the calls of Pursuit.
const TIMEOUT_SECS: u64 = 30 * 60;

/// Pursuit may be down for a day: waits grow to five minutes.
const MAX_ATTEMPTS: i64 = 300;

/// The first compiler whose documentation Pursuit takes (registry spec, section 3.10).
const SINCE: Version = Version {
    major: 0,
    minor: 14,
    patch: 7,
};

/// What a job is given beside its package and version: what the version was checked with.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    compiler: Version,
    resolutions: BTreeMap<PackageName, Version>,
}

/// Returns what runs documentation jobs.
#[must_use]
pub fn handler(state: WorkerState, pursuit: Pursuit) -> Handler {
    Handler::new(KIND, TIMEOUT_SECS, MAX_ATTEMPTS, move |attempt| {
        let (state, pursuit) = (state.clone(), pursuit.clone());
        async move { Ok(document(&state, &pursuit, &attempt).await?) }
    })
}

/// Enqueues, in the transaction that records it, the documentation of a version that compiles with `plan`.
///
/// Returns what to tell the author after the commit.
pub(crate) async fn follow(
    tx: &mut Tx,
    state: &WorkerState,
    run: &Run,
    manifest: &Manifest,
    plan: &Plan,
) -> Result<String, docket_db::Error> {
    let Manifest { name, version, .. } = manifest;
    if state.pursuit.is_none() {
        return Ok("Documentation is not published: this registry publishes none.".to_owned());
    }
    let compiler = plan.compiler.version;
    if compiler < SINCE {
        return Ok(format!(
            "Documentation is not published: {name}@{version} was checked with purs {compiler}, and it takes {SINCE} or newer."
        ));
    }
    let payload = Payload {
        compiler,
        resolutions: plan.versions.clone(),
    };
    let new = NewJob {
        priority: PRIORITY,
        package_name: Some(name.clone()),
        package_version: Some(*version),
        compiler: Some(compiler),
        parent: Some(run.job.id),
        ..NewJob::new(
            KIND,
            serde_json::to_string(&payload).expect("names and versions are JSON"),
            NewJob::documentation_key(name, *version),
        )
    };
    let enqueued = run.jobs().enqueue(tx, &new).await?;
    let page = state.job_page(&enqueued.job.to_string());
    Ok(format!("Documentation follows by itself: {page}."))
}

/// Returns the plan to document a version with that was published before without its documentation; nothing where that is not so.
pub(crate) async fn find_missing(
    state: &WorkerState,
    manifest: &Manifest,
    plan: impl Future<Output = Result<Plan, JobError>>,
) -> Result<Option<Plan>, JobError> {
    let Some(pursuit) = &state.pursuit else {
        return Ok(None);
    };
    if pursuit.shows(&manifest.name, manifest.version).await? {
        return Ok(None);
    }
    let plan = plan.await?;
    Ok((plan.compiler.version >= SINCE).then_some(plan))
}

/// Enqueues the documentation of such a version. Returns what to tell.
pub(crate) async fn catch_up(
    state: &WorkerState,
    run: &Run,
    manifest: &Manifest,
    plan: &Plan,
) -> Result<String, JobError> {
    let mut tx = run.begin().await?;
    let told = follow(&mut tx, state, run, manifest, plan).await?;
    tx.commit().await?;
    run.jobs().wake_workers();
    Ok(told)
}

async fn document(state: &WorkerState, pursuit: &Pursuit, run: &Run) -> Result<(), JobError> {
    let job = &run.job;
    let read = || -> Option<(PackageName, Version, Payload)> {
        let name = job.package_name.as_deref()?.parse().ok()?;
        let version = job.package_version.as_deref()?.parse().ok()?;
        Some((name, version, serde_json::from_str(&job.payload).ok()?))
    };
    let (name, version, payload) = read().ok_or_else(|| Failure::Unavailable {
        detail: "This is not a documentation job.".to_owned(),
        cause: None,
    })?;
    let page = pursuit.page(&name, version);
    // An earlier attempt may have got this far without hearing the answer; and asking costs less than a build while Pursuit is down.
    if pursuit.shows(&name, version).await? {
        run.log
            .notice(format!("{name}@{version} is documented already: {page}."));
        return Ok(());
    }
    let Some((manifest, entry)) = published(run, &name, version).await? else {
        run.log
            .notice(format!("{name}@{version} is not published any more."));
        return Ok(());
    };
    let compiler = state.compilers.find_version(payload.compiler);
    let compiler = compiler.ok_or_else(|| Rejection::CompilerNotSupported {
        requested: payload.compiler,
        known: state.compilers.versions(),
    })?;
    crate::publish::describe(state, run, compiler);
    let work = work_dir::make(&state.work_dir).map_err(JobError::local("make a work directory"))?;
    let version_built = build::Published {
        manifest: &manifest,
        entry: &entry,
    };
    run.log.step("Build the documentation");
    let json = build::build(
        state,
        run,
        compiler,
        &version_built,
        &payload.resolutions,
        work.path(),
    )
    .await?;
    run.log.step("Send it to Pursuit");
    run.log.info(format!(
        "The documentation has {} bytes; sending it to Pursuit.",
        json.len()
    ));
    pursuit.upload(&json).await?;
    run.log.notice(format!("Documented {name}@{version}: {page}."));
    Ok(())
}

async fn published(
    run: &Run,
    name: &PackageName,
    version: Version,
) -> Result<Option<(Manifest, PublishedVersion)>, docket_db::Error> {
    let mut tx = run.jobs().db().read().await?;
    let metadata = docket_index::find_metadata(&mut tx, name).await?;
    let manifests = docket_index::list_manifests(&mut tx, name).await?;
    let entry = metadata.and_then(|mut metadata| metadata.published.remove(&version));
    let manifest = manifests.into_iter().find(|manifest| manifest.version == version);
    Ok(manifest.zip(entry))
}
