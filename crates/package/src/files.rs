//! Which files of a source go into its tarball (registry spec, section 2.6).

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use crate::CheckError;
use crate::rejection::Rejection;

/// At the root; always included, and never excluded.
const MANIFESTS: &[&str] = &[
    "purs.json",
    "spago.yaml",
    "spago.dhall",
    "packages.dhall",
    "bower.json",
    "package.json",
];

/// At the root, in any case; always included.
const PAPERS: &[&str] = &["README", "LICENSE", "LICENCE"];

/// Directories at the root that are always removed.
const REMOVED_DIRS: &[&str] = &[
    ".psci",
    ".psci_modules",
    ".spago",
    "node_modules",
    "bower_components",
    ".git",
    "CVS",
    ".svn",
    ".hg",
    "_darcs",
    ".fossil",
    ".jj",
    ".pijul",
];

/// Files at the root that are always removed.
const REMOVED_FILES: &[&str] = &["package-lock.json", "yarn.lock", "pnpm-lock.yaml"];

/// Files anywhere, in any case, that are always removed.
const REMOVED_GLOBS: &[&str] = &["**/*.*.swp", "**/._*", "**/.DS_Store"];

/// Files that are looked at: links to directories can make a few files look like millions.
const MAX_FILES: usize = 100_000;

/// What goes into a tarball.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Paths relative to the package directory, sorted. `purs.json` is not among them, since it is always written anew.
    pub files: BTreeSet<PathBuf>,
    /// Sentences for the author about globs without effect.
    pub warnings: Vec<String>,
}

/// Chooses the files below `package_dir`. The tree must have been checked: links are followed.
///
/// # Errors
///
/// A [`Rejection`] for a glob that is none or that includes something outside the package.
pub fn select(
    package_dir: &Path,
    include: Option<&[String]>,
    exclude: Option<&[String]>,
) -> Result<Selection, CheckError> {
    let mut warnings = Vec::new();
    let included = globs("includeFiles", include.unwrap_or_default(), |glob| {
        Err(Rejection::IncludeLeavesPackage {
            path: glob.to_owned(),
        })
    })?;
    let excluded = globs("excludeFiles", exclude.unwrap_or_default(), |glob| {
        warnings.push(format!(
            "excludeFiles has {glob}, which is outside the package and excludes nothing"
        ));
        Ok(())
    })?;
    let removed = removed_globs();
    let root = package_dir
        .canonicalize()
        .map_err(CheckError::local("read the source"))?;

    let mut files = BTreeSet::new();
    let mut seen = 0;
    let walk = WalkDir::new(&root).min_depth(1).follow_links(true).into_iter();
    for entry in walk.filter_entry(|entry| !is_removed_dir(entry)) {
        // A link to nothing, or a link to a directory around itself: nothing to pack.
        let Ok(entry) = entry else { continue };
        seen += 1;
        if seen > MAX_FILES {
            let what = "its links lead to more files than are looked at".to_owned();
            return Err(Rejection::SourceTooLarge {
                what,
                limit: format!("{MAX_FILES} files"),
            }
            .into());
        }
        if !entry.file_type().is_file() {
            continue;
        }
        let path = entry
            .path()
            .strip_prefix(&root)
            .expect("walked paths lie below their root");
        let always = is_always_included(path);
        if !always && included.is_match(path) {
            let real = entry
                .path()
                .canonicalize()
                .map_err(CheckError::local("read the source"))?;
            if !real.starts_with(&root) {
                return Err(Rejection::IncludeLeavesPackage {
                    path: path.display().to_string(),
                }
                .into());
            }
        } else if !always {
            continue;
        }
        if is_at_root(path, MANIFESTS) {
            if excluded.is_match(path) {
                warnings.push(format!(
                    "excludeFiles matches {}, which is always included",
                    path.display()
                ));
            }
        } else if excluded.is_match(path) || is_at_root(path, REMOVED_FILES) || removed.is_match(path) {
            continue;
        }
        if path != Path::new("purs.json") {
            files.insert(path.to_owned());
        }
    }
    Ok(Selection { files, warnings })
}

fn is_removed_dir(entry: &DirEntry) -> bool {
    entry.depth() == 1
        && entry.file_type().is_dir()
        && entry
            .file_name()
            .to_str()
            .is_some_and(|name| REMOVED_DIRS.contains(&name))
}

fn is_always_included(path: &Path) -> bool {
    path.starts_with("src") && path != Path::new("src") || is_at_root(path, MANIFESTS) || is_paper(path)
}

fn is_at_root(path: &Path, names: &[&str]) -> bool {
    path.to_str().is_some_and(|text| names.contains(&text))
}

fn is_paper(path: &Path) -> bool {
    let text = path.to_str().unwrap_or_default().to_uppercase();
    !text.contains('/') && PAPERS.iter().any(|paper| text.starts_with(paper))
}

/// Compiles the globs of a manifest; `outside` decides on those that reach out of the package.
fn globs(
    field: &'static str,
    list: &[String],
    mut outside: impl FnMut(&str) -> Result<(), Rejection>,
) -> Result<GlobSet, Rejection> {
    let invalid = |glob: &str, err: globset::Error| Rejection::GlobInvalid {
        field,
        glob: glob.to_owned(),
        problem: err.kind().to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for text in list {
        let inside = text.strip_prefix("./").unwrap_or(text);
        let normal = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !Path::new(inside).components().all(normal) {
            outside(text)?;
            continue;
        }
        set.add(
            GlobBuilder::new(inside)
                .literal_separator(true)
                .build()
                .map_err(|err| invalid(text, err))?,
        );
    }
    set.build().map_err(|err| invalid(&list.join(", "), err))
}

fn removed_globs() -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for text in REMOVED_GLOBS {
        let glob: Glob = GlobBuilder::new(text)
            .literal_separator(true)
            .case_insensitive(true)
            .build()
            .expect("the globs above are valid");
        set.add(glob);
    }
    set.build().expect("the globs above are valid")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn package(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, *file).unwrap();
        }
        dir
    }

    fn chosen(
        dir: &tempfile::TempDir,
        include: &[&str],
        exclude: &[&str],
    ) -> Result<Vec<String>, CheckError> {
        let list = |globs: &[&str]| globs.iter().map(ToString::to_string).collect::<Vec<_>>();
        let selection = select(dir.path(), Some(&list(include)), Some(&list(exclude)))?;
        Ok(selection
            .files
            .iter()
            .map(|path| path.display().to_string())
            .collect())
    }

    #[test]
    fn sources_manifests_and_papers_are_always_included() {
        let dir = package(&[
            "src/Main.purs",
            "src/deep/er/X.js",
            "purs.json",
            "spago.yaml",
            "bower.json",
            "readme.md",
            "LICENCE-MIT",
            "test/Main.purs",
            "docs/README.md",
            "srcs/X.purs",
            "Makefile",
        ]);
        let expected = [
            "LICENCE-MIT",
            "bower.json",
            "readme.md",
            "spago.yaml",
            "src/Main.purs",
            "src/deep/er/X.js",
        ];
        assert_eq!(chosen(&dir, &[], &[]).unwrap(), expected);
    }

    #[test]
    fn globs_include_and_exclude_even_inside_src() {
        let dir = package(&[
            "src/A.purs",
            "src/Internal/B.purs",
            "test/T.purs",
            "test/deep/U.purs",
            "README",
            "x.md",
        ]);
        let files = chosen(
            &dir,
            &["test/**/*.purs", "./*.md"],
            &["src/Internal/**", "README*"],
        )
        .unwrap();
        assert_eq!(files, ["src/A.purs", "test/T.purs", "test/deep/U.purs", "x.md"]);
        assert_eq!(
            chosen(&dir, &["test/*.purs"], &["src/**"]).unwrap(),
            ["README", "test/T.purs"]
        );
    }

    #[test]
    fn manifests_cannot_be_excluded_and_the_author_is_told() {
        let dir = package(&["src/A.purs", "spago.yaml"]);
        let selection = select(dir.path(), None, Some(&["*.yaml".into(), "../x".into()])).unwrap();
        assert!(selection.files.contains(Path::new("spago.yaml")));
        assert_eq!(selection.warnings.len(), 2, "{:?}", selection.warnings);
    }

    #[test]
    fn what_nobody_wants_is_removed_even_if_included() {
        let dir = package(&[
            "src/A.purs",
            "src/.A.purs.SWP",
            "src/._A.purs",
            "src/.ds_store",
            "node_modules/x/index.js",
            ".spago/p/x.purs",
            "package-lock.json",
            "lib/node_modules/ok.js",
        ]);
        assert_eq!(
            chosen(&dir, &["**/*", "**/.*"], &[]).unwrap(),
            ["lib/node_modules/ok.js", "src/A.purs"]
        );
    }

    #[test]
    fn an_include_outside_the_package_is_refused() {
        let dir = package(&["package/src/A.purs", "secret.txt"]);
        for (link, glob) in [(false, "../secret.txt"), (false, "/etc/passwd"), (true, "*.txt")] {
            if link {
                symlink("../secret.txt", dir.path().join("package/x.txt")).unwrap();
            }
            let result = select(&dir.path().join("package"), Some(&[glob.to_owned()]), None);
            assert!(
                matches!(
                    result,
                    Err(CheckError::Rejected(Rejection::IncludeLeavesPackage { .. }))
                ),
                "{glob}: {result:?}"
            );
        }
    }

    #[test]
    fn links_that_multiply_the_files_are_refused() {
        let dir = package(&["src/0/A.purs"]);
        for level in 1..=20 {
            let name = dir.path().join(format!("src/{level}"));
            fs::create_dir(&name).unwrap();
            for link in ["a", "b"] {
                symlink(format!("../{}", level - 1), name.join(link)).unwrap();
            }
        }
        let result = chosen(&dir, &[], &[]);
        assert!(matches!(
            result,
            Err(CheckError::Rejected(Rejection::SourceTooLarge { .. }))
        ));
    }

    #[test]
    fn a_glob_that_is_none_is_named() {
        let dir = package(&["src/A.purs"]);
        let Err(CheckError::Rejected(Rejection::GlobInvalid { field, glob, .. })) =
            chosen(&dir, &["a[b"], &[])
        else {
            panic!("not refused");
        };
        assert_eq!((field, glob.as_str()), ("includeFiles", "a[b"));
    }
}
