//! The arguments of bubblewrap.
//!
//! Only what is listed here can be seen inside: an allow-list, so that a directory nobody thought of (the data
//! directory, a home, a mounted secret) stays out.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::child::find_program;

/// System directories that programs need: their libraries and the shell.
const READABLE: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/nix/store",
];

/// Where the compiler and its work lie inside.
const COMPILER_DIR: &str = "/compiler";
const WORK_DIR: &str = "/work";

#[derive(Debug, Clone)]
pub(super) struct Bubblewrap {
    program: PathBuf,
    proc: bool,
}

impl Bubblewrap {
    /// Finds out whether bubblewrap works, by using it: it may be installed and yet forbidden.
    ///
    /// A container often allows everything but a new `/proc`, which compilers can do without.
    pub(super) async fn probe(search_path: &str) -> Result<Self, String> {
        let program = find_program("bwrap", search_path).ok_or("bwrap is not installed")?;
        let mut why = String::new();
        for proc in [true, false] {
            let bwrap = Self {
                program: program.clone(),
                proc,
            };
            let mut command = bwrap.base();
            command
                .args(["--remount-ro", "/", "--", "/bin/sh", "-c", ":"])
                .stdin(Stdio::null());
            match command.output().await {
                Ok(output) if output.status.success() => return Ok(bwrap),
                Ok(output) => why = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(err) => why = err.to_string(),
            }
        }
        Err(why)
    }

    fn base(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear();
        command.args([
            "--die-with-parent",
            "--unshare-all",
            "--new-session",
            "--clearenv",
            "--cap-drop",
            "ALL",
        ]);
        for dir in READABLE {
            let path = Path::new(dir);
            if let Ok(target) = std::fs::read_link(path) {
                command.arg("--symlink").arg(target).arg(path);
            } else if path.exists() {
                command.arg("--ro-bind").arg(path).arg(path);
            }
        }
        if self.proc {
            command.args(["--proc", "/proc"]);
        }
        // /dev has a world-writable /dev/shm, which is memory.
        command.args(["--dev", "/dev", "--remount-ro", "/dev"]);
        command
    }

    /// Returns the command up to where the program and its arguments follow, and the program's path inside.
    pub(super) fn command(
        &self,
        file: &Path,
        name: &OsStr,
        work_dir: &Path,
        read_only: &[PathBuf],
    ) -> (Command, OsString) {
        let inside = Path::new(COMPILER_DIR).join(name);
        let mut command = self.base();
        command.arg("--ro-bind").arg(file).arg(&inside);
        command.arg("--bind").arg(work_dir).arg(WORK_DIR);
        for path in read_only {
            command
                .arg("--ro-bind")
                .arg(work_dir.join(path))
                .arg(Path::new(WORK_DIR).join(path));
        }
        for (name, value) in environment(Path::new(WORK_DIR)) {
            command.arg("--setenv").arg(name).arg(value);
        }
        command.args(["--chdir", WORK_DIR, "--remount-ro", "/", "--"]);
        (command, inside.into_os_string())
    }
}

/// The whole environment of a compiler. Without a UTF-8 locale `purs` cannot print the names of some modules.
pub(super) fn environment(work_dir: &Path) -> [(&'static str, OsString); 5] {
    [
        ("PATH", "/usr/bin:/bin".into()),
        ("HOME", work_dir.into()),
        ("TMPDIR", work_dir.into()),
        ("LANG", "C.UTF-8".into()),
        ("LC_ALL", "C.UTF-8".into()),
    ]
}
