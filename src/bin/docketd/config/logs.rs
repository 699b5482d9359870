//! The `[logs]` section: for how long logs are kept, and where.

use docket_worker::chores::Retention;
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};

/// A hundred years.
const MAX_DAYS: u32 = 36_500;

/// The `[logs]` section. Both are counted from the end of a job.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logs {
    /// Days after which a log moves from the database to the storage, where it is read as before. 0 leaves logs in the database. Default 30.
    pub archive_after_days: u32,
    /// Days after which an archived log is removed. 0 keeps it for ever. Default 0.
    pub remove_after_days: u32,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            archive_after_days: 30,
            remove_after_days: 0,
        }
    }
}

impl Logs {
    /// For how long logs are kept, and where.
    pub fn retention(&self) -> Retention {
        let days = |days: u32| (days > 0).then_some(days);
        Retention {
            archive_after_days: days(self.archive_after_days),
            remove_after_days: days(self.remove_after_days),
        }
    }
}

impl Config {
    pub(super) fn check_logs(&self) -> Result<(), ConfigError> {
        let Logs {
            archive_after_days: archive,
            remove_after_days: remove,
        } = self.logs;
        if archive > MAX_DAYS || remove > MAX_DAYS {
            return Err(ConfigError::OutOfRange {
                key: "logs.archive_after_days and logs.remove_after_days",
                rule: "at most 36500 days",
            });
        }
        if remove > 0 && remove <= archive {
            return Err(ConfigError::OutOfRange {
                key: "logs.remove_after_days",
                rule: "0 (never) or more than logs.archive_after_days",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    /// Logs are archived and kept unless told otherwise, and what does not fit together is refused by name.
    #[test]
    fn a_log_is_not_removed_before_it_is_archived() {
        let retention = load("").unwrap().logs.retention();
        assert_eq!(
            (retention.archive_after_days, retention.remove_after_days),
            (Some(30), None)
        );
        for (archive, remove, fits) in [
            (0, 0, true),
            (0, 1, true),
            (30, 30, false),
            (30, 31, true),
            (36_500, 0, true),
            (36_501, 0, false),
            (30, 36_500, true),
            (30, 36_501, false),
        ] {
            let loaded = load(&format!(
                "[logs]\narchive_after_days = {archive}\nremove_after_days = {remove}"
            ));
            match loaded {
                Ok(_) => assert!(fits, "{archive} {remove}"),
                Err(error) => assert!(
                    !fits && error.to_string().contains("logs."),
                    "{archive} {remove}: {error}"
                ),
            }
        }
    }
}
