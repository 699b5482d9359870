//! Everything that is the author's turn: each way a package can be refused, with a stable code and a sentence that
//! says what failed and what to change.
//!
//! The codes are listed with their remedies in `docs/problems.md`; a test keeps the two together.

use std::collections::BTreeSet;
use std::fmt::Display;

use docket_core::license::License;
use docket_core::location::Location;
use docket_core::name::PackageName;
use docket_core::solver::ResolutionsError;
use docket_core::version::Version;

use crate::codes;

/// Why a package was refused, in words for its author.
///
/// Some of the words are matched by people and scripts (registry spec, appendix B).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A new package, and the request does not say where its code is.
    #[error(
        "Cannot register {name}, because the payload did not include a location: \
         a package that is published for the first time needs a `location`"
    )]
    LocationMissing {
        /// The package asked for.
        name: PackageName,
    },
    /// The request names another location than the registry has.
    #[error(
        "{name} is registered at {}, but the request says {}: choose another package name, \
         or submit a transfer if the package has moved", place(.registered), place(.requested)
    )]
    LocationDiffers {
        /// The package asked for.
        name: PackageName,
        /// Where the registry knows it to be.
        registered: Box<Location>,
        /// Where the request says it is.
        requested: Box<Location>,
    },
    /// `metadata` and its like.
    #[error("The name {0} is reserved and cannot be published: choose another package name")]
    NameReserved(PackageName),
    /// The source is not on GitHub.
    #[error(
        "{0} is a plain git location, but this registry takes packages from GitHub only: publish from a GitHub repository"
    )]
    GitLocation(String),
    /// A plain git location on a host that this registry does not fetch from.
    #[error("This registry does not fetch from {0}: use a host and a scheme that it allows")]
    HostNotAllowed(String),
    /// The package lies in a folder of its repository.
    #[error(
        "The package lies in the folder {0} of its repository, which this registry does not support: move it to the root"
    )]
    Subdir(String),
    /// The folder that the location names is not there.
    #[error("The repository has no folder {0} at this ref: correct `subdir` in the location")]
    SubdirMissing(String),

    /// Not there, or not for everyone.
    #[error("The repository {0} is not accessible: check that it exists and is public")]
    RepositoryNotAccessible(String),
    /// The host answers with a redirect.
    #[error("The repository {0} has moved: submit a transfer of the package to its new location")]
    RepositoryMoved(String),
    /// A repository without a commit.
    #[error("The repository {0} is empty: push the commit and the tag that should be published")]
    RepositoryEmpty(String),
    /// A ref that git would take for something else.
    #[error("{0:?} cannot be a git ref: name the tag or branch to publish, such as v1.0.0")]
    RefInvalid(String),
    /// The repository has no such tag or branch.
    #[error(
        "{repository} has no tag or branch named {git_ref}: push it (`git push origin {git_ref}`) and publish again"
    )]
    RefNotFound {
        /// The address of the repository.
        repository: String,
        /// The ref asked for.
        git_ref: String,
    },
    /// More bytes or files than we are ready to fetch.
    #[error(
        "The source is too large: {what} at this ref; the limit is {limit}. Remove what is not source code"
    )]
    SourceTooLarge {
        /// What was counted, and how much of it there was.
        what: String,
        /// How much is allowed, with its unit.
        limit: String,
    },

    /// A symbolic link that points out of the source.
    #[error(
        "The link {path} points to {target}, which is outside the source: remove it, or link to a file inside"
    )]
    LinkLeavesSource {
        /// The link, relative to the source.
        path: String,
        /// What it points to.
        target: String,
    },
    /// A device, socket or pipe.
    #[error("{0} is neither a file nor a directory: remove it from the source")]
    SpecialFile(String),
    /// A file name that is not UTF-8.
    #[error("The file name {0} is not UTF-8: rename the file")]
    PathNotText(String),
    /// Nothing to publish.
    #[error("There is no .purs file below src/: a package needs at least one module there")]
    NoModules,

    /// No manifest at the root.
    #[error(
        "There is no manifest at the root of the source: add a purs.json or a spago.yaml with a `publish` section"
    )]
    ManifestMissing,
    /// Only a `spago.dhall`.
    #[error(
        "spago.dhall manifests are retired: run `spago migrate` to make a spago.yaml with a `publish` section \
         (or write a purs.json), commit it, and publish a new tag"
    )]
    ManifestRetired,
    /// The manifest breaks a rule of its format.
    #[error("The manifest is not valid: {0}")]
    ManifestInvalid(String),
    /// Manifest and request disagree on the name.
    #[error(
        "The manifest is of {manifest}, but the request is for {requested}: publish under the name in the manifest"
    )]
    NameDiffers {
        /// The name in the manifest.
        manifest: PackageName,
        /// The name in the request.
        requested: PackageName,
    },
    /// Manifest and request disagree on the version.
    #[error(
        "The manifest says version {manifest}, but the request is for {requested}: \
         correct the version in the manifest and move to a new tag, or publish version {manifest}"
    )]
    VersionDiffers {
        /// The version in the manifest.
        manifest: Version,
        /// The version in the request.
        requested: Version,
    },
    /// Manifest and request disagree on the ref.
    #[error("The manifest says ref {manifest:?}, but the request is for {requested:?}: make the two equal")]
    RefDiffers {
        /// The ref in the manifest.
        manifest: String,
        /// The ref in the request.
        requested: String,
    },
    /// Manifest and registry disagree on the location.
    #[error(
        "The manifest says the package is at {}, but it is registered at {}: \
         correct the manifest, or submit a transfer if the package has moved", place(.manifest), place(.registered)
    )]
    ManifestLocationDiffers {
        /// The location in the manifest.
        manifest: Box<Location>,
        /// The location in the registry.
        registered: Box<Location>,
    },
    /// The sources carry a licence that the manifest does not mention.
    #[error(
        "The source is licensed under {}, but the manifest says {declared}: \
         name every licence found in LICENSE and package.json in the manifest's `license`", join(.detected)
    )]
    LicenseDiffers {
        /// What the files say.
        detected: BTreeSet<String>,
        /// What the manifest says.
        declared: License,
    },

    /// A version that was taken back.
    #[error(
        "{name}@{version} was unpublished and can never be published again ({entry}): publish a new version"
    )]
    Unpublished {
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
        /// When and why, as the metadata have it.
        entry: String,
    },
    /// Nothing left to do.
    #[error("{name}@{version} already exists ({entry}): publish a new version")]
    AlreadyPublished {
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
        /// Its entry in the metadata.
        entry: String,
    },
    /// The index has this version with another manifest.
    #[error(
        "{name}@{version} is in the index with a different manifest: publish a new version.\n\
         In the index: {published}\nIn the source: {submitted}"
    )]
    ManifestConflict {
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
        /// The index line.
        published: String,
        /// What the source would have made of it.
        submitted: String,
    },

    /// The solver found nothing.
    #[error("Could not produce valid dependencies for the manifest, so change its ranges:\n```\n{0}\n```")]
    NoBuildPlan(String),
    /// The build plan of the request does not fit the manifest.
    #[error("Could not produce valid dependencies: {0}\nSend a plan that fits the manifest, or none")]
    ResolutionsDiffer(ResolutionsError),
    /// A resolution that the registry does not have.
    #[error("{name}@{version} of the build plan is not in the registry: depend on a published version")]
    DependencyNotPublished {
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
    },
    /// No such compiler here.
    #[error("Compiler version {requested} is not supported; use one of: {}", join(.known))]
    CompilerNotSupported {
        /// The compiler asked for.
        requested: Version,
        /// The compilers there are.
        known: Vec<Version>,
    },

    /// A module name that every program uses.
    #[error("{path} is named {module}, which no package may publish: rename the module")]
    ModuleNameForbidden {
        /// The file.
        path: String,
        /// The module.
        module: String,
    },
    /// A module that does not start like one.
    #[error("{path}:{line}: the module header cannot be read: {problem}")]
    ModuleHeaderInvalid {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// In the manifest, but no module imports from it.
    #[error("Unused dependencies ({}): no module imports from them, so remove them from the manifest", join(.0))]
    UnusedDependencies(BTreeSet<PackageName>),
    /// Imported from, but not in the manifest.
    #[error("Missing dependencies ({}): modules import from them, so add them with a range to the manifest", join(.0))]
    MissingDependencies(BTreeSet<PackageName>),
    /// Both at once.
    #[error(
        "Unused dependencies ({}): no module imports from them, so remove them from the manifest. \
         Missing dependencies ({}): modules import from them, so add them with a range", join(.unused), join(.missing)
    )]
    UnusedAndMissingDependencies {
        /// In the manifest, but not imported from.
        unused: BTreeSet<PackageName>,
        /// Imported from, but not in the manifest.
        missing: BTreeSet<PackageName>,
    },
    /// The compiler says no.
    #[error("The package does not compile with purs {compiler}:\n{report}")]
    CompileFailed {
        /// The compiler.
        compiler: Version,
        /// The compiler's errors, for people.
        report: String,
    },
    /// The compiler ended by a signal, or without saying why.
    #[error(
        "purs {compiler} crashed ({how}): try another compiler version, or report it to the compiler's authors"
    )]
    CompilerCrashed {
        /// The compiler.
        compiler: Version,
        /// Signal or exit code, and the last words.
        how: String,
    },
    /// The compiler did not end.
    #[error(
        "purs {compiler} did not finish within {limit_secs} s: make the package compile faster, or try another compiler version"
    )]
    CompilerTimedOut {
        /// The compiler.
        compiler: Version,
        /// The limit.
        limit_secs: u64,
    },
    /// The compiler printed or wrote without end.
    #[error(
        "purs {compiler} produced more than {limit_bytes} bytes of output: reduce warnings and generated code, or try another compiler version"
    )]
    CompilerOutputTooLarge {
        /// The compiler.
        compiler: Version,
        /// The limit.
        limit_bytes: u64,
    },
    /// The compiler printed something that is not its report.
    #[error(
        "purs {compiler} printed something that is not a report: {excerpt:?}. Try another compiler version"
    )]
    CompilerOutputGarbled {
        /// The compiler.
        compiler: Version,
        /// The beginning of it.
        excerpt: String,
    },

    /// A glob of the manifest that is none.
    #[error("{glob:?} in the manifest's {field} is not a valid glob ({problem}): correct it")]
    GlobInvalid {
        /// `includeFiles` or `excludeFiles`.
        field: &'static str,
        /// The glob.
        glob: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A glob that reaches out of the package.
    #[error("includeFiles matches {path}, which is outside the package: include only files of the package")]
    IncludeLeavesPackage {
        /// The match.
        path: String,
    },
    /// Over the limit.
    #[error(
        "The tarball has {size_bytes} bytes; the limit is {limit_bytes}: leave files out with `excludeFiles`"
    )]
    TarballTooLarge {
        /// Compressed size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// Too small to hold anything.
    #[error("The tarball has {size_bytes} bytes, so nothing was packed: check the manifest's file lists")]
    TarballTooSmall {
        /// Compressed size.
        size_bytes: u64,
    },
    /// The index cannot take the manifest.
    #[error(
        "The manifest has unsatisfied dependencies ({0}): the registry has no version in these ranges; change them"
    )]
    UnsatisfiedDependencies(String),
}

codes! { Rejection:
    LocationMissing => "location-missing",
    LocationDiffers => "location-differs",
    NameReserved => "name-reserved",
    GitLocation => "git-location-not-supported",
    HostNotAllowed => "host-not-allowed",
    Subdir => "subdir-not-supported",
    SubdirMissing => "subdir-missing",
    RepositoryNotAccessible => "repository-not-accessible",
    RepositoryMoved => "repository-moved",
    RepositoryEmpty => "repository-empty",
    RefInvalid => "ref-invalid",
    RefNotFound => "ref-not-found",
    SourceTooLarge => "source-too-large",
    LinkLeavesSource => "link-leaves-source",
    SpecialFile => "special-file",
    PathNotText => "path-not-text",
    NoModules => "no-modules",
    ManifestMissing => "manifest-missing",
    ManifestRetired => "manifest-retired",
    ManifestInvalid => "manifest-invalid",
    NameDiffers => "name-differs",
    VersionDiffers => "version-differs",
    RefDiffers => "ref-differs",
    ManifestLocationDiffers => "manifest-location-differs",
    LicenseDiffers => "license-differs",
    Unpublished => "version-unpublished",
    AlreadyPublished => "already-published",
    ManifestConflict => "manifest-conflict",
    NoBuildPlan => "no-build-plan",
    ResolutionsDiffer => "resolutions-differ",
    DependencyNotPublished => "dependency-not-published",
    CompilerNotSupported => "compiler-not-supported",
    ModuleNameForbidden => "module-name-forbidden",
    ModuleHeaderInvalid => "module-header-invalid",
    UnusedDependencies => "unused-dependencies",
    MissingDependencies => "missing-dependencies",
    UnusedAndMissingDependencies => "unused-and-missing-dependencies",
    CompileFailed => "compile-failed",
    CompilerCrashed => "compiler-crashed",
    CompilerTimedOut => "compiler-timed-out",
    CompilerOutputTooLarge => "compiler-output-too-large",
    CompilerOutputGarbled => "compiler-output-garbled",
    GlobInvalid => "glob-invalid",
    IncludeLeavesPackage => "include-leaves-package",
    TarballTooLarge => "tarball-too-large",
    TarballTooSmall => "tarball-too-small",
    UnsatisfiedDependencies => "unsatisfied-dependencies",
}

/// Names things one after the other.
pub fn join<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    items
        .into_iter()
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Names a place as people write it.
pub fn place(location: &Location) -> String {
    let (at, subdir) = match location {
        Location::GitHub { owner, repo, subdir } => (format!("{owner}/{repo}"), subdir),
        Location::Git { url, subdir } => (url.to_string(), subdir),
    };
    match subdir {
        Some(subdir) => format!("{at} (folder {subdir})"),
        None => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> BTreeSet<PackageName> {
        list.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn texts_that_people_match_on_stay_as_they_are() {
        let unused = Rejection::UnusedDependencies(names(&["b", "a"])).to_string();
        assert!(unused.contains("Unused dependencies (a, b)"), "{unused}");
        let missing = Rejection::MissingDependencies(names(&["prelude"])).to_string();
        assert!(missing.contains("Missing dependencies (prelude)"), "{missing}");
        let both = Rejection::UnusedAndMissingDependencies {
            unused: names(&["a"]),
            missing: names(&["b"]),
        }
        .to_string();
        assert!(
            both.contains("Unused dependencies (a)") && both.contains("Missing dependencies (b)"),
            "{both}"
        );
        assert!(
            Rejection::NoBuildPlan(String::new())
                .to_string()
                .contains("Could not produce valid dependencies")
        );
        let unsatisfied = Rejection::UnsatisfiedDependencies("prelude >=9.0.0 <10.0.0".into()).to_string();
        assert!(unsatisfied.contains("unsatisfied dependencies"), "{unsatisfied}");
    }
}
