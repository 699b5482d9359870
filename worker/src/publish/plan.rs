//! Which compiler and which versions of the dependencies a package is checked with (step 14).

use std::collections::BTreeMap;

use docket_core::manifest::Manifest;
use docket_core::name::PackageName;
use docket_core::operation::Publish;
use docket_core::range::Range;
use docket_core::solver::{self, check_resolutions};
use docket_core::version::Version;
use docket_jobs::Run;
use serde_json::json;

use super::blocking;
use crate::compiler::Compiler;
use crate::outcome::JobError;
use crate::purs;
use crate::rejection::Rejection;
use crate::state::WorkerState;

/// A build plan.
pub(crate) struct Plan {
    pub(crate) compiler: Compiler,
    /// Direct and transitive dependencies.
    pub(crate) versions: BTreeMap<PackageName, Version>,
}

/// Takes the plan of the request as far as it goes, and solves for the rest.
pub(super) async fn make(
    state: &WorkerState,
    run: &Run,
    request: &Publish,
    manifest: &Manifest,
) -> Result<Plan, JobError> {
    let known = state.compilers.versions();
    if let Some(requested) = request.compiler.filter(|version| !known.contains(version)) {
        return Err(Rejection::CompilerNotSupported { requested, known }.into());
    }
    if let Some(resolutions) = &request.resolutions {
        check_resolutions(&manifest.dependencies, resolutions).map_err(Rejection::ResolutionsDiffer)?;
    }
    let (version, versions) = match (request.compiler, &request.resolutions) {
        (Some(compiler), Some(resolutions)) => {
            run.log
                .info("Using the compiler and the build plan of the request.");
            (compiler, resolutions.clone())
        }
        (compiler, None) => solve(run, known, manifest.dependencies.clone(), compiler).await?,
        (None, Some(resolutions)) => {
            let exact = resolutions
                .iter()
                .map(|(name, version)| (name.clone(), Range::exact(*version)))
                .collect();
            solve(run, known, exact, None).await?
        }
    };
    let compiler = state.compilers.find_version(version).cloned();
    let compiler = compiler.ok_or_else(|| JobError::local("find its compiler")(version.to_string()))?;
    describe(state, run, &compiler);
    Ok(Plan { compiler, versions })
}

async fn solve(
    run: &Run,
    compilers: Vec<Version>,
    required: BTreeMap<PackageName, Range>,
    compiler: Option<Version>,
) -> Result<(Version, BTreeMap<PackageName, Version>), JobError> {
    let mut tx = run.jobs().db().read().await?;
    let index = docket_index::load_solver_index(&mut tx, required.keys(), &compilers).await?;
    drop(tx);
    let plan = blocking(move || {
        solver::plan(&index, &required, compiler)
            .map_err(|err| Rejection::NoBuildPlan(err.to_string()).into())
    })
    .await?;
    run.log.info(format!(
        "Found a build plan of {} packages with purs {}.",
        plan.versions.len(),
        plan.compiler
    ));
    Ok((plan.compiler, plan.versions))
}

/// Says all that the result of a build rests on beside the sources and the plan's own text: what was found with the same words is found again.
pub(super) async fn inputs(state: &WorkerState, run: &Run, plan: &Plan) -> Result<String, JobError> {
    let mut tx = run.jobs().db().read().await?;
    let mut dependencies = BTreeMap::new();
    for (name, version) in &plan.versions {
        let metadata = docket_index::find_metadata(&mut tx, name).await?;
        let entry = metadata.and_then(|mut metadata| metadata.published.remove(version));
        let entry = entry.ok_or_else(|| Rejection::DependencyNotPublished {
            name: name.clone(),
            version: *version,
        })?;
        dependencies.insert(
            name,
            json!({ "version": version, "hash": entry.hash.to_string() }),
        );
    }
    let inputs = json!({
        // The rules are those of the program.
        "program": env!("CARGO_PKG_VERSION"),
        "compiler": plan.compiler.version,
        "isStandIn": plan.compiler.is_stand_in,
        "graphCompiler": graph_compiler(state, plan).map(|compiler| compiler.version),
        "dependencies": dependencies,
    });
    Ok(inputs.to_string())
}

/// The compiler of the plan, or the lowest one with `purs graph`.
pub(super) fn graph_compiler<'a>(state: &'a WorkerState, plan: &'a Plan) -> Option<&'a Compiler> {
    std::iter::once(&plan.compiler)
        .chain(state.compilers.iter())
        .find(|compiler| purs::has_graph(compiler.version))
}

/// An author should know what the checks are worth.
pub(crate) fn describe(state: &WorkerState, run: &Run, compiler: &Compiler) {
    if compiler.is_stand_in {
        run.log.warn(format!(
            "purs {} is Docket's built-in stand-in here: it checks module headers and imports, and compiles nothing.",
            compiler.version
        ));
    }
    if state.sandbox.isolates() {
        run.log.info(state.sandbox.describe());
    } else {
        run.log.warn(state.sandbox.describe());
    }
}
