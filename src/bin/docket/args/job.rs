//! The command line of `docket job`.

use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::Subcommand;
use docket_client::{JobId, Level};
use docket_core::name::PackageName;

use super::Trustee;
use crate::job::Since;

/// `docket job`.
#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// List jobs, newest first
    #[command(after_help = "Examples:\n  \
        docket job list                             the newest jobs\n  \
        docket job list --active                    only those that have not ended\n  \
        docket job list --since 1h                  those of the last hour\n  \
        docket job list --state failed --limit 500  the last 500 that failed\n  \
        docket job list --package slug --kind matrix")]
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
        docket job logs ID --search warning        only lines with this text, in any case of letters\n  \
        docket job logs ID --since 2026-08-18T07:00:00Z")]
    Logs(JobLogs),
    /// Say in one sentence why a job does not run
    ///
    /// Which lock or limit holds it, who has that and since when, its place in the line, the next try, and how long that usually takes.
    #[command(after_help = "Example:\n  docket job why 0198a5c6-7c1e-7d3a-9a55-2f4d0a9b1c2d")]
    Why {
        /// The job
        #[arg(value_name = "ID")]
        id: JobId,
    },
    /// Cancel a job that has not taken effect; for trustees
    ///
    /// One that waits ends at once; one that runs ends at the next point at which nothing is half done.
    #[command(
        after_help = "Example:\n  docket job cancel 0198a5c6-7c1e-7d3a-9a55-2f4d0a9b1c2d --token-file ~/.docket-token"
    )]
    Cancel(OneJob),
    /// Queue jobs again that failed or were cancelled; for trustees
    ///
    /// One by its id, or all that failed with a code; these are counted first, and it asks.
    #[command(after_help = "Examples:\n  \
        docket job retry 0198a5c6-7c1e-7d3a-9a55-2f4d0a9b1c2d --token-file ~/.docket-token\n  \
        docket job retry --code unavailable --kind push --token-file ~/.docket-token")]
    Retry(JobRetry),
    /// Let a waiting job go before or behind others; for trustees
    #[command(after_help = "Examples:\n  \
        docket job priority ID 10 --token-file ~/.docket-token   before all with less\n  \
        docket job priority ID -1 --token-file ~/.docket-token   among what nobody waits for")]
    Priority {
        /// The job
        #[command(flatten)]
        job: OneJob,
        /// Higher goes first; 0 is usual, and below 0 is work that nobody waits for
        #[arg(value_name = "N", allow_negative_numbers = true)]
        priority: i64,
    },
    /// List the kinds of jobs: how many wait and run, and which are paused or limited
    #[command(after_help = "Example:\n  docket job kinds")]
    Kinds,
    /// Let no more jobs of a kind start; for trustees
    ///
    /// Those that run go on. What is asked for meanwhile waits.
    #[command(after_help = "Example:\n  docket job pause matrix --token-file ~/.docket-token")]
    Pause(OneKind),
    /// Let the jobs of a kind start again; for trustees
    #[command(after_help = "Example:\n  docket job resume matrix --token-file ~/.docket-token")]
    Resume(OneKind),
    /// Let only so many jobs of a kind run at once, in all processes together; for trustees
    #[command(after_help = "Examples:\n  \
        docket job limit matrix 4 --token-file ~/.docket-token\n  \
        docket job limit matrix none --token-file ~/.docket-token   take the limit away")]
    Limit(JobKindLimit),
}

/// `docket job list`.
#[derive(Debug, clap::Args)]
pub(crate) struct JobList {
    /// Only jobs that have not ended
    #[arg(long, conflicts_with = "state")]
    pub active: bool,

    /// Only jobs created since then: a time like 2026-08-18T07:00:00Z, or 90s, 15m, 2h, 1d ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,

    /// Only jobs of this kind: publish, matrix, push, …; `all` shows the registry's own work, too
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,

    /// Only jobs in this state
    #[arg(long, value_name = "STATE", value_parser = ["queued", "running", "succeeded", "failed", "cancelled"])]
    pub state: Option<String>,

    /// Only jobs about this package
    #[arg(long, value_name = "NAME")]
    pub package: Option<PackageName>,

    /// Only jobs that this one asked for
    #[arg(long, value_name = "ID")]
    pub parent: Option<JobId>,

    /// Only jobs that somebody of this name asked for, such as `ann of GitHub`
    #[arg(long, value_name = "NAME")]
    pub who: Option<String>,

    /// How many at most
    #[arg(long, value_name = "N", default_value = "100")]
    pub limit: NonZeroUsize,
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

    /// Only lines that hold this text, in any case of letters
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
}

/// A job that a trustee names.
#[derive(Debug, clap::Args)]
pub(crate) struct OneJob {
    /// The job
    #[arg(value_name = "ID")]
    pub id: JobId,

    #[command(flatten)]
    pub trustee: Trustee,
}

/// `docket job retry`.
#[derive(Debug, clap::Args)]
pub(crate) struct JobRetry {
    /// The job
    #[arg(value_name = "ID", required_unless_present = "code", conflicts_with_all = ["code", "kind", "yes"])]
    pub id: Option<JobId>,

    /// All jobs that failed with this code, oldest first and at most 1000
    #[arg(long, value_name = "CODE")]
    pub code: Option<String>,

    /// Only those of this kind
    #[arg(long, value_name = "KIND", requires = "code")]
    pub kind: Option<String>,

    /// Do not ask
    #[arg(long, short, requires = "code")]
    pub yes: bool,

    #[command(flatten)]
    pub trustee: Trustee,
}

/// A kind of jobs that a trustee names.
#[derive(Debug, clap::Args)]
pub(crate) struct OneKind {
    /// The kind: publish, matrix, push, …
    #[arg(value_name = "KIND")]
    pub kind: String,

    #[command(flatten)]
    pub trustee: Trustee,
}

/// `docket job limit`.
#[derive(Debug, clap::Args)]
pub(crate) struct JobKindLimit {
    #[command(flatten)]
    pub kind: OneKind,

    /// How many, or `none` to take the limit away
    #[arg(value_name = "N|none", allow_negative_numbers = true)]
    pub max_running: MaxRunning,
}

/// How many jobs of a kind may run; `None` is any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaxRunning(pub Option<u32>);

impl FromStr for MaxRunning {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            _ if text == "none" => Ok(Self(None)),
            Ok(0) => Err("to let none start, use `docket job pause`"),
            Ok(most) => Ok(Self(Some(most))),
            Err(_) => Err("write a number, or `none` to take the limit away"),
        }
    }
}
