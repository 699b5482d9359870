//! `docketd import` that is killed in the middle and run again.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use docket_core::digest::Sha256;
use tempfile::TempDir;

use crate::backup::export;
use crate::fixture;
use crate::git::git;
use crate::harness::{DOCKETD, program, run, wait_for};

/// The tarball of the fixture's second package.
const ZETA: &[u8] = b"not a tarball, but nobody looks";

/// A place with the sources of a registry and none yet.
struct Import {
    dir: TempDir,
}

impl Import {
    /// The fixture and one more package, whose tarball comes last.
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fixture::write(dir.path());
        let prelude = fs::read_to_string(dir.path().join("registry/metadata/prelude.json")).unwrap();
        let tarball = fs::read(dir.path().join("tarballs/prelude/6.0.1.tar.gz")).unwrap();
        let zeta = prelude
            .replace(&Sha256::of(&tarball).to_string(), &Sha256::of(ZETA).to_string())
            .replace(
                &format!("\"bytes\": {}", tarball.len()),
                &format!("\"bytes\": {}", ZETA.len()),
            );
        fs::write(dir.path().join("registry/metadata/zeta.json"), zeta).unwrap();
        fs::create_dir_all(dir.path().join("tarballs/zeta")).unwrap();
        fs::write(dir.path().join("tarballs/zeta/6.0.1.tar.gz"), ZETA).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn docketd(&self) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(DOCKETD);
        command
            .env_clear()
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("HOME", self.dir.path())
            .current_dir(self.dir.path())
            .args(["--data", "data"]);
        command
    }

    fn import(&self, tarballs: &str) -> Command {
        let mut command = self.docketd();
        command.args([
            "import",
            "--registry",
            "registry",
            "--index",
            "index",
            "--tarballs",
            tarballs,
        ]);
        command
    }

    fn begin(&self, tarballs: &str) -> Child {
        let mut command = self.import(tarballs);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Asserts that the sources came in as a whole: what goes out again is what they are.
    fn assert_imported(&self) {
        let exported = export(self.docketd());
        for name in [
            "registry/metadata/prelude.json",
            "registry/metadata/zeta.json",
            "registry/package-sets/1.0.0.json",
            "index/pr/el/prelude",
            "tarballs/prelude/6.0.1.tar.gz",
            "tarballs/zeta/6.0.1.tar.gz",
        ] {
            assert!(exported[name] == fs::read(self.path(name)).unwrap(), "{name}");
        }
        assert_eq!(exported.len(), 6, "{:?}", exported.keys());
    }
}

fn blob(dir: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let hex = Sha256::of(bytes).hex();
    dir.join("data/blobs").join(&hex[0..2]).join(&hex[2..4]).join(hex)
}

/// Killed while it stores the tarballs, it has left nothing that can be seen, and the next run does not store again what is there.
#[test]
fn an_import_that_was_killed_among_the_tarballs_goes_on() {
    let import = Import::new();
    let last = import.path("tarballs/zeta/6.0.1.tar.gz");
    fs::remove_file(&last).unwrap();
    // A named pipe that nobody writes to: the import cannot get past it.
    run(Command::new("mkfifo").arg(&last)).expect_code(0);
    let first = blob(
        import.dir.path(),
        &fs::read(import.path("tarballs/prelude/6.0.1.tar.gz")).unwrap(),
    );
    let mut process = import.begin("tarballs");
    wait_for("the first tarball", || first.exists().then_some(()));
    process.kill().unwrap();
    process.wait().unwrap();
    fs::remove_file(&last).unwrap();
    fs::write(&last, ZETA).unwrap();
    assert!(export(import.docketd()).is_empty(), "nothing is half there");

    run(&mut import.import("tarballs"))
        .expect_code(0)
        .expect("1 tarballs were stored before")
        .expect("stored 2 tarballs; 0 were not there");
    import.assert_imported();
    run(&mut import.import("tarballs"))
        .expect_code(0)
        .expect("the registry holds exactly this already");
    import.assert_imported();
    run(import.docketd().arg("doctor")).expect("ok      packages: rows, repositories and tarballs agree");
}

/// Killed while it keeps the history, with tarballs that are fetched later, it goes on as well; and the history is there once.
#[test]
fn an_import_that_was_killed_at_the_history_goes_on() {
    let import = Import::new();
    let home = import.dir.path();
    for arguments in [
        &["init", "-q"][..],
        &["add", "-A"],
        &["commit", "-q", "-m", "As it was"],
    ] {
        git(&import.path("registry"), home, arguments);
    }
    let found = run(Command::new("sh").args(["-c", "command -v git"])).expect_code(0);
    let (dir, real) = (home.display(), found.out.trim());
    let script = format!(
        "case \" $* \" in *\" bundle create \"*) touch {dir}/entered; while [ -d {dir} ] && [ ! -e {dir}/open ]; do /bin/sleep 0.05; done;; esac\nexec {real} \"$@\""
    );
    program(&import.path("bin/git"), &script);
    let mut process = import.begin("http://127.0.0.1:9/nowhere");
    wait_for("the history", || import.path("entered").exists().then_some(()));
    process.kill().unwrap();
    process.wait().unwrap();
    fs::write(import.path("open"), "").unwrap();
    run(&mut import.import("http://127.0.0.1:9/nowhere")).expect_code(0);
    run(&mut import.import("tarballs"))
        .expect_code(0)
        .expect("the registry holds exactly this already");
    import.assert_imported();
}
