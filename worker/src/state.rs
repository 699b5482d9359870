//! What a worker has at hand: everything is made once, by whoever starts it.

use std::path::PathBuf;
use std::sync::Arc;

use docket_index::tarballs::Tarballs;
use docket_storage::Storage;

use crate::compiler::Compilers;
use crate::license::LicenseDetector;
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
    /// Recognises licence texts.
    pub licenses: Arc<LicenseDetector>,
    /// Each job works in a directory of its own below this one, which is gone when the job ends.
    pub work_dir: PathBuf,
}
