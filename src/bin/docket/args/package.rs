//! The command line of what is asked about packages.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Subcommand};
use docket_core::name::PackageName;
use docket_core::version::Version;

/// `docket search`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    docket search json codec           packages with both words\n  \
    docket search '' --limit 10000     all of them")]
pub(crate) struct Search {
    /// Words that must be in the name or the description
    #[arg(value_name = "TEXT", required = true)]
    pub text: Vec<String>,

    /// How many packages to list
    #[arg(long, value_name = "N", default_value = "30")]
    pub limit: NonZeroUsize,
}

/// `docket info`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    docket info slug             the package, and its highest version\n  \
    docket info slug@1.2.0       this version, and who depends on it")]
pub(crate) struct Info {
    /// The package, or one of its versions
    #[arg(value_name = "NAME[@VERSION]")]
    pub package: NameMaybeVersion,
}

/// `docket owner`.
#[derive(Debug, Subcommand)]
pub(crate) enum Owner {
    /// List the owners of a package, as the registry knows them
    #[command(after_help = "Example:\n  docket owner list slug")]
    List {
        /// The package
        #[arg(value_name = "NAME")]
        name: PackageName,
    },
    /// Add an owner to the manifest of the package
    ///
    /// The next version that is published carries it to the registry.
    #[command(after_help = "Example:\n  docket owner add slug ~/.ssh/id_ed25519.pub")]
    Add(OwnerChange),
    /// Remove an owner from the manifest of the package
    ///
    /// The next version that is published carries it to the registry.
    #[command(after_help = "Examples:\n  \
        docket owner remove slug me@example.org\n  \
        docket owner remove slug SHA256:hTbL5TgXgbmgKqvYd0YkKcJ8oUqkEfhYKrBzRSkc1m4")]
    Remove(OwnerChange),
}

/// `docket owner add` and `docket owner remove`.
#[derive(Debug, clap::Args)]
pub(crate) struct OwnerChange {
    /// The package, as its manifest calls it
    #[arg(value_name = "NAME")]
    pub name: PackageName,

    /// A public key file; to remove one, its fingerprint or the remark behind the key will do
    #[arg(value_name = "KEY")]
    pub key: String,

    /// Directory of the package
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `docket verify`.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("what").args(["package", "set", "all"]).required(true),
    after_help = "Examples:\n  \
        docket verify slug                   all versions of a package\n  \
        docket verify --set 80.8.0           what a package set holds\n  \
        docket verify --all --no-tarballs    everything but the tarballs themselves"
)]
pub(crate) struct Verify {
    /// A package, or one of its versions
    #[arg(value_name = "NAME[@VERSION]")]
    pub package: Option<NameMaybeVersion>,

    /// The packages of a package set
    #[arg(long, value_name = "VERSION")]
    pub set: Option<Version>,

    /// Every package of the registry
    #[arg(long)]
    pub all: bool,

    /// Where the repositories `registry.git` and `registry-index.git` are [default: those of the server]
    ///
    /// The address of a remote, or a directory with both.
    #[arg(long, value_name = "URL")]
    pub git: Option<String>,

    /// Do not compare with the git repositories
    #[arg(long, conflicts_with = "git")]
    pub no_git: bool,

    /// Do not fetch the tarballs
    #[arg(long, conflicts_with = "no_git")]
    pub no_tarballs: bool,
}

/// A package, or one of its versions, written `NAME` or `NAME@VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameMaybeVersion {
    /// The package.
    pub name: PackageName,
    /// The version, if one is meant.
    pub version: Option<Version>,
}

impl FromStr for NameMaybeVersion {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version.parse()?)),
            None => (text, None),
        };
        Ok(Self {
            name: name.parse()?,
            version,
        })
    }
}
