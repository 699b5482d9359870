//! The `[telemetry]` section.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};

/// The `[telemetry]` section: where traces are sent, by the protocol of OpenTelemetry (OTLP over HTTP, as JSON).
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// The collector, such as `http://collector.internal:4318`; traces go to `/v1/traces` there. Default: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A file with the token that the collector wants as `Authorization: Bearer`. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

impl Telemetry {
    /// Where traces are sent, if anywhere.
    pub fn traces_url(&self) -> Option<String> {
        let url = self.url.as_deref()?;
        Some(format!("{}/v1/traces", url.trim_end_matches('/')))
    }

    /// What the collector wants to see.
    ///
    /// # Errors
    /// When the file cannot be read.
    #[cfg(feature = "otel")]
    pub fn token(&self) -> Result<Option<String>, ConfigError> {
        self.token_file.as_deref().map(super::read_file).transpose()
    }
}

impl Config {
    pub(super) fn check_telemetry(&self) -> Result<(), ConfigError> {
        let fits = |url: &String| {
            let rest = url
                .strip_prefix("http://")
                .or_else(|| url.strip_prefix("https://"));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '?', '#', ' ']))
        };
        if self.telemetry.url.as_ref().is_some_and(|url| !fits(url)) {
            return Err(ConfigError::OutOfRange {
                key: "telemetry.url",
                rule: "an http or https URL without user and password; a token comes from telemetry.token_file",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    #[test]
    fn a_collector_is_an_address_without_a_password() {
        assert_eq!(load("").unwrap().telemetry.traces_url(), None);
        for (url, fits) in [
            ("http://127.0.0.1:4318", true),
            ("https://otel.example.org/docket/", true),
            ("https://me:geheim@otel.example.org", false),
            ("otel.example.org", false),
            ("http://", false),
        ] {
            match load(&format!("[telemetry]\nurl = \"{url}\"")) {
                Ok(config) => {
                    let to = config.telemetry.traces_url().unwrap();
                    assert!(fits && to.ends_with("/v1/traces") && !to.contains("//v1"), "{to}");
                }
                Err(error) => {
                    let error = error.to_string();
                    assert!(
                        !fits && error.starts_with("telemetry.url") && !error.contains("geheim"),
                        "{error}"
                    );
                }
            }
        }
    }
}
