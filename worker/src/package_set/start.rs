//! What an update starts from: the latest set, and what the index says about its members and the candidates.

use docket_core::operation::PackageSetUpdate;
use docket_core::package_set::PackageSet;
use docket_core::package_set::dependencies::Dependencies;
use docket_core::version::Version;
use docket_jobs::Run;

use crate::compiler::Compiler;
use crate::outcome::JobError;
use crate::rejection::Rejection;
use crate::state::WorkerState;

/// Where an update starts.
pub(super) struct Start {
    /// The latest set; `None` in a registry without any.
    pub(super) latest: Option<Version>,
    /// The same, or what comes before the first.
    pub(super) set: PackageSet,
    /// The compiler of the next set.
    pub(super) compiler: Compiler,
    /// Of every version in the index of the members and the candidates.
    pub(super) dependencies: Dependencies,
}

/// Reads it. The first set is for the compiler that the update names, or for the newest one of this machine.
pub(super) async fn read(
    state: &WorkerState,
    run: &Run,
    update: &PackageSetUpdate,
) -> Result<Start, JobError> {
    let known = state.compilers.versions();
    if let Some(requested) = update.compiler.filter(|version| !known.contains(version)) {
        return Err(Rejection::CompilerNotSupported { requested, known }.into());
    }
    let mut tx = run.jobs().db().read().await?;
    let latest = docket_index::latest_package_set(&mut tx).await?;
    let (latest, set) = match latest {
        Some(set) => (Some(set.version), set),
        None => {
            let newest = update.compiler.or(known.last().copied());
            let compiler =
                newest.ok_or_else(|| missing("no compiler was found on this machine".to_owned()))?;
            let today = run.jobs().clock().now().date();
            (None, PackageSet::before_the_first(compiler, today))
        }
    };
    let mut dependencies = Dependencies::default();
    let names = set.packages.keys().chain(update.packages.keys());
    for name in names.collect::<std::collections::BTreeSet<_>>() {
        for manifest in docket_index::list_manifests(&mut tx, name).await? {
            dependencies.insert(&manifest);
        }
    }
    drop(tx);
    // A compiler below the set's is refused with the other checks.
    let version = update.compiler.unwrap_or(set.compiler);
    let compiler = state.compilers.find_version(version).cloned();
    let compiler = compiler.ok_or_else(|| missing(version.to_string()))?;
    crate::publish::describe(state, run, &compiler);
    Ok(Start {
        latest,
        set,
        compiler,
        dependencies,
    })
}

/// The machine lost a compiler that sets were released with: our turn.
fn missing(cause: String) -> JobError {
    JobError::local("find the compiler of the package set")(cause)
}
