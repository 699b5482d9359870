//! Checks the tree that arrived: files and directories only, and nothing that reaches out of it.

use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use crate::CheckError;
use crate::rejection::Rejection;

/// Entries that are looked at for a module.
const MAX_LOOKED_AT: usize = 100_000;

/// Checks every entry of the checkout at `root`.
///
/// A link is fine as long as it stays inside `root`. An absolute link never does: it means something else on every
/// machine. A link to nothing is fine too, because nothing can be read through it.
///
/// # Errors
///
/// The first offender by name, as a [`Rejection`].
pub fn check(root: &Path) -> Result<(), CheckError> {
    let inside = root
        .canonicalize()
        .map_err(CheckError::local("read the source"))?;
    for entry in WalkDir::new(&inside).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(CheckError::local("read the source"))?;
        let relative = entry
            .path()
            .strip_prefix(&inside)
            .expect("walked paths lie below their root");
        let Some(path) = relative.to_str() else {
            return Err(Rejection::PathNotText(relative.to_string_lossy().into_owned()).into());
        };
        let kind = entry.file_type();
        if kind.is_symlink() {
            check_link(&inside, entry.path(), path)?;
        } else if !kind.is_file() && !kind.is_dir() {
            return Err(Rejection::SpecialFile(path.to_owned()).into());
        }
    }
    Ok(())
}

/// Checks that the package has a module to publish: at least one `.purs` file below `src/`.
///
/// # Errors
///
/// [`Rejection::NoModules`].
pub fn require_modules(package_dir: &Path) -> Result<(), Rejection> {
    let found = WalkDir::new(package_dir.join("src"))
        .follow_links(true)
        .into_iter()
        // Links can make a few files look like millions.
        .take(MAX_LOOKED_AT)
        .filter_map(Result::ok)
        .any(|entry| {
            entry.file_type().is_file() && entry.path().extension().is_some_and(|end| end == "purs")
        });
    if found { Ok(()) } else { Err(Rejection::NoModules) }
}

fn check_link(root: &Path, link: &Path, path: &str) -> Result<(), CheckError> {
    let target = std::fs::read_link(link).map_err(CheckError::local("read the source"))?;
    let stays = !target.is_absolute()
        && match link.canonicalize() {
            Ok(resolved) => resolved.starts_with(root),
            Err(_) => lexically(link.parent().unwrap_or(root), &target).starts_with(root),
        };
    if stays {
        return Ok(());
    }
    Err(Rejection::LinkLeavesSource {
        path: path.to_owned(),
        target: target.to_string_lossy().into_owned(),
    }
    .into())
}

fn lexically(from: &Path, target: &Path) -> PathBuf {
    let mut resolved = from.to_owned();
    for part in target.components() {
        match part {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir => {}
            other => resolved.push(other),
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("src/Data")).unwrap();
        fs::write(dir.path().join("src/Data/Demo.purs"), "module Data.Demo where").unwrap();
        dir
    }

    fn rejection(dir: &tempfile::TempDir) -> Rejection {
        match check(dir.path()) {
            Err(CheckError::Rejected(rejection)) => rejection,
            other => panic!("expected a rejection, got {other:?}"),
        }
    }

    #[test]
    fn files_directories_and_links_that_stay_inside_are_fine() {
        let dir = tree();
        symlink("Data/Demo.purs", dir.path().join("src/Demo.purs")).unwrap();
        symlink("src/Data", dir.path().join("data")).unwrap();
        symlink("nowhere", dir.path().join("dangling")).unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        check(dir.path()).unwrap();
        require_modules(dir.path()).unwrap();
    }

    #[test]
    fn a_link_that_leaves_is_refused_by_name() {
        for target in [
            "/etc/passwd",
            "../../../../../../etc/passwd",
            "../../outside-that-does-not-exist",
        ] {
            let dir = tree();
            symlink(target, dir.path().join("src/secret")).unwrap();
            assert_eq!(
                rejection(&dir),
                Rejection::LinkLeavesSource {
                    path: "src/secret".into(),
                    target: target.into()
                }
            );
        }
    }

    #[test]
    fn a_link_that_leaves_through_another_link_is_refused() {
        let outer = tree();
        let dir = tempfile::tempdir_in(outer.path()).unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        symlink("../..", dir.path().join("a/b/up")).unwrap();
        symlink("a/b/up/../src/Data", dir.path().join("x")).unwrap();
        let target = "a/b/up/../src/Data".into();
        assert_eq!(
            rejection(&dir),
            Rejection::LinkLeavesSource {
                path: "x".into(),
                target
            }
        );
    }

    #[test]
    fn sockets_are_refused_by_name() {
        let dir = tree();
        let _listener = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        assert_eq!(rejection(&dir), Rejection::SpecialFile("socket".into()));
    }

    #[test]
    fn a_package_without_a_module_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("test")).unwrap();
        fs::write(dir.path().join("test/Main.purs"), "").unwrap();
        assert_eq!(require_modules(dir.path()), Err(Rejection::NoModules));
        fs::create_dir_all(dir.path().join("src/Dir.purs")).unwrap();
        assert_eq!(require_modules(dir.path()), Err(Rejection::NoModules));
    }
}
