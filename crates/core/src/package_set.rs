//! Package sets: one version of each package, known to compile together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::json::{self, json_object};
use crate::name::PackageName;
use crate::time::Date;
use crate::version::Version;

pub mod absence;
pub mod candidates;
pub mod changes;
pub mod checks;
pub mod dependencies;
pub mod legacy;

/// The file `package-sets/VERSION.json` of the registry repository (registry spec, section 2.5). Never changed once
/// released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", rename = "package set", expecting = "a package set object")]
pub struct PackageSet {
    /// The version of the set.
    pub version: Version,
    /// The compiler that compiled it.
    pub compiler: Version,
    /// The day it was released.
    pub published: Date,
    /// Its members.
    #[serde(deserialize_with = "json::unique_map")]
    pub packages: BTreeMap<PackageName, Version>,
}

json_object!(PackageSet);

impl PackageSet {
    /// What the first set of a registry starts from: version 0.0.0, without members. It is never released; whatever is
    /// added to it makes the set 1.0.0.
    pub fn before_the_first(compiler: Version, published: Date) -> Self {
        Self {
            version: Version::new(0, 0, 0),
            compiler,
            published,
            packages: BTreeMap::new(),
        }
    }

    /// Reads the text of a package set file.
    ///
    /// # Errors
    /// When a field is missing or breaks a rule.
    pub fn parse(text: &str) -> Result<Self, json::DecodeError> {
        json::decode(text)
    }

    /// Returns the text of the package set file.
    pub fn to_text(&self) -> String {
        json::to_pretty(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
  "version": "80.8.0",
  "compiler": "0.15.15",
  "published": "2026-08-18",
  "packages": {
    "abc-parser": "2.1.0",
    "ace": "9.1.0"
  }
}
"#;

    #[test]
    fn a_set_comes_out_as_it_went_in() {
        assert_eq!(PackageSet::parse(TEXT).unwrap().to_text(), TEXT);
    }

    #[test]
    fn a_member_has_one_version() {
        let error = PackageSet::parse(&TEXT.replace("ace", "abc-parser")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "packages: the key `abc-parser` occurs twice: keep one"
        );
    }
}
