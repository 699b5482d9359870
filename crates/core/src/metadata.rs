//! Metadata: what the registry knows about a package beyond its manifests.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::digest::Sha256;
use crate::json::{self, json_object};
use crate::location::Location;
use crate::owner::Owner;
use crate::text::Reason;
use crate::time::Timestamp;
use crate::version::Version;

/// The file `metadata/NAME.json` of the registry repository (registry spec, section 2.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", rename = "metadata", expecting = "a metadata object")]
pub struct Metadata {
    /// Where the code comes from; changed only by a transfer.
    pub location: Location,
    /// The owners named by the most recently published manifest; at least one when present.
    #[serde(
        default,
        deserialize_with = "json::present_non_empty",
        skip_serializing_if = "Option::is_none"
    )]
    pub owners: Option<Vec<Owner>>,
    /// The versions that can be installed.
    #[serde(deserialize_with = "json::unique_map")]
    pub published: BTreeMap<Version, PublishedVersion>,
    /// The versions that could once be installed and never can again.
    #[serde(deserialize_with = "json::unique_map")]
    pub unpublished: BTreeMap<Version, UnpublishedVersion>,
}

json_object!(Metadata);

/// A version that can be installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    remote = "Self",
    rename_all = "camelCase",
    expecting = "an object about a published version"
)]
pub struct PublishedVersion {
    /// Size of the tarball.
    pub bytes: u64,
    /// The compilers it is known to compile with; at least one, ascending.
    #[serde(deserialize_with = "compilers")]
    pub compilers: Vec<Version>,
    /// Digest of the tarball.
    pub hash: Sha256,
    /// When its source was fetched.
    pub published_time: Timestamp,
    /// Always empty for new versions: only there because spago 0.93 cannot read entries without it.
    #[serde(rename = "ref", default)]
    pub git_ref: String,
}

json_object!(PublishedVersion);

/// A version that was withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    remote = "Self",
    rename_all = "camelCase",
    expecting = "an object about an unpublished version"
)]
pub struct UnpublishedVersion {
    /// When its source was fetched.
    pub published_time: Timestamp,
    /// Why it was withdrawn.
    pub reason: Reason,
    /// When it was withdrawn.
    pub unpublished_time: Timestamp,
}

json_object!(UnpublishedVersion);

impl Metadata {
    /// Returns the metadata of a package before its first version.
    pub fn new(location: Location) -> Self {
        Self {
            location,
            owners: None,
            published: BTreeMap::new(),
            unpublished: BTreeMap::new(),
        }
    }

    /// Reads the text of a metadata file.
    ///
    /// # Errors
    /// When a field is missing or breaks a rule.
    pub fn parse(text: &str) -> Result<Self, json::DecodeError> {
        json::decode(text)
    }

    /// Returns the text of the metadata file.
    pub fn to_text(&self) -> String {
        json::to_pretty(self)
    }

    /// Returns the highest version that can be installed.
    pub fn latest(&self) -> Option<Version> {
        self.published.keys().next_back().copied()
    }
}

impl PublishedVersion {
    /// Adds a compiler the version is known to compile with. Tells whether it is new.
    pub fn add_compiler(&mut self, compiler: Version) -> bool {
        match self.compilers.binary_search(&compiler) {
            Ok(_) => false,
            Err(place) => {
                self.compilers.insert(place, compiler);
                true
            }
        }
    }
}

fn compilers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Version>, D::Error> {
    let compilers = Vec::<Version>::deserialize(deserializer)?;
    if compilers.is_empty() {
        return Err(de::Error::custom(
            "the list of compilers is empty: name at least one",
        ));
    }
    if !compilers.is_sorted_by(|a, b| a < b) {
        return Err(de::Error::custom(
            "the compilers must be in ascending order, each once",
        ));
    }
    Ok(compilers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASKERVILLE: &str = r#"{
  "location": {
    "githubOwner": "afcondon",
    "githubRepo": "purescript-baskerville"
  },
  "published": {
    "0.1.3": {
      "bytes": 10726,
      "compilers": [
        "0.15.15",
        "0.15.16"
      ],
      "hash": "sha256-OKVND8o1ZVJ3KbDGLIw4SGZm5yAITt7xfPcbNBYGVQ0=",
      "publishedTime": "2026-07-25T16:00:14.423Z",
      "ref": ""
    },
    "0.1.10": {
      "bytes": 10726,
      "compilers": [
        "0.15.16"
      ],
      "hash": "sha256-OKVND8o1ZVJ3KbDGLIw4SGZm5yAITt7xfPcbNBYGVQ0=",
      "publishedTime": "2026-07-25T16:00:14.423Z",
      "ref": ""
    }
  },
  "unpublished": {
    "0.1.2": {
      "publishedTime": "2026-07-25T15:11:12.686Z",
      "reason": "description too long for current clients",
      "unpublishedTime": "2026-07-25T16:25:01.133Z"
    }
  }
}
"#;

    fn error(from: &str, to: &str) -> String {
        assert!(BASKERVILLE.contains(from));
        Metadata::parse(&BASKERVILLE.replace(from, to))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn metadata_comes_out_as_it_went_in_with_versions_in_numeric_order() {
        let metadata = Metadata::parse(BASKERVILLE).unwrap();
        assert_eq!(metadata.to_text(), BASKERVILLE);
        assert_eq!(metadata.latest(), Some(Version::new(0, 1, 10)));
    }

    #[test]
    fn fresh_metadata_has_both_maps() {
        let location = Location::github("lab", "demo", None).unwrap();
        assert_eq!(
            Metadata::new(location).to_text(),
            "{\n  \"location\": {\n    \"githubOwner\": \"lab\",\n    \"githubRepo\": \"demo\"\n  },\n  \"published\": {},\n  \
             \"unpublished\": {}\n}\n"
        );
    }

    #[test]
    fn compilers_are_ascending_without_repetition_and_never_none() {
        assert!(error("\"0.15.15\",\n", "\"0.15.17\",\n").contains("ascending order"));
        assert!(error("\"0.15.15\",\n", "\"0.15.16\",\n").contains("ascending order"));
        assert!(error("\"0.15.15\",\n        \"0.15.16\"", "").contains("empty"));
    }

    #[test]
    fn a_compiler_is_added_in_its_place_and_once() {
        let mut metadata = Metadata::parse(BASKERVILLE).unwrap();
        let version = metadata.published.get_mut(&Version::new(0, 1, 3)).unwrap();
        assert!(version.add_compiler(Version::new(0, 15, 9)));
        assert!(!version.add_compiler(Version::new(0, 15, 16)));
        assert_eq!(
            version.compilers,
            [9, 15, 16].map(|patch| Version::new(0, 15, patch))
        );
    }

    #[test]
    fn errors_name_the_version_and_the_field() {
        assert!(error("10726", "-1").starts_with("published.0.1.3.bytes: "));
        assert!(error("sha256-", "sha1-").starts_with("published.0.1.3.hash: "));
        assert!(error("16:00:14.423Z", "16:00:14.423+00:00").starts_with("published.0.1.3.publishedTime: "));
        assert!(error("  \"unpublished\"", "  \"other\"").starts_with("missing field `unpublished`"));
        assert!(error("\"0.1.10\"", "\"0.1.3\"").contains("occurs twice"));
        assert!(
            error(
                "{\n    \"githubOwner\": \"afcondon\",\n    \"githubRepo\": \"purescript-baskerville\"\n  }",
                "null"
            )
            .starts_with("location: ")
        );
    }
}
