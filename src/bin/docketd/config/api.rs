//! The `[api]` and `[limits]` sections: where requests are answered, and how many.

use std::{
    net::IpAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use anyhow::Context;
use docket_api::Rules;
use docket_http::{Door, Tls};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};

/// The `[api]` section.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Where to listen. Default `127.0.0.1:8080`.
    pub listen: String,
    /// The address under which people reach the server. Default: from `listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// The certificate with which the server speaks TLS itself, in PEM, with those behind it that lead to an authority. Default: it speaks plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_certificate_file: Option<PathBuf>,
    /// Its key, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key_file: Option<PathBuf>,
    /// Addresses or networks of proxies, which are believed when they say for whom they ask. Default none.
    pub trusted_proxies: Vec<String>,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: None,
            tls_certificate_file: None,
            tls_key_file: None,
            trusted_proxies: Vec::new(),
        }
    }
}

/// The `[limits]` section.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at once. Default 10,000.
    pub connections: NonZeroUsize,
    /// Logs that are followed at once. Default 8,000.
    pub watchers: NonZeroUsize,
    /// Requests of one address in a minute; 0 for no limit. Default 3,000.
    pub requests_per_minute: u32,
    /// Of these, requests that change something; 0 for no limit. Default 60.
    pub changes_per_minute: u32,
    /// Operations of one key or token in a minute; 0 for no limit. Default 120.
    pub changes_per_minute_by_key: u32,
    /// Jobs of one kind that wait or run for one package. Default 100.
    pub active_jobs_per_package: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        let rules = Rules::default();
        let per_minute = |limit: Option<NonZeroU32>| limit.map_or(0, NonZeroU32::get);
        Self {
            connections: NonZeroUsize::new(docket_http::MAX_CONNECTIONS).unwrap_or(NonZeroUsize::MIN),
            watchers: NonZeroUsize::new(rules.watchers).unwrap_or(NonZeroUsize::MIN),
            requests_per_minute: per_minute(rules.requests_per_minute),
            changes_per_minute: per_minute(rules.changes_per_minute),
            changes_per_minute_by_key: per_minute(rules.changes_per_minute_by_key),
            active_jobs_per_package: u32::try_from(rules.active_jobs_per_package)
                .ok()
                .and_then(NonZeroU32::new)
                .unwrap_or(NonZeroU32::MIN),
        }
    }
}

impl Api {
    fn proxies(&self) -> Result<Vec<IpNet>, ConfigError> {
        let parse = |text: &String| {
            let address = text.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| text.parse::<IpNet>())
        };
        let proxies = self.trusted_proxies.iter().map(parse).collect::<Result<_, _>>();
        proxies.map_err(|_| ConfigError::OutOfRange {
            key: "api.trusted_proxies",
            rule: "a list of addresses or networks, such as \"10.0.0.0/8\"",
        })
    }

    /// How its address begins.
    pub fn scheme(&self) -> &'static str {
        if self.tls_certificate_file.is_some() {
            "https"
        } else {
            "http"
        }
    }
}

impl Config {
    pub(super) fn check_api(&self) -> Result<(), ConfigError> {
        self.api.proxies()?;
        if self.api.tls_certificate_file.is_some() != self.api.tls_key_file.is_some() {
            return Err(ConfigError::OutOfRange {
                key: "api.tls_certificate_file",
                rule: "given together with tls_key_file, or neither",
            });
        }
        Ok(())
    }

    /// How clients are let in.
    ///
    /// # Errors
    /// When the certificate or its key cannot be used.
    pub fn door(&self) -> anyhow::Result<Door> {
        let tls = match (&self.api.tls_certificate_file, &self.api.tls_key_file) {
            (Some(certificate), Some(key)) => {
                Some(Tls::load(certificate, key).context("the server cannot speak TLS")?)
            }
            _ => None,
        };
        Ok(Door {
            tls,
            max_connections: self.limits.connections.get(),
            ..Door::default()
        })
    }

    /// How much one client may ask for.
    ///
    /// # Errors
    /// When a proxy is no address.
    pub fn rules(&self) -> Result<Rules, ConfigError> {
        Ok(Rules {
            requests_per_minute: NonZeroU32::new(self.limits.requests_per_minute),
            changes_per_minute: NonZeroU32::new(self.limits.changes_per_minute),
            changes_per_minute_by_key: NonZeroU32::new(self.limits.changes_per_minute_by_key),
            watchers: self.limits.watchers.get(),
            active_jobs_per_package: i64::from(self.limits.active_jobs_per_package.get()),
            trusted_proxies: self.api.proxies()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    #[test]
    fn a_certificate_comes_with_its_key() {
        let both = "[api]\ntls_certificate_file = \"a\"\ntls_key_file = \"b\"";
        assert_eq!(load(both).unwrap().api.scheme(), "https");
        for one in [
            "[api]\ntls_certificate_file = \"a\"",
            "[api]\ntls_key_file = \"b\"",
        ] {
            let error = load(one).unwrap_err().to_string();
            assert!(error.contains("tls_key_file"), "{error}");
        }
        assert_eq!(load("").unwrap().api.scheme(), "http");
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        for (proxies, fits) in [
            (r#"["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"]"#, true),
            (r#"["proxy.example.org"]"#, false),
            (r#"["10.0.0.0/33"]"#, false),
        ] {
            let loaded = load(&format!("[api]\ntrusted_proxies = {proxies}"));
            assert_eq!(loaded.is_ok(), fits, "{proxies}");
        }
    }

    #[test]
    fn watchers_leave_places_for_others() {
        let limits = load("").unwrap().limits;
        assert!(limits.watchers < limits.connections, "{limits:?}");
    }

    #[test]
    fn limits_are_numbers_and_0_lifts_those_by_the_minute() {
        let config = load("[limits]\nrequests_per_minute = 0\nchanges_per_minute = 5").unwrap();
        let rules = config.rules().unwrap();
        assert_eq!(rules.requests_per_minute, None);
        assert_eq!(rules.changes_per_minute.map(u32::from), Some(5));
        for none in ["connections", "watchers", "active_jobs_per_package"] {
            assert!(load(&format!("[limits]\n{none} = 0")).is_err(), "{none}");
            assert!(load(&format!("[limits]\n{none} = 1")).is_ok(), "{none}");
        }
    }
}
