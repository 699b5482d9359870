//! The changes of a set one by one, in the order in which they can be made.

use std::collections::{BTreeMap, BTreeSet};

use super::PackageSet;
use super::changes::Changes;
use super::dependencies::Dependencies;
use crate::name::PackageName;
use crate::version::Version;

/// One change of a package set, which can be kept or left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The package.
    pub name: PackageName,
    /// Its version in the next set; `None` removes it.
    pub version: Option<Version>,
    /// Without which other candidates, by their place in the list, it cannot be made: a package that it depends on and
    /// that is new, or, for a removal, a member that depends on it and changes.
    pub requires: BTreeSet<usize>,
}

impl std::fmt::Display for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => write!(f, "the removal of {}", self.name),
        }
    }
}

/// Lists `changes`, which were checked, as candidates: updates with dependencies first, then removals with dependants
/// first (registry spec, section 5.2).
pub fn list(set: &PackageSet, changes: &Changes, dependencies: &Dependencies) -> Vec<Candidate> {
    let mut updates: BTreeMap<PackageName, Version> = changes.added.clone();
    updates.extend(
        changes
            .updated
            .iter()
            .map(|(name, (_, new))| (name.clone(), *new)),
    );
    let added = dependencies
        .order(&updates)
        .into_iter()
        .map(|name| (name, Some(updates[name])));
    let removed = dependencies.order(&changes.removed);
    let removed = removed.into_iter().rev().map(|name| (name, None));
    let order: Vec<(&PackageName, Option<Version>)> = added.chain(removed).collect();
    let place_of: BTreeMap<&PackageName, usize> = order
        .iter()
        .enumerate()
        .map(|(place, (name, _))| (*name, place))
        .collect();

    let requires = |name: &PackageName, version: Option<Version>| -> BTreeSet<usize> {
        match version {
            Some(version) => {
                let needed = dependencies.of(name, version).into_iter().flatten();
                let new = needed.filter(|needed| changes.added.contains_key(*needed));
                new.filter_map(|needed| place_of.get(needed).copied()).collect()
            }
            None => place_of
                .iter()
                .filter(|(member, _)| {
                    let current = set.packages.get(**member);
                    let needed = current.and_then(|version| dependencies.of(member, *version));
                    needed.is_some_and(|needed| needed.contains(name))
                })
                .map(|(_, place)| *place)
                .collect(),
        }
    };
    order
        .iter()
        .map(|(name, version)| Candidate {
            name: (*name).clone(),
            version: *version,
            requires: requires(name, *version),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package_set::dependencies::tests::dependencies;

    #[test]
    fn additions_go_from_the_bottom_up_and_removals_from_the_top_down() {
        let known = dependencies(&[
            ("prelude", "1.0.0", &[]),
            ("prelude", "1.0.1", &[]),
            ("old", "1.0.0", &["prelude"]),
            ("older", "1.0.0", &["old"]),
            ("user", "1.0.0", &["old"]),
            ("user", "2.0.0", &["new"]),
            ("new", "1.0.0", &["prelude"]),
        ]);
        let set = PackageSet::parse(
            r#"{"version":"1.0.0","compiler":"0.15.15","published":"2026-08-18",
                "packages":{"old":"1.0.0","older":"1.0.0","prelude":"1.0.0","user":"1.0.0"}}"#,
        )
        .unwrap();
        let wanted = [
            ("new", Some("1.0.0")),
            ("user", Some("2.0.0")),
            ("prelude", Some("1.0.1")),
            ("old", None),
            ("older", None),
        ];
        let wanted = wanted
            .into_iter()
            .map(|(name, version)| (name.parse().unwrap(), version.map(|text| text.parse().unwrap())))
            .collect();
        let changes = Changes::between(&set, None, &wanted);
        let told: Vec<(String, Vec<usize>)> = list(&set, &changes, &known)
            .into_iter()
            .map(|candidate| (candidate.to_string(), candidate.requires.into_iter().collect()))
            .collect();
        let expected = [
            ("prelude@1.0.1", vec![]),
            ("new@1.0.0", vec![]),
            ("user@2.0.0", vec![1]),
            ("the removal of older", vec![]),
            ("the removal of old", vec![2, 3]),
        ];
        assert_eq!(told, expected.map(|(text, requires)| (text.to_owned(), requires)));
    }
}
