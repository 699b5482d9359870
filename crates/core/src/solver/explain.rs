//! Goes once more through a search that failed, and notes why.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Bound, Conflict, Origin, SolverError};
use super::index::SolverIndex;
use super::search::{Search, common_dependencies};
use super::{PackageName, Range, Version};

/// Nobody reads more dead ends than this.
const MAX_DEAD_ENDS: usize = 50;

/// Returns the reasons why `required` has no answer.
pub(super) fn explain(index: &SolverIndex, required: &BTreeMap<PackageName, Range>) -> SolverError {
    let mut search = match Search::new(index, required) {
        Ok(search) => search.recording(),
        Err(error) => return error,
    };
    Explainer {
        index,
        declared: required,
        attempted: Vec::new(),
        left: MAX_DEAD_ENDS,
    }
    .reasons(&mut search)
}

struct Explainer<'a> {
    index: &'a SolverIndex,
    declared: &'a BTreeMap<PackageName, Range>,
    /// The versions that are being tried, one in the other.
    attempted: Vec<(u32, u32)>,
    /// How many dead ends may still be noted.
    left: usize,
}

impl Explainer<'_> {
    /// The same steps as [`Search::run`], for a state that is known to have no answer.
    fn reasons(&mut self, search: &mut Search<'_>) -> SolverError {
        if !search.settle() {
            self.left = self.left.saturating_sub(1);
            let conflicts = search.conflicts();
            return SolverError::Conflicts(
                conflicts
                    .into_iter()
                    .map(|package| self.conflict(search, package, None))
                    .collect(),
            );
        }
        if let Some(package) = search.hopeless() {
            self.left = self.left.saturating_sub(1);
            let candidates = search.candidates_of(package);
            return self.each_failed(package, candidates.places().rev(), |this, place| {
                let impossible = search.impossible(package, place);
                SolverError::Conflicts(
                    impossible
                        .map(|dependency| this.conflict(search, dependency, Some((package, place))))
                        .collect(),
                )
            });
        }
        let Some((package, candidates)) = search.first_open() else {
            // Then there is an answer, and nobody asked.
            return SolverError::Conflicts(Vec::new());
        };
        self.each_failed(package, candidates.places().rev(), |this, place| {
            let mark = search.mark();
            search.try_version(package, place);
            this.attempted.push((package, place));
            let error = this.reasons(search);
            this.attempted.pop();
            search.go_back(mark);
            error
        })
    }

    fn each_failed(
        &mut self,
        package: u32,
        places: impl Iterator<Item = u32>,
        mut error: impl FnMut(&mut Self, u32) -> SolverError,
    ) -> SolverError {
        let (mut versions, mut omitted) = (Vec::new(), 0);
        for place in places {
            // Each level shows at least one of its versions, so that no explanation is empty.
            if self.left == 0 && !versions.is_empty() {
                omitted += 1;
            } else {
                versions.push((self.index.package(package).version(place), error(self, place)));
            }
        }
        SolverError::EachFailed {
            package: self.index.package(package).name.clone(),
            versions,
            omitted,
        }
    }

    /// The bounds on a package, gathered from everybody who sets one; also from `version`, if given.
    fn conflict(&self, search: &Search<'_>, package: u32, version: Option<(u32, u32)>) -> Conflict {
        let mut bounds = Bounds::default();
        let name = &self.index.package(package).name;
        if let Some(range) = self.declared.get(name) {
            bounds.add(range.lo(), range.hi(), || Origin::Declared);
        }
        for &(attempted, place) in &self.attempted {
            if attempted == package {
                let range = Range::exact(self.index.package(package).version(place));
                bounds.add(range.lo(), range.hi(), || Origin::Attempted);
            }
        }
        let mut seen = |number: u32, places: &mut dyn Iterator<Item = u32>| {
            let from = self.index.package(number);
            let ranges: Option<Vec<(Version, Range)>> = places
                .map(|place| {
                    let dependencies = from.dependencies(place);
                    let found = dependencies
                        .binary_search_by_key(&package, |dependency| dependency.package)
                        .ok()?;
                    Some((from.version(place), dependencies[found].range))
                })
                .collect();
            let Some(ranges) = ranges else { return };
            let (Some(lo), Some(hi)) = (
                ranges.iter().map(|(_, range)| range.lo()).min(),
                ranges.iter().map(|(_, range)| range.hi()).max(),
            ) else {
                return;
            };
            let origin = |sets: &dyn Fn(&Range) -> bool| Origin::Seen {
                packages: ranges
                    .iter()
                    .filter(|(_, range)| sets(range))
                    .map(|(version, _)| (from.name.clone(), *version))
                    .collect(),
                declared: self.roots(search, number),
            };
            bounds.lower(lo, || origin(&|range| range.lo() == lo));
            bounds.upper(hi, || origin(&|range| range.hi() == hi));
        };
        for &number in search.required() {
            seen(number, &mut search.candidates_of(number).places());
        }
        if let Some((number, place)) = version {
            seen(number, &mut std::iter::once(place));
        }
        bounds.conflict(name.clone())
    }

    /// The declared dependencies, other than itself, because of which a package is required.
    fn roots(&self, search: &Search<'_>, package: u32) -> BTreeSet<PackageName> {
        let mut common = Vec::new();
        let mut reached = BTreeSet::from([package]);
        loop {
            let before = reached.len();
            for &number in search.required() {
                common_dependencies(self.index, number, search.candidates_of(number), &mut common);
                if common.iter().any(|(dependency, _)| reached.contains(dependency)) {
                    reached.insert(number);
                }
            }
            if reached.len() == before {
                break;
            }
        }
        reached
            .into_iter()
            .filter(|number| *number != package)
            .map(|number| &self.index.package(number).name)
            .filter(|name| self.declared.contains_key(*name))
            .cloned()
            .collect()
    }
}

/// The tightest bounds so far.
#[derive(Default)]
struct Bounds {
    lower: Option<Bound>,
    upper: Option<Bound>,
}

impl Bounds {
    fn add(&mut self, lo: Version, hi: Version, origin: impl Fn() -> Origin) {
        self.lower(lo, &origin);
        self.upper(hi, &origin);
    }

    fn lower(&mut self, version: Version, origin: impl FnOnce() -> Origin) {
        tighten(&mut self.lower, version, |old, new| new > old, origin);
    }

    fn upper(&mut self, version: Version, origin: impl FnOnce() -> Origin) {
        tighten(&mut self.upper, version, |old, new| new < old, origin);
    }

    fn conflict(self, package: PackageName) -> Conflict {
        let bound =
            |bound: Option<Bound>| bound.expect("a required package has at least one bound on each side");
        Conflict {
            package,
            lower: bound(self.lower),
            upper: bound(self.upper),
        }
    }
}

fn tighten(
    bound: &mut Option<Bound>,
    version: Version,
    tighter: impl Fn(Version, Version) -> bool,
    origin: impl FnOnce() -> Origin,
) {
    match bound {
        Some(old) if old.version == version => {
            let old = std::mem::replace(&mut old.origin, Origin::Declared);
            *bound = Some(Bound {
                version,
                origin: old.and(origin()),
            });
        }
        Some(old) if !tighter(old.version, version) => {}
        _ => {
            *bound = Some(Bound {
                version,
                origin: origin(),
            })
        }
    }
}

impl Origin {
    /// Several origins of one bound: what is being tried says most, then what was declared.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Attempted, _) | (_, Self::Attempted) => Self::Attempted,
            (Self::Declared, _) | (_, Self::Declared) => Self::Declared,
            (
                Self::Seen {
                    mut packages,
                    mut declared,
                },
                Self::Seen {
                    packages: more_packages,
                    declared: more_declared,
                },
            ) => {
                packages.extend(more_packages);
                declared.extend(more_declared);
                Self::Seen { packages, declared }
            }
        }
    }
}
