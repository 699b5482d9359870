//! What an update of a package set must satisfy before anything is compiled (registry spec, section 5.1).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::PackageSet;
use super::changes::Changes;
use super::dependencies::Dependencies;
use crate::name::PackageName;
use crate::operation::PackageSetUpdate;
use crate::version::Version;

/// Why an update was refused before anything was compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// The compiler would go back.
    #[error(
        "The update asks for the compiler {asked}, but the package set {set} was released with {current}, and a set never \
         goes back: ask for {current} or a later one, or leave `compiler` out"
    )]
    CompilerLower {
        /// The set the update starts from.
        set: Version,
        /// Its compiler.
        current: Version,
        /// The compiler asked for.
        asked: Version,
    },
    /// Packages would go back.
    #[error(
        "The update would downgrade packages of the package set {set}, and a set never goes back: {}. \
         Ask for a higher version, or remove the package", list(.downgrades)
    )]
    Downgrades {
        /// The set the update starts from.
        set: Version,
        /// Each of them.
        downgrades: Vec<Downgrade>,
    },
    /// The set is broken already.
    #[error(
        "The package set {set} is not self-contained, so nothing can be built on it: {}. \
         An operator of the registry has to look at this", list(.gaps)
    )]
    NotSelfContained {
        /// The set.
        set: Version,
        /// What it lacks.
        gaps: Vec<Gap>,
    },
    /// One bad candidate fails the whole update.
    #[error("{0}Correct these and send the update again")]
    Rejected(Rejections),
    /// The update asks for nothing that the set does not have.
    #[error(
        "The update changes nothing: name a package to add, update or remove, or a compiler above {compiler}"
    )]
    Nothing {
        /// The compiler of the set.
        compiler: Version,
    },
}

/// A package that would go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downgrade {
    /// The package.
    pub name: PackageName,
    /// Its version in the set.
    pub current: Version,
    /// The version asked for.
    pub asked: Version,
}

impl fmt::Display for Downgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} (the set has {})", self.name, self.asked, self.current)
    }
}

/// Something a set lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// A member that the index does not have.
    NotInIndex(PackageName, Version),
    /// A member depends on a package that is no member.
    DependencyMissing(PackageName, Version, PackageName),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInIndex(name, version) => write!(f, "{name}@{version} is not in the index"),
            Self::DependencyMissing(name, version, dependency) => {
                write!(
                    f,
                    "{name}@{version} depends on {dependency}, which is not in the set"
                )
            }
        }
    }
}

/// Candidates that cannot be in the next set, each with its reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejections {
    /// Those that cannot be removed.
    pub removals: Vec<(PackageName, RemovalProblem)>,
    /// Those that cannot be added or updated.
    pub updates: Vec<(PackageName, Version, UpdateProblem)>,
}

/// Why a package cannot be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemovalProblem {
    /// It is no member.
    NotInSet,
    /// Members depend on it.
    NeededBy(Vec<(PackageName, Version)>),
}

/// Why a package cannot be added or updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateProblem {
    /// The set has this version.
    AlreadyInSet,
    /// The index does not have this version; it has these.
    NotInIndex(Vec<Version>),
    /// It depends on packages that are in neither the set nor the update, or that the update removes.
    Dependencies {
        /// Those that are in neither.
        missing: Vec<PackageName>,
        /// Those that the update removes.
        removed: Vec<PackageName>,
    },
}

impl Rejections {
    fn is_empty(&self) -> bool {
        self.removals.is_empty() && self.updates.is_empty()
    }
}

impl fmt::Display for Rejections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.removals.is_empty() {
            f.write_str("Cannot be removed:\n")?;
            for (name, problem) in &self.removals {
                writeln!(f, "  - {name}: {problem}")?;
            }
        }
        if !self.updates.is_empty() {
            f.write_str("Cannot be added or updated:\n")?;
            for (name, version, problem) in &self.updates {
                writeln!(f, "  - {name}@{version}: {problem}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for RemovalProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInSet => f.write_str("it is not in the package set"),
            Self::NeededBy(members) => {
                let members = members.iter().map(|(name, version)| format!("{name}@{version}"));
                let members: Vec<_> = members.collect();
                write!(
                    f,
                    "members depend on it, so remove or update them too: {}",
                    list(&members)
                )
            }
        }
    }
}

impl fmt::Display for UpdateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyInSet => f.write_str("the package set has this version already"),
            Self::NotInIndex(known) if known.is_empty() => {
                f.write_str("the index has no version of this package")
            }
            Self::NotInIndex(known) => {
                write!(f, "the index does not have this version; it has {}", list(known))
            }
            Self::Dependencies { missing, removed } => {
                let mut parts = Vec::new();
                if !missing.is_empty() {
                    parts.push(format!(
                        "it depends on packages that are in neither the set nor this update: {}",
                        list(missing)
                    ));
                }
                if !removed.is_empty() {
                    parts.push(format!(
                        "it depends on packages that this update removes: {}",
                        list(removed)
                    ));
                }
                f.write_str(&parts.join("; "))
            }
        }
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Checks `update` against `set` and what the index says, and returns what it changes.
///
/// `dependencies` must know every member, and of each package that the update names every version of the index.
/// Version ranges are not considered: whether versions fit is for the compiler to say.
///
/// # Errors
/// In the order of registry.md §5.1; one bad candidate refuses the whole update.
pub fn check(
    set: &PackageSet,
    update: &PackageSetUpdate,
    dependencies: &Dependencies,
) -> Result<Changes, UpdateError> {
    if let Some(asked) = update.compiler.filter(|asked| *asked < set.compiler) {
        return Err(UpdateError::CompilerLower {
            set: set.version,
            current: set.compiler,
            asked,
        });
    }
    let downgrades: Vec<_> = update
        .packages
        .iter()
        .filter_map(|(name, asked)| Some((name, (*asked)?, *set.packages.get(name)?)))
        .filter(|(_, asked, current)| asked < current)
        .map(|(name, asked, current)| Downgrade {
            name: name.clone(),
            current,
            asked,
        })
        .collect();
    if !downgrades.is_empty() {
        return Err(UpdateError::Downgrades {
            set: set.version,
            downgrades,
        });
    }
    let gaps = find_gaps(&set.packages, dependencies);
    if !gaps.is_empty() {
        return Err(UpdateError::NotSelfContained {
            set: set.version,
            gaps,
        });
    }
    let rejections = find_rejections(set, update, dependencies);
    if !rejections.is_empty() {
        return Err(UpdateError::Rejected(rejections));
    }
    let changes = Changes::between(set, update.compiler, &update.packages);
    if changes.is_empty() {
        return Err(UpdateError::Nothing {
            compiler: set.compiler,
        });
    }
    Ok(changes)
}

/// Returns what keeps these members from being a set: each must be in the index, and its dependencies members too.
pub fn find_gaps(members: &BTreeMap<PackageName, Version>, dependencies: &Dependencies) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for (name, version) in members {
        let Some(needed) = dependencies.of(name, *version) else {
            gaps.push(Gap::NotInIndex(name.clone(), *version));
            continue;
        };
        let missing = needed.iter().filter(|needed| !members.contains_key(*needed));
        gaps.extend(missing.map(|needed| Gap::DependencyMissing(name.clone(), *version, needed.clone())));
    }
    gaps
}

fn find_rejections(set: &PackageSet, update: &PackageSetUpdate, dependencies: &Dependencies) -> Rejections {
    let mut rejections = Rejections::default();
    let removed: BTreeSet<&PackageName> = update
        .packages
        .iter()
        .filter(|(_, asked)| asked.is_none())
        .map(|(name, _)| name)
        .collect();
    let mut after = set.packages.clone();
    after.extend(
        update
            .packages
            .iter()
            .filter_map(|(name, asked)| Some((name.clone(), (*asked)?))),
    );
    after.retain(|name, _| !removed.contains(name));

    for (name, asked) in &update.packages {
        match asked {
            None => {
                if let Some(problem) = removal_problem(set, name, &after, dependencies) {
                    rejections.removals.push((name.clone(), problem));
                }
            }
            Some(version) => {
                if let Some(problem) = update_problem(set, name, *version, &after, dependencies) {
                    rejections.updates.push((name.clone(), *version, problem));
                }
            }
        }
    }
    rejections
}

fn removal_problem(
    set: &PackageSet,
    name: &PackageName,
    after: &BTreeMap<PackageName, Version>,
    dependencies: &Dependencies,
) -> Option<RemovalProblem> {
    if !set.packages.contains_key(name) {
        return Some(RemovalProblem::NotInSet);
    }
    // A candidate that depends on it is listed under its own name.
    let needed_by: Vec<_> = after
        .iter()
        .filter(|(member, version)| set.packages.get(*member) == Some(*version))
        .filter(|(member, version)| {
            dependencies
                .of(member, **version)
                .is_some_and(|needed| needed.contains(name))
        })
        .map(|(member, version)| (member.clone(), *version))
        .collect();
    (!needed_by.is_empty()).then_some(RemovalProblem::NeededBy(needed_by))
}

fn update_problem(
    set: &PackageSet,
    name: &PackageName,
    version: Version,
    after: &BTreeMap<PackageName, Version>,
    dependencies: &Dependencies,
) -> Option<UpdateProblem> {
    if set.packages.get(name) == Some(&version) {
        return Some(UpdateProblem::AlreadyInSet);
    }
    let Some(needed) = dependencies.of(name, version) else {
        return Some(UpdateProblem::NotInIndex(dependencies.versions(name)));
    };
    let absent = needed.iter().filter(|needed| !after.contains_key(*needed));
    let (removed, missing): (Vec<_>, Vec<_>) = absent
        .cloned()
        .partition(|needed| set.packages.contains_key(needed));
    if removed.is_empty() && missing.is_empty() {
        return None;
    }
    Some(UpdateProblem::Dependencies { missing, removed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package_set::dependencies::tests::dependencies;

    /// A set of `prelude`, `effect` (needs prelude) and `console` (needs both).
    fn set() -> PackageSet {
        PackageSet::parse(
            r#"{"version":"80.8.0","compiler":"0.15.15","published":"2026-08-18",
                "packages":{"console":"6.0.0","effect":"4.0.0","prelude":"6.0.0"}}"#,
        )
        .unwrap()
    }

    fn index() -> Dependencies {
        dependencies(&[
            ("prelude", "6.0.0", &[]),
            ("prelude", "6.0.1", &[]),
            ("effect", "3.0.0", &["prelude"]),
            ("effect", "4.0.0", &["prelude"]),
            ("console", "6.0.0", &["effect", "prelude"]),
            ("console", "6.1.0", &["prelude"]),
            ("aff", "8.0.0", &["effect", "foldable"]),
            ("foldable", "1.0.0", &["prelude"]),
        ])
    }

    fn check_text(text: &str) -> Result<Changes, UpdateError> {
        check(&set(), &crate::json::decode(text).unwrap(), &index())
    }

    fn refusal(text: &str) -> String {
        check_text(text).unwrap_err().to_string()
    }

    #[test]
    fn a_good_update_is_told_as_its_changes() {
        let changes =
            check_text(r#"{"packages":{"aff":"8.0.0","foldable":"1.0.0","prelude":"6.0.1"}}"#).unwrap();
        assert_eq!((changes.added.len(), changes.updated.len()), (2, 1));
        let compiler = check_text(r#"{"compiler":"0.15.16","packages":{}}"#).unwrap();
        assert_eq!(compiler.compiler, Some(Version::new(0, 15, 16)));
    }

    #[test]
    fn neither_compiler_nor_packages_go_back() {
        let text = refusal(r#"{"compiler":"0.15.10","packages":{"effect":"3.0.0"}}"#);
        assert!(text.contains("0.15.10") && text.contains("0.15.15"), "{text}");
        let text = refusal(r#"{"packages":{"effect":"3.0.0","prelude":"6.0.1"}}"#);
        assert!(
            text.contains("would downgrade") && text.contains(": effect@3.0.0 (the set has 4.0.0)."),
            "{text}"
        );
    }

    #[test]
    fn a_set_that_is_not_self_contained_is_no_start() {
        let mut set = set();
        set.packages.remove("prelude");
        set.packages
            .insert("lost".parse().unwrap(), Version::new(1, 0, 0));
        let update = crate::json::decode(r#"{"packages":{"foldable":"1.0.0"}}"#).unwrap();
        let text = check(&set, &update, &index()).unwrap_err().to_string();
        assert!(
            text.contains(
                "effect@4.0.0 depends on prelude, which is not in the set, lost@1.0.0 is not in the index"
            ),
            "{text}"
        );
    }

    #[test]
    fn every_bad_candidate_is_listed_with_its_reason() {
        let text = refusal(
            r#"{"packages":{"aff":"8.0.0","console":"6.0.0","effect":null,"nothing":"1.0.0","prelude":"6.0.2","unknown":null}}"#,
        );
        assert_eq!(
            text,
            "Cannot be removed:\n  \
             - effect: members depend on it, so remove or update them too: console@6.0.0\n  \
             - unknown: it is not in the package set\n\
             Cannot be added or updated:\n  \
             - aff@8.0.0: it depends on packages that are in neither the set nor this update: foldable; \
             it depends on packages that this update removes: effect\n  \
             - console@6.0.0: the package set has this version already\n  \
             - nothing@1.0.0: the index has no version of this package\n  \
             - prelude@6.0.2: the index does not have this version; it has 6.0.0, 6.0.1\n\
             Correct these and send the update again"
        );
    }

    #[test]
    fn a_dependency_may_go_when_nobody_needs_it_any_more() {
        check_text(r#"{"packages":{"console":"6.1.0","effect":null}}"#).unwrap();
        check_text(r#"{"packages":{"console":null,"effect":null}}"#).unwrap();
        assert!(refusal(r#"{"packages":{"effect":null}}"#).contains("console@6.0.0"));
    }

    #[test]
    fn an_update_that_changes_nothing_is_refused() {
        assert!(matches!(
            check_text(r#"{"compiler":"0.15.15","packages":{}}"#),
            Err(UpdateError::Nothing { .. })
        ));
    }
}
