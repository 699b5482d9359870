//! Build plans that a client sends along.

use std::collections::BTreeMap;
use std::fmt;

use crate::name::PackageName;
use crate::range::Range;
use crate::version::Version;

/// A build plan does not go with the manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ResolutionsError {
    /// Dependencies that are not in the plan.
    pub missing: BTreeMap<PackageName, Range>,
    /// Dependencies that are in the plan at a version outside their range.
    pub out_of_range: BTreeMap<PackageName, (Range, Version)>,
}

impl fmt::Display for ResolutionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the resolutions do not go with the dependencies of the manifest:")?;
        for (name, range) in &self.missing {
            write!(f, "\n  - {name} is missing: add a version in range {range}")?;
        }
        for (name, (range, version)) in &self.out_of_range {
            write!(f, "\n  - {name}@{version} is not in range {range}")?;
        }
        Ok(())
    }
}

/// Checks that each direct dependency is in the plan, at a version inside its range.
///
/// # Errors
/// With all the dependencies for which this does not hold.
pub fn check_resolutions(
    dependencies: &BTreeMap<PackageName, Range>,
    resolutions: &BTreeMap<PackageName, Version>,
) -> Result<(), ResolutionsError> {
    let mut error = ResolutionsError {
        missing: BTreeMap::new(),
        out_of_range: BTreeMap::new(),
    };
    for (name, range) in dependencies {
        match resolutions.get(name) {
            None => {
                error.missing.insert(name.clone(), *range);
            }
            Some(version) if !range.contains(version) => {
                error.out_of_range.insert(name.clone(), (*range, *version));
            }
            Some(_) => {}
        }
    }
    if error.missing.is_empty() && error.out_of_range.is_empty() {
        Ok(())
    } else {
        Err(error)
    }
}
