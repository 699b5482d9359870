//! Package sets as older clients read them: the files of the repository `package-sets` (registry spec, section 5.4 and
//! appendix B).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::json;
use crate::location::Location;
use crate::name::PackageName;
use crate::time::Date;
use crate::version::Version;

/// A member as older clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LegacyPackage {
    /// The names it depends on, sorted.
    pub dependencies: Vec<PackageName>,
    /// The git URL of its repository.
    pub repo: String,
    /// The ref of this version in that repository.
    pub version: String,
}

/// A whole set as older clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct LegacySet {
    packages: BTreeMap<PackageName, LegacyPackage>,
}

/// Why a set has no legacy form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("older clients cannot use {name}, which lies in the folder {subdir} of its repository")]
pub struct SubdirError {
    /// The member.
    pub name: PackageName,
    /// Its folder.
    pub subdir: String,
}

/// Words that Dhall takes for something else. Package names have no upper case, so these are all.
const RESERVED: [&str; 12] = [
    "as", "assert", "else", "forall", "if", "in", "let", "merge", "missing", "then", "using", "with",
];

/// The width that a line of Dhall may have.
const WIDTH: usize = 80;

impl LegacySet {
    /// Makes a set of no members but `metadata`, a pseudo package that names the compiler.
    pub fn new(compiler: Version) -> Self {
        let metadata = LegacyPackage {
            dependencies: Vec::new(),
            repo: "https://github.com/purescript/purescript-metadata.git".to_owned(),
            version: format!("v{compiler}"),
        };
        let name = "metadata".parse().expect("`metadata` is a package name");
        Self {
            packages: BTreeMap::from([(name, metadata)]),
        }
    }

    /// Adds a member, whose code is at `git_ref` of `location`.
    ///
    /// # Errors
    /// When it lies in a folder of its repository: older clients know no folders.
    pub fn insert(
        &mut self,
        name: &PackageName,
        location: &Location,
        git_ref: &str,
        dependencies: impl IntoIterator<Item = PackageName>,
    ) -> Result<(), SubdirError> {
        if let Some(subdir) = location.subdir() {
            return Err(SubdirError {
                name: name.clone(),
                subdir: subdir.to_owned(),
            });
        }
        let repo = match location {
            Location::GitHub { owner, repo, .. } => format!("https://github.com/{owner}/{repo}.git"),
            Location::Git { url, .. } => url.clone(),
        };
        let mut dependencies: Vec<_> = dependencies.into_iter().collect();
        dependencies.sort();
        let package = LegacyPackage {
            dependencies,
            repo,
            version: git_ref.to_owned(),
        };
        self.packages.insert(name.clone(), package);
        Ok(())
    }

    /// Returns the text of `packages.json`.
    pub fn to_json(&self) -> String {
        json::to_pretty(self)
    }

    /// Returns the text of `src/packages.dhall`, as `dhall format` writes it.
    pub fn to_dhall(&self) -> String {
        let mut text = String::new();
        for (position, (name, package)) in self.packages.iter().enumerate() {
            let comma = if position == 0 { '{' } else { ',' };
            let start = format!("{comma} {} =", label(name));
            let fields = [
                ("dependencies", list(&package.dependencies)),
                ("repo", quoted(&package.repo)),
                ("version", quoted(&package.version)),
            ];
            let flat: Vec<String> = fields
                .iter()
                .map(|(field, value)| format!("{field} = {value}"))
                .collect();
            let line = format!("{start} {{ {} }}", flat.join(", "));
            if line.len() <= WIDTH {
                text += &line;
                text.push('\n');
                continue;
            }
            text += &start;
            text.push('\n');
            for (position, flat) in flat.iter().enumerate() {
                let comma = if position == 0 { '{' } else { ',' };
                let line = format!("  {comma} {flat}");
                if position > 0 || line.len() <= WIDTH {
                    text += &line;
                    text.push('\n');
                    continue;
                }
                text += "  { dependencies =\n";
                for (position, dependency) in package.dependencies.iter().enumerate() {
                    let comma = if position == 0 { '[' } else { ',' };
                    writeln!(text, "    {comma} \"{dependency}\"").expect("writing to a String cannot fail");
                }
                text += "    ]\n";
            }
            text += "  }\n";
        }
        text + "}\n"
    }
}

fn label(name: &PackageName) -> String {
    let name = name.as_str();
    if RESERVED.contains(&name) || name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("`{name}`")
    } else {
        name.to_owned()
    }
}

fn list(names: &[PackageName]) -> String {
    if names.is_empty() {
        return "[] : List Text".to_owned();
    }
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("[ {} ]", names.join(", "))
}

/// A ref may hold what Dhall gives a meaning to.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '$' => quoted += "\\u0024",
            c if c.is_control() => {
                write!(quoted, "\\u{:04x}", u32::from(c)).expect("writing to a String cannot fail");
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// Returns the tag of a set: `psc-COMPILER-YYYYMMDD`, with `-2`, `-3`, … after it for further sets of one day.
pub fn tag(compiler: Version, published: Date, is_taken: impl Fn(&str) -> bool) -> String {
    let first = format!("psc-{compiler}-{}", published.to_string().replace('-', ""));
    let others = (2_u32..).map(|number| format!("{first}-{number}"));
    std::iter::once(first.clone())
        .chain(others)
        .find(|tag| !is_taken(tag))
        .expect("there is no end of numbers")
}

/// Returns the text of `latest-compatible-sets.json` after a set was tagged; `before` is the text so far, if any.
///
/// # Errors
/// When `before` is not such a file.
pub fn latest_compatible(
    before: Option<&str>,
    compiler: Version,
    tag: &str,
) -> Result<String, json::DecodeError> {
    let mut latest: BTreeMap<Version, String> = before.map(json::decode).transpose()?.unwrap_or_default();
    latest.insert(compiler, tag.to_owned());
    Ok(json::to_pretty(&latest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PackageName {
        text.parse().unwrap()
    }

    fn set(members: &[(&str, &[&str])]) -> LegacySet {
        let mut set = LegacySet::new(Version::new(0, 15, 15));
        for (member, needed) in members {
            let location = Location::github("purescript", &format!("purescript-{member}"), None).unwrap();
            let needed = needed.iter().map(|needed| name(needed));
            set.insert(&name(member), &location, "v4.0.0", needed).unwrap();
        }
        set
    }

    #[test]
    fn packages_json_has_sorted_keys() {
        let text = set(&[("effect", &["prelude"])]).to_json();
        let compact: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            compact["effect"].to_string(),
            r#"{"dependencies":["prelude"],"repo":"https://github.com/purescript/purescript-effect.git","version":"v4.0.0"}"#
        );
        assert!(
            text.starts_with("{\n  \"effect\": {\n    \"dependencies\": [") && text.ends_with("}\n"),
            "{text}"
        );
        assert_eq!(
            compact["metadata"].to_string(),
            r#"{"dependencies":[],"repo":"https://github.com/purescript/purescript-metadata.git","version":"v0.15.15"}"#
        );
    }

    #[test]
    fn packages_dhall_is_formatted() {
        let many = [
            "arrays",
            "bifunctors",
            "control",
            "datetime",
            "effect",
            "either",
            "exceptions",
        ];
        let text = set(&[("aff", &many), ("if", &["prelude"]), ("3d", &[])]).to_dhall();
        assert_eq!(
            text,
            r#"{ `3d` =
  { dependencies = [] : List Text
  , repo = "https://github.com/purescript/purescript-3d.git"
  , version = "v4.0.0"
  }
, aff =
  { dependencies =
    [ "arrays"
    , "bifunctors"
    , "control"
    , "datetime"
    , "effect"
    , "either"
    , "exceptions"
    ]
  , repo = "https://github.com/purescript/purescript-aff.git"
  , version = "v4.0.0"
  }
, `if` =
  { dependencies = [ "prelude" ]
  , repo = "https://github.com/purescript/purescript-if.git"
  , version = "v4.0.0"
  }
, metadata =
  { dependencies = [] : List Text
  , repo = "https://github.com/purescript/purescript-metadata.git"
  , version = "v0.15.15"
  }
}
"#
        );
        assert_eq!(quoted("v1\"${x}\\"), r#""v1\"\u0024{x}\\""#);
    }

    #[test]
    fn a_package_in_a_folder_has_no_legacy_form() {
        let location = Location::github("lab", "mono", Some("core")).unwrap();
        let error = set(&[])
            .insert(&name("core"), &location, "v1.0.0", [])
            .unwrap_err();
        assert!(error.to_string().contains("folder core"), "{error}");
    }

    #[test]
    fn each_set_of_a_day_has_a_tag_of_its_own() {
        let day = "2026-08-18".parse().unwrap();
        let compiler = Version::new(0, 15, 15);
        let mut taken = Vec::new();
        for expected in [
            "psc-0.15.15-20260818",
            "psc-0.15.15-20260818-2",
            "psc-0.15.15-20260818-3",
        ] {
            let tag = tag(compiler, day, |tag| taken.iter().any(|known| known == tag));
            assert_eq!(tag, expected);
            taken.push(tag);
        }
    }

    #[test]
    fn the_latest_tag_of_each_compiler_is_kept_in_the_order_of_versions() {
        let first = latest_compatible(None, Version::new(0, 15, 10), "psc-0.15.10-20260101").unwrap();
        let second = latest_compatible(Some(&first), Version::new(0, 15, 9), "psc-0.15.9-20251231").unwrap();
        let third =
            latest_compatible(Some(&second), Version::new(0, 15, 10), "psc-0.15.10-20260102").unwrap();
        assert_eq!(
            third,
            "{\n  \"0.15.9\": \"psc-0.15.9-20251231\",\n  \"0.15.10\": \"psc-0.15.10-20260102\"\n}\n"
        );
        assert!(latest_compatible(Some("[]"), Version::new(0, 15, 10), "x").is_err());
    }
}
