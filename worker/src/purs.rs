//! What the compiler is asked, and what its answers mean (registry spec, sections 3.6 and 3.10).

mod dependencies;
mod graph;
mod report;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use docket_core::version::Version;

pub use dependencies::{PackageDirs, check_dependencies};
pub use graph::{GraphNode, ModuleGraph};
pub use report::{CompilerMessage, Position, Report};

use crate::compiler::Compiler;
use crate::disk;
use crate::outcome::JobError;
use crate::rejection::Rejection;
use crate::sandbox::{Invocation, Limits, Output, RunError, Sandbox};

/// The first compiler with `purs graph`, and with its reports on standard output.
const GRAPH_SINCE: Version = Version {
    major: 0,
    minor: 14,
    patch: 0,
};

/// A race in the compiler (its cache file is read while it is written) that goes away when tried again.
const KNOWN_RACE: &str = "Unexpected end of JSON input";

/// Characters of the compiler's own words that are told.
const SAID_CHARS: usize = 4_000;

/// Attempts until the race counts as a failure.
const ATTEMPTS: u32 = 3;

/// A compiler, and how it is run.
#[derive(Debug)]
pub struct Purs<'a> {
    /// Which compiler.
    pub compiler: &'a Compiler,
    /// Where it runs.
    pub sandbox: &'a Sandbox,
    /// What it may use up.
    pub limits: &'a Limits,
}

/// What `purs graph` said.
#[derive(Debug)]
pub enum Graphed {
    /// The modules and what each depends on.
    Graph(ModuleGraph),
    /// The modules could not be read.
    Failed(Report),
}

/// What `purs compile` said.
#[derive(Debug)]
pub enum Compiled {
    /// It compiles, with these warnings.
    Done(Report),
    /// It does not.
    Failed(Report),
}

/// What `purs publish` said.
#[derive(Debug)]
pub enum Documented {
    /// The documentation, as JSON.
    Done(Vec<u8>),
    /// It could not be made; the compiler's words.
    Failed(String),
}

/// Whether a compiler of this version can be asked for a module graph.
#[must_use]
pub fn has_graph(version: Version) -> bool {
    version >= GRAPH_SINCE
}

impl Purs<'_> {
    /// Asks for the module graph of the files that `globs` match below `work_dir`.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] when the compiler misbehaves; errors in the modules are [`Graphed::Failed`].
    pub async fn graph(&self, work_dir: &Path, globs: &[String]) -> Result<Graphed, JobError> {
        let output = self.run("graph", work_dir, globs, &[PathBuf::from(".")]).await?;
        if output.exit_code == 0 {
            let graph = ModuleGraph::parse(&output.stdout).ok_or_else(|| self.garbled(&output))?;
            return Ok(Graphed::Graph(graph));
        }
        Ok(Graphed::Failed(self.report(&output)?))
    }

    /// Compiles the files that `globs` match below `work_dir`, where `read_only` paths cannot be changed.
    ///
    /// Returns the warnings.
    ///
    /// # Errors
    ///
    /// [`Rejection::CompileFailed`] with the compiler's errors, or another rejection when the compiler misbehaves;
    /// [`JobError::Local`] when it failed on a disk that is full.
    pub async fn compile(
        &self,
        work_dir: &Path,
        globs: &[String],
        read_only: &[PathBuf],
    ) -> Result<Report, JobError> {
        match self.try_compile(work_dir, globs, read_only).await? {
            Compiled::Done(report) => Ok(report),
            Compiled::Failed(report) => Err(Rejection::CompileFailed {
                compiler: self.compiler.version,
                report: report.render_errors(),
            }
            .into()),
        }
    }

    /// Like [`Purs::compile`], where errors in the modules are an answer too.
    ///
    /// # Errors
    ///
    /// A rejection when the compiler misbehaves; [`JobError::Local`] when it failed on a disk that is full.
    pub async fn try_compile(
        &self,
        work_dir: &Path,
        globs: &[String],
        read_only: &[PathBuf],
    ) -> Result<Compiled, JobError> {
        let compiled = self.run_compile(work_dir, globs, read_only).await;
        match (compiled, disk::full_at(work_dir)) {
            // What a compiler says that could not write is no word about the package.
            (Err(JobError::Rejected(_)) | Ok(Compiled::Failed(_)), Some(full)) => {
                Err(JobError::local("compile the package")(full))
            }
            (compiled, _) => compiled,
        }
    }

    async fn run_compile(
        &self,
        work_dir: &Path,
        globs: &[String],
        read_only: &[PathBuf],
    ) -> Result<Compiled, JobError> {
        let mut output = self.run("compile", work_dir, globs, read_only).await?;
        for _ in 1..ATTEMPTS {
            if !is_known_race(&output) {
                break;
            }
            output = self.run("compile", work_dir, globs, read_only).await?;
        }
        let report = self.report(&output)?;
        if output.exit_code == 0 && report.errors.is_empty() {
            return Ok(Compiled::Done(report));
        }
        Ok(Compiled::Failed(report))
    }

    /// Asks for the documentation of the package in the git repository `checkout`; it compiles what it documents.
    ///
    /// # Errors
    ///
    /// A rejection when the compiler misbehaves; [`JobError::Local`] when it failed on a disk that is full.
    pub async fn publish(
        &self,
        checkout: &Path,
        manifest: &str,
        resolutions: &str,
        read_only: &[PathBuf],
    ) -> Result<Documented, JobError> {
        let args = ["publish", "--manifest", manifest, "--resolutions", resolutions];
        let args = args.map(OsString::from).to_vec();
        let output = self.invoke(args, checkout, read_only).await?;
        if output.exit_code != 0 {
            if let Some(full) = disk::full_at(checkout) {
                return Err(JobError::local("make the documentation")(full));
            }
            let said = String::from_utf8_lossy(&output.stderr);
            return Ok(Documented::Failed(said.trim().chars().take(SAID_CHARS).collect()));
        }
        // What it says before is for people.
        let last = output
            .stdout
            .trim_ascii_end()
            .rsplit(|byte| *byte == b'\n')
            .next();
        let json = last.unwrap_or_default();
        if serde_json::from_slice::<serde::de::IgnoredAny>(json).is_err() {
            return Err(self.garbled(&output).into());
        }
        Ok(Documented::Done(json.to_vec()))
    }

    async fn run(
        &self,
        command: &str,
        work_dir: &Path,
        globs: &[String],
        read_only: &[PathBuf],
    ) -> Result<Output, JobError> {
        let mut args: Vec<OsString> = vec![command.into()];
        args.extend(globs.iter().map(OsString::from));
        args.push("--json-errors".into());
        self.invoke(args, work_dir, read_only).await
    }

    async fn invoke(
        &self,
        args: Vec<OsString>,
        work_dir: &Path,
        read_only: &[PathBuf],
    ) -> Result<Output, JobError> {
        let invocation = Invocation {
            program: &self.compiler.path,
            args,
            work_dir,
            read_only: read_only.to_vec(),
        };
        self.sandbox
            .run(invocation, self.limits)
            .await
            .map_err(|err| self.judge(err))
    }

    fn judge(&self, err: RunError) -> JobError {
        let compiler = self.compiler.version;
        match err {
            RunError::TimedOut(limit) => Rejection::CompilerTimedOut {
                compiler,
                limit_secs: limit.as_secs(),
            }
            .into(),
            RunError::OutputTooLarge(limit_bytes) | RunError::FileTooLarge(limit_bytes) => {
                Rejection::CompilerOutputTooLarge {
                    compiler,
                    limit_bytes,
                }
                .into()
            }
            RunError::Crashed(signal) => Rejection::CompilerCrashed {
                compiler,
                how: format!("signal {signal}"),
            }
            .into(),
            // It was there when the worker started.
            err @ (RunError::NotFound { .. } | RunError::Sandbox(_)) => {
                JobError::local("run the compiler")(err)
            }
        }
    }

    fn report(&self, output: &Output) -> Result<Report, JobError> {
        let stream = if has_graph(self.compiler.version) {
            &output.stdout
        } else {
            &output.stderr
        };
        if let Some(report) = Report::find(stream) {
            if output.exit_code == 0 || !report.errors.is_empty() {
                return Ok(report);
            }
        } else if output.exit_code == 0 || !stream.is_empty() && output.stderr.is_empty() {
            return Err(self.garbled(output).into());
        }
        let how = format!("exit code {}: {}", output.exit_code, excerpt(&output.stderr));
        Err(Rejection::CompilerCrashed {
            compiler: self.compiler.version,
            how,
        }
        .into())
    }

    fn garbled(&self, output: &Output) -> Rejection {
        Rejection::CompilerOutputGarbled {
            compiler: self.compiler.version,
            excerpt: excerpt(&output.stdout),
        }
    }
}

fn is_known_race(output: &Output) -> bool {
    output.exit_code != 0
        && [&output.stdout, &output.stderr]
            .iter()
            .any(|bytes| String::from_utf8_lossy(bytes).contains(KNOWN_RACE))
}

/// The beginning of what a program said, short enough for a sentence.
fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4000)]);
    text.trim().chars().take(300).collect()
}

#[cfg(test)]
mod tests;
