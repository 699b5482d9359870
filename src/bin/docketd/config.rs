//! The configuration: defaults, then the file, then the environment (`DOCKET__SECTION__KEY`), then switches.

mod api;
mod documentation;
mod git;
mod health;
pub mod init;
mod issues;
pub mod keys;
mod legal;
mod log;
mod logs;
mod secrets;
pub mod show;
mod sources;
mod storage;
mod telemetry;
mod trust;

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use config::{Environment, File, FileFormat};
use docket_worker::{
    publish::dry_run,
    sandbox::{self, SandboxChoice},
    unpublish::Windows,
};
use serde::{Deserialize, Serialize};

use crate::cli::Common;

pub use api::{Api, Limits};
pub use documentation::Documentation;
pub use git::Git;
pub use health::Health;
pub use legal::Legal;
pub use log::{Format, Log};
pub use logs::Logs;
pub use sources::Sources;
pub use storage::Storage;
pub use telemetry::Telemetry;
pub use trust::{GitHub, Trustees};

/// Every value in force. Unknown keys are refused, because a typo in a limit should not be silent.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Everything the embedded server keeps. Default `docket-data`.
    pub data_dir: PathBuf,
    /// The `[api]` section.
    pub api: Api,
    /// The `[database]` section.
    pub database: Database,
    /// The `[documentation]` section.
    pub documentation: Documentation,
    /// The `[git]` section.
    pub git: Git,
    /// The `[github]` section.
    pub github: GitHub,
    /// The `[health]` section.
    pub health: Health,
    /// The `[legal]` section.
    pub legal: Legal,
    /// The `[limits]` section.
    pub limits: Limits,
    /// The `[log]` section.
    pub log: Log,
    /// The `[logs]` section.
    pub logs: Logs,
    /// The `[operations]` section.
    pub operations: Operations,
    /// The `[package_sets]` section.
    pub package_sets: PackageSets,
    /// The `[schedules]` section.
    pub schedules: Schedules,
    /// The `[sources]` section.
    pub sources: Sources,
    /// The `[storage]` section.
    pub storage: Storage,
    /// The `[compilers]` section.
    pub compilers: Compilers,
    /// The `[telemetry]` section.
    pub telemetry: Telemetry,
    /// The `[trustees]` section.
    pub trustees: Trustees,
    /// The `[worker]` section.
    pub worker: Worker,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "docket-data".into(),
            api: Api::default(),
            database: Database::default(),
            documentation: Documentation::default(),
            git: Git::default(),
            github: GitHub::default(),
            health: Health::default(),
            legal: Legal::default(),
            limits: Limits::default(),
            log: Log::default(),
            logs: Logs::default(),
            operations: Operations::default(),
            package_sets: PackageSets::default(),
            schedules: Schedules::default(),
            sources: Sources::default(),
            storage: Storage::default(),
            compilers: Compilers::default(),
            telemetry: Telemetry::default(),
            trustees: Trustees::default(),
            worker: Worker::default(),
        }
    }
}

/// The `[database]` section.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://user:password@host:port/name`. Default: SQLite in `data_dir`.
    #[serde(skip_serializing)]
    pub url: Option<String>,
    /// A file that holds the URL, for URLs with a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
}

/// The `[schedules]` section: when the registry does its chores.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedules {
    /// Whether tasks run by themselves. Default true; `docket schedule run` works all the same.
    pub enabled: bool,
}

impl Default for Schedules {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// The `[operations]` section: what those who may change a package may do.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Operations {
    /// Hours after its publication for which owners can unpublish a version. Default 48.
    pub unpublish_hours: u32,
    /// The same for trustees. Default: they can at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trustee_unpublish_hours: Option<u32>,
    /// Hours for which what `docket publish --dry-run` found is kept, so that publishing the same is done at once; 0 keeps nothing. Default 168.
    pub keep_checks_hours: u32,
    /// Whether the signatures of released clients are taken, which do not say for which registry and until when they are
    /// meant (registry.md §4.1). Default true.
    pub raw_signatures: bool,
}

impl Default for Operations {
    fn default() -> Self {
        Self {
            unpublish_hours: Windows::default().owner_hours,
            trustee_unpublish_hours: Windows::default().trustee_hours,
            keep_checks_hours: dry_run::KEEP_HOURS,
            raw_signatures: true,
        }
    }
}

impl Operations {
    /// For how long a version can be unpublished.
    pub fn windows(&self) -> Windows {
        Windows {
            owner_hours: self.unpublish_hours,
            trustee_hours: self.trustee_unpublish_hours,
        }
    }
}

/// The `[package_sets]` section.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PackageSets {
    /// Whether each released set is also written in the form of older clients, to the repository `package-sets`. Default
    /// false.
    pub legacy_mirror: bool,
}

/// The `[compilers]` section.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compilers {
    /// Directories searched, before `PATH`, for executables `purs-X_Y_Z` or `purs`. Default none.
    pub path: Vec<PathBuf>,
}

/// The `[worker]` section.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// How many jobs at once. Default: the number of CPUs.
    pub concurrency: NonZeroUsize,
    /// How many background jobs (matrix builds, chores) at once, beside the others; 0 leaves them to other workers. Default 1.
    pub background_concurrency: usize,
    /// Seconds without a heartbeat after which another worker may take a job. Default 60.
    pub lease_secs: u64,
    /// Seconds that running jobs get to end when the server stops. Default 30.
    pub drain_secs: u64,
    /// `auto`, `bubblewrap` or `none`. Default `auto`.
    pub sandbox: SandboxChoice,
    /// Seconds that one run of a compiler may take, from 1 to 600. Default 600.
    pub compile_timeout_secs: u64,
}

impl Default for Worker {
    fn default() -> Self {
        let cpus = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            concurrency: cpus,
            background_concurrency: 1,
            lease_secs: 60,
            drain_secs: 30,
            sandbox: SandboxChoice::Auto,
            compile_timeout_secs: 600,
        }
    }
}

/// The configuration cannot be used: exit code 78.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value, a key or the file's syntax is wrong.
    #[error("{0}")]
    Invalid(config::ConfigError),
    /// A file that the configuration names cannot be read.
    #[error("{} cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A value is out of its range.
    #[error("{key} must be {rule}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// What it may be.
        rule: &'static str,
    },
}

impl Config {
    /// Reads all layers.
    ///
    /// # Errors
    /// When a named file is missing, a key is unknown or a value does not fit.
    pub fn load(common: &Common) -> Result<Self, ConfigError> {
        let text = read_configuration(common)?.map(|(_, text)| text);
        let file = File::from_str(&text.unwrap_or_default(), FileFormat::Toml);
        let environment = Environment::with_prefix("DOCKET")
            .prefix_separator("__")
            .separator("__")
            .list_separator(":")
            .with_list_parse_key("api.trusted_proxies")
            .with_list_parse_key("compilers.path")
            .with_list_parse_key("sources.git_hosts")
            .try_parsing(true);
        let mut config: Self = config::Config::builder()
            .add_source(file)
            .add_source(environment)
            .build()
            .and_then(config::Config::try_deserialize)
            .map_err(ConfigError::Invalid)?;
        if let Some(data) = &common.data {
            config.data_dir.clone_from(data);
        }
        if let Some(listen) = &common.listen {
            config.api.listen.clone_from(listen);
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if !(3..=3600).contains(&self.worker.lease_secs) {
            return Err(ConfigError::OutOfRange {
                key: "worker.lease_secs",
                rule: "from 3 to 3600 seconds",
            });
        }
        if !(10..=86_400).contains(&self.health.ping_secs) {
            return Err(ConfigError::OutOfRange {
                key: "health.ping_secs",
                rule: "from 10 to 86400 seconds",
            });
        }
        // Longer, and the fetch, the module graph and the build would not fit into the 30 minutes of an attempt.
        if !(1..=600).contains(&self.worker.compile_timeout_secs) {
            return Err(ConfigError::OutOfRange {
                key: "worker.compile_timeout_secs",
                rule: "from 1 to 600 seconds",
            });
        }
        if self.database.url.is_some() && self.database.url_file.is_some() {
            return Err(ConfigError::OutOfRange {
                key: "database",
                rule: "given as url or as url_file, not both",
            });
        }
        self.storage.check()?;
        self.legal.texts()?;
        self.check_api()?;
        self.check_log()?;
        self.check_logs()?;
        self.check_telemetry()?;
        self.check_webhook()
    }

    /// The database's URL, from wherever it is configured.
    ///
    /// # Errors
    /// When `url_file` cannot be read.
    pub fn database_url(&self) -> Result<String, ConfigError> {
        if let Some(path) = &self.database.url_file {
            return read_file(path);
        }
        let embedded = || format!("sqlite:{}", self.data_dir.join("docket.db").display());
        Ok(self.database.url.clone().unwrap_or_else(embedded))
    }

    /// What a compiler may use up.
    pub fn compiler_limits(&self) -> sandbox::Limits {
        let time = Duration::from_secs(self.worker.compile_timeout_secs);
        sandbox::Limits {
            wall: time,
            cpu: time,
            ..sandbox::Limits::default()
        }
    }
}

/// The configuration file with its text: the one that is named, or `docket.toml` if it is there.
fn read_configuration(common: &Common) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let path = common.config.clone().unwrap_or_else(|| "docket.toml".into());
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(cause) if common.config.is_none() && cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(ConfigError::Unreadable { path, cause }),
    }
}

/// The text of a file that the configuration names, without white space around it.
fn read_file(path: &Path) -> Result<String, ConfigError> {
    let text = fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable {
        path: path.to_owned(),
        cause,
    })?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn load(text: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Config::load(&Common {
            config: Some(file.path().to_owned()),
            ..Common::default()
        })
    }

    /// An empty file is the embedded registry.
    #[test]
    fn an_empty_file_gives_the_defaults() {
        let config = load("").unwrap();
        assert_eq!(config.api.listen, "127.0.0.1:8080");
        assert_eq!(config.database_url().unwrap(), "sqlite:docket-data/docket.db");
    }

    /// A typo is refused and named.
    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = load("[worker]\nlease_seconds = 5").unwrap_err().to_string();
        assert!(error.contains("lease_seconds"), "{error}");
    }

    /// A lease has a shortest and a longest length.
    #[test]
    fn a_lease_outside_its_range_is_refused() {
        for (secs, fits) in [(2, false), (3, true), (3600, true), (3601, false)] {
            assert_eq!(
                load(&format!("[worker]\nlease_secs = {secs}")).is_ok(),
                fits,
                "{secs}"
            );
        }
    }

    /// A compiler gets some time, and not more than fits into an attempt.
    #[test]
    fn a_time_limit_for_compilers_outside_its_range_is_refused_by_name() {
        for (secs, fits) in [(0, false), (1, true), (600, true), (601, false)] {
            match load(&format!("[worker]\ncompile_timeout_secs = {secs}")) {
                Ok(config) => {
                    assert!(fits, "{secs}");
                    let limits = config.compiler_limits();
                    assert_eq!((limits.wall.as_secs(), limits.cpu.as_secs()), (secs, secs));
                }
                Err(error) => {
                    assert!(!fits, "{secs}");
                    assert!(
                        error.to_string().contains("worker.compile_timeout_secs"),
                        "{error}"
                    );
                }
            }
        }
    }
}
