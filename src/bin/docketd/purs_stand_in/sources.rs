//! Finds the files that the globs of a call match, as `purs` does.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use walkdir::WalkDir;

/// One source file.
pub(super) struct Source {
    /// The path as the glob led to it.
    pub(super) path: String,
    pub(super) text: String,
}

/// Reads every file that matches, once, in the order of their paths.
pub(super) fn read(root: &Path, globs: &[String], err: &mut dyn Write) -> io::Result<Vec<Source>> {
    let mut found = BTreeMap::new();
    for glob in globs {
        let matches = expand(root, glob);
        if matches.is_empty() {
            writeln!(err, "Warning: the glob {glob} matched no files")?;
        }
        for path in matches {
            let text = String::from_utf8_lossy(&std::fs::read(root.join(&path))?).into_owned();
            found.insert(path.display().to_string(), text);
        }
    }
    Ok(found
        .into_iter()
        .map(|(path, text)| Source { path, text })
        .collect())
}

fn expand(root: &Path, glob: &str) -> Vec<PathBuf> {
    let is_pattern = |part: &&str| part.contains(['*', '?', '[', '{']);
    let base: PathBuf = glob
        .split_inclusive('/')
        .take_while(|part| !is_pattern(part))
        .collect::<String>()
        .into();
    if base.as_os_str() == glob {
        return if root.join(&base).is_file() {
            vec![base]
        } else {
            Vec::new()
        };
    }
    let Ok(pattern) = GlobBuilder::new(glob).literal_separator(true).build() else {
        return Vec::new();
    };
    let matcher = pattern.compile_matcher();
    let start = match root.join(&base) {
        empty if empty.as_os_str().is_empty() => PathBuf::from("."),
        dir => dir,
    };
    let files = WalkDir::new(&start)
        .follow_links(true)
        .into_iter()
        .filter_map(Result::ok);
    files
        .filter(|entry| entry.file_type().is_file())
        .filter_map(|entry| Some(base.join(entry.path().strip_prefix(&start).ok()?)))
        .filter(|path| matcher.is_match(path))
        .collect()
}
