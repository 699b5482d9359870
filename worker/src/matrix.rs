//! The matrix: with which compilers each version compiles (registry spec, section 5.5).
//!
//! Three kinds of background jobs carry it. A `matrix` job tries one version with one compiler. Whatever makes new trials worth while (a publish,
//! a success, a new compiler) enqueues a `matrix-plan` job in the same transaction, which works out those trials. A
//! `metadata-commit` job puts the metadata files of many successes into one commit. Each success has a plan and a commit job of
//! its own, most of which find that an earlier one has done their work: so none can be lost between two transactions.

mod cascade;
mod plan;

use docket_core::name::PackageName;
use docket_core::time::Timestamp;
use docket_core::version::Version;
use docket_index::{Build, ByJob, Outcome};
use docket_jobs::worker::Handler;
use docket_jobs::{Failure, NewJob, Run};
use std::collections::BTreeMap;

use crate::outcome::JobError;
use crate::publish::{Installed, REGISTRY, install};
use crate::purs::Purs;
use crate::rejection::Rejection;
use crate::state::WorkerState;
use crate::work_dir;

pub use plan::{KIND as PLAN_KIND, greet_compiler, handler as plan_handler, plan_after};

/// The kind of matrix jobs.
pub const KIND: &str = "matrix";

/// The kind of the jobs that commit metadata files.
pub const COMMIT_KIND: &str = "metadata-commit";

/// Behind everything that people wait for; plans and commits before builds, since they are short and others wait for them.
const PRIORITY: i64 = -10;
const FOLLOW_UP_PRIORITY: i64 = -5;

/// Seconds one attempt may take (registry spec, section 6.2).
const TIMEOUT_SECS: u64 = 60 * 60;

/// Attempts before a job fails because of something on our side.
const MAX_ATTEMPTS: i64 = 5;

/// How long successes are gathered before their metadata files are committed, in milliseconds, unless told otherwise.
pub const GATHER_MILLIS: i64 = 30_000;

/// How much of a compiler's errors the grid keeps, in characters; the log has the rest.
const ERROR_CHARS: usize = 1_000;

/// Returns what runs matrix jobs.
#[must_use]
pub fn handler(state: WorkerState) -> Handler {
    Handler::new(KIND, TIMEOUT_SECS, MAX_ATTEMPTS, move |attempt| {
        let state = state.clone();
        async move { run(&state, &attempt).await }
    })
}

/// Returns what commits the metadata files that successes have changed.
#[must_use]
pub fn commit_handler() -> Handler {
    Handler::new(COMMIT_KIND, TIMEOUT_SECS, MAX_ATTEMPTS, |attempt| async move {
        commit(&attempt).await
    })
}

/// What a matrix job tries.
struct Trial {
    name: PackageName,
    version: Version,
    compiler: Version,
    /// The build plan, without the package itself.
    plan: BTreeMap<PackageName, Version>,
}

impl Trial {
    fn of(run: &Run) -> Option<Self> {
        let job = &run.job;
        Some(Self {
            name: job.package_name.as_deref()?.parse().ok()?,
            version: job.package_version.as_deref()?.parse().ok()?,
            compiler: job.compiler.as_deref()?.parse().ok()?,
            plan: serde_json::from_str(&job.payload).ok()?,
        })
    }

    /// A trial is stored once for its outcome, whatever the plan.
    fn job(&self, parent: &Run) -> NewJob {
        let Self {
            name,
            version,
            compiler,
            plan,
        } = self;
        let payload = serde_json::to_string(plan).expect("names and versions are JSON");
        NewJob {
            priority: PRIORITY,
            package_name: Some(name.clone()),
            package_version: Some(*version),
            compiler: Some(*compiler),
            // Two trials of one version both change its list of compilers.
            locks: vec![format!("matrix/{name}/{version}")],
            parent: Some(parent.job.id),
            ..NewJob::new(KIND, payload, format!("matrix/{name}/{version}/{compiler}"))
        }
    }
}

async fn run(state: &WorkerState, run: &Run) -> Result<(), Failure> {
    let trial = Trial::of(run).ok_or_else(|| Failure::Unavailable {
        detail: "This is not a matrix job.".to_owned(),
        cause: None,
    })?;
    let Trial {
        name,
        version,
        compiler,
        ..
    } = &trial;
    run.log
        .info(format!("Trying {name}@{version} with purs {compiler}."));
    match build(state, run, &trial).await {
        Ok(()) => {
            record(state, run, &trial, Outcome::Compiles, None).await?;
            run.log
                .notice(format!("{name}@{version} compiles with purs {compiler}."));
            Ok(())
        }
        Err(JobError::Rejected(rejection)) => {
            if says_something_of_the_version(&rejection) {
                let error = rejection.to_string().chars().take(ERROR_CHARS).collect();
                record(state, run, &trial, Outcome::Fails, Some(error)).await?;
            }
            Err(JobError::Rejected(rejection).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// A plan that went stale, or a compiler that this machine does not have, says nothing.
fn says_something_of_the_version(rejection: &Rejection) -> bool {
    !matches!(
        rejection,
        Rejection::DependencyNotPublished { .. } | Rejection::CompilerNotSupported { .. }
    )
}

async fn build(state: &WorkerState, run: &Run, trial: &Trial) -> Result<(), JobError> {
    let compiler = state.compilers.find_version(trial.compiler);
    let compiler = compiler.ok_or_else(|| Rejection::CompilerNotSupported {
        requested: trial.compiler,
        known: state.compilers.versions(),
    })?;
    let work = work_dir::make(&state.work_dir).map_err(JobError::local("make a work directory"))?;
    let mut versions = trial.plan.clone();
    versions.insert(trial.name.clone(), trial.version);
    run.log.step("Install the dependencies");
    let Installed { dir, .. } = install(state, run, &versions, work.path()).await?;
    let purs = Purs {
        compiler,
        sandbox: &state.sandbox,
        limits: &state.limits,
    };
    let globs = [format!("{REGISTRY}/*/src/**/*.purs")];
    run.log.step("Compile");
    purs.compile(&dir, &globs, &[REGISTRY.into()]).await?;
    Ok(())
}

/// Records the outcome, and enqueues what follows from a success, all in one transaction.
async fn record(
    state: &WorkerState,
    run: &Run,
    trial: &Trial,
    outcome: Outcome,
    error: Option<String>,
) -> Result<(), Failure> {
    let now = run.jobs().clock().now();
    let build = Build {
        name: trial.name.clone(),
        version: trial.version,
        compiler: trial.compiler,
        outcome,
        error,
        job_id: run.job.id.to_string(),
        at: now,
    };
    let mut tx = run.begin().await?;
    if !docket_index::record_build(&mut tx, &build).await? {
        return Err(JobError::Rejected(Rejection::DependencyNotPublished {
            name: trial.name.clone(),
            version: trial.version,
        })
        .into());
    }
    if outcome == Outcome::Compiles {
        plan_after(&mut tx, run, &trial.name, trial.version, trial.compiler).await?;
        let commit = NewJob {
            priority: FOLLOW_UP_PRIORITY,
            run_after: Some(next_commit(now, state.gather_millis)),
            parent: Some(run.job.id),
            ..NewJob::new(
                COMMIT_KIND,
                "{}".to_owned(),
                format!("{COMMIT_KIND}/{}", run.job.id),
            )
        };
        run.jobs().enqueue(&mut tx, &commit).await?;
    }
    tx.commit().await?;
    run.jobs().wake_workers();
    Ok(())
}

/// Successes of the same while share a commit, so it is at the end of that while.
fn next_commit(now: Timestamp, gather_millis: i64) -> Timestamp {
    let gather_millis = gather_millis.max(1);
    now.plus_millis(gather_millis - now.millis().rem_euclid(gather_millis))
}

/// Commits whatever waits; mostly an earlier job has done it.
async fn commit(run: &Run) -> Result<(), Failure> {
    let by = ByJob {
        job_id: run.job.id.to_string(),
        at: run.jobs().clock().now(),
    };
    loop {
        let mut tx = run.begin().await?;
        let committed = docket_index::commit_metadata(&mut tx, &by).await?;
        if committed == 0 {
            return Ok(());
        }
        tx.commit().await?;
        run.log
            .info(format!("Committed the metadata files of {committed} packages."));
    }
}
