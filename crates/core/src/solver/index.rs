//! What the solver knows about the registry, in a form that is quick to search.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::name::PackageName;
use crate::range::Range;
use crate::version::Version;

/// For every package and version, what it depends on. Cheap to clone: clones share everything.
#[derive(Debug, Clone)]
pub struct SolverIndex {
    packages: Arc<[Package]>,
}

/// A package; its place in the index is its number, and numbers are in alphabetical order.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: PackageName,
    /// Ascending.
    pub(super) versions: Vec<Version>,
    /// In the order of `versions`.
    pub(super) dependencies: Vec<Box<[Dependency]>>,
}

/// A dependency of a version; ascending by package.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dependency {
    pub(super) package: u32,
    pub(super) candidates: Candidates,
    pub(super) range: Range,
}

/// Neighbouring versions of a package, by their places: `start` included, `end` not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidates {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Candidates {
    pub(super) fn is_empty(self) -> bool {
        self.start >= self.end
    }

    pub(super) fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    pub(super) fn contains(self, place: u32) -> bool {
        self.start <= place && place < self.end
    }

    /// The highest one.
    pub(super) fn last(self) -> u32 {
        self.end - 1
    }

    pub(super) fn intersect(self, other: Self) -> Self {
        Self {
            start: self.start.max(other.start),
            end: self.end.min(other.end),
        }
    }

    pub(super) fn hull(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    pub(super) fn places(self) -> impl DoubleEndedIterator<Item = u32> {
        self.start..self.end
    }
}

impl Package {
    /// Versions are sorted, so those in a range are neighbours.
    pub(super) fn candidates(&self, range: &Range) -> Candidates {
        let place = |bound: Version| count(self.versions.partition_point(|version| *version < bound));
        Candidates {
            start: place(range.lo()),
            end: place(range.hi()),
        }
    }

    pub(super) fn version(&self, place: u32) -> Version {
        self.versions[place as usize]
    }

    pub(super) fn dependencies(&self, place: u32) -> &[Dependency] {
        &self.dependencies[place as usize]
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("a registry has fewer than four thousand million packages and versions")
}

impl SolverIndex {
    /// Starts an empty index.
    pub fn builder() -> SolverIndexBuilder {
        SolverIndexBuilder::default()
    }

    pub(super) fn packages(&self) -> &[Package] {
        &self.packages
    }

    pub(super) fn package(&self, number: u32) -> &Package {
        &self.packages[number as usize]
    }

    pub(super) fn number(&self, name: &PackageName) -> Option<u32> {
        self.packages
            .binary_search_by(|package| package.name.cmp(name))
            .ok()
            .map(count)
    }

    /// Returns the range from the lowest to the highest known compiler.
    pub(super) fn compiler_range(&self) -> Option<Range> {
        let compilers = &self.package(self.number(&PackageName::purs())?).versions;
        range_over(compilers)
    }
}

/// The range from the lowest to the highest of some versions; gaps between them are not represented.
fn range_over(versions: &[Version]) -> Option<Range> {
    let (lo, hi) = (versions.iter().min()?, versions.iter().max()?);
    Some(Range::exact(*lo).union(&Range::exact(*hi)))
}

/// Collects packages and compilers for a [`SolverIndex`].
#[derive(Debug, Default)]
pub struct SolverIndexBuilder {
    packages: BTreeMap<PackageName, BTreeMap<Version, Vec<(PackageName, Range)>>>,
}

impl SolverIndexBuilder {
    /// Adds compilers, the versions of the pseudo package `purs`.
    #[must_use]
    pub fn compilers(mut self, compilers: impl IntoIterator<Item = Version>) -> Self {
        let purs = self.packages.entry(PackageName::purs()).or_default();
        purs.extend(compilers.into_iter().map(|compiler| (compiler, Vec::new())));
        self
    }

    /// Adds a version with what it depends on and the compilers it is known to compile with. Without compilers, it
    /// goes with each.
    pub fn add(
        &mut self,
        name: &PackageName,
        version: Version,
        dependencies: &BTreeMap<PackageName, Range>,
        compilers: &[Version],
    ) {
        let mut list: Vec<_> = dependencies
            .iter()
            .map(|(name, range)| (name.clone(), *range))
            .collect();
        if let Some(range) = range_over(compilers) {
            let purs = PackageName::purs();
            list.retain(|(name, _)| *name != purs);
            list.push((purs, range));
        }
        match self.packages.get_mut(name) {
            Some(versions) => {
                versions.insert(version, list);
            }
            None => {
                self.packages
                    .insert(name.clone(), BTreeMap::from([(version, list)]));
            }
        }
    }

    /// Makes the index.
    pub fn build(self) -> SolverIndex {
        // What is depended on but does not exist gets a number too: it is a package without versions.
        let mut names: BTreeSet<PackageName> = self.packages.keys().cloned().collect();
        for (name, _) in self.packages.values().flat_map(BTreeMap::values).flatten() {
            if !names.contains(name) {
                names.insert(name.clone());
            }
        }
        let mut packages: Vec<Package> = names
            .into_iter()
            .map(|name| {
                let versions = self
                    .packages
                    .get(&name)
                    .map(|versions| versions.keys().copied().collect())
                    .unwrap_or_default();
                Package {
                    name,
                    versions,
                    dependencies: Vec::new(),
                }
            })
            .collect();

        for place in 0..packages.len() {
            let dependencies = self
                .packages
                .get(&packages[place].name)
                .into_iter()
                .flat_map(BTreeMap::values)
                .map(|dependencies| numbered(&packages, dependencies))
                .collect();
            packages[place].dependencies = dependencies;
        }
        SolverIndex {
            packages: packages.into(),
        }
    }
}

fn numbered(packages: &[Package], dependencies: &[(PackageName, Range)]) -> Box<[Dependency]> {
    let mut numbered: Vec<Dependency> = dependencies
        .iter()
        .map(|(name, range)| {
            let place = packages
                .binary_search_by(|package| package.name.cmp(name))
                .expect("every name that is depended on was given a number");
            Dependency {
                package: count(place),
                candidates: packages[place].candidates(range),
                range: *range,
            }
        })
        .collect();
    numbered.sort_unstable_by_key(|dependency| dependency.package);
    numbered.into()
}
