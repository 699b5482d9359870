//! Runs a compiler where it can do no harm: no network, no writing outside its work directory, bounded in everything.
//!
//! A build child holds nothing: its environment is empty, and the system directories are all it can read beside its
//! inputs (ARCHITECTURE.md, "the worker").

mod bubblewrap;
mod limits;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::child::{self, Bounds, ChildError, Finished};
use crate::outcome::BoxError;
pub use limits::Limits;
use limits::Prlimit;

/// Which sandbox to use: `[worker] sandbox`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxChoice {
    /// Bubblewrap where it works, else none.
    #[default]
    Auto,
    /// Bubblewrap, or do not start.
    Bubblewrap,
    /// None: for machines where everyone who can publish is trusted.
    None,
}

/// The sandbox of this machine.
#[derive(Debug, Clone)]
pub struct Sandbox {
    kind: Kind,
    prlimit: Option<Prlimit>,
}

#[derive(Debug, Clone)]
enum Kind {
    Bubblewrap(bubblewrap::Bubblewrap),
    None { why: String },
}

/// The sandbox that was asked for does not work here.
#[derive(Debug, thiserror::Error)]
#[error(
    "bubblewrap does not work on this machine ({0}): install it and allow user namespaces, or set `sandbox = \"none\"`"
)]
pub struct SandboxMissing(String);

/// One run of a program.
#[derive(Debug)]
pub struct Invocation<'a> {
    /// The program as it was found; its file name is what the program sees as its own.
    pub program: &'a Path,
    /// Arguments, passed literally.
    pub args: Vec<OsString>,
    /// The directory it runs in, the only one it can write to.
    pub work_dir: &'a Path,
    /// Paths below `work_dir` that it can only read.
    pub read_only: Vec<PathBuf>,
}

/// What a program that ended by itself said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// 0 means that all went well.
    pub exit_code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Why a program gave no [`Output`].
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such program, or it cannot be executed in the sandbox.
    #[error("{program} cannot be executed: {detail}")]
    NotFound {
        /// The program.
        program: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// It used up its wall clock or CPU time.
    #[error("the program did not end within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// It printed too much.
    #[error("the program printed more than {0} bytes")]
    OutputTooLarge(u64),
    /// It wrote a file that is too large.
    #[error("the program wrote a file of more than {0} bytes")]
    FileTooLarge(u64),
    /// It ended by a signal.
    #[error("the program was ended by signal {0}")]
    Crashed(i32),
    /// The sandbox itself failed: our turn.
    #[error("the sandbox failed")]
    Sandbox(#[source] BoxError),
}

impl Sandbox {
    /// Finds out what works here. `search_path` has the form of `PATH`.
    ///
    /// # Errors
    ///
    /// Only when bubblewrap was asked for by name and does not work.
    pub async fn choose(choice: SandboxChoice, search_path: &str) -> Result<Self, SandboxMissing> {
        let prlimit = Prlimit::find(search_path);
        let kind = match choice {
            SandboxChoice::None => Kind::None {
                why: "switched off by `sandbox = \"none\"`".to_owned(),
            },
            SandboxChoice::Auto | SandboxChoice::Bubblewrap => {
                match bubblewrap::Bubblewrap::probe(search_path).await {
                    Ok(works) => Kind::Bubblewrap(works),
                    Err(why) if choice == SandboxChoice::Auto => Kind::None {
                        why: format!("bubblewrap does not work here: {why}"),
                    },
                    Err(why) => return Err(SandboxMissing(why)),
                }
            }
        };
        Ok(Self { kind, prlimit })
    }

    /// Whether compilers are kept away from network and files.
    #[must_use]
    pub fn isolates(&self) -> bool {
        matches!(self.kind, Kind::Bubblewrap(_))
    }

    /// Says in one sentence, for the job log and `docketd doctor`, how compilers are run.
    #[must_use]
    pub fn describe(&self) -> String {
        let limits = if self.prlimit.is_none() {
            ", and without memory and CPU limits (prlimit is missing)"
        } else if !self.isolates() || counts_processes() {
            ""
        } else {
            ", and without a limit on processes (the system sets root none: let the worker run as another user)"
        };
        match &self.kind {
            Kind::Bubblewrap(_) => format!("Compilers run in bubblewrap, without network{limits}."),
            Kind::None { why } => format!("Compilers run WITHOUT a sandbox ({why}){limits}."),
        }
    }

    /// Runs a program to its end. Dropping the future kills it.
    ///
    /// # Errors
    ///
    /// Whenever the program did not end by itself; an exit code other than 0 is no error here.
    pub async fn run(&self, invocation: Invocation<'_>, limits: &Limits) -> Result<Output, RunError> {
        let bounds = Bounds {
            wall: limits.wall,
            output_bytes: limits.output_bytes,
        };
        let finished = child::run(self.command(&invocation, limits)?, bounds)
            .await
            .map_err(|err| match err {
                ChildError::TimedOut(wall) => RunError::TimedOut(wall),
                ChildError::OutputTooLarge(limit) => RunError::OutputTooLarge(limit as u64),
                ChildError::Spawn(cause) if cause.kind() == io::ErrorKind::NotFound && !self.isolates() => {
                    RunError::NotFound {
                        program: invocation.program.to_owned(),
                        detail: cause.to_string(),
                    }
                }
                other => RunError::Sandbox(other.into()),
            })?;
        self.judge(finished, &invocation, limits)
    }

    fn command(&self, invocation: &Invocation<'_>, limits: &Limits) -> Result<Command, RunError> {
        // Resolved here, because inside the sandbox the links of this machine lead nowhere.
        let file = invocation
            .program
            .canonicalize()
            .map_err(|cause| RunError::NotFound {
                program: invocation.program.to_owned(),
                detail: cause.to_string(),
            })?;
        let (mut command, program) = match &self.kind {
            Kind::Bubblewrap(bwrap) => {
                let name = invocation.program.file_name().unwrap_or_default();
                bwrap.command(&file, name, invocation.work_dir, &invocation.read_only)
            }
            Kind::None { .. } => {
                let program = std::path::absolute(invocation.program)
                    .map_err(|cause| RunError::Sandbox(cause.into()))?
                    .into_os_string();
                match &self.prlimit {
                    Some(prlimit) => (Command::new(prlimit.program()), program),
                    None => (Command::new(&program), program),
                }
            }
        };
        if let Some(prlimit) = &self.prlimit {
            if self.isolates() {
                command.arg(prlimit.program());
            }
            command
                .args(Prlimit::args(limits, self.isolates()))
                .arg("--")
                .arg(&program);
        } else if self.isolates() {
            command.arg(&program);
        }
        command.args(&invocation.args);
        command.env_clear();
        if !self.isolates() {
            command.current_dir(invocation.work_dir);
            command.envs(bubblewrap::environment(invocation.work_dir));
        }
        Ok(command)
    }

    fn judge(
        &self,
        finished: Finished,
        invocation: &Invocation<'_>,
        limits: &Limits,
    ) -> Result<Output, RunError> {
        let Finished {
            status,
            stdout,
            stderr,
        } = finished;
        // Bubblewrap and prlimit pass a signal on as a shell does.
        let shelled = status
            .code()
            .filter(|code| (129..=128 + 64).contains(code))
            .map(|code| code - 128);
        match (status.signal().or(shelled), status.code()) {
            (Some(SIGXCPU), _) => Err(RunError::TimedOut(limits.cpu)),
            (Some(SIGXFSZ), _) => Err(RunError::FileTooLarge(limits.file_bytes)),
            (Some(signal), _) => Err(RunError::Crashed(signal)),
            (None, Some(exit_code)) => match wrapper_error(&stderr, exit_code) {
                Some(detail) if detail.contains("exec") => Err(RunError::NotFound {
                    program: invocation.program.to_owned(),
                    detail,
                }),
                Some(detail) => Err(RunError::Sandbox(detail.into())),
                None => Ok(Output {
                    exit_code,
                    stdout,
                    stderr,
                }),
            },
            (None, None) => Err(RunError::Sandbox(
                "the program neither exited nor was ended by a signal".into(),
            )),
        }
    }
}

/// Whether the system limits the processes of this user: those of root it never counts (setrlimit(2), `RLIMIT_NPROC`),
/// whatever their number is inside the sandbox.
fn counts_processes() -> bool {
    !rustix::process::getuid().is_root()
}

const SIGXCPU: i32 = 24;
const SIGXFSZ: i32 = 25;

/// Tells words of bubblewrap and prlimit from words of the program they should have started.
fn wrapper_error(stderr: &[u8], exit_code: i32) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let ours = (exit_code == 1 && text.starts_with("bwrap: "))
        || ([1, 126, 127].contains(&exit_code) && text.starts_with("prlimit: "));
    ours.then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests;
