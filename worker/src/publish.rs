//! Publishing: from a request to a version that everyone can install (registry spec, sections 3.1 to 3.7).
//!
//! The steps change nothing outside the job's own directory until the last one: the tarball is stored, and then one
//! fenced transaction records the version. So a job can stop anywhere, and be run again, without leaving half a
//! version; and nothing is remembered between runs, so a tag that has moved can never meet an old result.

mod build;
mod install;
mod pack;
mod plan;
mod record;
mod repair;
mod request;

use std::path::PathBuf;
use std::sync::Arc;

use docket_core::manifest::Manifest;
use docket_core::operation::Publish;
use docket_core::time::Timestamp;
use docket_jobs::worker::Handler;
use docket_jobs::{Failure, Run};

use crate::documentation;
use crate::outcome::JobError;
use crate::rejection::Rejection;
use crate::source::manifest::Origin;
use crate::source::{git, manifest, modules, tree};
use crate::state::WorkerState;
use crate::work_dir;
use request::Standing;

pub(crate) use install::{Build as Installed, REGISTRY, STORAGE, find_tarball, install};
pub(crate) use plan::{Plan, describe};

/// The kind of publish jobs.
pub const KIND: &str = "publish";

/// Seconds one attempt may take: the fetch with its retries, a graph and a build.
const TIMEOUT_SECS: u64 = 30 * 60;

/// Attempts before a job fails because of something on our side.
const MAX_ATTEMPTS: i64 = 5;

/// Returns what runs publish jobs.
#[must_use]
pub fn handler(state: WorkerState) -> Handler {
    Handler::new(KIND, TIMEOUT_SECS, MAX_ATTEMPTS, move |attempt| {
        let state = state.clone();
        async move { run(&state, &attempt).await }
    })
}

/// Runs one attempt at a publish job, whose payload is a [`Publish`] operation.
///
/// # Errors
///
/// [`Failure::Rejected`] with a code of `docs/problems.md` when the author can mend it.
pub async fn run(state: &WorkerState, run: &Run) -> Result<(), Failure> {
    let tried = run.job.retries + 1;
    let last_attempt = (tried >= MAX_ATTEMPTS).then_some(run.job.attempt);
    publish(state, run)
        .await
        .map_err(|err| err.into_failure(last_attempt))
}

/// A package on its way into the registry.
struct Candidate {
    manifest: Manifest,
    /// The directory the manifest was found in.
    package_dir: PathBuf,
    /// When its source was fetched.
    fetched_at: Timestamp,
}

impl Candidate {
    /// The name of its directory and of the one at the root of its tarball.
    fn top(&self) -> String {
        format!("{}-{}", self.manifest.name, self.manifest.version)
    }
}

async fn publish(state: &WorkerState, run: &Run) -> Result<(), JobError> {
    let request: Publish =
        serde_json::from_str(&run.job.payload).map_err(JobError::local("read the job's payload"))?;
    let request = &request;
    let Publish { name, version, .. } = request;
    run.log.step("Check the request");
    let (location, incomplete) = match request::check(run, request).await? {
        Standing::Open { location, incomplete } => (location, incomplete),
        Standing::Done => {
            run.log.notice(format!(
                "{name}@{version} was published by an earlier attempt of this job."
            ));
            return Ok(());
        }
        Standing::Complete { manifest, entry } => {
            let plan = plan::make(state, run, request, &manifest);
            let Some(told) = documentation::catch_up(state, run, &manifest, plan).await? else {
                let (name, version) = (name.clone(), *version);
                return Err(Rejection::AlreadyPublished { name, version, entry }.into());
            };
            run.log.notice(format!(
                "{name}@{version} already exists, without documentation. {told}"
            ));
            return Ok(());
        }
    };
    let work = work_dir::make(&state.work_dir).map_err(JobError::local("make a work directory"))?;
    let candidate = fetch(state, run, request, &location, work.path().to_owned()).await?;
    check_license(state, run, &candidate).await?;

    run.log.step("Plan the build");
    let plan = plan::make(state, run, request, &candidate.manifest).await?;
    let selection = pack::select(run, &candidate, plan.compiler.version).await?;
    if let Some(entry) = incomplete {
        return repair::repair(state, run, &candidate, &plan, &entry, work.path()).await;
    }

    run.log.step("Install the dependencies");
    let build = install(state, run, &plan.versions, work.path()).await?;
    pack::lay_out(state, &candidate, selection, &build.dir).await?;
    run.log.step("Check the imports");
    run.log.notice(format!(
        "Checking that {name}@{version} lists exactly the packages it imports from."
    ));
    build::check_dependencies(state, run, &candidate, &plan, &build).await?;
    run.log.step("Compile");
    build::compile(state, run, &candidate, &plan, &build).await?;

    run.log.step("Pack and upload");
    run.log
        .notice(format!("Packaging and uploading {name}@{version}."));
    let tarball = pack::pack(state, run, &candidate, &build.dir).await?;
    record::record(state, run, &candidate, &plan, tarball).await
}

/// Fetches the source and reads its manifest (sections 3.2 and 3.3).
async fn fetch(
    state: &WorkerState,
    run: &Run,
    request: &Publish,
    location: &docket_core::location::Location,
    work: PathBuf,
) -> Result<Candidate, JobError> {
    let dir = work.join("fetch");
    std::fs::create_dir(&dir).map_err(JobError::local("make a work directory"))?;
    run.log.step("Fetch the source");
    run.log.info(format!(
        "Fetching {}@{} at {}.",
        request.name, request.version, request.git_ref
    ));
    let checkout = git::fetch(&state.sources, location, &request.git_ref, &dir).await?;
    let fetched_at = run.jobs().clock().now();
    run.log.info(format!(
        "Fetched {} from {}: commit {}.",
        checkout.full_ref, checkout.url, checkout.commit
    ));
    if !checkout.submodules.is_empty() {
        run.log.warn(format!(
            "Submodules are not fetched: {}.",
            checkout.submodules.join(", ")
        ));
    }
    run.log.step("Check manifest and licence");
    let (asked, place) = (request.clone(), location.clone());
    let (package_dir, origin, manifest) = blocking(move || {
        tree::check(&checkout.root)?;
        tree::require_modules(&checkout.package_dir)?;
        let origin = manifest::find(&checkout.package_dir)?;
        let manifest = manifest::read(&checkout.package_dir, origin, &asked, &place)?;
        manifest::check(&manifest, &asked, &place)?;
        Ok((checkout.package_dir, origin, manifest))
    })
    .await?;
    if origin == Origin::PursJson {
        run.log.info("The manifest is a purs.json.");
    } else {
        run.log.notice(format!(
            "The manifest is made from {}, since there is no purs.json.",
            origin.file_name()
        ));
        run.log.notice(format!(
            "The manifest:\n```json\n{}\n```",
            manifest.to_pretty().trim_end()
        ));
    }
    Ok(Candidate {
        manifest,
        package_dir,
        fetched_at,
    })
}

async fn check_license(state: &WorkerState, run: &Run, candidate: &Candidate) -> Result<(), JobError> {
    let (licenses, dir) = (Arc::clone(&state.licenses), candidate.package_dir.clone());
    let declared = candidate.manifest.license.clone();
    blocking(move || Ok(licenses.check(&dir, &declared)?)).await?;
    run.log.info(format!(
        "The licence files go with the manifest's {}.",
        candidate.manifest.license
    ));
    Ok(())
}

/// Runs work on files where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
) -> Result<T, JobError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(err) => Err(JobError::local("finish its work on files")(err)),
    }
}
