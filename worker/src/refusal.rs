//! Why a package that is in the registry was not withdrawn or moved, in words for whoever asked.
//!
//! The codes are listed with their remedies in `docs/problems.md`; a test keeps the two together.

use docket_core::location::Location;
use docket_core::name::PackageName;
use docket_core::time::Timestamp;
use docket_core::version::Version;
use docket_jobs::Failure;

use crate::rejection::{join, place};
use docket_package::codes;

/// Why an unpublish or a transfer was refused.
///
/// Some of the words are matched by people and scripts (registry spec, appendix B).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such package.
    #[error("There is no package {0} in this registry: check the name")]
    PackageUnknown(PackageName),
    /// The version was never published.
    #[error("{name}@{version} was never published: check the version")]
    NeverPublished {
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
    },
    /// The version is withdrawn already.
    #[error("{name}@{version} was unpublished on {at} already, for this reason: {reason}")]
    AlreadyUnpublished {
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// The version has been out for too long.
    #[error(
        "{name}@{version} was published {age_hours} hours ago, and {who} can unpublish for {limit_hours} hours only: \
         publish a fixed version, or ask a trustee of the registry"
    )]
    WindowPassed {
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
        /// How long it has been out, in hours.
        age_hours: i64,
        /// Owners or trustees.
        who: &'static str,
        /// How long that may be, in hours.
        limit_hours: u32,
    },
    /// Others depend on just this version.
    #[error(
        "{name}@{version} cannot be unpublished, because these versions would be left with unsatisfied dependencies: {}. \
         Publish another version that they can use first", versions(.breaking)
    )]
    DependantsBreak {
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
        /// The versions that need it.
        breaking: Vec<(PackageName, Version)>,
    },
    /// A package set holds this version.
    #[error(
        "{name}@{version} cannot be unpublished, because it is in the package sets {}: those would not install any more{}. \
         {remedy}", join(.sets), and_breaks(.breaking)
    )]
    InPackageSet {
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
        /// The sets.
        sets: Vec<Version>,
        /// The versions that need it besides.
        breaking: Vec<(PackageName, Version)>,
        /// What can be done about it.
        remedy: &'static str,
    },
    /// The package is there already.
    #[error("{name} is at {} already: there is nothing to transfer", place(.location))]
    SameLocation {
        /// The package.
        name: PackageName,
        /// The location.
        location: Box<Location>,
    },
    /// Another package is there.
    #[error("{} is the location of the package {used_by}: two packages cannot share one", place(.location))]
    LocationUsed {
        /// The location.
        location: Box<Location>,
        /// The package that is there.
        used_by: PackageName,
    },
}

codes! { Refusal:
    PackageUnknown => "package-unknown",
    NeverPublished => "never-published",
    AlreadyUnpublished => "already-unpublished",
    WindowPassed => "unpublish-window-passed",
    DependantsBreak => "dependants-break",
    InPackageSet => "in-package-set",
    SameLocation => "same-location",
    LocationUsed => "location-used",
}

fn and_breaks(breaking: &[(PackageName, Version)]) -> String {
    if breaking.is_empty() {
        return String::new();
    }
    format!(
        ", and would leave unsatisfied dependencies: {}",
        versions(breaking)
    )
}

fn versions(list: &[(PackageName, Version)]) -> String {
    join(list.iter().map(|(name, version)| format!("{name}@{version}")))
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Rejected {
            code: refusal.code(),
            detail: refusal.to_string(),
        }
    }
}
