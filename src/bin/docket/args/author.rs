//! The command line of what authors do on their own machine.

use std::path::PathBuf;

use clap::Subcommand;
use docket_core::name::PackageName;

/// `docket init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    docket init            asks for what cannot be guessed, and offers its guesses\n  \
    docket init --yes      takes the guesses")]
pub(crate) struct Init {
    /// Directory of the package
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,

    /// Take what can be guessed, and ask nothing
    #[arg(long, short)]
    pub yes: bool,
}

/// `docket key`.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a key that can own packages
    #[command(after_help = "Examples:\n  \
        docket key generate                     ~/.ssh/id_ed25519\n  \
        docket key generate ~/.ssh/docket       another file")]
    Generate(KeyGenerate),
    /// List the keys of this account: in ~/.ssh and in the ssh-agent
    #[command(after_help = "Examples:\n  \
        docket key list\n  \
        docket key list --package slug      tells which of them own the package")]
    List {
        /// Tell which keys own this package
        #[arg(long, value_name = "NAME")]
        package: Option<PackageName>,
    },
}

/// `docket key generate`.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyGenerate {
    /// Where to write the private key; the public one is written beside it, with `.pub` [default: ~/.ssh/id_ed25519]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// What to write behind the public key: a name or a mail address [default: the account and the machine]
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,

    /// Do not protect the key with a passphrase
    #[arg(long)]
    pub no_passphrase: bool,
}
