//! Which candidates of a set keep the others from compiling, found with few compilations.
//!
//! Nothing here compiles: an [`Oracle`] is asked about groups of candidates. One by one would cost a compilation per
//! candidate; here a group that compiles is kept as a whole, and a group that does not is halved until one candidate is
//! left. The compiler's errors name packages, and that hint decides where a group is split first, so in the usual case
//! a handful of compilations do. A hint is never believed, only tried: every kept group has compiled, and every blamed
//! candidate was seen to fail.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

/// Candidates by their place in the list.
pub(super) type Group = BTreeSet<usize>;

/// Why a group does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    /// Candidates that the compiler's errors point to; may be empty, and may be wrong.
    pub(super) suspects: Group,
    /// The errors, for people.
    pub(super) text: String,
}

/// Knows what compiles.
pub(super) trait Oracle {
    /// Why a question has no answer: a compiler is missing, a disk is full.
    type Error;

    /// Compiles the starting set with exactly the candidates of `group`, which is never empty.
    fn compile(
        &mut self,
        group: &Group,
    ) -> impl Future<Output = Result<Result<(), Complaint>, Self::Error>> + Send;
}

/// What became of the candidates.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Those that compile together, and with none of the blamed ones added.
    pub(super) kept: Group,
    /// Those to blame.
    pub(super) blamed: Vec<Blamed>,
    /// Those that need a candidate which is not kept, and that one.
    pub(super) stranded: BTreeMap<usize, usize>,
}

/// A candidate that cannot be kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Blamed {
    pub(super) candidate: usize,
    /// The smallest group of kept candidates with which it does not compile; empty when it does not compile by itself.
    pub(super) with: Group,
    /// Why that group does not.
    pub(super) complaint: Complaint,
}

/// Sorts candidates that do not all compile together; `complaint` says why they do not.
///
/// `requires` holds, for each candidate, those without which it cannot be made; they come earlier in the list.
pub(super) async fn search<O: Oracle>(
    oracle: &mut O,
    requires: &[Group],
    complaint: Complaint,
) -> Result<Outcome, O::Error> {
    let everything: Group = (0..requires.len()).collect();
    let mut search = Search {
        answers: BTreeMap::from([(everything.clone(), Some(complaint))]),
        oracle,
        requires,
        kept: Group::new(),
        blamed: Vec::new(),
    };
    search.grow(everything).await?;
    while let Some(pardoned) = search.find_pardon().await? {
        search.blamed.retain(|candidate| *candidate != pardoned);
        search.kept.insert(pardoned);
        let waiting = search.requiring(&pardoned);
        search.grow(waiting).await?;
    }
    search.conclude().await
}

struct Search<'a, O> {
    oracle: &'a mut O,
    requires: &'a [Group],
    /// What is known already, by closed group.
    answers: BTreeMap<Group, Option<Complaint>>,
    /// Compiles, once closed.
    kept: Group,
    blamed: Vec<usize>,
}

/// What halving a group that does not compile led to.
struct Culprit {
    candidate: usize,
    /// Those of its group that were kept before it.
    kept: Group,
    /// Whether the compiler's errors led to it.
    hinted: bool,
}

impl<O: Oracle> Search<'_, O> {
    /// Asks about the candidates of `group` whose requirements are in it too; `None` when they compile.
    async fn ask(&mut self, group: &Group) -> Result<Option<Complaint>, O::Error> {
        let group = self.closed(group);
        if group.is_empty() {
            return Ok(None);
        }
        if let Some(answer) = self.answers.get(&group) {
            return Ok(answer.clone());
        }
        let answer = self.oracle.compile(&group).await?.err();
        self.answers.insert(group, answer.clone());
        Ok(answer)
    }

    /// Returns `group` without those whose requirements are not in it.
    fn closed(&self, group: &Group) -> Group {
        let mut closed = group.clone();
        loop {
            let size = closed.len();
            let before = closed.clone();
            closed.retain(|candidate| self.requires[*candidate].is_subset(&before));
            if closed.len() == size {
                return closed;
            }
        }
    }

    /// Returns `candidate` with all that it requires, directly or not.
    fn with_requirements(&self, candidate: usize) -> Group {
        let (mut group, mut waiting) = (Group::new(), vec![candidate]);
        while let Some(next) = waiting.pop() {
            if group.insert(next) {
                waiting.extend(&self.requires[next]);
            }
        }
        group
    }

    /// Returns all that require `candidate`, directly or not, without itself.
    fn requiring(&self, candidate: &usize) -> Group {
        (0..self.requires.len())
            .filter(|other| other != candidate && self.with_requirements(*other).contains(candidate))
            .collect()
    }

    /// Decides about each of `rest`: kept, blamed, or dropped because it requires a blamed one.
    async fn grow(&mut self, rest: Group) -> Result<(), O::Error> {
        let mut rest: Group = rest
            .into_iter()
            .filter(|candidate| {
                let needed = self.with_requirements(*candidate);
                !self.blamed.iter().any(|blamed| needed.contains(blamed))
            })
            .collect();
        let mut size = rest.len();
        let mut found = 0;
        while !rest.is_empty() {
            let group: Group = rest.iter().copied().take(size).collect();
            let attempt = &self.kept | &group;
            let Some(complaint) = self.ask(&attempt).await? else {
                self.kept = attempt;
                rest = &rest - &group;
                size = size.saturating_mul(2);
                continue;
            };
            let culprit = self.find_culprit(group, complaint).await?;
            rest = &rest - &culprit.kept;
            rest.remove(&culprit.candidate);
            let stranded = self.requiring(&culprit.candidate);
            rest = &rest - &stranded;
            self.kept = &(&self.kept | &culprit.kept) - &stranded;
            self.blamed.push(culprit.candidate);
            found += 1;
            // One bad candidate is the usual case, so all others are tried at once. Where there are many, groups of
            // about the distance between two of them cost least.
            size = match (found, culprit.hinted) {
                (1, _) => rest.len(),
                (_, true) => 1,
                (_, false) => culprit.kept.len() + 1,
            }
            .max(1);
        }
        Ok(())
    }

    /// Finds one candidate of `group` that does not compile with [`Self::kept`] and the others of the group before it.
    async fn find_culprit(&mut self, group: Group, complaint: Complaint) -> Result<Culprit, O::Error> {
        let (mut group, mut complaint) = (group, complaint);
        let mut kept = Group::new();
        let mut hinted = false;
        let mut stride = 1;
        while group.len() > 1 {
            let suspects = self.suspects_in(&group, &complaint);
            hinted |= !suspects.is_empty();
            let first: Group = if suspects.is_empty() {
                group.iter().copied().take(group.len() / 2).collect()
            } else if suspects.len() < group.len() {
                &group - &suspects
            } else {
                // Each is accused: the first is likely to be guilty by itself, or to be what breaks the others.
                let most = group.len() - 1;
                group.iter().copied().take(stride.min(most)).collect()
            };
            let attempt = &(&self.kept | &kept) | &first;
            match self.ask(&attempt).await? {
                None => {
                    if suspects.len() == group.len() {
                        stride *= 2;
                    }
                    group = &group - &first;
                    kept.extend(first);
                }
                Some(other) => {
                    (group, complaint) = (first, other);
                    stride = 1;
                }
            }
        }
        let candidate = *group.first().expect("a group that does not compile is not empty");
        Ok(Culprit {
            candidate,
            kept,
            hinted,
        })
    }

    /// Those of `group` that the complaint points to, and those that require them.
    fn suspects_in(&self, group: &Group, complaint: &Complaint) -> Group {
        let accused = group & &complaint.suspects;
        let mut suspects = accused.clone();
        for candidate in &accused {
            suspects.extend(&self.requiring(candidate) & group);
        }
        suspects
    }

    /// Finds a blamed candidate that compiles after all, because of one that was kept later.
    async fn find_pardon(&mut self) -> Result<Option<usize>, O::Error> {
        for candidate in self.blamed.clone() {
            let mut attempt = self.kept.clone();
            attempt.insert(candidate);
            if self.ask(&attempt).await?.is_none() {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }

    async fn conclude(mut self) -> Result<Outcome, O::Error> {
        let kept = self.closed(&self.kept);
        let mut blamed = Vec::new();
        for candidate in std::mem::take(&mut self.blamed) {
            let (with, complaint) = self.smallest_conflict(&kept, candidate).await?;
            blamed.push(Blamed {
                candidate,
                with,
                complaint,
            });
        }
        let lost: Group = blamed.iter().map(|blamed| blamed.candidate).collect();
        let stranded = (0..self.requires.len())
            .filter(|candidate| !kept.contains(candidate) && !lost.contains(candidate))
            .filter_map(|candidate| {
                let missing = self.requires[candidate]
                    .iter()
                    .find(|needed| !kept.contains(needed))?;
                Some((candidate, *missing))
            })
            .collect();
        Ok(Outcome {
            kept,
            blamed,
            stranded,
        })
    }

    /// Finds the smallest group of `kept` with which `candidate` does not compile, beside what it requires.
    async fn smallest_conflict(
        &mut self,
        kept: &Group,
        candidate: usize,
    ) -> Result<(Group, Complaint), O::Error> {
        let mut conflict = self.with_requirements(candidate);
        let mut pool: Vec<usize> = (kept - &conflict).into_iter().collect();
        let mut with = Group::new();
        loop {
            if let Some(complaint) = self.ask(&conflict).await? {
                return Ok((with, complaint));
            }
            // `conflict` compiles and fails with the whole pool, so somewhere on the way one of the pool turns it.
            let (mut good, mut bad) = (0, pool.len());
            while bad - good > 1 {
                let middle = good.midpoint(bad);
                let attempt = &conflict | &pool[..middle].iter().copied().collect();
                if self.ask(&attempt).await?.is_some() {
                    bad = middle;
                } else {
                    good = middle;
                }
            }
            let partner = pool[bad - 1];
            pool.truncate(bad - 1);
            conflict.extend(self.with_requirements(partner));
            with.insert(partner);
        }
    }
}

#[cfg(test)]
mod tests;
