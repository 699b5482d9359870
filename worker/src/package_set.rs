//! Package sets: from a list of wanted versions to a released set that compiles (registry spec, sections 5.1 to 5.4).
//!
//! Everything is tried in a directory of this machine; nothing is visible outside until one fenced transaction releases
//! the set. Version ranges are never considered: a set is what compiles.

mod blame;
mod build;
mod refusal;
mod start;
mod workshop;

use docket_core::json;
use docket_core::operation::PackageSetUpdate;
use docket_core::package_set::PackageSet;
use docket_core::package_set::candidates::{self, Candidate};
use docket_core::package_set::changes::Changes;
use docket_core::package_set::checks::{self, UpdateError};
use docket_core::package_set::legacy::SubdirError;
use docket_core::version::Version;
use docket_index::{ByJob, MirrorError, Release, ReleaseError};
use docket_jobs::worker::Handler;
use docket_jobs::{Failure, Run};

use crate::outcome::JobError;
use crate::state::WorkerState;
use blame::{Blamed, Group, Outcome};
use build::{Build, Tried};
pub use refusal::SetRefusal;
use start::Start;
pub use workshop::clear as clear_workshop;

/// The kind of package set jobs.
pub const KIND: &str = "packageset";

/// The lock that every one of them needs.
pub const LOCK: &str = "package-sets";

/// Seconds one attempt may take (registry spec, section 6.2).
const TIMEOUT_SECS: u64 = 90 * 60;

/// Attempts before a job fails because of something on our side.
const MAX_ATTEMPTS: i64 = 5;

/// Returns what runs package set jobs.
#[must_use]
pub fn handler(state: WorkerState) -> Handler {
    Handler::new(KIND, TIMEOUT_SECS, MAX_ATTEMPTS, move |attempt| {
        let state = state.clone();
        async move { run(&state, &attempt).await }
    })
}

/// Runs one attempt at a package set job, whose payload is a [`PackageSetUpdate`].
///
/// # Errors
///
/// [`Failure::Rejected`] with a code of `docs/problems.md` when whoever asked can mend it.
pub async fn run(state: &WorkerState, run: &Run) -> Result<(), Failure> {
    let tried = run.job.retries + 1;
    let last_attempt = (tried >= MAX_ATTEMPTS).then_some(run.job.attempt);
    release(state, run)
        .await
        .map_err(|err| err.into_failure(last_attempt))
}

async fn release(state: &WorkerState, run: &Run) -> Result<(), JobError> {
    let update: PackageSetUpdate = json::decode(&run.job.payload)
        .map_err(|cause| JobError::local("read the job's payload")(cause.to_string()))?;
    if let Some(set) = released_before(run).await? {
        run.log.notice(format!(
            "The package set {} was released by an earlier attempt of this job.",
            set.version
        ));
        return Ok(());
    }
    run.log.step("Choose the changes");
    let start = start::read(state, run, &update).await?;
    let changes = checks::check(&start.set, &update, &start.dependencies).map_err(SetRefusal::from)?;
    tell_attempt(run, &start, &changes);
    let candidates = candidates::list(&start.set, &changes, &start.dependencies);
    let accepted = build(state, run, &start, changes.compiler, &candidates).await?;

    let today = run.jobs().clock().now().date();
    let wanted = accepted
        .iter()
        .map(|place| (candidates[*place].name.clone(), candidates[*place].version))
        .collect();
    let changes = Changes::between(&start.set, changes.compiler, &wanted);
    let set = changes
        .apply(&start.set, today)
        .ok_or_else(|| JobError::local("make a set of what compiled")("nothing is left"))?;
    check_result(&set, &start)?;
    run.log.step("Release the set");
    let mirrored = commit(state, run, &start, &set, &changes).await?;
    run.log.notice(format!(
        "Released the package set {} of {} packages, for purs {}.",
        set.version,
        set.packages.len(),
        set.compiler
    ));
    match mirrored {
        None => {}
        Some(Ok(tag)) => run
            .log
            .notice(format!("Mirrored it for older clients, as {tag}.")),
        Some(Err(cause)) => run
            .log
            .notice(format!("It is not mirrored for older clients: {cause}.")),
    }
    Ok(())
}

/// A run that finds its set released only finishes.
async fn released_before(run: &Run) -> Result<Option<PackageSet>, JobError> {
    if run.job.attempt == 1 {
        return Ok(None);
    }
    let mut tx = run.jobs().db().read().await?;
    Ok(docket_index::find_release_by(&mut tx, &run.job.id.to_string()).await?)
}

fn tell_attempt(run: &Run, start: &Start, changes: &Changes) {
    let onto = match start.latest {
        Some(version) => format!("the package set {version}"),
        None => "nothing, as the first package set of this registry".to_owned(),
    };
    let asked = run
        .job
        .actor
        .as_ref()
        .map(|actor| format!(" for {actor}"))
        .unwrap_or_default();
    let mut parts = Vec::new();
    if let Some(compiler) = changes.compiler {
        parts.push(format!("compiler: {} -> {compiler}", start.set.compiler));
    }
    let added = changes
        .added
        .iter()
        .map(|(name, version)| format!("new: {name}@{version}"));
    let updated = changes
        .updated
        .iter()
        .map(|(name, (old, new))| format!("updated: {name}@{old} -> {new}"));
    let removed = changes
        .removed
        .iter()
        .map(|(name, version)| format!("removed: {name}@{version}"));
    parts.extend(added.chain(updated).chain(removed));
    run.log.notice(format!(
        "Attempting to build on {onto}{asked}:\n  - {}",
        parts.join("\n  - ")
    ));
}

/// Compiles, and returns the candidates that are in the next set (section 5.2).
async fn build(
    state: &WorkerState,
    run: &Run,
    start: &Start,
    raised: Option<Version>,
    candidates: &[Candidate],
) -> Result<Group, JobError> {
    run.log.step("Install the packages");
    let mut build = Build::prepare(state, run, start, candidates).await?;
    run.log.step("Compile the set as it was");
    if let Tried::Failed { report, .. } = build.compile(&Group::new()).await? {
        return Err(SetRefusal::StartDoesNotCompile {
            set: start.set.version,
            compiler: raised.unwrap_or(start.set.compiler),
            report,
        }
        .into());
    }
    let everything: Group = (0..candidates.len()).collect();
    if everything.is_empty() {
        return Ok(everything);
    }
    run.log.step("Compile all changes");
    run.log
        .info(format!("Trying all {} changes at once.", candidates.len()));
    let complaint = match build.compile(&everything).await? {
        Tried::Compiled => return Ok(everything),
        Tried::Failed { complaint, .. } => complaint,
    };
    run.log.step("Find what is to blame");
    run.log.notice(format!(
        "The changes do not compile together, so those to blame are looked for. The first error:\n{}",
        complaint.text
    ));
    let requires: Vec<Group> = candidates
        .iter()
        .map(|candidate| candidate.requires.clone())
        .collect();
    let outcome = blame::search(&mut build, &requires, complaint).await?;
    let told = tell_rejected(run, candidates, &outcome);
    run.log.info(format!(
        "{} of {} changes are kept; this took {} compilations.",
        outcome.kept.len(),
        candidates.len(),
        build.compilations()
    ));
    if outcome.kept.is_empty() {
        return Err(SetRefusal::NothingKept(told).into());
    }
    build.settle(&outcome.kept).await?;
    Ok(outcome.kept)
}

/// Says of each candidate that is left out why, and returns it all.
fn tell_rejected(run: &Run, candidates: &[Candidate], outcome: &Outcome) -> String {
    let mut told = Vec::new();
    for Blamed {
        candidate,
        with,
        complaint,
    } in &outcome.blamed
    {
        let candidate = &candidates[*candidate];
        let partners: Vec<String> = with.iter().map(|place| candidates[*place].to_string()).collect();
        let how = if partners.is_empty() {
            "does not compile with the set".to_owned()
        } else {
            format!("does not compile together with {}", partners.join(", "))
        };
        told.push(format!("{candidate} {how} and is left out:\n{}", complaint.text));
    }
    for (candidate, missing) in &outcome.stranded {
        told.push(format!(
            "{} is left out, because it needs {}.",
            candidates[*candidate], candidates[*missing]
        ));
    }
    for line in &told {
        run.log.notice(line.clone());
    }
    told.join("\n")
}

/// The new set must be self-contained too. What was checked before and kept by the rules of the candidates always is.
fn check_result(set: &PackageSet, start: &Start) -> Result<(), JobError> {
    let gaps = checks::find_gaps(&set.packages, &start.dependencies);
    if gaps.is_empty() {
        return Ok(());
    }
    let set = set.version;
    Err(SetRefusal::NotSelfContained(UpdateError::NotSelfContained { set, gaps }).into())
}

/// Releases the set, and mirrors it in the same transaction; returns what came of that, if it is wanted.
async fn commit(
    state: &WorkerState,
    run: &Run,
    start: &Start,
    set: &PackageSet,
    changes: &Changes,
) -> Result<Option<Result<String, SubdirError>>, JobError> {
    let message = changes.message(set.version);
    let release = Release {
        set,
        follows: start.latest,
        message: &message,
        by: ByJob {
            job_id: run.job.id.to_string(),
            at: run.jobs().clock().now(),
        },
    };
    let mut tx = run.begin().await?;
    match docket_index::release_package_set(&mut tx, &release).await {
        Ok(()) => {}
        Err(ReleaseError::Moved { latest }) => return Err(SetRefusal::SetMoved { latest }.into()),
        Err(ReleaseError::Gone { gone }) => return Err(SetRefusal::MembersGone(gone).into()),
        Err(ReleaseError::Database(err)) => return Err(err.into()),
    }
    let mut mirrored = None;
    if state.legacy_mirror {
        mirrored = match docket_index::mirror_package_set(&mut tx, set, &release.by).await {
            Ok(tag) => Some(Ok(tag)),
            Err(MirrorError::Subdir(cause)) => Some(Err(cause)),
            Err(MirrorError::Database(err)) => return Err(err.into()),
        };
    }
    tx.commit().await?;
    Ok(mirrored)
}
