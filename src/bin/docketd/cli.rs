//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use docket_index::import::TarballSource;

/// A package registry server that shows its work.
///
/// Without a sub-command it runs everything in one process, on SQLite and local files.
#[derive(Debug, Parser)]
#[command(name = "docketd", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  docketd demo                                   watch a package being published, on a server of its own
  docketd --data /var/lib/docket --listen 0.0.0.0:8080
  docketd import --registry ./registry --index ./registry-index --tarballs ./tarballs
  DOCKET__DATABASE__URL=postgres://docket@db/docket docketd serve";

/// Switches of every sub-command. They win over the environment, which wins over the file.
#[derive(Debug, Clone, Default, Args)]
pub struct Common {
    /// The configuration file [default: ./docket.toml if present]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the embedded server keeps everything [default: ./docket-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where to listen; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDR")]
    pub listen: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in one process: create the tables, answer requests, run jobs
    All,
    /// Answer requests only
    Serve,
    /// Run jobs only; prints `docketd working` when ready
    Work {
        /// How many jobs at once [default: the number of CPUs]
        #[arg(long, value_name = "N")]
        concurrency: Option<usize>,
    },
    /// Create the tables or bring them up to date, and end
    Migrate,
    /// Fill an empty registry from existing repositories
    Import(Import),
    /// Write the registry back as the files of its repositories
    Export(Export),
    /// Write everything to one file, while servers and workers run
    Backup(Backup),
    /// Fill an empty database and storage from a backup
    Restore {
        /// What `docketd backup` wrote; `-` is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Remove what nobody needs any more: lists it with sizes, and asks
    Prune(Prune),
    /// Publish an example package on a server of its own and show how
    Demo {
        /// End when the package has been published, fetched and verified, instead of at Ctrl-C
        #[arg(long)]
        once: bool,
    },
    /// Check configuration, database, storage, clock, certificates, git, sandbox and compilers
    Doctor {
        /// As one JSON document, for programs
        #[arg(long)]
        json: bool,
    },
    /// Say whether a server can do its work: exit code 0 if it can, 1 if not
    Health {
        /// Address of the server [default: where the configuration lets it listen]
        #[arg(value_name = "URL")]
        url: Option<String>,
    },
    /// Write a configuration, or show the one in force
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// The built-in stand-in for the PureScript compiler
    #[command(hide = true, disable_help_flag = true)]
    PursStandIn {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Write a configuration in which every key is explained and none is changed
    Init {
        /// The file, which must not be there yet
        #[arg(value_name = "FILE", default_value = "docket.toml")]
        file: PathBuf,
    },
    /// Print every value in force, without secrets, and where it comes from
    Show,
}

#[derive(Debug, Args)]
pub struct Import {
    /// The registry: a checkout, a bare repository or a plain directory with metadata/ and package-sets/
    #[arg(long, value_name = "DIR")]
    pub registry: PathBuf,
    /// The manifest index, likewise
    #[arg(long, value_name = "DIR")]
    pub index: PathBuf,
    /// The tarballs, at NAME/VERSION.tar.gz; each is checked against its recorded size and hash. Those at a URL are
    /// fetched when somebody first needs them
    #[arg(long, value_name = "DIR-or-URL")]
    pub tarballs: Option<TarballSource>,
}

#[derive(Debug, Args)]
pub struct Export {
    /// Gets metadata/ and package-sets/
    #[arg(long, value_name = "DIR")]
    pub registry: PathBuf,
    /// Gets the manifest index
    #[arg(long, value_name = "DIR")]
    pub index: PathBuf,
    /// Gets the tarballs, at NAME/VERSION.tar.gz; those not here yet are fetched
    #[arg(long, value_name = "DIR")]
    pub tarballs: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Backup {
    /// Where it goes (.tar.gz), which must not exist yet; `-` is standard output
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Leave out tarballs and archived logs, for a storage that is backed up by itself
    #[arg(long)]
    pub without_blobs: bool,
}

#[derive(Debug, Args)]
pub struct Prune {
    /// Only list what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Also jobs that the registry gave itself (matrix, pushes, chores) and that ended so many days ago, with their logs; one that
    /// tells why a version does not compile stays
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(7..=36_500))]
    pub own_jobs_after_days: Option<u32>,
    /// Also what only makes the next package set faster
    #[arg(long)]
    pub caches: bool,
}
