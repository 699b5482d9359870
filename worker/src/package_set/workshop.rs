//! The directory where package sets are compiled, kept between jobs so that each compiles only what changed.
//!
//! ```text
//! lock           held by whoever uses the directory
//! store/         unpacked packages that are not in the set being compiled, as NAME@VERSION
//! build/         what the compiler sees: packages/NAME@VERSION, and output/, which is tried on and thrown away
//! good/          the output of the last set that compiled
//! output.json    which compiler made good/; there only while good/ is whole
//! ```
//!
//! A process may be killed between any two lines of this file: what `output.json` does not vouch for is thrown away, and
//! a package is in place as a whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use docket_core::digest::Sha256;
use docket_core::name::PackageName;
use docket_core::version::Version;
use serde_json::json;
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::compiler::Compiler;
use crate::package::{SizeRules, UnpackError, unpack};
use crate::work_dir;

/// Where the packages lie in the directory that the compiler sees.
pub(super) const PACKAGES: &str = "packages";

/// In each unpacked package: the digest of the tarball it came from. No package can bring it along, since it is written last.
const DIGEST_FILE: &str = ".tarball";

/// The directory, held by this job. Clones share the hold: work that goes on when the job is cancelled keeps it.
#[derive(Debug, Clone)]
pub(super) struct Workshop {
    dir: PathBuf,
    held: Arc<Held>,
}

#[derive(Debug)]
enum Held {
    /// The lock goes when the file is closed.
    Lock { _file: File },
    /// The directory goes with the job.
    Temporary { _dir: TempDir },
}

/// Removes everything that is kept in `dir`, which the next job makes again; false when somebody works there.
///
/// # Errors
/// When something cannot be removed.
pub fn clear(dir: &Path) -> io::Result<bool> {
    if !dir.exists() {
        return Ok(true);
    }
    let lock = File::create(dir.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(cause)) => return Err(cause),
    }
    // What vouches for the rest goes first, should this be killed in the middle.
    for part in ["output.json", "good", "build", "store"] {
        remove(&dir.join(part))?;
    }
    Ok(true)
}

impl Workshop {
    /// Opens `dir`, or, while another process works there, a directory below `elsewhere` that is gone when the job ends.
    pub(super) fn open(dir: &Path, elsewhere: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let lock = File::create(dir.join("lock"))?;
        let (dir, held) = match lock.try_lock() {
            Ok(()) => (dir.to_owned(), Held::Lock { _file: lock }),
            Err(TryLockError::WouldBlock) => {
                let fresh = work_dir::make(elsewhere)?;
                (fresh.path().to_owned(), Held::Temporary { _dir: fresh })
            }
            Err(TryLockError::Error(cause)) => return Err(cause),
        };
        let workshop = Self {
            dir,
            held: Arc::new(held),
        };
        for part in ["store", "build/packages"] {
            fs::create_dir_all(workshop.dir.join(part))?;
        }
        Ok(workshop)
    }

    /// Whether this is the directory that is kept.
    pub(super) fn is_kept(&self) -> bool {
        matches!(*self.held, Held::Lock { .. })
    }

    /// What the compiler sees.
    pub(super) fn build_dir(&self) -> PathBuf {
        self.dir.join("build")
    }

    fn packages(&self) -> PathBuf {
        self.dir.join("build").join(PACKAGES)
    }

    fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    /// Clears away what no longer serves: packages that are not `wanted` or came from another tarball, the leftovers of a
    /// killed process, and the output of another compiler. Returns the packages that are in place.
    pub(super) fn tidy(
        &self,
        wanted: &BTreeMap<(PackageName, Version), Sha256>,
        compiler: &Compiler,
    ) -> io::Result<Vec<(PackageName, Version)>> {
        for stray in ["incoming", "old"] {
            remove(&self.dir.join(stray))?;
        }
        for entry in fs::read_dir(self.build_dir())? {
            let path = entry?.path();
            if path.file_name() != Some(PACKAGES.as_ref()) {
                remove(&path)?;
            }
        }
        let vouched = fs::read_to_string(self.dir.join("output.json")).unwrap_or_default();
        if vouched != voucher(compiler) {
            self.distrust()?;
            remove(&self.dir.join("good"))?;
        }
        let wanted_by_dir: BTreeMap<String, (&(PackageName, Version), &Sha256)> = wanted
            .iter()
            .map(|(key, digest)| (dir_name(&key.0, key.1), (key, digest)))
            .collect();
        let mut in_place = Vec::new();
        for folder in [self.packages(), self.store()] {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let digest = fs::read_to_string(path.join(DIGEST_FILE)).unwrap_or_default();
                match wanted_by_dir.get(&name) {
                    Some((key, expected)) if digest == expected.to_string() && !in_place.contains(*key) => {
                        in_place.push((*key).clone());
                    }
                    _ => remove(&path)?,
                }
            }
        }
        Ok(in_place)
    }

    /// Unpacks a package into the store.
    pub(super) fn install(
        &self,
        bytes: &[u8],
        name: &PackageName,
        version: Version,
        digest: Sha256,
        sizes: &SizeRules,
    ) -> Result<(), UnpackError> {
        let (incoming, top) = (self.dir.join("incoming"), format!("{name}-{version}"));
        remove(&incoming)?;
        unpack(bytes, &incoming, &top, sizes)?;
        fs::write(incoming.join(&top).join(DIGEST_FILE), digest.to_string())?;
        fs::rename(incoming.join(&top), self.store().join(dir_name(name, version)))?;
        Ok(remove(&incoming)?)
    }

    /// Puts exactly these packages, which are installed, where the compiler sees them, beside a copy of the last good output.
    pub(super) fn lay_out(&self, packages: &BTreeMap<PackageName, Version>) -> io::Result<()> {
        let mut missing: Vec<String> = Vec::new();
        let wanted: Vec<String> = packages
            .iter()
            .map(|(name, version)| dir_name(name, *version))
            .collect();
        for name in &wanted {
            if !self.packages().join(name).exists() {
                missing.push(name.clone());
            }
        }
        for entry in fs::read_dir(self.packages())? {
            let name = entry?.file_name();
            if !wanted.iter().any(|wanted| name == wanted.as_str()) {
                fs::rename(self.packages().join(&name), self.store().join(&name))?;
            }
        }
        for name in missing {
            fs::rename(self.store().join(&name), self.packages().join(&name))?;
        }
        let output = self.build_dir().join("output");
        remove(&output)?;
        copy(&self.dir.join("good"), &output)
    }

    /// Makes the output of the last compilation the good one.
    pub(super) fn keep_output(&self, compiler: &Compiler) -> io::Result<()> {
        let (good, old) = (self.dir.join("good"), self.dir.join("old"));
        self.distrust()?;
        remove(&old)?;
        if good.exists() {
            fs::rename(&good, &old)?;
        }
        let output = self.build_dir().join("output");
        if output.exists() {
            fs::rename(&output, &good)?;
        }
        let written = self.dir.join("output.json.new");
        fs::write(&written, voucher(compiler))?;
        fs::rename(&written, self.dir.join("output.json"))?;
        remove(&old)
    }

    fn distrust(&self) -> io::Result<()> {
        remove(&self.dir.join("output.json"))
    }
}

fn dir_name(name: &PackageName, version: Version) -> String {
    format!("{name}@{version}")
}

/// The stand-in writes output that a real compiler of its version cannot use.
fn voucher(compiler: &Compiler) -> String {
    json!({ "compiler": compiler.version, "standIn": compiler.is_stand_in }).to_string()
}

/// Removes a file or directory that may not be there.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(cause) => Err(cause),
    };
    match removed {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

/// Copies the files of `from`, which may not be there, to the new directory `to`.
///
/// Hard links would be cheaper, but the compiler writes into files that are there, and so through the link; file systems
/// that can share blocks do so. Times are kept, because the compiler compiles again what is older than what it depends on.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    if !from.exists() {
        return Ok(());
    }
    for entry in WalkDir::new(from).min_depth(1) {
        let entry = entry?;
        let relative = entry
            .path()
            .strip_prefix(from)
            .expect("the walk stays below its start");
        let target = to.join(relative);
        if entry.file_type().is_dir() {
            fs::create_dir(&target)?;
        } else if entry.file_type().is_file() {
            fs::copy(entry.path(), &target)?;
            let modified = entry.metadata()?.modified()?;
            File::options()
                .write(true)
                .open(&target)?
                .set_modified(modified)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
