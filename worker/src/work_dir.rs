//! The directory of one attempt, and those that killed workers left behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

/// No attempt of any job takes longer.
const LONGEST: Duration = Duration::from_secs(2 * 60 * 60);

/// Tells our directories from others.
const PREFIX: &str = "job-";

/// Makes a directory below `parent` that is removed when it is dropped.
///
/// A worker that is killed cannot remove its own, so this also removes those that no attempt can still be using.
pub(crate) fn make(parent: &Path) -> io::Result<TempDir> {
    let _ = remove_old(parent);
    tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)
}

/// Removes the directories that no attempt can still be using, and says how many. What cannot be removed now is tried again next time.
#[must_use]
pub fn remove_old(parent: &Path) -> usize {
    let removed = list_old(parent).into_iter().map(fs::remove_dir_all);
    removed.filter(Result::is_ok).count()
}

/// Returns the directories that no attempt can still be using.
#[must_use]
pub fn list_old(parent: &Path) -> Vec<PathBuf> {
    let mut old = Vec::new();
    for entry in fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok) {
        let ours = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX));
        let modified = entry.metadata().and_then(|meta| meta.modified());
        if ours && modified.is_ok_and(|at| at.elapsed().is_ok_and(|elapsed| elapsed > LONGEST)) {
            old.push(entry.path());
        }
    }
    old
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_directories_of_our_own_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["job-old", "job-young", "other-old"] {
            fs::create_dir(parent.path().join(name)).unwrap();
            let old = std::time::SystemTime::now() - LONGEST * 2;
            if name.ends_with("old") {
                fs::File::open(parent.path().join(name))
                    .unwrap()
                    .set_modified(old)
                    .unwrap();
            }
        }
        let made = make(parent.path()).unwrap();
        assert!(made.path().exists());
        let exists = |name: &str| parent.path().join(name).exists();
        assert!(!exists("job-old") && exists("job-young") && exists("other-old"));
    }
}
