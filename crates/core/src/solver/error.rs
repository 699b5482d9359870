//! Why there is no answer, for people.

use std::collections::BTreeSet;
use std::fmt;

use crate::name::PackageName;
use crate::range::Range;
use crate::version::Version;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SolverError {
    /// No version of these packages lies within all the bounds on them.
    Conflicts(Vec<Conflict>),
    /// Every version of a package leads to an error.
    EachFailed {
        /// The package.
        package: PackageName,
        /// Its versions, highest first, each with its error.
        versions: Vec<(Version, SolverError)>,
        /// How many more versions there are that are not listed.
        omitted: usize,
    },
    /// No compiler is known.
    NoCompilers,
    /// Too many combinations were tried in vain.
    GaveUp {
        /// How many.
        tries: usize,
    },
}

/// A package of which no version lies within the bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The package.
    pub package: PackageName,
    /// The highest of the lower bounds.
    pub lower: Bound,
    /// The lowest of the upper bounds.
    pub upper: Bound,
}

/// A bound, and who set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The bound.
    pub version: Version,
    /// Who set it.
    pub origin: Origin,
}

/// Who set a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The requirements do.
    Declared,
    /// The solver is trying this very version.
    Attempted,
    /// Other packages do.
    Seen {
        /// The versions with the dependency.
        packages: BTreeSet<(PackageName, Version)>,
        /// The declared dependencies that led there.
        declared: BTreeSet<PackageName>,
    },
}

impl Conflict {
    pub(super) fn declared(package: PackageName, range: Range) -> Self {
        Self {
            package,
            lower: Bound {
                version: range.lo(),
                origin: Origin::Declared,
            },
            upper: Bound {
                version: range.hi(),
                origin: Origin::Declared,
            },
        }
    }
}

impl std::error::Error for SolverError {}

impl fmt::Display for SolverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, 0)
    }
}

impl SolverError {
    fn print(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        match self {
            Self::Conflicts(conflicts) => {
                for (index, conflict) in conflicts.iter().enumerate() {
                    if index > 0 {
                        write!(f, "\n{:indent$}", "")?;
                    }
                    conflict.print(f, indent)?;
                }
                Ok(())
            }
            Self::EachFailed {
                package,
                versions,
                omitted,
            } => {
                write!(f, "While solving {package} each version could not be solved:")?;
                for (version, error) in versions {
                    let deeper = indent + 2;
                    write!(f, "\n{:indent$}- {version}:\n{:deeper$}", "", "")?;
                    error.print(f, deeper)?;
                }
                match omitted {
                    0 => Ok(()),
                    1 => write!(f, "\n{:indent$}- and 1 more version", ""),
                    more => write!(f, "\n{:indent$}- and {more} more versions", ""),
                }
            }
            Self::NoCompilers => f.write_str("No compiler is known to the registry"),
            Self::GaveUp { tries } => write!(
                f,
                "No build plan was found in {tries} attempts: narrow the version ranges of the dependencies, or send \
                 the resolutions along"
            ),
        }
    }
}

impl Conflict {
    fn print(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let Self {
            package,
            lower,
            upper,
        } = self;
        if lower.version >= upper.version {
            write!(f, "Conflict in version ranges for {package}:")?;
        } else {
            write!(f, "No versions found in the registry for {package} in range")?;
        }
        write!(f, "\n{:indent$}  >={lower}\n{:indent$}  <{upper}", "", "")
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version, self.origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More than this many packages say no more than "many".
        const SHOWN: usize = 5;

        match self {
            Self::Declared => f.write_str("(declared dependency)"),
            Self::Attempted => f.write_str("(attempted version)"),
            Self::Seen { packages, declared } => {
                for (index, (name, version)) in packages.iter().take(SHOWN).enumerate() {
                    let before = if index == 0 { "seen in" } else { "," };
                    write!(f, "{before} {name}@{version}")?;
                }
                if packages.len() > SHOWN {
                    write!(f, " and {} more", packages.len() - SHOWN)?;
                }
                for (index, name) in declared.iter().enumerate() {
                    let before = if index == 0 {
                        " from declared dependencies"
                    } else {
                        ","
                    };
                    write!(f, "{before} {name}")?;
                }
                Ok(())
            }
        }
    }
}
