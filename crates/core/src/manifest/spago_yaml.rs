//! `spago.yaml`, from which spago users publish (registry spec, section 3.3).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::source::{self, ManifestError};
use super::{Manifest, PackageName, Range, Version};
use crate::json::{self, json_object};
use crate::location::Location;
use crate::owner::Owner;
use crate::range::with_causes;

const FILE: &str = "spago.yaml";

/// Makes the manifest of the package in a `spago.yaml`, built from `git_ref`.
///
/// # Errors
/// [`ManifestError`], which says what to change.
pub fn parse(text: &str, git_ref: &str) -> Result<Manifest, ManifestError> {
    let file: File = serde_saphyr::from_str_with_options(text, options())
        .map_err(|error| ManifestError::undecodable(FILE, message(&error)))?;
    let package = file.package.ok_or(ManifestError::Missing {
        file: FILE,
        field: "package",
        advice: "publish from the directory of the package, not from a workspace without one",
    })?;
    let publish = package.publish.ok_or(ManifestError::Missing {
        file: FILE,
        field: "package.publish",
        advice: "add it with `version`, `license` and `location`",
    })?;
    let location = publish.location.ok_or(ManifestError::Missing {
        file: FILE,
        field: "package.publish.location",
        advice: "add `githubOwner` and `githubRepo`",
    })?;
    Ok(Manifest {
        name: package.name,
        version: publish.version,
        license: source::license(FILE, "package.publish.license", &publish.license)?,
        description: source::description(FILE, "package.description", package.description.as_deref())?,
        location,
        git_ref: git_ref.to_owned(),
        owners: publish.owners.filter(|owners| !owners.is_empty()),
        include_files: globs(publish.include),
        exclude_files: globs(publish.exclude),
        dependencies: dependencies(package.dependencies)?,
    })
}

/// What a `spago.yaml` says, whether or not it says enough to publish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// `package.name`.
    pub name: Option<PackageName>,
    /// `package.description`.
    pub description: Option<String>,
    /// `package.publish.version`.
    pub version: Option<Version>,
    /// `package.publish.license`, as it is written.
    pub license: Option<String>,
    /// `package.publish.location`.
    pub location: Option<Location>,
    /// `package.publish.owners`.
    pub owners: Vec<Owner>,
    /// `package.dependencies`: each with its range, as it is written, if it has one.
    pub dependencies: Vec<(PackageName, Option<String>)>,
}

/// Reads what is there of a manifest.
///
/// # Errors
/// [`ManifestError`] when it is not a `spago.yaml`, or a dependency is no package.
pub fn outline(text: &str) -> Result<Outline, ManifestError> {
    let file: File = serde_saphyr::from_str_with_options(text, options())
        .map_err(|error| ManifestError::undecodable(FILE, message(&error)))?;
    let Some(package) = file.package else {
        return Ok(Outline::default());
    };
    let mut outline = Outline {
        name: Some(package.name),
        description: package.description,
        ..Outline::default()
    };
    for dependency in package.dependencies {
        let name = dependency
            .name
            .parse()
            .map_err(|error| ManifestError::Dependencies {
                file: FILE,
                problems: vec![format!("{error}")],
            })?;
        let range = dependency.range.filter(|range| range != "*");
        outline.dependencies.push((name, range));
    }
    if let Some(publish) = package.publish {
        outline.version = Some(publish.version);
        outline.license = Some(publish.license);
        outline.location = publish.location;
        outline.owners = publish.owners.unwrap_or_default();
    }
    Ok(outline)
}

/// Messages in one line: they end up in a job log, not on the terminal of somebody who edits the file.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! { with_snippet: false }
}

fn message(error: &serde_saphyr::Error) -> String {
    match error {
        // The library speaks to programmers here.
        serde_saphyr::Error::DuplicateMappingKey { key, location } => {
            let key = key.as_deref().unwrap_or("?");
            format!(
                "the key `{key}` occurs twice: keep one at line {}, column {}",
                location.line(),
                location.column()
            )
        }
        error => error.to_string().trim().to_owned(),
    }
}

/// Empty globs are dropped, and lists of nothing else too.
fn globs(list: Option<Vec<String>>) -> Option<Vec<String>> {
    let globs: Vec<String> = list?.into_iter().filter(|glob| !glob.is_empty()).collect();
    if globs.is_empty() { None } else { Some(globs) }
}

fn dependencies(list: Vec<Dependency>) -> Result<BTreeMap<PackageName, Range>, ManifestError> {
    let mut dependencies = BTreeMap::new();
    let mut problems = Vec::new();
    let mut without_range = Vec::new();
    for dependency in list {
        let name = match dependency.name.parse::<PackageName>() {
            Ok(name) => name,
            Err(error) => {
                problems.push(error.to_string());
                continue;
            }
        };
        let range = match dependency.range.as_deref() {
            None | Some("*") => {
                without_range.push(name.to_string());
                continue;
            }
            Some(text) => match text.parse::<Version>() {
                Ok(version) => Range::exact(version),
                Err(_) => match text.parse::<Range>() {
                    Ok(range) => range,
                    Err(error) => {
                        problems.push(format!("the dependency {name}: {}", with_causes(&error)));
                        continue;
                    }
                },
            },
        };
        if dependencies.insert(name.clone(), range).is_some() {
            problems.push(format!("the dependency {name} is listed twice: keep one"));
        }
    }
    if !without_range.is_empty() {
        problems.push(format!(
            "these dependencies need a version range, as in `prelude: \">=6.0.0 <7.0.0\"`: {}",
            without_range.join(", ")
        ));
    }
    if problems.is_empty() {
        Ok(dependencies)
    } else {
        Err(ManifestError::Dependencies { file: FILE, problems })
    }
}

#[derive(serde::Deserialize)]
#[serde(remote = "Self", expecting = "a mapping with `package`")]
struct File {
    #[serde(default, deserialize_with = "json::present")]
    package: Option<Package>,
}

json_object!(File, read only);

#[derive(serde::Deserialize)]
#[serde(remote = "Self", expecting = "a package mapping")]
struct Package {
    name: PackageName,
    #[serde(default, deserialize_with = "json::present")]
    description: Option<String>,
    dependencies: Vec<Dependency>,
    #[serde(default, deserialize_with = "json::present")]
    publish: Option<Publish>,
}

json_object!(Package, read only);

#[derive(serde::Deserialize)]
#[serde(remote = "Self", expecting = "a publish mapping")]
struct Publish {
    version: Version,
    license: String,
    #[serde(default, deserialize_with = "json::present")]
    location: Option<Location>,
    #[serde(default, deserialize_with = "json::present")]
    include: Option<Vec<String>>,
    #[serde(default, deserialize_with = "json::present")]
    exclude: Option<Vec<String>>,
    #[serde(default, deserialize_with = "json::present")]
    owners: Option<Vec<Owner>>,
}

json_object!(Publish, read only);

/// `prelude`, or `prelude: ">=6.0.0 <7.0.0"`.
struct Dependency {
    name: String,
    range: Option<String>,
}

impl<'de> Deserialize<'de> for Dependency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrPair;

        impl<'de> Visitor<'de> for NameOrPair {
            type Value = Dependency;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a package name, or a package name with a range")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Dependency, E> {
                Ok(Dependency {
                    name: name.to_owned(),
                    range: None,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Dependency, A::Error> {
                let Some((name, range)) = map.next_entry::<String, Option<String>>()? else {
                    return Err(de::Error::custom("a dependency is empty: leave it out"));
                };
                if let Some(other) = map.next_key::<String>()? {
                    return Err(de::Error::custom(format_args!(
                        "the dependencies `{name}` and `{other}` share one list item: write `- ` before each"
                    )));
                }
                Ok(Dependency { name, range })
            }
        }

        deserializer.deserialize_any(NameOrPair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# a comment
package:
  name: demo
  description: "A demo"
  dependencies:
    - prelude: ">=6.0.0 <7.0.0"
    - effect: 4.0.0
  publish:
    version: 1.0.0
    license: BSD-3-Clause
    location:
      githubOwner: lab
      githubRepo: purescript-demo
    include:
      - "extra/**/*.js"
      - ""
    exclude: []
    owners:
      - keytype: ssh-ed25519
        public: AAAA
  test:
    main: Test.Main
    dependencies: [spec]
workspace:
  packageSet:
    registry: 50.0.0
  extraPackages: {}
"#;

    fn replaced(from: &str, to: &str) -> Result<Manifest, String> {
        assert!(TEXT.contains(from), "{from}");
        parse(&TEXT.replace(from, to), "v1.0.0").map_err(|error| error.to_string())
    }

    #[test]
    fn the_fields_that_publishing_needs_are_taken() {
        assert_eq!(
            parse(TEXT, "v1.0.0").unwrap().to_line(),
            r#"{"name":"demo","version":"1.0.0","license":"BSD-3-Clause","description":"A demo","location":{"githubOwner":"lab","githubRepo":"purescript-demo"},"ref":"v1.0.0","owners":[{"keytype":"ssh-ed25519","public":"AAAA"}],"includeFiles":["extra/**/*.js"],"dependencies":{"effect":">=4.0.0 <4.0.1","prelude":">=6.0.0 <7.0.0"}}"#
        );
    }

    #[test]
    fn what_is_there_is_outlined_even_if_it_is_not_enough_to_publish() {
        let outline = |text: &str| super::outline(text).unwrap();
        let whole = outline(TEXT);
        assert_eq!(whole.license.as_deref(), Some("BSD-3-Clause"));
        assert_eq!(whole.owners.len(), 1);
        let sparse =
            outline("package:\n  name: demo\n  dependencies: [prelude, effect: \"*\", aff: 8.0.0]\n");
        let dependencies: Vec<_> = sparse
            .dependencies
            .iter()
            .map(|(name, range)| (name.as_str(), range.as_deref()))
            .collect();
        assert_eq!(
            dependencies,
            [("prelude", None), ("effect", None), ("aff", Some("8.0.0"))]
        );
        assert_eq!((sparse.version, sparse.license), (None, None));
        assert_eq!(outline("workspace: {}\n"), Outline::default());
        assert!(super::outline("package: 1").is_err());
    }

    #[test]
    fn lists_of_nothing_are_dropped() {
        let manifest = replaced("    include:\n      - \"extra/**/*.js\"\n", "    include:\n").unwrap();
        assert_eq!((manifest.include_files, manifest.exclude_files), (None, None));
        let manifest = replaced(
            "owners:\n      - keytype: ssh-ed25519\n        public: AAAA",
            "owners: []",
        )
        .unwrap();
        assert_eq!(manifest.owners, None);
        let manifest = replaced(
            "    - prelude: \">=6.0.0 <7.0.0\"\n    - effect: 4.0.0\n",
            "    []\n",
        )
        .unwrap();
        assert!(manifest.dependencies.is_empty());
    }

    #[test]
    fn dependencies_without_a_range_are_all_named() {
        assert_eq!(
            replaced(
                "    - effect: 4.0.0",
                "    - effect\n    - aff: \"*\"\n    - maybe:"
            )
            .unwrap_err(),
            "spago.yaml: these dependencies need a version range, as in `prelude: \">=6.0.0 <7.0.0\"`: effect, aff, maybe"
        );
    }

    #[test]
    fn every_bad_dependency_is_named() {
        let error = replaced(
            "    - effect: 4.0.0",
            "    - Effect: 4.0.0\n    - aff: ^7.0.0\n    - maybe: \">=6.0 <7.0.0\"\n    - prelude: 6.0.1",
        )
        .unwrap_err();
        assert!(error.contains("`Effect` must start with"), "{error}");
        assert!(
            error.contains("the dependency aff: the range `^7.0.0` must have the form"),
            "{error}"
        );
        assert!(
            error.contains("the dependency prelude is listed twice"),
            "{error}"
        );
        let error = replaced("    - effect: 4.0.0", "    - effect: 4.0.0\n      aff: 7.0.0").unwrap_err();
        assert!(error.contains("write `- ` before each"), "{error}");
    }

    #[test]
    fn missing_sections_say_what_to_add() {
        let error = |text: &str| parse(text, "v1.0.0").unwrap_err().to_string();
        assert!(error("workspace: {}\n").starts_with("spago.yaml: `package` is missing"));
        assert!(
            error("package:\n  name: a\n  dependencies: []\n")
                .starts_with("spago.yaml: `package.publish` is missing")
        );
        assert!(
            replaced(
                "    location:\n      githubOwner: lab\n      githubRepo: purescript-demo\n",
                ""
            )
            .unwrap_err()
            .starts_with("spago.yaml: `package.publish.location` is missing")
        );
        assert!(
            replaced("  name: demo\n", "")
                .unwrap_err()
                .contains("missing field `name`")
        );
    }

    #[test]
    fn licence_and_description_follow_the_rules_for_new_manifests() {
        assert_eq!(
            replaced("BSD-3-Clause", "GPL-3.0").unwrap_err(),
            "spago.yaml: package.publish.license: the licence `GPL-3.0` is not in canonical form: write `GPL-3.0-only`"
        );
        let long = "ä".repeat(301);
        assert!(
            replaced("A demo", &long)
                .unwrap_err()
                .contains("shorten it to at most 300")
        );
        assert!(replaced("A demo", &long[2..]).is_ok());
    }

    #[test]
    fn what_is_no_yaml_or_has_other_types_is_refused_in_one_line() {
        for (from, to) in [
            ("package:", "package: ["),
            ("version: 1.0.0", "version: 1.0"),
            ("version: 1.0.0", "version: [1]"),
            ("description: \"A demo\"", "description: [a]"),
            ("  name: demo", "  name: demo\n  name: demo"),
            ("githubOwner: lab", "gitHubOwner: lab"),
            ("package:", "- package:"),
        ] {
            let error = replaced(from, to).unwrap_err();
            assert!(error.starts_with("spago.yaml: "), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        assert_eq!(
            replaced("  name: demo", "  name: demo\n  name: demo").unwrap_err(),
            "spago.yaml: the key `name` occurs twice: keep one at line 4, column 3"
        );
        assert_eq!(
            replaced("version: 1.0.0", "version: 1.0").unwrap_err(),
            "spago.yaml: the version `1.0` must be three numbers joined by dots, such as `1.0.0` at line 9, column 14"
        );
        assert!(parse("", "v1.0.0").is_err());
        let bomb = format!(
            "a: &a [1]\n{}",
            (0..40)
                .map(|i| format!("b{i}: &b{i} [*a, *a]\n"))
                .collect::<String>()
        );
        assert!(parse(&bomb, "v1.0.0").is_err());
    }
}
