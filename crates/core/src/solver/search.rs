//! The search itself. It only finds out *whether* and *what*; why not is the business of [`super::explain`].

use std::collections::BTreeMap;

use super::error::{Conflict, SolverError};
use super::index::{Candidates, SolverIndex};
use super::{MAX_TRIES, PackageName, Range, Version};

/// There were too many tries.
pub(super) struct GaveUp;

/// The state of a search. What a try changes is noted, so that it can be taken back instead of copying everything.
pub(super) struct Search<'a> {
    index: &'a SolverIndex,
    /// By package number: the candidates of a required package, `None` for every other.
    candidates: Vec<Option<Candidates>>,
    /// The required packages, in the order they became so.
    required: Vec<u32>,
    /// What was there before each change.
    changes: Vec<(u32, Option<Candidates>)>,
    /// Packages whose candidates changed since their common dependencies were looked at.
    dirty: Vec<u32>,
    /// Memory for [`common`], used again and again.
    common: Vec<(u32, Candidates)>,
    /// With [`super::explain`]: packages that ran out of candidates. They keep those they had.
    conflicts: Option<Vec<u32>>,
    tries: usize,
}

/// A place to go back to.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    changes: usize,
    required: usize,
}

impl<'a> Search<'a> {
    /// Starts with what is asked for.
    ///
    /// # Errors
    /// When a package is asked for that the index has never heard of.
    pub(super) fn new(
        index: &'a SolverIndex,
        required: &BTreeMap<PackageName, Range>,
    ) -> Result<Self, SolverError> {
        let mut search = Self {
            index,
            candidates: vec![None; index.packages().len()],
            required: Vec::new(),
            changes: Vec::new(),
            dirty: Vec::new(),
            common: Vec::new(),
            conflicts: None,
            tries: 0,
        };
        let mut unknown = Vec::new();
        for (name, range) in required {
            match index.number(name) {
                Some(number) => search.set(number, index.package(number).candidates(range)),
                None => unknown.push(Conflict::declared(name.clone(), *range)),
            }
        }
        if unknown.is_empty() {
            Ok(search)
        } else {
            Err(SolverError::Conflicts(unknown))
        }
    }

    /// Makes conflicts a matter of record instead of an end.
    pub(super) fn recording(mut self) -> Self {
        self.conflicts = Some(Vec::new());
        self
    }

    /// Searches on from the present state. When this returns `true`, the highest candidates are the answer.
    pub(super) fn run(&mut self) -> Result<bool, GaveUp> {
        if !self.settle() || self.hopeless().is_some() {
            return Ok(false);
        }
        if self.is_solved() {
            return Ok(true);
        }
        let Some((package, candidates)) = self.first_open() else {
            // One candidate each, and everything settled: then they fit.
            return Ok(true);
        };
        for place in candidates.places().rev() {
            self.tries += 1;
            if self.tries > MAX_TRIES {
                return Err(GaveUp);
            }
            let mark = self.mark();
            self.try_version(package, place);
            if self.run()? {
                return Ok(true);
            }
            self.go_back(mark);
        }
        Ok(false)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            changes: self.changes.len(),
            required: self.required.len(),
        }
    }

    pub(super) fn go_back(&mut self, mark: Mark) {
        self.required.truncate(mark.required);
        self.dirty.clear();
        for (package, before) in self.changes.drain(mark.changes..).rev() {
            self.candidates[package as usize] = before;
        }
        if let Some(conflicts) = &mut self.conflicts {
            conflicts.clear();
        }
    }

    /// Commits to one version of a package.
    pub(super) fn try_version(&mut self, package: u32, place: u32) {
        self.set(
            package,
            Candidates {
                start: place,
                end: place + 1,
            },
        );
    }

    fn set(&mut self, package: u32, candidates: Candidates) {
        let slot = &mut self.candidates[package as usize];
        if slot.is_none() {
            self.required.push(package);
        }
        self.changes.push((package, *slot));
        *slot = Some(candidates);
        self.dirty.push(package);
    }

    /// Step 1: makes required what every candidate depends on. Tells whether no package ran out of candidates.
    pub(super) fn settle(&mut self) -> bool {
        while let Some(package) = self.dirty.pop() {
            let candidates = self.candidates[package as usize].expect("only required packages are dirty");
            if candidates.is_empty() {
                if !self.conflict(package) {
                    return false;
                }
                continue;
            }
            let mut common = std::mem::take(&mut self.common);
            common_dependencies(self.index, package, candidates, &mut common);
            for &(dependency, bounds) in &common {
                let narrowed = match self.candidates[dependency as usize] {
                    None => bounds,
                    Some(before) => {
                        let narrowed = before.intersect(bounds);
                        if narrowed == before {
                            continue;
                        }
                        narrowed
                    }
                };
                if narrowed.is_empty() && self.candidates[dependency as usize].is_some() {
                    if self.conflict(dependency) {
                        continue;
                    }
                    self.common = common;
                    return false;
                }
                self.set(dependency, narrowed);
            }
            self.common = common;
        }
        self.conflicts.as_ref().is_none_or(Vec::is_empty)
    }

    /// Notes a conflict if they are recorded, and tells whether to go on.
    fn conflict(&mut self, package: u32) -> bool {
        match &mut self.conflicts {
            Some(conflicts) => {
                if !conflicts.contains(&package) {
                    conflicts.push(package);
                }
                true
            }
            None => {
                self.dirty.clear();
                false
            }
        }
    }

    /// The packages that ran out of candidates, in alphabetical order.
    pub(super) fn conflicts(&self) -> Vec<u32> {
        let mut conflicts = self.conflicts.clone().unwrap_or_default();
        conflicts.sort_unstable();
        conflicts
    }

    /// Step 2: the alphabetically first package of which no candidate can be had.
    pub(super) fn hopeless(&self) -> Option<u32> {
        let hopeless = |&&package: &&u32| {
            self.candidates_of(package)
                .places()
                .rev()
                .all(|place| self.impossible(package, place).next().is_some())
        };
        self.required.iter().filter(hopeless).min().copied()
    }

    /// The dependencies of a version that can no longer be fulfilled.
    pub(super) fn impossible(&self, package: u32, place: u32) -> impl Iterator<Item = u32> {
        let dependencies = self.index.package(package).dependencies(place).iter();
        dependencies
            .filter(|dependency| {
                let left = match self.candidates[dependency.package as usize] {
                    Some(candidates) => candidates.intersect(dependency.candidates),
                    None => dependency.candidates,
                };
                left.is_empty()
            })
            .map(|dependency| dependency.package)
    }

    /// Step 3: does the highest candidate of each package fit all the others?
    fn is_solved(&self) -> bool {
        self.required.iter().all(|&package| {
            let highest = self.candidates_of(package).last();
            self.index
                .package(package)
                .dependencies(highest)
                .iter()
                .all(|dependency| {
                    self.candidates[dependency.package as usize]
                        .is_some_and(|candidates| dependency.candidates.contains(candidates.last()))
                })
        })
    }

    /// Step 4: the alphabetically first package with several candidates.
    pub(super) fn first_open(&self) -> Option<(u32, Candidates)> {
        let package = self
            .required
            .iter()
            .copied()
            .filter(|&package| self.candidates_of(package).len() > 1)
            .min()?;
        Some((package, self.candidates_of(package)))
    }

    /// The highest candidate of each required package.
    pub(super) fn solution(&self) -> BTreeMap<PackageName, Version> {
        let version = |number: u32| {
            let package = self.index.package(number);
            (
                package.name.clone(),
                package.version(self.candidates_of(number).last()),
            )
        };
        self.required.iter().copied().map(version).collect()
    }

    pub(super) fn required(&self) -> &[u32] {
        &self.required
    }

    /// The candidates of a required package.
    pub(super) fn candidates_of(&self, package: u32) -> Candidates {
        self.candidates[package as usize].expect("the package is required")
    }
}

/// What every candidate of a package depends on, with the hull of their bounds.
pub(super) fn common_dependencies(
    index: &SolverIndex,
    package: u32,
    candidates: Candidates,
    common: &mut Vec<(u32, Candidates)>,
) {
    let package = index.package(package);
    common.clear();
    let mut places = candidates.places();
    let Some(first) = places.next() else { return };
    common.extend(
        package
            .dependencies(first)
            .iter()
            .map(|dependency| (dependency.package, dependency.candidates)),
    );
    for place in places {
        // Both lists are ascending by package.
        let mut others = package.dependencies(place).iter().peekable();
        common.retain_mut(|(number, bounds)| {
            while others.next_if(|other| other.package < *number).is_some() {}
            match others.next_if(|other| other.package == *number) {
                Some(other) => {
                    *bounds = bounds.hull(other.candidates);
                    true
                }
                None => false,
            }
        });
        if common.is_empty() {
            return;
        }
    }
}
