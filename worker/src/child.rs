//! One child process, bounded in time and output, and killed together with everything it started.
//!
//! Cancelling is dropping the future: the whole process group dies with it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// What a child may use up before it is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Wall clock time.
    pub(crate) wall: Duration,
    /// Bytes of standard output and standard error together.
    pub(crate) output_bytes: usize,
}

/// A child that ended by itself.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Why there is no [`Finished`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChildError {
    #[error("the program could not be started")]
    Spawn(#[source] io::Error),
    #[error("the program's output could not be read")]
    Read(#[source] io::Error),
    #[error("the program did not end within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    #[error("the program printed more than {0} bytes")]
    OutputTooLarge(usize),
}

/// Runs `command` in a process group of its own, without standard input, and captures what it prints.
pub(crate) async fn run(mut command: Command, bounds: Bounds) -> Result<Finished, ChildError> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(ChildError::Spawn)?;
    let group = Group(child.id());
    let stdout = child.stdout.take().expect("stdout was piped above");
    let stderr = child.stderr.take().expect("stderr was piped above");
    let left = AtomicUsize::new(bounds.output_bytes);
    let ended = async {
        let status = child.wait().await.map_err(ChildError::Read)?;
        // A grandchild that outlives the child would keep the pipes open for ever.
        group.kill();
        Ok(status)
    };
    let all = async {
        tokio::try_join!(
            ended,
            read(stdout, &left, bounds.output_bytes),
            read(stderr, &left, bounds.output_bytes)
        )
    };
    let (status, stdout, stderr) = tokio::time::timeout(bounds.wall, all)
        .await
        .map_err(|_| ChildError::TimedOut(bounds.wall))??;
    Ok(Finished {
        status,
        stdout,
        stderr,
    })
}

/// Finds an executable in a text of the form of `PATH`; an absolute path is where it is.
///
/// Programs are started by their whole path: with another `PATH` for the child, the library can look for a name only in a copy of this process, and
/// copying the page tables of a large server took a fifth of its time.
pub(crate) fn find_program(name: impl AsRef<Path>, search_path: &str) -> Option<PathBuf> {
    std::env::split_paths(search_path)
        .map(|dir| dir.join(&name))
        .find(|path| path.is_file())
}

async fn read(
    mut pipe: impl AsyncRead + Unpin,
    left: &AtomicUsize,
    limit: usize,
) -> Result<Vec<u8>, ChildError> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let count = pipe.read(&mut chunk).await.map_err(ChildError::Read)?;
        if count == 0 {
            return Ok(bytes);
        }
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(count)
        })
        .map_err(|_| ChildError::OutputTooLarge(limit))?;
        bytes.extend_from_slice(&chunk[..count]);
    }
}

/// Kills the child's process group when dropped: `kill_on_drop` alone reaches only the child itself.
struct Group(Option<u32>);

impl Group {
    fn kill(&self) {
        let pid = self
            .0
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // An error means that nobody is left, which is what was wanted.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    fn bounds(output_bytes: usize) -> Bounds {
        Bounds {
            wall: Duration::from_secs(20),
            output_bytes,
        }
    }

    #[tokio::test]
    async fn a_child_that_ends_gives_its_status_and_both_outputs() {
        let finished = run(shell("echo out; echo err >&2; exit 3"), bounds(100))
            .await
            .unwrap();
        assert_eq!(finished.status.code(), Some(3));
        assert_eq!(
            (finished.stdout.as_slice(), finished.stderr.as_slice()),
            (&b"out\n"[..], &b"err\n"[..])
        );
    }

    #[tokio::test]
    async fn a_child_that_never_stops_printing_is_killed() {
        let result = run(shell("while :; do echo yes; done"), bounds(10_000)).await;
        assert!(
            matches!(result, Err(ChildError::OutputTooLarge(10_000))),
            "{result:?}"
        );
    }

    #[tokio::test]
    async fn a_child_that_hangs_is_killed_at_its_wall_time() {
        let short = Bounds {
            wall: Duration::from_millis(100),
            output_bytes: 100,
        };
        let result = run(shell("sleep 1000"), short).await;
        assert!(matches!(result, Err(ChildError::TimedOut(_))), "{result:?}");
    }

    /// Without the group kill this test would wait for the grandchild until the wall time.
    #[tokio::test]
    async fn a_grandchild_that_holds_the_pipes_does_not_delay_the_end() {
        let finished = run(shell("sleep 1000 & echo done"), bounds(100)).await.unwrap();
        assert_eq!(finished.stdout, b"done\n");
    }

    #[tokio::test]
    async fn dropping_the_run_kills_the_grandchildren_too() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        let script = format!(
            "sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait",
            pid_file.display()
        );
        let running = tokio::spawn(run(shell(&script), bounds(100)));
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while !pid_file.exists() {
            assert!(tokio::time::Instant::now() < deadline, "the child never started");
            tokio::task::yield_now().await;
        }
        running.abort();
        let pid = std::fs::read_to_string(&pid_file).unwrap().trim().to_owned();
        while is_running(&pid) {
            assert!(tokio::time::Instant::now() < deadline, "the grandchild survived");
            tokio::task::yield_now().await;
        }
    }

    /// A killed process may stay as a zombie until its new parent reaps it, which a container's init may never do.
    fn is_running(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
            !stat
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .trim_start()
                .starts_with('Z')
        })
    }
}
