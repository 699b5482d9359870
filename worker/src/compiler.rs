//! The compilers of this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use docket_core::version::Version;

use crate::sandbox::{Invocation, Limits, Sandbox};

/// One compiler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiler {
    /// What it says its version is.
    pub version: Version,
    /// Where it was found; the file name is the name it runs under.
    pub path: PathBuf,
    /// Whether it is Docket's own stand-in, which checks module headers and imports only.
    pub is_stand_in: bool,
}

/// Every compiler that was found, by version.
#[derive(Debug, Clone, Default)]
pub struct Compilers {
    by_version: BTreeMap<Version, Compiler>,
    skipped: Vec<(PathBuf, String)>,
}

impl Compilers {
    /// Looks through `dirs`, then `search_path` (in the form of `PATH`), for executables `purs-X_Y_Z` and `purs`.
    ///
    /// Each is asked for its `--version` in the sandbox: what cannot run there could not compile there either. The
    /// first of a version wins, so that a configured directory comes before the path.
    pub async fn find(dirs: &[PathBuf], search_path: &str, sandbox: &Sandbox) -> Self {
        let mut found = Self::default();
        let mut looked_at = BTreeSet::new();
        for dir in dirs.iter().cloned().chain(std::env::split_paths(search_path)) {
            if looked_at.insert(dir.clone()) {
                found.look_through(&dir, sandbox).await;
            }
        }
        found
    }

    async fn look_through(&mut self, dir: &Path, sandbox: &Sandbox) {
        let mut names: Vec<OsString> = std::fs::read_dir(dir)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.file_name()))
            .filter(|name| name.to_str().is_some_and(is_compiler_name))
            .collect();
        names.sort();
        for name in names {
            let path = dir.join(name);
            match ask(&path, sandbox).await {
                Ok(compiler) => {
                    self.by_version.entry(compiler.version).or_insert(compiler);
                }
                Err(why) => self.skipped.push((path, why)),
            }
        }
    }

    /// Adds a compiler unless there is one of its version already.
    pub fn add(&mut self, compiler: Compiler) {
        self.by_version.entry(compiler.version).or_insert(compiler);
    }

    /// Finds the compiler of exactly this version.
    #[must_use]
    pub fn find_version(&self, version: Version) -> Option<&Compiler> {
        self.by_version.get(&version)
    }

    /// Returns every version, lowest first.
    #[must_use]
    pub fn versions(&self) -> Vec<Version> {
        self.by_version.keys().copied().collect()
    }

    /// Returns every compiler, lowest version first.
    pub fn iter(&self) -> impl Iterator<Item = &Compiler> {
        self.by_version.values()
    }

    /// Returns the executables that look like a compiler and are none, with the reason; for `docketd doctor`.
    #[must_use]
    pub fn skipped(&self) -> &[(PathBuf, String)] {
        &self.skipped
    }
}

/// Finds out what the executable at `path` is.
///
/// # Errors
///
/// Why it is no compiler, in words for the operator.
pub async fn ask(path: &Path, sandbox: &Sandbox) -> Result<Compiler, String> {
    let output = run(path, "--version", sandbox).await?;
    let said = output.split([' ', '-', '\n']).next().unwrap_or_default();
    let version = Version::parse_lenient(said).map_err(|_| format!("its --version is {output:?}"))?;
    let named = path.file_name().and_then(|name| version_in_name(name.to_str()?));
    if named.is_some_and(|named| named != version) {
        return Err(format!("its --version is {version}"));
    }
    let is_stand_in = run(path, "--stand-in", sandbox)
        .await
        .is_ok_and(|output| output == STAND_IN);
    Ok(Compiler {
        version,
        path: path.to_owned(),
        is_stand_in,
    })
}

/// What Docket's stand-in answers to `--stand-in`; a real compiler refuses the option.
pub const STAND_IN: &str = "docket stand-in";

async fn run(path: &Path, question: &str, sandbox: &Sandbox) -> Result<String, String> {
    let work_dir = tempfile::tempdir().map_err(|err| err.to_string())?;
    let invocation = Invocation {
        program: path,
        args: vec![question.into()],
        work_dir: work_dir.path(),
        read_only: Vec::new(),
    };
    let limits = Limits {
        wall: Duration::from_secs(20),
        output_bytes: 100_000,
        ..Limits::default()
    };
    let output = sandbox
        .run(invocation, &limits)
        .await
        .map_err(|err| err.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.exit_code == 0 {
        Ok(text)
    } else {
        let stderr = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "{question} ended with exit code {}: {}",
            output.exit_code,
            stderr.trim()
        ))
    }
}

fn is_compiler_name(name: &str) -> bool {
    name == "purs" || version_in_name(name).is_some()
}

/// `purs-0_15_15` → 0.15.15
fn version_in_name(name: &str) -> Option<Version> {
    name.strip_prefix("purs-")?.replace('_', ".").parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sandbox::SandboxChoice;

    const REAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/purs");

    async fn find(dirs: &[&Path]) -> Compilers {
        let sandbox = Sandbox::choose(SandboxChoice::Auto, "/usr/local/bin:/usr/bin:/bin")
            .await
            .unwrap();
        let dirs: Vec<PathBuf> = dirs.iter().map(|dir| dir.to_path_buf()).collect();
        Compilers::find(
            &dirs[..1],
            &std::env::join_paths(&dirs[1..]).unwrap().into_string().unwrap(),
            &sandbox,
        )
        .await
    }

    #[tokio::test]
    async fn compilers_are_found_by_name_and_by_asking() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["purs-0_15_10", "purs", "purs-old", "spago"] {
            symlink(REAL, first.path().join(name)).unwrap();
        }
        symlink(REAL, second.path().join("purs-0_15_10")).unwrap();
        symlink(REAL, second.path().join("purs-0_13_8")).unwrap();
        let found = find(&[first.path(), second.path()]).await;
        let versions: Vec<String> = found.versions().iter().map(ToString::to_string).collect();
        assert_eq!(versions, ["0.13.8", "0.15.10", "0.15.15"]);
        let compiler = found.find_version("0.15.10".parse().unwrap()).unwrap();
        assert_eq!(
            compiler.path,
            first.path().join("purs-0_15_10"),
            "the configured directory comes first"
        );
        assert!(!compiler.is_stand_in);
    }

    #[tokio::test]
    async fn what_cannot_run_is_skipped_with_the_reason() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(first.path().join("purs-0_15_9"), "not a program").unwrap();
        let found = find(&[first.path(), second.path()]).await;
        assert_eq!(found.versions(), []);
        assert_eq!(found.skipped().len(), 1);
    }
}
