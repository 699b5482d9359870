//! A real file system that is soon full.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use docket_test_support::TestDb;

/// Set in the environment of a test that may mount what it likes.
const INSIDE: &str = "DOCKET_TEST_MOUNTS_ARE_ITS_OWN";

/// Runs the test of `module` once more, in a mount namespace of its own, so that it needs no rights on this machine and
/// leaves nothing mounted. True in that second run, where the caller goes on; after it, false.
pub(crate) fn mounts_are_our_own(module: &str, db: &TestDb) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut unshare = Command::new("unshare");
    unshare.arg("--mount");
    if !rustix::process::geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    let (_crate, test) = module.split_once("::").unwrap();
    let database = if db.db.is_postgres() {
        "on_postgres"
    } else {
        "on_sqlite"
    };
    let output = unshare
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("{test}::{database}")])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "the test ran: {said}");
    false
}

/// A tmpfs.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts a disk of `size` in the words of `mount`, such as `3m`.
    pub(crate) fn new(size: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        assert!(mount.arg(dir.path()).status().unwrap().success());
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no room but `bytes`, until [`Self::make_room`].
    pub(crate) fn fill_up_to(&self, bytes: u64) {
        let disk = rustix::fs::statvfs(self.path()).unwrap();
        let ballast = (disk.f_bavail * disk.f_frsize).checked_sub(bytes).unwrap();
        let mut file = fs::File::create(self.path().join("ballast")).unwrap();
        std::io::copy(&mut std::io::repeat(0).take(ballast), &mut file).unwrap();
    }

    pub(crate) fn make_room(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The mount ends with its namespace, too.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
