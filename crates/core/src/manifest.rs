//! Manifests: what a version of a package says about itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::json::{self, json_object};
use crate::license::License;
use crate::location::Location;
use crate::name::PackageName;
use crate::owner::Owner;
use crate::range::Range;
use crate::text::Description;
use crate::version::Version;

pub mod bower;
mod source;
pub mod spago_yaml;

pub use source::ManifestError;

/// A manifest, as in `purs.json` and in one line of the manifest index (registry spec, section 2.2).
///
/// The order of the fields is the order of the keys. Reading JSON follows the rules for stored data; what authors
/// write goes through [`Manifest::from_purs_json`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    remote = "Self",
    rename_all = "camelCase",
    rename = "manifest",
    expecting = "a manifest object"
)]
pub struct Manifest {
    /// The package.
    pub name: PackageName,
    /// The version of it.
    pub version: Version,
    /// The licence it is published under.
    pub license: License,
    /// What it is for.
    #[serde(
        default,
        deserialize_with = "json::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub description: Option<Description>,
    /// Where the code came from when this version was published.
    pub location: Location,
    /// The snapshot it was built from: a tag, usually.
    #[serde(rename = "ref")]
    pub git_ref: String,
    /// Who may unpublish and transfer; at least one when present.
    #[serde(
        default,
        deserialize_with = "json::present_non_empty",
        skip_serializing_if = "Option::is_none"
    )]
    pub owners: Option<Vec<Owner>>,
    /// Globs of files that belong into the tarball besides the usual ones; at least one when present.
    #[serde(
        default,
        deserialize_with = "present_globs",
        skip_serializing_if = "Option::is_none"
    )]
    pub include_files: Option<Vec<String>>,
    /// Globs of files that stay out of the tarball; at least one when present.
    #[serde(
        default,
        deserialize_with = "present_globs",
        skip_serializing_if = "Option::is_none"
    )]
    pub exclude_files: Option<Vec<String>>,
    /// The direct dependencies.
    #[serde(deserialize_with = "json::unique_map")]
    pub dependencies: BTreeMap<PackageName, Range>,
}

json_object!(Manifest);

impl Manifest {
    /// Returns the line of the manifest index, without newline.
    pub fn to_line(&self) -> String {
        json::to_compact(self)
    }

    /// Returns the text of a `purs.json` file.
    pub fn to_pretty(&self) -> String {
        json::to_pretty(self)
    }

    /// Reads a line of the manifest index, or another manifest that was accepted once.
    ///
    /// # Errors
    /// When a field is missing or breaks the rules for stored data.
    pub fn from_stored(text: &str) -> Result<Self, json::DecodeError> {
        json::decode(text)
    }

    /// Reads the `purs.json` of an author, with the strict rules: a current licence in canonical form, and a
    /// description that every client can read.
    ///
    /// # Errors
    /// [`ManifestError`], which says what to change.
    pub fn from_purs_json(text: &str) -> Result<Self, ManifestError> {
        source::from_purs_json(text)
    }
}

/// A list of globs: at least one, none of them empty.
fn present_globs<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let globs: Option<Vec<String>> = json::present_non_empty(deserializer)?;
    if globs.iter().flatten().any(String::is_empty) {
        return Err(serde::de::Error::custom("a glob is empty: leave it out"));
    }
    Ok(globs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLUG: &str = r#"{"name":"slug","version":"3.2.0","license":"MIT","location":{"githubOwner":"thomashoneyman","githubRepo":"purescript-slug"},"ref":"v3.2.0","dependencies":{"argonaut-codecs":">=9.1.0 <10.0.0","prelude":">=6.0.2 <7.0.0"}}"#;
    const FULL: &str = r#"{"name":"a","version":"1.0.0","license":"(AGPL-3.0)","description":"Ünï","location":{"gitUrl":"https://example.org/a.git"},"ref":"v1.0.0","owners":[{"id":"me","keytype":"ssh-rsa","public":"AAAA"}],"includeFiles":["a/**"],"excludeFiles":["b"],"dependencies":{}}"#;

    fn with(field: &str, value: &str) -> Result<Manifest, json::DecodeError> {
        let mut json: serde_json::Value = serde_json::from_str(FULL).unwrap();
        json[field] = serde_json::from_str(value).unwrap();
        Manifest::from_stored(&json.to_string())
    }

    #[test]
    fn a_manifest_line_comes_out_as_it_went_in() {
        for line in [SLUG, FULL] {
            assert_eq!(Manifest::from_stored(line).unwrap().to_line(), line);
        }
    }

    #[test]
    fn keys_and_dependencies_are_put_in_order() {
        let shuffled = r#"{"dependencies":{"b":">=1.0.0 <2.0.0","a":">=1.0.0 <2.0.0"},"ref":"x","location":{"githubRepo":"r","githubOwner":"o"},"unknown":[1],"license":"MIT","version":"1.0.0","name":"a"}"#;
        assert_eq!(
            Manifest::from_stored(shuffled).unwrap().to_line(),
            r#"{"name":"a","version":"1.0.0","license":"MIT","location":{"githubOwner":"o","githubRepo":"r"},"ref":"x","dependencies":{"a":">=1.0.0 <2.0.0","b":">=1.0.0 <2.0.0"}}"#
        );
    }

    #[test]
    fn a_pretty_manifest_has_two_spaces_and_a_newline() {
        let text = Manifest::from_stored(SLUG).unwrap().to_pretty();
        assert!(
            text.starts_with("{\n  \"name\": \"slug\",\n  \"version\": \"3.2.0\",\n"),
            "{text}"
        );
        assert!(
            text.ends_with("    \"prelude\": \">=6.0.2 <7.0.0\"\n  }\n}\n"),
            "{text}"
        );
    }

    #[test]
    fn required_fields_are_required() {
        for field in ["name", "version", "license", "location", "ref", "dependencies"] {
            let mut json: serde_json::Value = serde_json::from_str(FULL).unwrap();
            json.as_object_mut().unwrap().remove(field);
            let error = Manifest::from_stored(&json.to_string()).unwrap_err().to_string();
            assert_eq!(error, format!("missing field `{field}`"));
        }
    }

    #[test]
    fn optional_fields_are_absent_or_full() {
        for field in ["description", "owners", "includeFiles", "excludeFiles"] {
            assert!(with(field, "null").unwrap_err().to_string().starts_with(field));
        }
        for field in ["owners", "includeFiles", "excludeFiles"] {
            assert!(with(field, "[]").unwrap_err().to_string().contains("empty"));
        }
        assert!(
            with("includeFiles", r#"[""]"#)
                .unwrap_err()
                .to_string()
                .contains("glob is empty")
        );
    }

    #[test]
    fn a_dependency_is_listed_once() {
        let twice = FULL.replace("{}}", r#"{"b":">=1.0.0 <2.0.0","b":">=1.0.0 <3.0.0"}}"#);
        assert_eq!(
            Manifest::from_stored(&twice).unwrap_err().to_string(),
            "dependencies: the key `b` occurs twice: keep one"
        );
    }

    #[test]
    fn stored_descriptions_may_have_up_to_500_characters() {
        assert!(with("description", &format!("{:?}", "ä".repeat(500))).is_ok());
        assert!(with("description", &format!("{:?}", "ä".repeat(501))).is_err());
    }
}
