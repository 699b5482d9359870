//! How one package set becomes the next (registry spec, sections 5.3 and 5.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::PackageSet;
use crate::name::PackageName;
use crate::time::Date;
use crate::version::Version;

/// What a new set changes. Changes that were tried and rejected are not in here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The compiler to raise the set to, if it is raised.
    pub compiler: Option<Version>,
    /// Packages that are new in the set.
    pub added: BTreeMap<PackageName, Version>,
    /// Packages with another version: the one before and the one after.
    pub updated: BTreeMap<PackageName, (Version, Version)>,
    /// Packages that leave the set, with the version they had.
    pub removed: BTreeMap<PackageName, Version>,
}

/// How much of the version of a set is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bump {
    /// `M.m.(p+1)`
    Patch,
    /// `M.(m+1).0`
    Minor,
    /// `(M+1).0.0`
    Major,
}

impl Changes {
    /// Compares what is wanted (`None` removes) with a set. What the set already has is left out.
    pub fn between(
        set: &PackageSet,
        compiler: Option<Version>,
        wanted: &BTreeMap<PackageName, Option<Version>>,
    ) -> Self {
        let mut changes = Self {
            compiler: compiler.filter(|compiler| *compiler > set.compiler),
            ..Self::default()
        };
        for (name, wanted) in wanted {
            match (set.packages.get(name), wanted) {
                (None, None) => {}
                (None, Some(new)) => {
                    changes.added.insert(name.clone(), *new);
                }
                (Some(old), None) => {
                    changes.removed.insert(name.clone(), *old);
                }
                (Some(old), Some(new)) if old == new => {}
                (Some(old), Some(new)) => {
                    changes.updated.insert(name.clone(), (*old, *new));
                }
            }
        }
        changes
    }

    /// Tells whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns how much of the set's version these changes raise; `None` when they change nothing that counts.
    ///
    /// Positions are taken literally: 0.7.0 to 0.8.0 of a package is a minor change. The first set of a registry is 1.0.0.
    pub fn bump(&self, set: &PackageSet) -> Option<Bump> {
        let compiler =
            |bump: fn(Version) -> Version| self.compiler.is_some_and(|new| new >= bump(set.compiler));
        let update =
            |bump: fn(Version) -> Version| self.updated.values().any(|(old, new)| *new >= bump(*old));

        let is_first = set.version == Version::new(0, 0, 0) && !self.added.is_empty();
        if is_first
            || compiler(Version::bump_minor)
            || !self.removed.is_empty()
            || update(Version::bump_major)
        {
            Some(Bump::Major)
        } else if compiler(Version::bump_patch) || !self.added.is_empty() || update(Version::bump_minor) {
            Some(Bump::Minor)
        } else if update(Version::bump_patch) {
            Some(Bump::Patch)
        } else {
            None
        }
    }

    /// Returns the set after these changes, released on `published`; `None` when they change nothing that counts.
    pub fn apply(&self, set: &PackageSet, published: Date) -> Option<PackageSet> {
        let version = match self.bump(set)? {
            Bump::Major => set.version.bump_major(),
            Bump::Minor => set.version.bump_minor(),
            Bump::Patch => set.version.bump_patch(),
        };
        let mut packages = set.packages.clone();
        packages.retain(|name, _| !self.removed.contains_key(name));
        packages.extend(self.added.iter().map(|(name, version)| (name.clone(), *version)));
        packages.extend(
            self.updated
                .iter()
                .map(|(name, (_, version))| (name.clone(), *version)),
        );
        Some(PackageSet {
            version,
            compiler: self.compiler.unwrap_or(set.compiler),
            published,
            packages,
        })
    }

    /// Returns the commit message of the set `version`, without the line that names the job.
    pub fn message(&self, version: Version) -> String {
        let mut text = format!("Release {version} package set.");
        let mut block = |title: &str, lines: Vec<String>| {
            if !lines.is_empty() {
                write!(text, "\n\n{title}:").expect("writing to a String cannot fail");
                for line in lines {
                    write!(text, "\n  - {line}").expect("writing to a String cannot fail");
                }
            }
        };
        block(
            "New packages",
            self.added
                .iter()
                .map(|(name, version)| format!("{name}@{version}"))
                .collect(),
        );
        block(
            "Updated packages",
            self.updated
                .iter()
                .map(|(name, (old, new))| format!("{name}@{old} -> {new}"))
                .collect(),
        );
        block(
            "Removed packages",
            self.removed
                .iter()
                .map(|(name, version)| format!("{name}@{version}"))
                .collect(),
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn set() -> PackageSet {
        PackageSet {
            version: version("80.8.1"),
            compiler: version("0.15.15"),
            published: "2026-08-18".parse().unwrap(),
            packages: [("aff", "7.1.2"), ("zero", "0.7.3")]
                .into_iter()
                .map(|(name, text)| (name.parse().unwrap(), version(text)))
                .collect(),
        }
    }

    fn changes(compiler: Option<&str>, wanted: &[(&str, Option<&str>)]) -> Changes {
        let wanted = wanted
            .iter()
            .map(|(name, text)| (name.parse().unwrap(), text.map(version)))
            .collect();
        Changes::between(&set(), compiler.map(version), &wanted)
    }

    fn next(compiler: Option<&str>, wanted: &[(&str, Option<&str>)]) -> Option<String> {
        let released = changes(compiler, wanted).apply(&set(), "2026-08-19".parse().unwrap())?;
        Some(released.version.to_string())
    }

    #[test]
    fn a_breaking_update_a_removal_or_a_minor_compiler_is_major() {
        for (compiler, wanted) in [
            (None, &[("aff", Some("8.0.0"))][..]),
            (None, &[("aff", None)]),
            (Some("0.16.0"), &[]),
            (Some("1.0.0"), &[]),
            (None, &[("aff", None), ("new", Some("1.0.0"))]),
        ] {
            assert_eq!(
                next(compiler, wanted).as_deref(),
                Some("81.0.0"),
                "{compiler:?} {wanted:?}"
            );
        }
    }

    #[test]
    fn an_addition_a_minor_update_or_a_patch_compiler_is_minor() {
        for (compiler, wanted) in [
            (None, &[("aff", Some("7.2.0"))][..]),
            (None, &[("new", Some("0.0.1"))]),
            (Some("0.15.16"), &[]),
            (None, &[("zero", Some("0.8.0"))]),
        ] {
            assert_eq!(
                next(compiler, wanted).as_deref(),
                Some("80.9.0"),
                "{compiler:?} {wanted:?}"
            );
        }
    }

    #[test]
    fn the_first_set_is_1_0_0() {
        let start = PackageSet::before_the_first(version("0.15.15"), "2026-08-18".parse().unwrap());
        let wanted = [("prelude".parse().unwrap(), Some(version("6.0.1")))].into();
        let changes = Changes::between(&start, None, &wanted);
        let first = changes.apply(&start, "2026-08-19".parse().unwrap()).unwrap();
        assert_eq!(
            json_packages(&first),
            r#"{"version":"1.0.0","compiler":"0.15.15","published":"2026-08-19","packages":{"prelude":"6.0.1"}}"#
        );
    }

    #[test]
    fn patch_updates_are_patch() {
        assert_eq!(
            next(None, &[("aff", Some("7.1.3")), ("zero", Some("0.7.9"))]).as_deref(),
            Some("80.8.2")
        );
    }

    #[test]
    fn what_the_set_already_has_changes_nothing() {
        for (compiler, wanted) in [
            (None, &[][..]),
            (None, &[("aff", Some("7.1.2"))]),
            (None, &[("unknown", None)]),
            (Some("0.15.15"), &[]),
        ] {
            assert!(changes(compiler, wanted).is_empty());
            assert_eq!(next(compiler, wanted), None, "{compiler:?} {wanted:?}");
        }
    }

    #[test]
    fn changes_are_applied_to_a_copy() {
        let changes = changes(
            Some("0.15.16"),
            &[("aff", Some("8.0.0")), ("new", Some("1.0.0")), ("zero", None)],
        );
        let released = changes.apply(&set(), "2026-08-19".parse().unwrap()).unwrap();
        assert_eq!(
            json_packages(&released),
            r#"{"version":"81.0.0","compiler":"0.15.16","published":"2026-08-19","packages":{"aff":"8.0.0","new":"1.0.0"}}"#
        );
        assert_eq!(
            changes.message(released.version),
            "Release 81.0.0 package set.\n\nNew packages:\n  - new@1.0.0\n\nUpdated packages:\n  - aff@7.1.2 -> 8.0.0\n\n\
             Removed packages:\n  - zero@0.7.3"
        );
    }

    fn json_packages(set: &PackageSet) -> String {
        crate::json::to_compact(set)
    }
}
