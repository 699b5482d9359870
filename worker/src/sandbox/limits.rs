//! What a compiler may use up.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::child::find_program;

/// Limits of one run; set with the `prlimit` program, so that they hold from the first instruction.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Wall clock time. Default 10 minutes.
    pub wall: Duration,
    /// CPU time of one process. Default 10 minutes.
    pub cpu: Duration,
    /// Bytes of address space. Default 8 GiB; GHC programs such as `purs` reserve what the limit leaves them.
    pub memory_bytes: u64,
    /// Processes and threads; only inside bubblewrap, since elsewhere the system counts all of the user's, and not when
    /// the worker runs as root, whose processes it never counts. Default 256.
    pub processes: u64,
    /// Bytes of one written file. Default 256 MiB.
    pub file_bytes: u64,
    /// Bytes of standard output and standard error together. Default 16 MiB.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(600),
            cpu: Duration::from_secs(600),
            memory_bytes: 8 << 30,
            processes: 256,
            file_bytes: 256 << 20,
            output_bytes: 16 << 20,
        }
    }
}

/// The `prlimit` program of util-linux.
#[derive(Debug, Clone)]
pub(super) struct Prlimit(PathBuf);

impl Prlimit {
    pub(super) fn find(search_path: &str) -> Option<Self> {
        find_program("prlimit", search_path).map(Self)
    }

    pub(super) fn program(&self) -> &Path {
        &self.0
    }

    pub(super) fn args(limits: &Limits, count_processes: bool) -> Vec<OsString> {
        let cpu = limits.cpu.as_secs().max(1);
        let mut args = vec![
            format!("--as={}", limits.memory_bytes),
            // The soft limit says why (SIGXCPU), the hard one makes sure.
            format!("--cpu={cpu}:{}", cpu + 5),
            format!("--fsize={}", limits.file_bytes),
            "--core=0".to_owned(),
        ];
        if count_processes {
            args.push(format!("--nproc={}", limits.processes));
        }
        args.into_iter().map(OsString::from).collect()
    }
}
