//! `purs.json` as authors write it.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;

use super::Manifest;
use crate::json::{self, DecodeError, json_object};
use crate::license::{License, LicenseError};
use crate::location::Location;
use crate::name::PackageName;
use crate::owner::Owner;
use crate::range::Range;
use crate::text::{Description, TooLong};
use crate::version::Version;

/// Why the manifest of an author is refused. The text names the file and says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The file is not JSON, or a field is missing or wrong.
    #[error("{file}: {message}")]
    Undecodable {
        /// The file, such as `purs.json`.
        file: &'static str,
        /// Which field and which rule.
        message: String,
    },
    /// The licence is not acceptable.
    #[error("{file}: {field}: {cause}")]
    License {
        /// The file.
        file: &'static str,
        /// The field of the licence in that file.
        field: &'static str,
        /// What is wrong with it; part of the text, because it is what the author has to change.
        cause: LicenseError,
    },
    /// The description is too long for clients.
    #[error("{file}: {field}: {cause}")]
    Description {
        /// The file.
        file: &'static str,
        /// The field of the description in that file.
        field: &'static str,
        /// How long it is.
        cause: TooLong,
    },
    /// A section or field that publishing needs is not there.
    #[error("{file}: `{field}` is missing: {advice}")]
    Missing {
        /// The file.
        file: &'static str,
        /// The missing field.
        field: &'static str,
        /// What to add.
        advice: &'static str,
    },
    /// Some dependencies cannot be used. All of them are listed, so that one correction is enough.
    #[error("{file}: {}", list(.problems))]
    Dependencies {
        /// The file.
        file: &'static str,
        /// One sentence for each.
        problems: Vec<String>,
    },
}

fn list(problems: &[String]) -> String {
    problems.join("; ")
}

impl ManifestError {
    pub(super) fn undecodable(file: &'static str, message: impl ToString) -> Self {
        Self::Undecodable {
            file,
            message: message.to_string(),
        }
    }
}

/// Checks the licence of a new manifest.
pub(super) fn license(file: &'static str, field: &'static str, text: &str) -> Result<License, ManifestError> {
    License::parse_strict(text).map_err(|cause| ManifestError::License { file, field, cause })
}

/// Checks the description of a new manifest.
pub(super) fn description(
    file: &'static str,
    field: &'static str,
    text: Option<&str>,
) -> Result<Option<Description>, ManifestError> {
    text.map(Description::from_str)
        .transpose()
        .map_err(|cause| ManifestError::Description { file, field, cause })
}

const FILE: &str = "purs.json";

/// The same fields as [`Manifest`], but licence and description are still texts: their rules for new data differ.
#[derive(Deserialize)]
#[serde(
    remote = "Self",
    rename_all = "camelCase",
    rename = "manifest",
    expecting = "a manifest object"
)]
struct Source {
    name: PackageName,
    version: Version,
    license: String,
    #[serde(default, deserialize_with = "json::present")]
    description: Option<String>,
    location: Location,
    #[serde(rename = "ref")]
    git_ref: String,
    #[serde(default, deserialize_with = "json::present_non_empty")]
    owners: Option<Vec<Owner>>,
    #[serde(default, deserialize_with = "super::present_globs")]
    include_files: Option<Vec<String>>,
    #[serde(default, deserialize_with = "super::present_globs")]
    exclude_files: Option<Vec<String>>,
    #[serde(deserialize_with = "json::unique_map")]
    dependencies: BTreeMap<PackageName, Range>,
}

json_object!(Source, read only);

pub(super) fn from_purs_json(text: &str) -> Result<Manifest, ManifestError> {
    let source: Source =
        json::decode(text).map_err(|error: DecodeError| ManifestError::undecodable(FILE, error))?;
    Ok(Manifest {
        license: license(FILE, "license", &source.license)?,
        description: description(FILE, "description", source.description.as_deref())?,
        name: source.name,
        version: source.version,
        location: source.location,
        git_ref: source.git_ref,
        owners: source.owners,
        include_files: source.include_files,
        exclude_files: source.exclude_files,
        dependencies: source.dependencies,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purs_json(license: &str, description: &str) -> String {
        format!(
            r#"{{
  "name": "demo",
  "version": "1.0.0",
  "license": "{license}",
  "description": "{description}",
  "location": {{ "githubOwner": "lab", "githubRepo": "purescript-demo" }},
  "ref": "v1.0.0",
  "dependencies": {{ "prelude": ">=6.0.0 <7.0.0" }}
}}
"#
        )
    }

    fn error(text: &str) -> String {
        Manifest::from_purs_json(text).unwrap_err().to_string()
    }

    #[test]
    fn a_plain_purs_json_is_accepted_and_comes_out_canonical() {
        let manifest = Manifest::from_purs_json(&purs_json("(MIT OR ISC)", "A demo")).unwrap();
        assert_eq!(manifest.license.as_str(), "MIT OR ISC");
        assert_eq!(Manifest::from_stored(&manifest.to_line()).unwrap(), manifest);
    }

    #[test]
    fn errors_say_what_to_change() {
        assert_eq!(
            error(&purs_json("GPL-3.0", "")),
            "purs.json: license: the licence `GPL-3.0` is not in canonical form: write `GPL-3.0-only`"
        );
        assert_eq!(
            error(&purs_json("MIT", &"ä".repeat(301))),
            "purs.json: description: the description has 301 characters: shorten it to at most 300"
        );
        assert!(Manifest::from_purs_json(&purs_json("MIT", &"ä".repeat(300))).is_ok());
        assert_eq!(
            error(&purs_json("MIT", "").replace(">=6.0.0 <7.0.0", "^6.0.0")),
            "purs.json: dependencies.prelude: the range `^6.0.0` must have the form `>=A <B` with one space, such as \
             `>=1.0.0 <2.0.0`"
        );
        assert_eq!(error(r#"{"name":"demo"}"#), "purs.json: missing field `version`");
        assert!(error("name: demo").starts_with("purs.json: not valid JSON"));
        assert_eq!(
            error(&purs_json("MIT", "").replace("\"v1.0.0\"", "7")),
            "purs.json: ref: invalid type: integer `7`, expected a string"
        );
    }
}
