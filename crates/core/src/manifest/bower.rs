//! `bower.json`, the manifest of packages from before the registry (registry spec, section 3.3).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::source::{self, ManifestError};
use super::{Manifest, PackageName, Range, Version};
use crate::json::{self, json_object};
use crate::license::{License, LicenseError};
use crate::location::Location;
use crate::range::with_causes;

const FILE: &str = "bower.json";

/// Makes the manifest of a package with a `bower.json`. What such a file does not say comes from the request and
/// from the metadata of the package.
///
/// # Errors
/// [`ManifestError`], which says what to change.
pub fn parse(
    text: &str,
    name: &PackageName,
    version: Version,
    git_ref: &str,
    location: &Location,
) -> Result<Manifest, ManifestError> {
    let bower: Bower = json::decode(text).map_err(|error| ManifestError::undecodable(FILE, error))?;
    Ok(Manifest {
        name: name.clone(),
        version,
        license: license(bower.license)?,
        description: source::description(FILE, "description", bower.description.as_deref())?,
        location: location.clone(),
        git_ref: git_ref.to_owned(),
        owners: None,
        include_files: None,
        exclude_files: None,
        dependencies: dependencies(bower.dependencies)?,
    })
}

#[derive(Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
struct Bower {
    #[serde(default, deserialize_with = "json::present")]
    license: Option<Licenses>,
    #[serde(default, deserialize_with = "json::present")]
    description: Option<String>,
    #[serde(default, deserialize_with = "json::unique_map")]
    dependencies: BTreeMap<String, String>,
}

json_object!(Bower, read only);

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "invalid type: expected a licence or a list of licences"
)]
enum Licenses {
    One(String),
    Several(Vec<String>),
}

/// All the licences that are acceptable today; the others are dropped, unless none is left.
fn license(licenses: Option<Licenses>) -> Result<License, ManifestError> {
    let texts = match licenses {
        None => Vec::new(),
        Some(Licenses::One(text)) => vec![text],
        Some(Licenses::Several(texts)) => texts,
    };
    let (mut accepted, mut refused): (Vec<License>, Option<LicenseError>) = (Vec::new(), None);
    for text in &texts {
        match License::parse_strict(text) {
            Ok(license) => accepted.push(license),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    match (License::all_of(accepted), refused) {
        (Some(license), _) => Ok(license),
        (None, Some(cause)) => Err(ManifestError::License {
            file: FILE,
            field: "license",
            cause,
        }),
        (None, None) => Err(ManifestError::Missing {
            file: FILE,
            field: "license",
            advice: "add an SPDX identifier such as `MIT`",
        }),
    }
}

fn dependencies(list: BTreeMap<String, String>) -> Result<BTreeMap<PackageName, Range>, ManifestError> {
    let mut dependencies = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, range) in list {
        match (PackageName::parse_legacy(&name), Range::parse_lenient(&range)) {
            (Ok(name), Ok(range)) => {
                if dependencies.insert(name.clone(), range).is_some() {
                    problems.push(format!("the dependency {name} is listed twice: keep one"));
                }
            }
            (Err(error), _) => problems.push(error.to_string()),
            (Ok(name), Err(error)) => {
                problems.push(format!("the dependency {name}: {}", with_causes(&error)))
            }
        }
    }
    if problems.is_empty() {
        Ok(dependencies)
    } else {
        Err(ManifestError::Dependencies { file: FILE, problems })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bower(text: &str) -> Result<Manifest, String> {
        let location = Location::github("lab", "purescript-demo", None).unwrap();
        parse(
            text,
            &"demo".parse().unwrap(),
            Version::new(1, 0, 0),
            "v1.0.0",
            &location,
        )
        .map_err(|error| error.to_string())
    }

    fn licensed(license: &str) -> Result<String, String> {
        bower(&format!(r#"{{"license":{license}}}"#)).map(|manifest| manifest.license.to_string())
    }

    #[test]
    fn a_bower_manifest_is_completed_from_request_and_metadata() {
        let text = r#"{
            "name": "purescript-other",
            "license": "MIT",
            "description": "A demo",
            "ignore": ["**/.*"],
            "dependencies": {"purescript-prelude": "^6.0.0", "purescript-effect": ">=3.0.0 <4.0.0"},
            "devDependencies": {"purescript-assert": "master"}
        }"#;
        assert_eq!(
            bower(text).unwrap().to_line(),
            r#"{"name":"demo","version":"1.0.0","license":"MIT","description":"A demo","location":{"githubOwner":"lab","githubRepo":"purescript-demo"},"ref":"v1.0.0","dependencies":{"effect":">=3.0.0 <4.0.0","prelude":">=6.0.0 <7.0.0"}}"#
        );
    }

    #[test]
    fn several_licences_are_joined_and_unacceptable_ones_dropped() {
        assert_eq!(licensed(r#"["MIT", "ISC"]"#).unwrap(), "MIT AND ISC");
        assert_eq!(
            licensed(r#"["MIT OR ISC", "nonsense", "0BSD"]"#).unwrap(),
            "(MIT OR ISC) AND 0BSD"
        );
        assert_eq!(
            licensed(r#"["GPL-3.0", "nonsense"]"#).unwrap_err(),
            "bower.json: license: the licence `GPL-3.0` is not in canonical form: write `GPL-3.0-only`"
        );
        for license in ["[]", r#""""#] {
            assert!(
                licensed(license).unwrap_err().starts_with("bower.json: "),
                "{license}"
            );
        }
        assert!(
            bower("{}")
                .unwrap_err()
                .starts_with("bower.json: `license` is missing: add")
        );
        assert!(
            licensed("7")
                .unwrap_err()
                .contains("expected a licence or a list of licences")
        );
    }

    #[test]
    fn every_bad_dependency_is_named() {
        let error = bower(
            r#"{"license":"MIT","dependencies":{"purescript-a":"*","purescript-b":"^1.0.0 || ^2.0.0","B":"1.0.0","b2":"owner/repo#v1.0.0","c":"1.0.0","purescript-c":"1.0.0"}}"#,
        )
        .unwrap_err();
        for part in [
            "the dependency a: the range `*` has no upper bound",
            "the dependency b: the range `^1.0.0 || ^2.0.0` has several alternatives",
            "`B` must start with",
            "the dependency b2: `owner/repo#v1.0.0` is not a version range",
            "the dependency c is listed twice",
        ] {
            assert!(error.contains(part), "{part}\n{error}");
        }
    }

    #[test]
    fn a_long_description_is_refused() {
        let text = |length| format!(r#"{{"license":"MIT","description":"{}"}}"#, "ä".repeat(length));
        assert!(bower(&text(300)).is_ok());
        assert!(
            bower(&text(301))
                .unwrap_err()
                .contains("shorten it to at most 300")
        );
    }
}
