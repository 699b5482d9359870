//! Unpacks a stored tarball, which may have been made by anyone.

use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path};

use flate2::read::GzDecoder;
use tar::{Archive, EntryType};

use super::SizeRules;

/// Why a tarball was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Not a gzip-compressed tar archive, or the disk is full.
    #[error("the tarball could not be unpacked")]
    Io(#[from] io::Error),
    /// An entry that would land elsewhere.
    #[error("the tarball has the entry {0:?}, which is not below its one directory")]
    Outside(String),
    /// A link or device.
    #[error("the tarball has the entry {0:?}, which is neither a file nor a directory")]
    Special(String),
    /// More than a package can have.
    #[error("the tarball unpacks to more than {0}")]
    TooLarge(String),
}

/// Unpacks `bytes` into `dest`; every entry must lie below the one directory `top`.
///
/// Only files and directories are made, so no later entry can be written through an earlier link. A link that stays
/// inside `top` is left out: compilers need none, and our own tarballs have none.
///
/// # Errors
///
/// At the first bad entry; what was unpacked before stays.
pub fn unpack(bytes: &[u8], dest: &Path, top: &str, rules: &SizeRules) -> Result<(), UnpackError> {
    // The decoder is limited too: headers and padding count, whatever the entries claim.
    let limit = rules.max_unpacked_bytes;
    let mut archive = Archive::new(Limited {
        inner: GzDecoder::new(bytes),
        left: limit.saturating_mul(2),
    });
    let (mut files, mut left) = (0, limit);
    fs::create_dir_all(dest.join(top))?;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let path = entry.path()?.into_owned();
        let shown = || path.display().to_string();
        if !is_below(&path, top) {
            return Err(UnpackError::Outside(shown()));
        }
        files += 1;
        if files > rules.max_unpacked_files {
            return Err(UnpackError::TooLarge(format!(
                "{} files",
                rules.max_unpacked_files
            )));
        }
        match kind {
            EntryType::Directory => fs::create_dir_all(dest.join(&path))?,
            EntryType::Regular | EntryType::Continuous => {
                left = left
                    .checked_sub(entry.size())
                    .ok_or_else(|| UnpackError::TooLarge(format!("{limit} bytes")))?;
                let target = dest.join(&path);
                fs::create_dir_all(target.parent().unwrap_or(dest))?;
                io::copy(&mut entry, &mut fs::File::create(target)?)?;
            }
            EntryType::Symlink => {
                let target = entry.link_name()?.unwrap_or_default().into_owned();
                if !link_stays(&path, &target) {
                    return Err(UnpackError::Outside(format!(
                        "{} -> {}",
                        shown(),
                        target.display()
                    )));
                }
            }
            _ => return Err(UnpackError::Special(shown())),
        }
    }
    Ok(())
}

fn is_below(path: &Path, top: &str) -> bool {
    let mut parts = path.components().filter(|part| *part != Component::CurDir);
    parts.next() == Some(Component::Normal(top.as_ref()))
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Whether a link at `path` (below its top directory) to `target` never climbs above that directory.
fn link_stays(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(2);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}

/// Fails instead of giving more than `left` bytes.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other("the tarball unpacks to more than it may"))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    /// Makes an archive that our own packer would never make.
    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, kind, content) in entries {
            let mut header = Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            let data = if kind.is_file() { content.as_bytes() } else { b"" };
            if !kind.is_file() {
                header.as_gnu_mut().unwrap().linkname[..content.len()].copy_from_slice(content.as_bytes());
            }
            header.set_size(data.len() as u64);
            header.set_cksum();
            builder.append(&header, data).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn unpacked(entries: &[(&str, EntryType, &str)]) -> (tempfile::TempDir, Result<(), UnpackError>) {
        let dir = tempfile::tempdir().unwrap();
        let rules = SizeRules {
            max_unpacked_bytes: 2_000,
            max_unpacked_files: 3,
            ..SizeRules::default()
        };
        let result = unpack(&archive(entries), &dir.path().join("deps"), "p-1.0.0", &rules);
        (dir, result)
    }

    #[test]
    fn files_land_below_their_top_directory() {
        let (dir, result) = unpacked(&[
            ("p-1.0.0/", EntryType::Directory, ""),
            ("./p-1.0.0/src/A.purs", EntryType::Regular, "module A where"),
            ("p-1.0.0/link", EntryType::Symlink, "src/A.purs"),
        ]);
        result.unwrap();
        let text = fs::read_to_string(dir.path().join("deps/p-1.0.0/src/A.purs")).unwrap();
        assert_eq!(text, "module A where");
        assert!(!dir.path().join("deps/p-1.0.0/link").is_symlink());
    }

    #[test]
    fn entries_that_would_land_elsewhere_are_refused() {
        for path in [
            "../evil",
            "p-1.0.0/../../evil",
            "/evil",
            "q-1.0.0/x",
            "p-1.0.0/../q",
        ] {
            let (dir, result) = unpacked(&[(path, EntryType::Regular, "x")]);
            assert!(
                matches!(result, Err(UnpackError::Outside(_))),
                "{path}: {result:?}"
            );
            assert!(!dir.path().join("evil").exists());
        }
    }

    #[test]
    fn links_that_leave_hard_links_and_devices_are_refused() {
        for target in ["/etc/passwd", "../../x", "a/../../x"] {
            let (_dir, result) = unpacked(&[("p-1.0.0/l", EntryType::Symlink, target)]);
            assert!(
                matches!(result, Err(UnpackError::Outside(_))),
                "{target}: {result:?}"
            );
        }
        for kind in [EntryType::Link, EntryType::Char, EntryType::Fifo] {
            let (_dir, result) = unpacked(&[("p-1.0.0/l", kind, "p-1.0.0/x")]);
            assert!(
                matches!(result, Err(UnpackError::Special(_))),
                "{kind:?}: {result:?}"
            );
        }
    }

    #[test]
    fn a_bomb_is_stopped_by_bytes_and_by_files() {
        let big = "x".repeat(2_001);
        let (_dir, result) = unpacked(&[("p-1.0.0/a", EntryType::Regular, &big)]);
        assert!(matches!(result, Err(UnpackError::TooLarge(_))), "{result:?}");
        let many: Vec<_> = ["a", "b", "c", "d"]
            .map(|name| format!("p-1.0.0/{name}"))
            .to_vec();
        let many: Vec<_> = many
            .iter()
            .map(|path| (path.as_str(), EntryType::Directory, ""))
            .collect();
        let (_dir, result) = unpacked(&many);
        assert!(matches!(result, Err(UnpackError::TooLarge(_))), "{result:?}");
    }

    #[test]
    fn garbage_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(unpack(b"not a tarball", dir.path(), "p-1.0.0", &SizeRules::default()).is_err());
    }
}
