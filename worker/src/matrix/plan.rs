//! Working out which trials are worth while, and enqueuing them.

use docket_core::name::PackageName;
use docket_core::version::Version;
use docket_db::Tx;
use docket_index::{Build, Outcome, Scope};
use docket_jobs::worker::Handler;
use docket_jobs::{Failure, Jobs, NewJob, Run};
use serde::{Deserialize, Serialize};

use super::cascade::{self, Catalogue, Known};
use super::{FOLLOW_UP_PRIORITY, MAX_ATTEMPTS, TIMEOUT_SECS, Trial};
use crate::compiler::Compilers;
use crate::state::WorkerState;

/// The kind of the jobs that plan matrix jobs.
pub const KIND: &str = "matrix-plan";

/// How many trials one transaction stores: others write too.
const BATCH: usize = 200;

/// What has happened.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "after")]
enum Occasion {
    /// A version turned out to compile with a compiler, by its publication or by a trial.
    Success {
        name: PackageName,
        version: Version,
        compiler: Version,
    },
    /// A compiler came that is newer than all others.
    NewCompiler { compiler: Version },
}

impl Occasion {
    /// What the trials can depend on.
    fn scope(&self) -> Scope<'_> {
        match self {
            Self::Success { name, .. } => Scope::Around(name),
            Self::NewCompiler { .. } => Scope::Everything,
        }
    }
}

/// Returns what runs plan jobs.
#[must_use]
pub fn handler(state: WorkerState) -> Handler {
    Handler::new(KIND, TIMEOUT_SECS, MAX_ATTEMPTS, move |attempt| {
        let state = state.clone();
        async move { run(&state, &attempt).await }
    })
}

/// Enqueues, in the transaction that records it, the planning that follows from `name@version` compiling with `compiler`.
///
/// # Errors
/// When the database fails.
pub async fn plan_after(
    tx: &mut Tx,
    run: &Run,
    name: &PackageName,
    version: Version,
    compiler: Version,
) -> Result<(), docket_db::Error> {
    let occasion = Occasion::Success {
        name: name.clone(),
        version,
        compiler,
    };
    let new = NewJob {
        priority: FOLLOW_UP_PRIORITY,
        parent: Some(run.job.id),
        ..NewJob::new(KIND, payload(&occasion), format!("{KIND}/{}", run.job.id))
    };
    run.jobs().enqueue(tx, &new).await?;
    Ok(())
}

/// Enqueues the planning for the newest of `compilers`, when no version of `prelude` is known to compile with one as new, once for each compiler.
///
/// # Errors
/// When the database fails.
pub async fn greet_compiler(jobs: &Jobs, compilers: &Compilers) -> Result<(), docket_db::Error> {
    let prelude: PackageName = "prelude".parse().expect("prelude is a package name");
    let mut tx = jobs.db().read().await?;
    let Some(metadata) = docket_index::find_metadata(&mut tx, &prelude).await? else {
        return Ok(());
    };
    let Some(latest) = metadata.published.into_values().next_back() else {
        return Ok(());
    };
    drop(tx);
    let known = latest.compilers.last().copied();
    let real = compilers.iter().filter(|compiler| !compiler.is_stand_in);
    for compiler in real.map(|compiler| compiler.version) {
        if Some(compiler) > known {
            greet(jobs, compiler).await?;
        }
    }
    Ok(())
}

/// Plans the trials of a new compiler, unless that was done before.
async fn greet(jobs: &Jobs, compiler: Version) -> Result<(), docket_db::Error> {
    let occasion = Occasion::NewCompiler { compiler };
    let new = NewJob {
        priority: FOLLOW_UP_PRIORITY,
        ..NewJob::new(KIND, payload(&occasion), format!("{KIND}/compiler/{compiler}"))
    };
    let mut tx = jobs.db().write().await?;
    let enqueued = jobs.enqueue(&mut tx, &new).await?;
    let before = jobs.find_earlier(&mut tx, &new.dedup_key, enqueued.job).await?;
    if enqueued.created && before.is_none() {
        tx.commit().await?;
        jobs.wake_workers();
    }
    Ok(())
}

fn payload(occasion: &Occasion) -> String {
    serde_json::to_string(occasion).expect("names and versions are JSON")
}

async fn run(state: &WorkerState, run: &Run) -> Result<(), Failure> {
    let occasion: Occasion =
        serde_json::from_str(&run.job.payload).map_err(|cause| Failure::Unavailable {
            detail: "The payload of this job cannot be read.".to_owned(),
            cause: Some(cause.into()),
        })?;
    let mut tx = run.jobs().db().read().await?;
    let known = docket_index::list_installable(&mut tx, occasion.scope()).await?;
    drop(tx);
    let compilers = state.compilers.versions();
    let trials = tokio::task::spawn_blocking(move || trials(occasion, known, &compilers));
    let trials = trials.await.map_err(|cause| Failure::Unavailable {
        detail: "The trials could not be worked out.".to_owned(),
        cause: Some(cause.into()),
    })?;
    let mut enqueued = 0;
    for batch in trials.chunks(BATCH) {
        enqueued += store(run, batch).await?;
    }
    run.log.info(format!(
        "{} trials are worth while; {enqueued} of them are new.",
        trials.len()
    ));
    Ok(())
}

fn trials(
    occasion: Occasion,
    known: Vec<(docket_core::manifest::Manifest, Vec<Version>)>,
    compilers: &[Version],
) -> Vec<cascade::Trial> {
    let known = known
        .into_iter()
        .map(|(manifest, compilers)| Known { manifest, compilers });
    let catalogue = Catalogue(known.collect());
    match occasion {
        Occasion::NewCompiler { compiler } => catalogue.without_dependencies(compiler),
        Occasion::Success {
            name,
            version,
            compiler,
        } => {
            let mut trials = catalogue.dependants(&name, version, compiler);
            trials.extend(catalogue.others(&name, version, compilers));
            trials
        }
    }
}

/// Enqueues the trials that have no outcome yet, and notes those that have no plan. Returns how many are new.
async fn store(run: &Run, trials: &[cascade::Trial]) -> Result<usize, Failure> {
    let mut tx = run.begin().await?;
    let mut enqueued = 0;
    for trial in trials {
        let builds = docket_index::list_builds(&mut tx, &trial.name).await?;
        let tried = builds
            .iter()
            .find(|build| build.version == trial.version && build.compiler == trial.compiler);
        if tried.is_some_and(|build| build.outcome != Outcome::NoPlan) {
            continue;
        }
        match &trial.plan {
            Ok(plan) => {
                let trial = Trial {
                    name: trial.name.clone(),
                    version: trial.version,
                    compiler: trial.compiler,
                    plan: plan.clone(),
                };
                if run.jobs().enqueue(&mut tx, &trial.job(run)).await?.created {
                    enqueued += 1;
                }
            }
            Err(error) => {
                let build = Build {
                    name: trial.name.clone(),
                    version: trial.version,
                    compiler: trial.compiler,
                    outcome: Outcome::NoPlan,
                    error: Some(error.to_string().chars().take(super::ERROR_CHARS).collect()),
                    job_id: run.job.id.to_string(),
                    at: run.jobs().clock().now(),
                };
                docket_index::record_build(&mut tx, &build).await?;
            }
        }
    }
    tx.commit().await?;
    run.jobs().wake_workers();
    Ok(enqueued)
}
