//! Makes tarballs that depend on nothing but the files: the same source gives the same bytes on every machine.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use docket_core::digest::Sha256;
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};
use walkdir::WalkDir;

use super::SizeRules;
use crate::outcome::JobError;
use crate::rejection::Rejection;

/// The operating system byte of gzip that stands for Unix.
const GZIP_UNIX: u8 = 3;

/// A packed package.
#[derive(Debug, Clone)]
pub struct Tarball {
    /// The compressed bytes.
    pub bytes: Bytes,
    /// Their digest.
    pub hash: Sha256,
}

impl Tarball {
    /// Returns the compressed size.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether the author should hear that the package is large.
    #[must_use]
    pub fn is_large(&self, rules: &SizeRules) -> bool {
        self.size_bytes() > rules.warn_bytes
    }
}

/// Packs the directory `parent/top` with `top` as the one directory at the root.
///
/// # Errors
///
/// A [`Rejection`] when the tarball breaks the size `rules`.
pub fn pack(parent: &Path, top: &str, rules: &SizeRules) -> Result<Tarball, JobError> {
    let capped = Capped {
        kept: Vec::new(),
        seen: 0,
        limit: rules.max_bytes,
    };
    let gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(GZIP_UNIX)
        .write(capped, Compression::default());
    let mut builder = Builder::new(gzip);
    write_entries(&mut builder, parent, top).map_err(JobError::local("pack the tarball"))?;
    let Capped { kept, seen, .. } = builder
        .into_inner()
        .and_then(flate2::write::GzEncoder::finish)
        .map_err(JobError::local("pack the tarball"))?;
    check_size(seen, rules)?;
    Ok(Tarball {
        hash: Sha256::of(&kept),
        bytes: kept.into(),
    })
}

/// Refuses a compressed size over the limit, or one so small that nothing can be inside.
pub(crate) fn check_size(size_bytes: u64, rules: &SizeRules) -> Result<(), Rejection> {
    if size_bytes > rules.max_bytes {
        return Err(Rejection::TarballTooLarge {
            size_bytes,
            limit_bytes: rules.max_bytes,
        });
    }
    if size_bytes < rules.min_bytes {
        return Err(Rejection::TarballTooSmall { size_bytes });
    }
    Ok(())
}

fn write_entries<W: Write>(builder: &mut Builder<W>, parent: &Path, top: &str) -> io::Result<()> {
    // Paths sort by component, so a directory comes right before what is in it, as with `tar --sort=name`.
    let mut paths: BTreeSet<PathBuf> = BTreeSet::new();
    for entry in WalkDir::new(parent.join(top)) {
        let entry = entry.map_err(io::Error::from)?;
        paths.insert(
            entry
                .path()
                .strip_prefix(parent)
                .map_err(io::Error::other)?
                .to_owned(),
        );
    }
    for path in paths {
        let on_disk = parent.join(&path);
        let meta = fs::symlink_metadata(&on_disk)?;
        let mut header = Header::new_ustar();
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        if meta.is_dir() {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            builder.append_data(&mut header, path.join(""), io::empty())?;
        } else {
            let executable = meta.permissions().mode() & 0o100 != 0;
            header.set_entry_type(EntryType::Regular);
            header.set_mode(if executable { 0o755 } else { 0o644 });
            header.set_size(meta.len());
            builder.append_data(&mut header, &path, fs::File::open(&on_disk)?)?;
        }
    }
    builder.finish()
}

/// Counts everything and keeps only what may be published, so that a huge package costs no memory.
struct Capped {
    kept: Vec<u8>,
    seen: u64,
    limit: u64,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.seen += bytes.len() as u64;
        if self.seen <= self.limit {
            self.kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::unpack;

    fn package(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = dir.path().join("demo-1.0.0").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn packed(dir: &tempfile::TempDir) -> Tarball {
        pack(dir.path(), "demo-1.0.0", &SizeRules::default()).unwrap()
    }

    #[test]
    fn the_same_files_give_the_same_bytes_whenever_and_however_they_were_written() {
        let one = package(&[("src/B.purs", "b"), ("src/A.purs", "a"), ("purs.json", "{}")]);
        let two = package(&[("purs.json", "{}"), ("src/A.purs", "a"), ("src/B.purs", "b")]);
        let a = two.path().join("demo-1.0.0/src/A.purs");
        fs::set_permissions(&a, fs::Permissions::from_mode(0o600)).unwrap();
        fs::File::options()
            .append(true)
            .open(&a)
            .unwrap()
            .set_modified(std::time::UNIX_EPOCH)
            .unwrap();
        assert_eq!(packed(&one).bytes, packed(&two).bytes);
        assert_eq!(packed(&one).hash, packed(&two).hash);
        assert_eq!(
            &packed(&one).bytes[..10],
            [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3],
            "no time, no name, Unix"
        );
    }

    #[test]
    fn entries_are_sorted_and_belong_to_nobody() {
        let dir = package(&[
            ("src/A.purs", "a"),
            ("src/Z/B.purs", "b"),
            ("src.md", "m"),
            ("run.sh", "#!"),
        ]);
        let script = dir.path().join("demo-1.0.0/run.sh");
        fs::set_permissions(script, fs::Permissions::from_mode(0o775)).unwrap();
        let bytes = packed(&dir).bytes;
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
        let listed: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!(
                    (
                        header.mtime().unwrap(),
                        header.uid().unwrap(),
                        header.gid().unwrap()
                    ),
                    (0, 0, 0)
                );
                format!("{:o} {}", header.mode().unwrap(), entry.path().unwrap().display())
            })
            .collect();
        let expected = [
            "755 demo-1.0.0/",
            "755 demo-1.0.0/run.sh",
            "755 demo-1.0.0/src/",
            "644 demo-1.0.0/src/A.purs",
            "755 demo-1.0.0/src/Z/",
            "644 demo-1.0.0/src/Z/B.purs",
            "644 demo-1.0.0/src.md",
        ];
        assert_eq!(listed, expected);
    }

    #[test]
    fn long_paths_survive() {
        let long = format!("src/{}/{}.purs", "a".repeat(120), "b".repeat(160));
        let dir = package(&[(&long, "x")]);
        let out = tempfile::tempdir().unwrap();
        unpack(
            &packed(&dir).bytes,
            out.path(),
            "demo-1.0.0",
            &SizeRules::default(),
        )
        .unwrap();
        assert!(out.path().join("demo-1.0.0").join(long).exists());
    }

    #[test]
    fn each_size_limit_holds_on_both_sides() {
        let rules = SizeRules::default();
        assert_eq!(check_size(2_000_000, &rules), Ok(()));
        assert!(matches!(
            check_size(2_000_001, &rules),
            Err(Rejection::TarballTooLarge {
                size_bytes: 2_000_001,
                ..
            })
        ));
        assert_eq!(check_size(30, &rules), Ok(()));
        assert_eq!(
            check_size(29, &rules),
            Err(Rejection::TarballTooSmall { size_bytes: 29 })
        );
        let of = |size| Tarball {
            bytes: vec![0; size].into(),
            hash: Sha256::of(b""),
        };
        assert!(!of(200_000).is_large(&rules));
        assert!(of(200_001).is_large(&rules));
    }

    #[test]
    fn a_tarball_over_the_limit_is_measured_but_not_kept() {
        // Bytes that do not compress, from a little generator rather than from chance.
        let mut state = 1_u64;
        let noise: String = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(b' ' + (state >> 40) as u8 % 90)
        })
        .take(20_000)
        .collect();
        let dir = package(&[("src/A.purs", &noise)]);
        let rules = SizeRules {
            max_bytes: 5_000,
            ..SizeRules::default()
        };
        let exact = packed(&dir).size_bytes();
        let result = pack(dir.path(), "demo-1.0.0", &rules);
        let Err(JobError::Rejected(Rejection::TarballTooLarge {
            size_bytes,
            limit_bytes: 5_000,
        })) = result
        else {
            panic!("not refused: {result:?}");
        };
        assert_eq!(size_bytes, exact);
    }
}
