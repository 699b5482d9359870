//! Why the newest version of a package is not in a package set: the plain reasons that its manifest and the set give.

use std::fmt;

use super::PackageSet;
use crate::manifest::Manifest;
use crate::name::PackageName;
use crate::range::Range;
use crate::version::Version;

/// Where a package stands with a package set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No version of it can be installed.
    NotInstallable,
    /// The set has its newest version.
    Newest,
    /// The set has it at a lower version, or at one that is not in the index any more.
    Behind {
        /// The version in the set.
        current: Version,
        /// Why not the newest.
        newest: Absence,
    },
    /// The set does not have it.
    Absent(Absence),
}

/// A version that is not in a set, and what keeps it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// The version.
    pub version: Version,
    /// What keeps it out; empty when nothing is known to.
    pub reasons: Vec<Reason>,
}

/// One thing that keeps a version out of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is not known to compile with the compiler of the set.
    Compiler {
        /// The compiler of the set.
        compiler: Version,
        /// The highest one that it is known to compile with.
        highest: Option<Version>,
    },
    /// It depends on a package that is not in the set.
    Missing(PackageName),
    /// It depends on other versions of a package than the set has.
    Conflict {
        /// The package.
        name: PackageName,
        /// The versions it asks for.
        range: Range,
        /// The version in the set.
        current: Version,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compiler { compiler, highest } => {
                write!(
                    f,
                    "it is not known to compile with purs {compiler}, the compiler of the set"
                )?;
                match highest {
                    Some(highest) => write!(f, "; the highest it compiles with is {highest}"),
                    None => Ok(()),
                }
            }
            Self::Missing(name) => write!(f, "it depends on {name}, which is not in the set"),
            Self::Conflict { name, range, current } => {
                write!(f, "it asks for {name} {range}, and the set has {name}@{current}")
            }
        }
    }
}

/// Says where a package stands with `set`. `newest` is its highest version that can be installed, with the compilers it is known to compile with.
pub fn standing(set: &PackageSet, name: &PackageName, newest: Option<(&Manifest, &[Version])>) -> Standing {
    let current = set.packages.get(name).copied();
    let Some((manifest, compilers)) = newest else {
        return Standing::NotInstallable;
    };
    if current == Some(manifest.version) {
        return Standing::Newest;
    }
    let mut reasons = Vec::new();
    if !compilers.contains(&set.compiler) {
        reasons.push(Reason::Compiler {
            compiler: set.compiler,
            highest: compilers.iter().max().copied(),
        });
    }
    for (dependency, range) in &manifest.dependencies {
        match set.packages.get(dependency) {
            None => reasons.push(Reason::Missing(dependency.clone())),
            Some(current) if !range.contains(current) => reasons.push(Reason::Conflict {
                name: dependency.clone(),
                range: *range,
                current: *current,
            }),
            Some(_) => {}
        }
    }
    let absence = Absence {
        version: manifest.version,
        reasons,
    };
    match current {
        Some(current) => Standing::Behind {
            current,
            newest: absence,
        },
        None => Standing::Absent(absence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> PackageSet {
        PackageSet::parse(
            r#"{"version":"80.8.0","compiler":"0.15.15","published":"2026-08-18",
                "packages":{"effect":"4.0.0","prelude":"6.0.0"}}"#,
        )
        .unwrap()
    }

    fn manifest(name: &str, version: &str, dependencies: &str) -> Manifest {
        Manifest::from_stored(&format!(
            r#"{{"name":"{name}","version":"{version}","license":"MIT","location":{{"githubOwner":"lab","githubRepo":"x"}},"ref":"v1","dependencies":{dependencies}}}"#
        ))
        .unwrap()
    }

    fn of(manifest: &Manifest, compilers: &[Version]) -> Standing {
        standing(&set(), &manifest.name, Some((manifest, compilers)))
    }

    #[test]
    fn the_newest_version_in_the_set_needs_no_reason() {
        let effect = manifest("effect", "4.0.0", "{}");
        assert_eq!(of(&effect, &[]), Standing::Newest);
        assert_eq!(
            standing(&set(), &"lost".parse().unwrap(), None),
            Standing::NotInstallable
        );
    }

    #[test]
    fn every_reason_is_told_at_once() {
        let new = manifest(
            "aff",
            "8.0.0",
            r#"{"effect":">=5.0.0 <6.0.0","foldable":">=1.0.0 <2.0.0","prelude":">=6.0.0 <7.0.0"}"#,
        );
        let Standing::Absent(absence) = of(&new, &[Version::new(0, 15, 10), Version::new(0, 15, 4)]) else {
            panic!("it is not in the set");
        };
        let told: Vec<String> = absence.reasons.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "it is not known to compile with purs 0.15.15, the compiler of the set; the highest it compiles with is 0.15.10",
                "it asks for effect >=5.0.0 <6.0.0, and the set has effect@4.0.0",
                "it depends on foldable, which is not in the set",
            ]
        );
    }

    #[test]
    fn a_package_that_is_behind_names_both_versions() {
        let newer = manifest("effect", "4.1.0", r#"{"prelude":">=6.0.0 <7.0.0"}"#);
        assert_eq!(
            of(&newer, &[Version::new(0, 15, 15)]),
            Standing::Behind {
                current: Version::new(4, 0, 0),
                newest: Absence {
                    version: Version::new(4, 1, 0),
                    reasons: Vec::new()
                }
            }
        );
    }
}
