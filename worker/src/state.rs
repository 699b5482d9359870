//! What a worker has at hand: everything is made once, by whoever starts it.

use std::path::PathBuf;
use std::sync::Arc;

use docket_index::tarballs::Tarballs;
use docket_storage::Storage;

use crate::chores::Retention;
use crate::compiler::Compilers;
use crate::documentation::Pursuit;
use crate::package::SizeRules;
use crate::sandbox::{Limits, Sandbox};
use crate::source::git::SourceConfig;
use crate::unpublish::Windows;

/// What jobs are run with; cheap to clone.
#[derive(Debug, Clone)]
pub struct WorkerState {
    /// Where tarballs are.
    pub storage: Storage,
    /// Finds those of dependencies, wherever they are.
    pub tarballs: Tarballs,
    /// How sources are fetched.
    pub sources: Arc<SourceConfig>,
    /// The compilers of this machine.
    pub compilers: Arc<Compilers>,
    /// Where compilers run.
    pub sandbox: Arc<Sandbox>,
    /// What a compiler may use up.
    pub limits: Arc<Limits>,
    /// Sizes that packages may have.
    pub sizes: SizeRules,
    /// For how long a version can be unpublished.
    pub windows: Windows,
    /// For how many hours what dry runs found is kept; 0 keeps nothing.
    pub keep_checks_hours: u32,
    /// How long matrix successes are gathered before their metadata files are committed, in milliseconds.
    pub gather_millis: i64,
    /// Where documentation is published, if anywhere.
    pub pursuit: Option<Pursuit>,
    /// The address under which people reach the registry, without a slash at the end, when it is known.
    pub public_url: Option<Arc<str>>,
    /// Each job works in a directory of its own below this one, which is gone when the job ends.
    pub work_dir: PathBuf,
    /// Where package sets are compiled; kept between jobs, so that each compiles only what changed.
    pub package_set_dir: PathBuf,
    /// Whether package sets are also written in the form of older clients.
    pub legacy_mirror: bool,
    /// For how long logs are kept, and where.
    pub retention: Retention,
}

impl WorkerState {
    /// Where people read the log of a job: an address, or as much of it as is known.
    #[must_use]
    pub fn job_page(&self, job: &str) -> String {
        format!("{}/logs/{job}", self.public_url.as_deref().unwrap_or_default())
    }
}
