//! The manifest index: one file per package, one line per version.

use std::collections::BTreeMap;

use crate::json::DecodeError;
use crate::manifest::Manifest;
use crate::name::PackageName;
use crate::version::Version;

/// Returns where the file of a package lies: `pr/el/prelude`, `3/a/aff`, `2/js`, `1/a` (registry spec, section 2.4).
pub fn path(name: &PackageName) -> String {
    let text = name.as_str();
    match text.len() {
        1 => format!("1/{text}"),
        2 => format!("2/{text}"),
        3 => format!("3/{}/{text}", &text[..1]),
        _ => format!("{}/{}/{text}", &text[..2], &text[2..4]),
    }
}

/// The file of one package: its manifests by ascending version, each in a line that ends with a newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFile {
    name: PackageName,
    manifests: BTreeMap<Version, Manifest>,
}

/// Why a text is not an index file.
#[derive(Debug, thiserror::Error)]
pub enum IndexFileError {
    /// A line is not a manifest.
    #[error("line {line} of the index file of {name} cannot be read")]
    Line {
        /// The package.
        name: PackageName,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        cause: DecodeError,
    },
    /// A line is about another package.
    #[error("line {line} of the index file of {name} is about {found}")]
    OtherPackage {
        /// The package.
        name: PackageName,
        /// Line, from 1.
        line: usize,
        /// The package in the line.
        found: PackageName,
    },
    /// Two lines are about the same version.
    #[error("line {line} of the index file of {name} repeats version {version}")]
    Repeated {
        /// The package.
        name: PackageName,
        /// Line, from 1.
        line: usize,
        /// The version.
        version: Version,
    },
}

/// A manifest was put into the file of another package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a manifest of {found} does not belong into the index file of {name}")]
pub struct OtherPackage {
    /// The package of the file.
    pub name: PackageName,
    /// The package of the manifest.
    pub found: PackageName,
}

impl IndexFile {
    /// Returns the file of a package without any version.
    pub fn new(name: PackageName) -> Self {
        Self {
            name,
            manifests: BTreeMap::new(),
        }
    }

    /// Reads the file of the package `name`.
    ///
    /// # Errors
    /// When a line, blank ones included, is not a manifest of a version of its own.
    pub fn parse(name: &PackageName, text: &str) -> Result<Self, IndexFileError> {
        let mut file = Self::new(name.clone());
        for (index, text) in text.strip_suffix('\n').unwrap_or(text).split('\n').enumerate() {
            let line = index + 1;
            let manifest = Manifest::from_stored(text).map_err(|cause| IndexFileError::Line {
                name: name.clone(),
                line,
                cause,
            })?;
            let version = manifest.version;
            let replaced = file
                .insert(manifest)
                .map_err(|other| IndexFileError::OtherPackage {
                    name: name.clone(),
                    line,
                    found: other.found,
                })?;
            if replaced.is_some() {
                return Err(IndexFileError::Repeated {
                    name: name.clone(),
                    line,
                    version,
                });
            }
        }
        Ok(file)
    }

    /// Returns the package.
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// Returns the manifests by version.
    pub fn manifests(&self) -> &BTreeMap<Version, Manifest> {
        &self.manifests
    }

    /// Takes the manifests out.
    pub fn into_manifests(self) -> BTreeMap<Version, Manifest> {
        self.manifests
    }

    /// Adds a manifest, or replaces and returns the one of the same version.
    ///
    /// # Errors
    /// When it is about another package.
    pub fn insert(&mut self, manifest: Manifest) -> Result<Option<Manifest>, OtherPackage> {
        if manifest.name != self.name {
            return Err(OtherPackage {
                name: self.name.clone(),
                found: manifest.name,
            });
        }
        Ok(self.manifests.insert(manifest.version, manifest))
    }

    /// Removes and returns the manifest of a version.
    pub fn remove(&mut self, version: &Version) -> Option<Manifest> {
        self.manifests.remove(version)
    }

    /// Returns the text of the file; `None` when no version is left, and the file is to be deleted.
    pub fn to_text(&self) -> Option<String> {
        if self.manifests.is_empty() {
            return None;
        }
        let mut text = String::new();
        for manifest in self.manifests.values() {
            text.push_str(&manifest.to_line());
            text.push('\n');
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PackageName {
        text.parse().unwrap()
    }

    fn line(name: &str, version: &str) -> String {
        format!(
            r#"{{"name":"{name}","version":"{version}","license":"MIT","location":{{"githubOwner":"o","githubRepo":"r"}},"ref":"v{version}","dependencies":{{}}}}"#
        )
    }

    #[test]
    fn the_path_depends_on_the_length_of_the_name() {
        for (text, expected) in [
            ("a", "1/a"),
            ("js", "2/js"),
            ("aff", "3/a/aff"),
            ("free", "fr/ee/free"),
            ("prelude", "pr/el/prelude"),
            ("a-b-c", "a-/b-/a-b-c"),
        ] {
            assert_eq!(path(&name(text)), expected);
        }
    }

    #[test]
    fn lines_are_sorted_by_version_and_end_with_a_newline() {
        let text = format!("{}\n{}\n", line("aff", "1.10.0"), line("aff", "1.9.0"));
        let mut file = IndexFile::parse(&name("aff"), &text).unwrap();
        let sorted = format!("{}\n{}\n", line("aff", "1.9.0"), line("aff", "1.10.0"));
        assert_eq!(file.to_text().as_deref(), Some(sorted.as_str()));

        let manifest = Manifest::from_stored(&line("aff", "1.9.1")).unwrap();
        assert_eq!(file.insert(manifest.clone()), Ok(None));
        assert_eq!(file.insert(manifest.clone()), Ok(Some(manifest)));
        assert_eq!(
            file.to_text().unwrap().lines().nth(1),
            Some(line("aff", "1.9.1").as_str())
        );
    }

    #[test]
    fn the_file_goes_with_its_last_version() {
        let mut file = IndexFile::parse(&name("aff"), &line("aff", "1.0.0")).unwrap();
        assert_eq!(file.remove(&Version::new(1, 0, 1)), None);
        assert!(file.remove(&Version::new(1, 0, 0)).is_some());
        assert_eq!(file.to_text(), None);
    }

    #[test]
    fn errors_name_the_line() {
        let parse = |text: &str| IndexFile::parse(&name("aff"), text).unwrap_err().to_string();
        let good = line("aff", "1.0.0");
        assert_eq!(
            parse(&format!("{good}\n{{}}\n")),
            "line 2 of the index file of aff cannot be read"
        );
        assert_eq!(
            parse(&format!("{good}\n\n")),
            "line 2 of the index file of aff cannot be read"
        );
        assert_eq!(parse(""), "line 1 of the index file of aff cannot be read");
        assert_eq!(
            parse(&format!("{good}\n{good}\n")),
            "line 2 of the index file of aff repeats version 1.0.0"
        );
        assert_eq!(
            parse(&line("prelude", "1.0.0")),
            "line 1 of the index file of aff is about prelude"
        );
    }
}
