//! Which packages a version depends on, by name: all that a package set asks of its members before they are compiled.

use std::collections::{BTreeMap, BTreeSet};

use crate::manifest::Manifest;
use crate::name::PackageName;
use crate::version::Version;

/// The names that versions of the index depend on.
#[derive(Debug, Clone, Default)]
pub struct Dependencies(BTreeMap<PackageName, BTreeMap<Version, BTreeSet<PackageName>>>);

impl Dependencies {
    /// Adds a manifest of the index.
    pub fn insert(&mut self, manifest: &Manifest) {
        self.put(
            manifest.name.clone(),
            manifest.version,
            manifest.dependencies.keys().cloned().collect(),
        );
    }

    fn put(&mut self, name: PackageName, version: Version, needed: BTreeSet<PackageName>) {
        self.0.entry(name).or_default().insert(version, needed);
    }

    /// Returns what a version depends on directly; `None` when it is not known.
    pub fn of(&self, name: &PackageName, version: Version) -> Option<&BTreeSet<PackageName>> {
        self.0.get(name)?.get(&version)
    }

    /// Returns the known versions of a package, lowest first.
    pub fn versions(&self, name: &PackageName) -> Vec<Version> {
        self.0
            .get(name)
            .map_or_else(Vec::new, |versions| versions.keys().copied().collect())
    }

    /// Returns the names of `members` in an order in which each comes after those it depends on; otherwise alphabetical.
    ///
    /// Dependencies that are no members are passed over. Where members depend on each other in a ring, the first in the
    /// alphabet comes last.
    pub fn order<'a>(&self, members: &'a BTreeMap<PackageName, Version>) -> Vec<&'a PackageName> {
        let mut ordered = Vec::with_capacity(members.len());
        let mut seen = BTreeSet::new();
        for start in members.keys() {
            // Depth first, with a stack of our own: a long chain must not overflow the thread's.
            let mut path: Vec<(&PackageName, Vec<&PackageName>)> = Vec::new();
            let mut next = Some(start);
            loop {
                if let Some(name) = next.take()
                    && seen.insert(name)
                {
                    path.push((name, self.members_below(name, members)));
                }
                let Some((name, waiting)) = path.last_mut() else {
                    break;
                };
                next = waiting.pop();
                if next.is_none() {
                    ordered.push(*name);
                    path.pop();
                }
            }
        }
        ordered
    }

    /// Returns everything that `name` depends on among `members`, directly or not.
    pub fn closure<'a>(
        &self,
        name: &PackageName,
        members: &'a BTreeMap<PackageName, Version>,
    ) -> BTreeSet<&'a PackageName> {
        let mut found = BTreeSet::new();
        let mut waiting = self.members_below(name, members);
        while let Some(name) = waiting.pop() {
            if found.insert(name) {
                waiting.extend(self.members_below(name, members));
            }
        }
        found
    }

    /// The members that `name` depends on directly, last in the alphabet first.
    fn members_below<'a>(
        &self,
        name: &PackageName,
        members: &'a BTreeMap<PackageName, Version>,
    ) -> Vec<&'a PackageName> {
        let needed = members.get(name).and_then(|version| self.of(name, *version));
        needed
            .into_iter()
            .flatten()
            .rev()
            .filter_map(|needed| Some(members.get_key_value(needed)?.0))
            .collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn dependencies(rows: &[(&str, &str, &[&str])]) -> Dependencies {
        let mut dependencies = Dependencies::default();
        for (name, version, needed) in rows {
            let needed = needed.iter().map(|name| name.parse().unwrap()).collect();
            dependencies.put(name.parse().unwrap(), version.parse().unwrap(), needed);
        }
        dependencies
    }

    fn members(names: &[&str]) -> BTreeMap<PackageName, Version> {
        let version = Version::new(1, 0, 0);
        names
            .iter()
            .map(|name| (name.parse().unwrap(), version))
            .collect()
    }

    #[test]
    fn each_package_comes_after_those_it_depends_on() {
        let known = dependencies(&[
            ("a", "1.0.0", &["z", "m"]),
            ("m", "1.0.0", &["z", "outside"]),
            ("z", "1.0.0", &[]),
            ("b", "1.0.0", &[]),
        ]);
        let members = members(&["a", "b", "m", "z"]);
        let order: Vec<_> = known
            .order(&members)
            .into_iter()
            .map(PackageName::as_str)
            .collect();
        assert_eq!(order, ["z", "m", "a", "b"]);
        let below: Vec<_> = known
            .closure(&"a".parse().unwrap(), &members)
            .into_iter()
            .map(PackageName::as_str)
            .collect();
        assert_eq!(below, ["m", "z"]);
    }

    #[test]
    fn a_ring_has_an_order_too() {
        let known = dependencies(&[("a", "1.0.0", &["b"]), ("b", "1.0.0", &["a"])]);
        assert_eq!(known.order(&members(&["a", "b"])).len(), 2);
    }
}
