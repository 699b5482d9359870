//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use docket_client::{JobId, Level};
use docket_core::version::Version;

use crate::job::Since;

/// The command line of `docket`.
#[derive(Debug, Parser)]
#[command(
    name = "docket",
    version,
    about = "Publishes packages and shows what the registry does with them",
    max_term_width = 100,
    after_help = "Exit codes: 0 done; 1 the job failed, or the registry could not be asked; 2 wrong usage; 130 interrupted.\n\
                  Colours are used on a terminal unless NO_COLOR is set."
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

    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publish a version of a package and follow the job to its end
    ///
    /// Reads purs.json or spago.yaml in DIR for the name, the version and the location of the package. The registry fetches
    /// the source itself from that location, so the ref must have been pushed. The exit code is 0 only if the version is
    /// published.
    Publish(Publish),
    /// Show what the registry is doing and has done
    #[command(subcommand)]
    Job(Job),
}

/// `docket publish`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    docket publish                       publish the package in this directory\n  \
    docket publish --ref v1.2.0 ../slug  publish another one, from the tag v1.2.0\n  \
    docket publish --no-wait --json      only ask for it: prints the job id")]
pub(crate) struct Publish {
    /// Git tag or branch to publish from [default: the ref in purs.json, or `v` and the version in spago.yaml]
    #[arg(long = "ref", value_name = "REF")]
    pub git_ref: Option<String>,

    /// Compiler version to verify the package with [default: the registry chooses]
    #[arg(long, value_name = "VERSION")]
    pub compiler: Option<Version>,

    /// Return as soon as the registry has taken the job
    #[arg(long)]
    pub no_wait: bool,

    /// Directory of the package
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `docket job`.
#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// List jobs, newest first
    #[command(after_help = "Examples:\n  \
        docket job list               the newest jobs\n  \
        docket job list --active      only those that have not ended\n  \
        docket job list --since 1h    those of the last hour")]
    List(JobList),
    /// Show one job
    #[command(after_help = "Example:\n  docket job show 0198a5c6-7c1e-7d3a-9a55-2f4d0a9b1c2d")]
    Show {
        /// The job
        #[arg(value_name = "ID")]
        id: JobId,
    },
    /// Print the log of a job
    #[command(after_help = "Examples:\n  \
        docket job logs ID                         all lines so far\n  \
        docket job logs ID --follow                until the job ends; exits 0 only if it succeeded\n  \
        docket job logs ID --level notice          only the milestones and errors\n  \
        docket job logs ID --since 2026-08-18T07:00:00Z")]
    Logs(JobLogs),
}

/// `docket job list`.
#[derive(Debug, clap::Args)]
pub(crate) struct JobList {
    /// Only jobs that have not ended
    #[arg(long)]
    pub active: bool,

    /// Only jobs created since then: a time like 2026-08-18T07:00:00Z, or 90s, 15m, 2h, 1d ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
}

/// `docket job logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct JobLogs {
    /// The job
    #[arg(value_name = "ID")]
    pub id: JobId,

    /// Go on until the job ends
    #[arg(long, short)]
    pub follow: bool,

    /// Only lines written since then: a time like 2026-08-18T07:00:00Z, or 90s, 15m, 2h, 1d ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,

    /// The lowest level shown: debug, info, warn, notice or error
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub level: Level,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
