//! The `[log]` section: the server's own log, which is for its operators.

use serde::{Deserialize, Serialize};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::{Config, ConfigError};

/// The `[log]` section: what the server tells on standard error. The logs of jobs are something else: see `[logs]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `pretty` for people, or `json` for programs: one object on each line. Default `pretty`.
    pub format: Format,
    /// The least that is told: `error`, `warn`, `info`, `debug` or `trace`; or one for each part, such as `info,docket_worker=debug`. The
    /// environment's `RUST_LOG` wins. Default `info`.
    pub level: String,
}

/// How a line of the server's own log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Pretty,
    /// For programs.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: Format::Pretty,
            level: "info".to_owned(),
        }
    }
}

impl Log {
    /// What is told.
    ///
    /// # Errors
    /// When the level does not decode.
    pub fn filter(&self) -> Result<EnvFilter, ConfigError> {
        let wrong = ConfigError::OutOfRange {
            key: "log.level",
            rule: "error, warn, info, debug or trace, or one for each part, such as `info,docket_worker=debug`",
        };
        // The library takes a word that is no level for the name of a part, of which then everything is told.
        let mut words = self.level.split(',').filter(|word| !word.contains('='));
        if !words.all(|word| word.trim().parse::<LevelFilter>().is_ok()) {
            return Err(wrong);
        }
        // sqlx tells of each slow statement; what is said after it wins.
        let filter = EnvFilter::builder().parse(format!("sqlx=warn,{}", self.level));
        filter.map_err(|_| wrong)
    }
}

impl Config {
    pub(super) fn check_log(&self) -> Result<(), ConfigError> {
        self.log.filter().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use super::*;

    #[test]
    fn a_level_and_a_format_that_are_none_are_refused_by_name() {
        let config = load("").unwrap();
        assert_eq!(
            (config.log.format, config.log.level.as_str()),
            (Format::Pretty, "info")
        );
        for level in [
            "error",
            "trace",
            "off",
            "info,docket_worker=debug",
            "warn,docket_jobs::worker=trace",
        ] {
            load(&format!("[log]\nformat = \"json\"\nlevel = \"{level}\"")).unwrap();
        }
        for (section, name) in [
            ("level = \"loud\"", "log.level"),
            ("level = \"info,docket_worker=loud\"", "log.level"),
            ("format = \"xml\"", "xml"),
        ] {
            let error = load(&format!("[log]\n{section}")).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
