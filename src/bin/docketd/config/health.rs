//! The `[health]` section.

use std::{collections::BTreeMap, sync::Arc};

use docket_worker::{chores::Pings, ping::Ping};
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The `[health]` section: watchers that hear that work goes on, by the protocol of healthchecks.io.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// The check of the worker loop, pinged while it makes progress. Default none.
    #[serde(skip_serializing)]
    pub ping_url: Option<String>,
    /// Seconds between two of its pings. Default 300.
    pub ping_secs: u64,
    /// The check of each scheduled task, by its name. Default none.
    #[serde(skip_serializing)]
    pub tasks: BTreeMap<String, String>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            ping_url: None,
            ping_secs: 300,
            tasks: BTreeMap::new(),
        }
    }
}

impl Health {
    /// The check of the worker loop.
    ///
    /// # Errors
    /// When its URL is none.
    pub fn ping(&self) -> Result<Option<Ping>, ConfigError> {
        let unusable = |_| ConfigError::OutOfRange {
            key: "health.ping_url",
            rule: "an http or https URL",
        };
        self.ping_url
            .as_deref()
            .map(Ping::new)
            .transpose()
            .map_err(unusable)
    }

    /// The checks of the scheduled tasks.
    ///
    /// # Errors
    /// When a URL is none.
    pub fn task_pings(&self) -> Result<Pings, ConfigError> {
        let mut checks = BTreeMap::new();
        for (task, url) in &self.tasks {
            let check = Ping::new(url).map_err(|_| ConfigError::OutOfRange {
                key: "health.tasks",
                rule: "a table of task names and http or https URLs",
            })?;
            checks.insert(task.clone(), check);
        }
        Ok(Arc::new(move |task: &str| checks.get(task).cloned()))
    }
}
