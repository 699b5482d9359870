//! The README in a tarball, which may have been made by anyone: how much is unpacked, kept and returned is limited.

use std::{
    collections::HashMap,
    io::{self, Read},
    path::{Component, Path},
    sync::{Arc, Mutex, PoisonError},
};

use docket_core::digest::Sha256;
use flate2::read::GzDecoder;

/// The longest README that is shown, in bytes.
pub const MAX_README_BYTES: u64 = 256 * 1024;

/// How much of a tarball is unpacked to find it.
const MAX_UNPACKED_BYTES: u64 = 64 * 1024 * 1024;

/// How many of its entries are looked at.
const MAX_ENTRIES: usize = 20_000;

/// How much text the cache holds, in bytes.
const MAX_CACHED_BYTES: usize = 16 * 1024 * 1024;

/// What each cached answer costs beside its text.
const ENTRY_BYTES: usize = 200;

/// Names that a README may have, in lower case; the first that is there counts.
const NAMES: [&str; 4] = ["readme.md", "readme.markdown", "readme", "readme.txt"];

/// The README of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readme {
    /// Its text: Markdown, by the custom of all hosts.
    Text(Arc<str>),
    /// It is longer than [`MAX_README_BYTES`].
    TooLong,
    /// There is none, or it cannot be read.
    None,
}

/// Finds the README of a tarball: in its one top directory, by its usual names.
pub(super) fn find(tarball: &[u8]) -> Readme {
    let mut best: Option<(usize, Readme)> = None;
    // A damaged tarball is no reason to show no page; what was found so far counts.
    let _ = look(tarball, &mut best);
    best.map_or(Readme::None, |(_, readme)| readme)
}

fn look(tarball: &[u8], best: &mut Option<(usize, Readme)>) -> io::Result<()> {
    let unpacked = GzDecoder::new(tarball).take(MAX_UNPACKED_BYTES);
    let mut archive = tar::Archive::new(unpacked);
    for entry in archive.entries()?.take(MAX_ENTRIES) {
        let entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let Some(place) = place(&entry.path()?) else {
            continue;
        };
        if best.as_ref().is_some_and(|(better, _)| *better <= place) {
            continue;
        }
        if entry.size() > MAX_README_BYTES {
            *best = Some((place, Readme::TooLong));
            continue;
        }
        let mut bytes = Vec::new();
        entry.take(MAX_README_BYTES).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        *best = Some((
            place,
            Readme::Text(Arc::from(text.trim_start_matches('\u{feff}'))),
        ));
        if place == 0 {
            break;
        }
    }
    Ok(())
}

/// The place of a file's name in [`NAMES`], when it lies directly in the top directory.
fn place(path: &Path) -> Option<usize> {
    let mut parts = path.components().filter(|part| *part != Component::CurDir);
    let (Some(Component::Normal(_)), Some(Component::Normal(file)), None) =
        (parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let file = file.to_str()?.to_lowercase();
    NAMES.iter().position(|name| *name == file)
}

/// READMEs that were read lately, by the digest of their tarball. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Cache(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    readmes: HashMap<Sha256, (u64, Readme)>,
    bytes: usize,
    /// Counts look-ups, so that the longest unused is known.
    clock: u64,
}

fn cost(readme: &Readme) -> usize {
    ENTRY_BYTES
        + match readme {
            Readme::Text(text) => text.len(),
            Readme::TooLong | Readme::None => 0,
        }
}

impl Cache {
    pub(super) fn get(&self, digest: Sha256) -> Option<Readme> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let now = kept.clock;
        let (used, readme) = kept.readmes.get_mut(&digest)?;
        *used = now;
        Some(readme.clone())
    }

    pub(super) fn put(&self, digest: Sha256, readme: Readme) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let now = kept.clock;
        kept.bytes += cost(&readme);
        if let Some((_, before)) = kept.readmes.insert(digest, (now, readme)) {
            kept.bytes -= cost(&before);
        }
        while kept.bytes > MAX_CACHED_BYTES {
            let oldest = kept.readmes.iter().min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(digest, _)| *digest) else {
                break;
            };
            if let Some((_, gone)) = kept.readmes.remove(&oldest) {
                kept.bytes -= cost(&gone);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tarball(files: &[(&str, &[u8])]) -> Vec<u8> {
        let gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(gz);
        for (path, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, *bytes).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn text(text: &str) -> Readme {
        Readme::Text(Arc::from(text))
    }

    #[test]
    fn it_lies_in_the_top_directory_and_markdown_goes_first() {
        let found = find(&tarball(&[
            ("effect-4.0.0/src/README.md", b"not this"),
            ("effect-4.0.0/README", b"nor this"),
            ("effect-4.0.0/ReadMe.md", b"this"),
        ]));
        assert_eq!(found, text("this"));
        let found = find(&tarball(&[(
            "effect-4.0.0/readme.txt",
            b"\xef\xbb\xbfplain \xff",
        )]));
        assert_eq!(found, text("plain \u{fffd}"));
        assert_eq!(
            find(&tarball(&[("effect-4.0.0/src/Main.purs", b"")])),
            Readme::None
        );
        assert_eq!(find(b"no tarball"), Readme::None);
    }

    #[test]
    fn one_that_is_too_long_is_not_unpacked() {
        let longest = vec![b'a'; MAX_README_BYTES as usize];
        let found = find(&tarball(&[("a/README.md", &longest)]));
        assert!(matches!(found, Readme::Text(text) if text.len() == longest.len()));
        let longer = [longest.as_slice(), b"a"].concat();
        assert_eq!(find(&tarball(&[("a/README.md", &longer)])), Readme::TooLong);
    }

    #[test]
    fn the_cache_forgets_what_was_not_used_for_longest() {
        let cache = Cache::default();
        let long: Readme = Readme::Text(Arc::from("a".repeat(1 << 20)));
        let digest = |number: u32| Sha256::of(&number.to_be_bytes());
        for number in 0..15 {
            cache.put(digest(number), long.clone());
        }
        assert!(cache.get(digest(0)).is_some());
        cache.put(digest(15), long.clone());
        assert!(cache.get(digest(0)).is_some(), "it was used");
        assert!(cache.get(digest(1)).is_none(), "it was not");
        cache.put(digest(0), long.clone());
        assert!(
            cache.get(digest(2)).is_some(),
            "the same one again takes no more room"
        );
    }
}
