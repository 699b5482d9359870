//! The command line.

mod author;
mod job;
mod package;
mod program;

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Parser, Subcommand, ValueEnum};
use docket_core::location::{Location, LocationError};
use docket_core::name::PackageName;
use docket_core::text::Reason;
use docket_core::version::Version;

pub(crate) use crate::annotate::Annotations;
pub(crate) use author::{Init, Key, KeyGenerate};
pub(crate) use job::{Job, JobKindLimit, JobList, JobLogs, JobRetry, MaxRunning, OneJob, OneKind};
pub(crate) use package::{Info, NameMaybeVersion, Owner, OwnerChange, Search, Verify};
pub(crate) use program::{Completions, Explain, Man};

/// The command line of `docket`.
#[derive(Debug, Parser)]
#[command(
    name = "docket",
    version,
    about = "Publishes packages and shows what the registry does with them",
    max_term_width = 100,
    after_help = "Exit codes: 0 done; 1 the job failed, or the registry could not be asked; 2 wrong usage; 130 interrupted.\n\
                  Colours are used on a terminal unless NO_COLOR is set or --color says otherwise."
)]
pub(crate) struct Args {
    /// Address of the registry
    #[arg(
        long,
        value_name = "URL",
        env = "DOCKET_URL",
        default_value = "http://127.0.0.1:8080",
        global = true
    )]
    pub server: String,

    /// Print JSON for programs instead of text for people
    ///
    /// Whatever is followed or listed line by line is one JSON object per line.
    #[arg(long, global = true)]
    pub json: bool,

    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: Colour,

    #[command(subcommand)]
    pub command: Command,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Also in a file or a pipe.
    Always,
    /// Nowhere.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the first manifest of a package
    ///
    /// Asks for name, version, licence and location, and offers what it can guess from the directory, its git repository and its
    /// spago.yaml. Never overwrites a purs.json.
    Init(Init),
    /// Publish a version of a package and follow the job to its end
    ///
    /// Reads purs.json or spago.yaml in DIR for the name, the version and the location of the package. The registry fetches
    /// the source itself from that location, so the ref must have been pushed. What it would refuse is looked for first, as far as that can be
    /// seen from here: manifest, licence, modules, the pushed tag, the dependencies. The exit code is 0 only if the version is
    /// published.
    Publish(Publish),
    /// Withdraw a version of a package for good
    ///
    /// Possible for 48 hours after it was published, with the key of an owner, and only while no other package would be
    /// left without a version it can use. Shows first what is affected, and asks.
    Unpublish(Unpublish),
    /// Let a package come from another repository from now on
    ///
    /// With the key of an owner. Versions that are published stay as they are. Shows first what changes, and asks.
    Transfer(Transfer),
    /// Make and list the keys that own packages
    #[command(subcommand)]
    Key(Key),
    /// Show and change who owns a package
    ///
    /// Owners may take versions back and move the package. They stand in its manifest.
    #[command(subcommand)]
    Owner(Owner),
    /// Look packages up by words
    Search(Search),
    /// Show what the registry knows about a package
    Info(Info),
    /// Check what the registry holds
    ///
    /// Fetches tarballs and compares them with their recorded size and digest, and compares what the server says with its git repositories.
    /// The exit code is 0 only if all is as it should be.
    Verify(Verify),
    /// Show package sets, and ask for the next one
    #[command(subcommand)]
    PackageSet(PackageSet),
    /// Show what the registry does by itself, and do it now
    #[command(subcommand)]
    Schedule(Schedule),
    /// Show what the registry is doing and has done, and change what waits
    #[command(subcommand)]
    Job(Job),
    /// Explain a code with which a job ended or a request was refused
    Explain(Explain),
    /// Print a script that lets a shell complete this program's command lines
    Completions(Completions),
    /// Print the manual page of this program, or write those of all its commands
    Man(Man),
    /// Ask for what an issue on GitHub asks for, and answer there
    ///
    /// For workflows: run it for each issue that is opened and each comment that is written. Reads JSON, an issue form or a
    /// command such as `/docket publish NAME@VERSION`, follows the job, and closes the issue when it succeeded. Being run twice
    /// for the same event is harmless. The token for GitHub comes from GITHUB_TOKEN.
    #[cfg(feature = "forward-issue")]
    ForwardIssue(ForwardIssue),
}

/// On whose authority an operation is asked for.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Authority {
    /// Sign with this key: a private key, or a `.pub` file whose private half is in the ssh-agent
    ///
    /// Keys that are kept in a hardware key, or in an older format, are used through `ssh-keygen`.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,

    /// Act as a trustee with the token in this file; not sent when there is a key
    #[arg(long, value_name = "FILE", env = "DOCKET_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,

    /// Public address of the registry, where it is not the one given with --server
    ///
    /// A signature holds for one registry only. A server may name itself only as it was called, else it could collect
    /// signatures for another one; say here what it should be called.
    #[arg(long, value_name = "URL")]
    pub audience: Option<String>,
}

/// What only trustees may ask for.
#[derive(Debug, clap::Args)]
pub(crate) struct Trustee {
    /// The token of a trustee
    #[arg(long, value_name = "FILE", env = "DOCKET_TOKEN_FILE")]
    pub token_file: PathBuf,
}

/// `docket unpublish`.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("authority").args(["key", "token_file"]).required(true).multiple(true),
    after_help = "Examples:\n  \
    docket unpublish slug@1.2.0 --reason 'leaks a key' --key ~/.ssh/id_ed25519\n  \
    docket unpublish slug@1.2.0 --reason 'leaks a key' --key ~/.ssh/id_ed25519.pub   the agent signs"
)]
pub(crate) struct Unpublish {
    /// The version
    #[arg(value_name = "NAME@VERSION")]
    pub package: NameVersion,

    /// Why, in at most 300 characters; everyone can read it
    #[arg(long, value_name = "TEXT")]
    pub reason: Reason,

    #[command(flatten)]
    pub authority: Authority,

    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,

    /// Return as soon as the registry has taken the job
    #[arg(long)]
    pub no_wait: bool,
}

/// `docket transfer`.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("authority").args(["key", "token_file"]).required(true).multiple(true),
    after_help = "Example:\n  docket transfer slug --to lab/purescript-slug --key ~/.ssh/id_ed25519"
)]
pub(crate) struct Transfer {
    /// The package
    #[arg(value_name = "NAME")]
    pub name: PackageName,

    /// Where its code comes from in future
    #[arg(long, value_name = "OWNER/REPO", value_parser = github)]
    pub to: Location,

    #[command(flatten)]
    pub authority: Authority,

    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,

    /// Return as soon as the registry has taken the job
    #[arg(long)]
    pub no_wait: bool,
}

/// `docket package-set`.
#[derive(Debug, Subcommand)]
pub(crate) enum PackageSet {
    /// List package sets, newest first
    List,
    /// Show one package set
    #[command(after_help = "Examples:\n  \
        docket package-set show          the latest\n  \
        docket package-set show 80.8.0")]
    Show {
        /// The version of the set [default: the latest]
        #[arg(value_name = "VERSION")]
        version: Option<Version>,
    },
    /// Ask for the next package set, with these changes to the latest
    ///
    /// Anyone may add and raise packages. Removing one, or choosing the compiler, takes the registry's own key or a
    /// trustee.
    #[command(after_help = "Examples:\n  \
        docket package-set update slug@3.0.0 effect@4.0.1\n  \
        docket package-set update slug@3.0.0 --remove argonaut ha --key bot_ed25519\n  \
        docket package-set update --remove argonaut --token-file ~/.config/docket/token")]
    Update(PackageSetUpdate),
}

/// `docket package-set update`.
#[derive(Debug, clap::Args)]
pub(crate) struct PackageSetUpdate {
    /// Packages to add or to raise
    #[arg(value_name = "NAME@VERSION", required_unless_present_any = ["remove", "compiler"])]
    pub packages: Vec<NameVersion>,

    /// Packages to remove
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub remove: Vec<PackageName>,

    /// Compiler version to raise the set to
    #[arg(long, value_name = "VERSION")]
    pub compiler: Option<Version>,

    #[command(flatten)]
    pub authority: Authority,

    /// Return as soon as the registry has taken the job
    #[arg(long)]
    pub no_wait: bool,
}

/// A version of a package, written `NAME@VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameVersion {
    /// The package.
    pub name: PackageName,
    /// The version.
    pub version: Version,
}

impl FromStr for NameVersion {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, version) = text
            .split_once('@')
            .ok_or("write the package and its version like slug@1.2.0")?;
        Ok(Self {
            name: name.parse()?,
            version: version.parse()?,
        })
    }
}

impl std::fmt::Display for NameVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// Reads `OWNER/REPO`.
fn github(text: &str) -> Result<Location, LocationError> {
    let (owner, repo) = text.split_once('/').ok_or(LocationError::Incomplete)?;
    Location::github(owner, repo, None)
}

/// `docket publish`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    docket publish                       publish the package in this directory\n  \
    docket publish --ref v1.2.0 ../slug  publish another one, from the tag v1.2.0\n  \
    docket publish --dry-run             find out whether it could be published\n  \
    docket publish --no-wait --json      only ask for it: prints the job id")]
pub(crate) struct Publish {
    /// Git tag or branch to publish from [default: the ref in purs.json, or `v` and the version in spago.yaml]
    #[arg(long = "ref", value_name = "REF")]
    pub git_ref: Option<String>,

    /// Compiler version to verify the package with [default: the registry chooses]
    #[arg(long, value_name = "VERSION")]
    pub compiler: Option<Version>,

    /// Let the registry do everything but publish
    ///
    /// It fetches, checks, compiles and packs the package as for a publish, in a job whose log is shown, and keeps what it found: publishing the
    /// same commit afterwards is done at once.
    #[arg(long)]
    pub dry_run: bool,

    /// Return as soon as the registry has taken the job
    #[arg(long)]
    pub no_wait: bool,

    /// Ask at once, without looking for what the registry would refuse
    #[arg(long)]
    pub no_check: bool,

    /// On failure, say in the way of this service where in the source it lies
    #[arg(long, value_name = "SERVICE")]
    pub annotations: Option<Annotations>,

    /// Directory of the package
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `docket schedule`.
#[derive(Debug, Subcommand)]
pub(crate) enum Schedule {
    /// List the tasks, when they are due, and the job of their last run
    List,
    /// Run a task now, beside its timetable, and follow it
    #[command(after_help = "Example:\n  docket schedule run package-set-update --token-file ~/.docket-token")]
    Run(ScheduleRun),
}

/// `docket schedule run`.
#[derive(Debug, clap::Args)]
pub(crate) struct ScheduleRun {
    /// The task
    #[arg(value_name = "TASK")]
    pub task: String,

    /// The token of a trustee
    #[arg(long, value_name = "FILE", env = "DOCKET_TOKEN_FILE")]
    pub token_file: PathBuf,

    /// Return as soon as the registry has taken the job
    #[arg(long)]
    pub no_wait: bool,
}

/// `docket forward-issue`.
#[cfg(feature = "forward-issue")]
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example, in a workflow:\n  docket forward-issue --server https://registry.example.org --team lab/packaging --bot lab-bot"
)]
pub(crate) struct ForwardIssue {
    /// The event, as GitHub writes it
    #[arg(long, value_name = "FILE", env = "GITHUB_EVENT_PATH")]
    pub event: PathBuf,

    /// Address of GitHub's API
    #[arg(
        long,
        value_name = "URL",
        env = "GITHUB_API_URL",
        default_value = "https://api.github.com"
    )]
    pub github_api: String,

    /// Token for GitHub, in place of GITHUB_TOKEN
    ///
    /// It writes comments and closes issues; to list a team it must be one of a member of its organisation, with read:org.
    #[arg(long, value_name = "FILE")]
    pub github_token_file: Option<PathBuf>,

    /// Members of this team are trustees
    #[arg(long, value_name = "ORG/TEAM")]
    pub team: Option<docket_github::Team>,

    /// The account that answers; people may address it, and nothing it writes is read
    #[arg(long, value_name = "LOGIN")]
    pub bot: Option<docket_github::Login>,

    /// Token for the registry, sent on behalf of trustees only
    #[arg(long, value_name = "FILE", env = "DOCKET_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,

    /// How many minutes to follow the job
    #[arg(long, value_name = "MINUTES", default_value_t = 30)]
    pub wait: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(std::iter::once("docket").chain(line.split(' ')))
    }

    #[test]
    fn an_operation_of_owners_needs_a_key_or_a_token() {
        for command in ["unpublish slug@1.2.0 --reason x", "transfer slug --to lab/slug"] {
            assert!(parse(&format!("{command} --key k")).is_ok());
            assert!(parse(&format!("{command} --token-file t")).is_ok());
            assert!(parse(&format!("{command} --key k --token-file t")).is_ok());
            let error = parse(command).unwrap_err().to_string();
            assert!(
                error.contains("--key") && error.contains("--token-file"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_package_set_update_names_at_least_one_change() {
        assert!(parse("package-set update").is_err());
        assert!(parse("package-set update --remove a b --compiler 0.15.16").is_ok());
        assert!(parse("package-set update slug@1.2.0 aff@8.0.0 --remove a").is_ok());
    }

    #[test]
    fn a_retry_is_of_one_job_or_of_all_with_a_code() {
        assert!(parse("job retry a --token-file t").is_ok());
        assert!(parse("job retry --code unavailable --kind push --yes --token-file t").is_ok());
        for line in [
            "job retry",
            "job retry a --code b",
            "job retry a --kind push",
            "job retry a --yes",
        ] {
            assert!(parse(&format!("{line} --token-file t")).is_err(), "{line}");
        }
    }

    #[test]
    fn a_priority_may_be_below_zero() {
        assert!(parse("job priority a -5 --token-file t").is_ok());
    }

    #[test]
    fn values_are_checked_while_they_are_read() {
        for (line, reason) in [
            ("unpublish slug --reason x --key k", "like slug@1.2.0"),
            ("unpublish slug@1 --reason x --key k", "'slug@1'"),
            ("unpublish Slug@1.2.0 --reason x --key k", "'Slug@1.2.0'"),
            ("transfer slug --to slug --key k", "'slug'"),
            ("transfer slug --to lab/../slug --key k", "'lab/../slug'"),
            ("package-set show v1", "'v1'"),
            (
                "job list --state done",
                "[possible values: queued, running, succeeded, failed, cancelled]",
            ),
            ("job list --package Slug", "'Slug'"),
            ("job list --parent a/b", "a job id"),
            ("job list --limit 0", "'0'"),
            ("job cancel ../x --token-file t", "a job id"),
            ("job priority a high --token-file t", "'high'"),
            ("job limit publish 0 --token-file t", "`docket job pause`"),
            ("job limit publish -1 --token-file t", "`none`"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
