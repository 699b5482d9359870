//! What is known of the package sets without reading them again. A set never changes and is never removed, so what was learned of one stays true; how many
//! there are says whether there is more to learn.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
};

use docket_core::{name::PackageName, package_set::PackageSet, time::Date, version::Version};
use docket_db::{Error, Tx};
use tokio::sync::Mutex;

use crate::store::package_sets;

/// How many sets are read at once: a set is some ten kilobytes, and there may be thousands.
const PAGE_SETS: i64 = 50;

/// What was learned so far. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct KnownSets(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    sets: RwLock<Arc<Sets>>,
    /// Held by the one who learns: the others wait instead of reading the same.
    learning: Mutex<()>,
}

/// All sets of a registry at one moment.
#[derive(Debug, Clone, Default)]
pub struct Sets {
    heads: Vec<SetHead>,
    latest: Option<Arc<PackageSet>>,
    /// In which sets a version is: ranges of places in `heads`. Most versions are in all sets from one to another.
    members: HashMap<PackageName, BTreeMap<Version, Vec<Range<usize>>>>,
}

/// A set without its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetHead {
    /// Its version.
    pub version: Version,
    /// The compiler that compiled it.
    pub compiler: Version,
    /// The day it was released.
    pub published: Date,
    /// How many packages it has.
    pub packages: usize,
    /// How it differs from the set before it; the first one has nothing to differ from.
    pub changes: Option<Difference>,
}

/// How many packages differ between two sets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Difference {
    /// Packages that only the later one has.
    pub added: usize,
    /// Packages that both have, in different versions.
    pub updated: usize,
    /// Packages that only the earlier one has.
    pub removed: usize,
}

impl Difference {
    fn between(from: &PackageSet, to: &PackageSet) -> Self {
        let mut difference = Self::default();
        for (name, version) in &to.packages {
            match from.packages.get(name) {
                None => difference.added += 1,
                Some(before) if before != version => difference.updated += 1,
                Some(_) => {}
            }
        }
        let gone = |name: &&PackageName| !to.packages.contains_key(*name);
        difference.removed = from.packages.keys().filter(gone).count();
        difference
    }
}

impl KnownSets {
    /// Returns what there is to know of the sets that `tx` sees, and learns what is new of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all(&self, tx: &mut Tx) -> Result<Arc<Sets>, Error> {
        let there = package_sets::count(tx).await?;
        let known = self.known();
        // More, where somebody else has seen a later moment.
        if known.heads.len() >= there {
            return Ok(known);
        }
        let _only = self.0.learning.lock().await;
        let known = self.known();
        if known.heads.len() >= there {
            return Ok(known);
        }
        let mut sets = (*known).clone();
        sets.learn_later(tx).await?;
        if sets.heads.len() < there {
            // Some lie before the last one that was known, as an import brings them.
            sets = Sets::default();
            sets.learn_later(tx).await?;
        }
        let sets = Arc::new(sets);
        *self.0.sets.write().unwrap_or_else(PoisonError::into_inner) = sets.clone();
        Ok(sets)
    }

    fn known(&self) -> Arc<Sets> {
        self.0.sets.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sets {
    /// The sets, lowest version first.
    pub fn heads(&self) -> &[SetHead] {
        &self.heads
    }

    /// The set with the highest version.
    pub fn latest(&self) -> Option<&Arc<PackageSet>> {
        self.latest.as_ref()
    }

    /// The place of the first set that is not lower than `version`; behind the last where all are.
    pub fn place_of(&self, version: Version) -> usize {
        self.heads.partition_point(|head| head.version < version)
    }

    /// The sets that hold `name` at `version`, lowest version first.
    pub fn holding(&self, name: &PackageName, version: Version) -> impl Iterator<Item = &SetHead> {
        let runs = self.members.get(name).and_then(|versions| versions.get(&version));
        let places = runs.into_iter().flatten().cloned().flatten();
        places.map(|place| &self.heads[place])
    }

    /// Reads all sets behind the last one.
    async fn learn_later(&mut self, tx: &mut Tx) -> Result<(), Error> {
        loop {
            let last = self.heads.last().map(|head| head.version);
            let sets = package_sets::list_after(tx, last, PAGE_SETS).await?;
            if sets.is_empty() {
                return Ok(());
            }
            for set in sets {
                self.learn(set);
            }
        }
    }

    fn learn(&mut self, set: PackageSet) {
        let place = self.heads.len();
        for (name, version) in &set.packages {
            if !self.members.contains_key(name) {
                self.members.insert(name.clone(), BTreeMap::new());
            }
            let versions = self.members.get_mut(name).expect("it was inserted");
            let runs = versions.entry(*version).or_default();
            match runs.last_mut() {
                Some(run) if run.end == place => run.end += 1,
                _ => runs.push(place..place + 1),
            }
        }
        self.heads.push(SetHead {
            version: set.version,
            compiler: set.compiler,
            published: set.published,
            packages: set.packages.len(),
            changes: self
                .latest
                .as_ref()
                .map(|before| Difference::between(before, &set)),
        });
        self.latest = Some(Arc::new(set));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(version: &str, packages: &[(&str, &str)]) -> PackageSet {
        let packages = packages.iter().map(|(name, version)| {
            (
                name.parse::<PackageName>().unwrap(),
                version.parse::<Version>().unwrap(),
            )
        });
        PackageSet {
            version: version.parse().unwrap(),
            compiler: Version::new(0, 15, 15),
            published: "2026-08-18".parse().unwrap(),
            packages: packages.collect(),
        }
    }

    #[test]
    fn a_set_is_told_by_what_it_changes() {
        let mut sets = Sets::default();
        sets.learn(set("1.0.0", &[("a", "1.0.0"), ("b", "1.0.0"), ("c", "1.0.0")]));
        sets.learn(set(
            "2.0.0",
            &[("a", "1.0.0"), ("b", "2.0.0"), ("d", "1.0.0"), ("e", "1.0.0")],
        ));
        assert_eq!(sets.heads()[0].changes, None);
        let changes = Difference {
            added: 2,
            updated: 1,
            removed: 1,
        };
        assert_eq!(sets.heads()[1].changes, Some(changes));
        assert_eq!(sets.place_of("1.5.0".parse().unwrap()), 1);
    }

    #[test]
    fn a_version_that_left_and_came_back_is_in_the_sets_that_have_it() {
        let mut sets = Sets::default();
        for (version, of_a) in [
            ("1.0.0", "1.0.0"),
            ("1.1.0", "1.0.0"),
            ("2.0.0", "2.0.0"),
            ("3.0.0", "1.0.0"),
        ] {
            sets.learn(set(version, &[("a", of_a)]));
        }
        let name = "a".parse().unwrap();
        let holding = |version: &str| -> Vec<String> {
            let found = sets.holding(&name, version.parse().unwrap());
            found.map(|head| head.version.to_string()).collect()
        };
        assert_eq!(holding("1.0.0"), ["1.0.0", "1.1.0", "3.0.0"]);
        assert_eq!(holding("2.0.0"), ["2.0.0"]);
        assert!(holding("9.0.0").is_empty());
    }
}
