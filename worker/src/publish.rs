//! Publishing: from a request to a version that everyone can install (registry spec, sections 3.1 to 3.7).
//!
//! The steps change nothing outside the job's own directory until the last one: the tarball is stored, and then one
//! fenced transaction records the version. So a job can stop anywhere, and be run again, without leaving half a
//! version. A dry run does the same but for that step, and keeps what it found; a publish takes it only for the same
//! commit, so a tag that has moved can never meet an old result.

mod build;
pub mod dry_run;
mod earlier;
mod install;
mod pack;
mod plan;
mod record;
mod repair;
mod request;

use std::path::PathBuf;

use docket_core::manifest::Manifest;
use docket_core::metadata::PublishedVersion;
use docket_core::operation::Publish;
use docket_core::time::Timestamp;
use docket_jobs::worker::Handler;
use docket_jobs::{Failure, Run};
use docket_package::license;

use crate::documentation;
use crate::outcome::JobError;
use crate::package::Tarball;
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
    let last_attempt = last_attempt(run);
    publish(state, run)
        .await
        .map_err(|err| err.into_failure(last_attempt))
}

/// The number of this attempt, when no other would follow.
fn last_attempt(run: &Run) -> Option<i64> {
    (run.job.retries + 1 >= MAX_ATTEMPTS).then_some(run.job.attempt)
}

/// A package on its way into the registry.
struct Candidate {
    manifest: Manifest,
    /// The directory the manifest was found in.
    package_dir: PathBuf,
    /// The commit that was fetched.
    commit: String,
    /// When its source was fetched.
    fetched_at: Timestamp,
}

impl Candidate {
    /// The name of its directory and of the one at the root of its tarball.
    fn top(&self) -> String {
        format!("{}-{}", self.manifest.name, self.manifest.version)
    }
}

/// A version that has passed all checks.
struct Checked {
    manifest: Manifest,
    commit: String,
    plan: Plan,
    /// What the checks rest on beside the commit.
    inputs: String,
    tarball: Tarball,
    /// When its source was fetched, or was found to be the one that was fetched for an earlier check.
    fetched_at: Timestamp,
    /// Whether an earlier check is all that was looked at.
    is_from_earlier: bool,
}

/// What is left to do for a version against which there is nothing.
enum Passed {
    /// It can be recorded.
    New(Box<Checked>),
    /// It is in the metadata and not in the index: an import or another registry left it so.
    Incomplete {
        manifest: Box<Manifest>,
        plan: Plan,
        entry: PublishedVersion,
    },
    /// It is published, without its documentation.
    Undocumented { manifest: Box<Manifest>, plan: Plan },
    /// An earlier attempt of this very job has published it, and did not get to end the job.
    Done,
}

async fn publish(state: &WorkerState, run: &Run) -> Result<(), JobError> {
    let request = request::read(run)?;
    let Publish { name, version, .. } = &request;
    match check(state, run, &request).await? {
        Passed::New(checked) => {
            if checked.is_from_earlier {
                run.log.step("Upload");
            }
            record::record(state, run, *checked).await
        }
        Passed::Incomplete {
            manifest,
            plan,
            entry,
        } => repair::complete(state, run, &manifest, &plan, &entry).await,
        Passed::Undocumented { manifest, plan } => {
            let told = documentation::catch_up(state, run, &manifest, &plan).await?;
            run.log.notice(format!(
                "{name}@{version} already exists, without documentation. {told}"
            ));
            Ok(())
        }
        Passed::Done => {
            run.log.notice(format!(
                "{name}@{version} was published by an earlier attempt of this job."
            ));
            Ok(())
        }
    }
}

/// Everything before something changes: the same for a publish and for its dry run.
async fn check(state: &WorkerState, run: &Run, request: &Publish) -> Result<Passed, JobError> {
    let Publish { name, version, .. } = request;
    run.log.step("Check the request");
    let (location, incomplete) = match request::check(run, request).await? {
        Standing::Open { location, incomplete } => (location, incomplete),
        Standing::Done => return Ok(Passed::Done),
        Standing::Complete { manifest, entry } => {
            let plan = plan::make(state, run, request, &manifest);
            let Some(plan) = documentation::find_missing(state, &manifest, plan).await? else {
                let (name, version) = (name.clone(), *version);
                return Err(Rejection::AlreadyPublished { name, version, entry }.into());
            };
            return Ok(Passed::Undocumented { manifest, plan });
        }
    };
    let work = work_dir::make(&state.work_dir).map_err(JobError::local("make a work directory"))?;
    if incomplete.is_none()
        && let Some(checked) = earlier::find(state, run, request, &location, work.path()).await?
    {
        return Ok(Passed::New(Box::new(checked)));
    }
    let candidate = fetch(state, run, request, &location, work.path().to_owned()).await?;
    check_license(run, &candidate).await?;

    run.log.step("Plan the build");
    let plan = plan::make(state, run, request, &candidate.manifest).await?;
    let selection = pack::select(run, &candidate, plan.compiler.version).await?;
    if let Some(entry) = incomplete {
        repair::compare(state, run, &candidate, &entry, work.path()).await?;
        let manifest = Box::new(candidate.manifest);
        return Ok(Passed::Incomplete {
            manifest,
            plan,
            entry,
        });
    }
    let inputs = plan::inputs(state, run, &plan).await?;

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

    let (step, packing) = match run.job.kind.as_str() {
        dry_run::KIND => ("Pack", "Packaging"),
        _ => ("Pack and upload", "Packaging and uploading"),
    };
    run.log.step(step);
    run.log.notice(format!("{packing} {name}@{version}."));
    let tarball = pack::pack(state, run, &candidate, &build.dir).await?;
    Ok(Passed::New(Box::new(Checked {
        manifest: candidate.manifest,
        commit: candidate.commit,
        plan,
        inputs,
        tarball,
        fetched_at: candidate.fetched_at,
        is_from_earlier: false,
    })))
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
    let (checkout, origin, manifest) = blocking(move || {
        tree::check(&checkout.root)?;
        tree::require_modules(&checkout.package_dir)?;
        let origin = manifest::find(&checkout.package_dir)?;
        let manifest = manifest::read(&checkout.package_dir, origin, &asked, &place)?;
        manifest::check(&manifest, &asked, &place)?;
        Ok((checkout, origin, manifest))
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
        package_dir: checkout.package_dir,
        commit: checkout.commit,
        fetched_at,
    })
}

async fn check_license(run: &Run, candidate: &Candidate) -> Result<(), JobError> {
    let dir = candidate.package_dir.clone();
    let declared = candidate.manifest.license.clone();
    blocking(move || Ok(license::check(&dir, &declared)?)).await?;
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
