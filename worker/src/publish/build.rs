//! Asks the compiler about the package (steps 18 and 20).

use std::path::PathBuf;

use docket_jobs::Run;
use serde_json::json;

use super::Candidate;
use super::install::{Build, REGISTRY};
use super::plan::{Plan, graph_compiler};
use crate::outcome::JobError;
use crate::purs::{self, Graphed, PackageDirs, Purs};
use crate::state::WorkerState;

/// Checks that the manifest lists exactly the packages that its modules import from.
pub(super) async fn check_dependencies(
    state: &WorkerState,
    run: &Run,
    candidate: &Candidate,
    plan: &Plan,
    build: &Build,
) -> Result<(), JobError> {
    let Some(compiler) = graph_compiler(state, plan) else {
        run.log
            .warn("No compiler here can print a module graph, so the dependencies are taken as they are.");
        return Ok(());
    };
    let purs = Purs {
        compiler,
        sandbox: &state.sandbox,
        limits: &state.limits,
    };
    match purs.graph(&build.dir, &globs(candidate, build)).await? {
        Graphed::Graph(graph) => {
            let dirs = PackageDirs {
                own: candidate.top(),
                dependencies: build.dependencies.clone(),
            };
            purs::check_dependencies(&graph, &dirs, candidate.manifest.dependencies.keys())?;
        }
        // The compile step says what is wrong, in full.
        Graphed::Failed(report) => run.log.warn(format!(
            "The module graph could not be made, so the dependencies are taken as they are:\n{}",
            report.render_errors()
        )),
    }
    Ok(())
}

/// Compiles the package with its dependencies.
pub(super) async fn compile(
    state: &WorkerState,
    run: &Run,
    candidate: &Candidate,
    plan: &Plan,
    build: &Build,
) -> Result<(), JobError> {
    let shown = json!({ "compiler": plan.compiler.version, "resolutions": plan.versions });
    run.log.notice(format!(
        "Checking that {}@{} compiles with this compiler and build plan:\n```json\n{shown:#}\n```",
        candidate.manifest.name, candidate.manifest.version
    ));
    let purs = Purs {
        compiler: &plan.compiler,
        sandbox: &state.sandbox,
        limits: &state.limits,
    };
    let read_only = [PathBuf::from(REGISTRY), PathBuf::from(candidate.top())];
    let report = purs
        .compile(&build.dir, &globs(candidate, build), &read_only)
        .await?;
    run.log
        .info(format!("It compiles; warnings: {}.", report.warnings.len()));
    Ok(())
}

/// What is compiled: the package as it is shipped, and its dependencies.
fn globs(candidate: &Candidate, build: &Build) -> Vec<String> {
    let mut globs = vec![format!("{}/src/**/*.purs", candidate.top())];
    if !build.dependencies.is_empty() {
        globs.push(format!("{REGISTRY}/*/src/**/*.purs"));
    }
    globs
}
