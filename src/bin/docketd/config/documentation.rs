//! The `[documentation]` section.

use std::path::PathBuf;

use docket_worker::documentation::{Pursuit, PursuitError};
use serde::{Deserialize, Serialize};

use super::{ConfigError, read_file};

/// The `[documentation]` section: where the documentation of published versions is uploaded. Both keys, or neither.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Documentation {
    /// A Pursuit server, such as `https://pursuit.purescript.org`. Default: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The token with which Pursuit takes uploads: that of a GitHub account. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

impl Documentation {
    /// Where documentation is uploaded; `None` where nobody wants it.
    ///
    /// # Errors
    /// When one key lacks the other, the address is none, or the token cannot be read.
    pub fn pursuit(&self) -> Result<Option<Pursuit>, ConfigError> {
        let (url, token) = match (&self.url, &self.token_file) {
            (None, None) => return Ok(None),
            (Some(url), Some(path)) => (url, read_file(path)?),
            _ => {
                return Err(ConfigError::OutOfRange {
                    key: "documentation",
                    rule: "given with url and token_file, or not at all",
                });
            }
        };
        let pursuit = Pursuit::new(url, &token).map_err(|error| match error {
            PursuitError::Token => ConfigError::OutOfRange {
                key: "documentation.token_file",
                rule: "a file with one token",
            },
            PursuitError::Url | PursuitError::Http(_) => ConfigError::OutOfRange {
                key: "documentation.url",
                rule: "an http or https URL without user and password",
            },
        })?;
        Ok(Some(pursuit))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    /// Nothing is uploaded unless it is said where, and with which token.
    #[test]
    fn documentation_needs_an_address_and_a_token() {
        assert!(load("").unwrap().documentation.pursuit().unwrap().is_none());
        let token = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token.path(), "geheim\n").unwrap();
        let file = format!("token_file = {:?}\n", token.path());
        let url = |url: &str| format!("url = \"{url}\"\n");
        for (keys, wrong) in [
            (file.clone(), Some("documentation must be")),
            (url("https://pursuit.example.org"), Some("documentation must be")),
            (format!("{file}{}", url("pursuit")), Some("documentation.url")),
            (format!("{file}{}", url("https://pursuit.example.org")), None),
        ] {
            let config = load(&format!("[documentation]\n{keys}")).unwrap();
            match (config.documentation.pursuit(), wrong) {
                (Ok(pursuit), None) => assert!(pursuit.is_some()),
                (Err(error), Some(wrong)) => {
                    let error = error.to_string();
                    assert!(error.starts_with(wrong) && !error.contains("geheim"), "{error}");
                }
                (done, wrong) => panic!("{done:?}, expected {wrong:?}"),
            }
        }
    }
}
