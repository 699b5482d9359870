//! The `[legal]` section: what the page about copyright says.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ConfigError, read_file};

/// The longest text of the page, in bytes.
const MAX_TEXT_BYTES: usize = 100_000;

/// The `[legal]` section.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Legal {
    /// A file with what `/legal/takedown` says above its form, in Markdown, of at most 100,000 bytes. Default: a text that fits most registries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takedown_text_file: Option<PathBuf>,
    /// A mail address for notices, shown beside the form. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

impl Legal {
    /// What the page says.
    ///
    /// # Errors
    /// When the file cannot be read or is too long, or the address is none.
    pub fn texts(&self) -> Result<docket_api::Legal, ConfigError> {
        let is_address = |text: &String| {
            text.split_once('@')
                .is_some_and(|(who, host)| !who.is_empty() && !host.is_empty())
                && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "?&<>\"".contains(c))
        };
        if !self.contact.iter().all(is_address) {
            return Err(ConfigError::OutOfRange {
                key: "legal.contact",
                rule: "a mail address",
            });
        }
        let takedown_text = self.takedown_text_file.as_deref().map(read_file).transpose()?;
        if takedown_text
            .as_ref()
            .is_some_and(|text| text.len() > MAX_TEXT_BYTES)
        {
            return Err(ConfigError::OutOfRange {
                key: "legal.takedown_text_file",
                rule: "a file of at most 100000 bytes",
            });
        }
        Ok(docket_api::Legal {
            takedown_text,
            contact: self.contact.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::load;

    /// The text is read at the start, so that a file that is missing is not found out by a visitor.
    #[test]
    fn the_text_of_the_takedown_page_comes_from_a_file_of_limited_length() {
        assert_eq!(load("").unwrap().legal.texts().unwrap().takedown_text, None);
        let file = tempfile::NamedTempFile::new().unwrap();
        let section = format!("[legal]\ntakedown_text_file = {:?}", file.path());
        for (length, fits) in [(100_000, true), (100_001, false)] {
            fs::write(file.path(), "a".repeat(length)).unwrap();
            assert_eq!(load(&section).is_ok(), fits, "{length}");
        }
        let missing = load("[legal]\ntakedown_text_file = \"/does/not/exist\"").unwrap_err();
        assert!(missing.to_string().contains("/does/not/exist"), "{missing}");
    }

    #[test]
    fn the_contact_is_a_mail_address() {
        for (contact, fits) in [
            ("legal@registry.example", true),
            ("legal", false),
            ("@registry.example", false),
            ("legal@x?subject=y", false),
        ] {
            assert_eq!(
                load(&format!("[legal]\ncontact = {contact:?}")).is_ok(),
                fits,
                "{contact}"
            );
        }
    }
}
