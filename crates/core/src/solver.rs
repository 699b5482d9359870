//! The solver: which version of each package to take (registry spec, section 3.9).
//!
//! The result is determined by the index and the requirements alone:
//!
//! 1. A package is *required* when it is asked for, or when every candidate of a required package depends on it. Its
//!    candidates are the versions in the intersection of all bounds on it; the bounds that several candidates have in
//!    common are the hull of theirs. This is repeated until nothing changes.
//! 2. A required package without candidates, or of which every candidate depends on something without candidates,
//!    is an error.
//! 3. If the highest candidate of each required package fits all the others, that is the answer.
//! 4. Otherwise the alphabetically first package with several candidates is tried, highest version first, and each
//!    try starts over at 1. The first success wins.
//!
//! The compiler takes part as the pseudo package `purs`.

use std::collections::BTreeMap;

use crate::name::PackageName;
use crate::range::Range;
use crate::version::Version;

mod error;
mod explain;
mod index;
mod resolutions;
mod search;

pub use error::{Bound, Conflict, Origin, SolverError};
pub use index::{SolverIndex, SolverIndexBuilder};
pub use resolutions::{ResolutionsError, check_resolutions};

use search::Search;

/// The tries after which the solver gives up. Real build plans need at most a few hundred.
const MAX_TRIES: usize = 100_000;

/// A build plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The compiler that every version in the plan accepts.
    pub compiler: Version,
    /// The direct and transitive dependencies.
    pub versions: BTreeMap<PackageName, Version>,
}

/// Finds a version for every required package and everything they depend on.
///
/// The pseudo package `purs` is in the answer when something required depends on it, or when it is required itself.
///
/// # Errors
/// When there is no answer, with the reasons.
pub fn solve(
    index: &SolverIndex,
    required: &BTreeMap<PackageName, Range>,
) -> Result<BTreeMap<PackageName, Version>, SolverError> {
    let mut search = Search::new(index, required)?;
    match search.run() {
        Ok(true) => Ok(search.solution()),
        Ok(false) => Err(explain::explain(index, required)),
        Err(search::GaveUp) => Err(SolverError::GaveUp { tries: MAX_TRIES }),
    }
}

/// Finds a build plan for `dependencies`, with exactly `compiler`, or with the highest known one that works.
///
/// # Errors
/// When there is no plan, with the reasons.
pub fn plan(
    index: &SolverIndex,
    dependencies: &BTreeMap<PackageName, Range>,
    compiler: Option<Version>,
) -> Result<Plan, SolverError> {
    let purs = PackageName::purs();
    let range = match compiler {
        Some(compiler) => Range::exact(compiler),
        None => index.compiler_range().ok_or(SolverError::NoCompilers)?,
    };
    let mut required = dependencies.clone();
    required.insert(purs.clone(), range);
    let mut versions = solve(index, &required)?;
    let compiler = versions
        .remove(&purs)
        .expect("a required package is in the answer");
    Ok(Plan { compiler, versions })
}

#[cfg(test)]
mod tests;
