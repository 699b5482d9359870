//! Finds the manifest of a package and reads it, whichever format it is in.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use docket_core::location::Location;
use docket_core::manifest::{Manifest, ManifestError, bower, spago_yaml};
use docket_core::operation::Publish;

use crate::CheckError;
use crate::rejection::Rejection;

/// Bytes a manifest may have.
const MAX_BYTES: u64 = 1_000_000;

/// The format a manifest was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The registry's own.
    PursJson,
    /// The one of spago.
    SpagoYaml,
    /// The one of old packages.
    BowerJson,
}

impl Origin {
    /// The name of the file.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::PursJson => "purs.json",
            Self::SpagoYaml => "spago.yaml",
            Self::BowerJson => "bower.json",
        }
    }
}

/// Finds the manifest at the root of the package; the formats have this order (registry spec, step 7).
///
/// # Errors
///
/// A [`Rejection`] when there is none, or only one in the retired `spago.dhall` format.
pub fn find(package_dir: &Path) -> Result<Origin, Rejection> {
    let has = |name: &str| package_dir.join(name).is_file();
    let known = [Origin::PursJson, Origin::SpagoYaml, Origin::BowerJson];
    match known.into_iter().find(|origin| has(origin.file_name())) {
        Some(origin) => Ok(origin),
        None if has("spago.dhall") => Err(Rejection::ManifestRetired),
        None => Err(Rejection::ManifestMissing),
    }
}

/// Reads the manifest in `package_dir`. What a `bower.json` does not say comes from `request` and `location`.
///
/// # Errors
///
/// A [`Rejection`] that says what to change.
pub fn read(
    package_dir: &Path,
    origin: Origin,
    request: &Publish,
    location: &Location,
) -> Result<Manifest, CheckError> {
    let text = read_text(package_dir, origin.file_name())?;
    let manifest = match origin {
        Origin::PursJson => Manifest::from_purs_json(&text),
        Origin::SpagoYaml => spago_yaml::parse(&text, &request.git_ref),
        Origin::BowerJson => bower::parse(&text, &request.name, request.version, &request.git_ref, location),
    };
    Ok(manifest.map_err(|err: ManifestError| Rejection::ManifestInvalid(err.to_string()))?)
}

/// Checks that the manifest is about what was asked for: name, version, ref and location.
///
/// # Errors
///
/// A [`Rejection`] that shows both sides.
pub fn check(manifest: &Manifest, request: &Publish, location: &Location) -> Result<(), Rejection> {
    if manifest.name != request.name {
        return Err(Rejection::NameDiffers {
            manifest: manifest.name.clone(),
            requested: request.name.clone(),
        });
    }
    if manifest.version != request.version {
        return Err(Rejection::VersionDiffers {
            manifest: manifest.version,
            requested: request.version,
        });
    }
    if manifest.git_ref != request.git_ref {
        let requested = request.git_ref.clone();
        return Err(Rejection::RefDiffers {
            manifest: manifest.git_ref.clone(),
            requested,
        });
    }
    if manifest.location != *location {
        return Err(Rejection::ManifestLocationDiffers {
            manifest: Box::new(manifest.location.clone()),
            registered: Box::new(location.clone()),
        });
    }
    Ok(())
}

fn read_text(package_dir: &Path, file: &'static str) -> Result<String, CheckError> {
    let mut bytes = Vec::new();
    File::open(package_dir.join(file))
        .and_then(|opened| opened.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(CheckError::local("read the source"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Rejection::ManifestInvalid(format!(
            "{file} has more than {MAX_BYTES} bytes: shorten it"
        ))
        .into());
    }
    let text = String::from_utf8(bytes);
    Ok(text.map_err(|_| Rejection::ManifestInvalid(format!("{file} is not UTF-8: save it as UTF-8")))?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PURS_JSON: &str = r#"{"name":"demo","version":"1.0.0","license":"MIT","location":{"githubOwner":"lab","githubRepo":"demo"},"ref":"v1.0.0","dependencies":{}}"#;

    fn request() -> Publish {
        Publish {
            compiler: None,
            location: None,
            name: "demo".parse().unwrap(),
            git_ref: "v1.0.0".into(),
            resolutions: None,
            version: "1.0.0".parse().unwrap(),
        }
    }

    fn location() -> Location {
        Location::github("lab", "demo", None).unwrap()
    }

    fn package(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in files {
            fs::write(dir.path().join(file), text).unwrap();
        }
        dir
    }

    #[test]
    fn the_formats_have_an_order_and_dhall_is_retired() {
        let all = [
            ("spago.dhall", ""),
            ("bower.json", ""),
            ("spago.yaml", ""),
            ("purs.json", ""),
        ];
        let found = |count: usize| find(package(&all[..count]).path());
        assert_eq!(found(4), Ok(Origin::PursJson));
        assert_eq!(found(3), Ok(Origin::SpagoYaml));
        assert_eq!(found(2), Ok(Origin::BowerJson));
        assert_eq!(found(1), Err(Rejection::ManifestRetired));
        assert_eq!(found(0), Err(Rejection::ManifestMissing));
    }

    #[test]
    fn a_manifest_that_is_about_something_else_is_refused_with_both_sides() {
        let dir = package(&[("purs.json", PURS_JSON)]);
        let manifest = read(dir.path(), Origin::PursJson, &request(), &location()).unwrap();
        assert_eq!(check(&manifest, &request(), &location()), Ok(()));
        let code =
            |request: Publish, location: &Location| check(&manifest, &request, location).unwrap_err().code();
        assert_eq!(
            code(
                Publish {
                    name: "demos".parse().unwrap(),
                    ..request()
                },
                &location()
            ),
            "name-differs"
        );
        assert_eq!(
            code(
                Publish {
                    version: "1.0.1".parse().unwrap(),
                    ..request()
                },
                &location()
            ),
            "version-differs"
        );
        assert_eq!(
            code(
                Publish {
                    git_ref: "main".into(),
                    ..request()
                },
                &location()
            ),
            "ref-differs"
        );
        let moved = Location::github("Lab", "demo", None).unwrap();
        assert_eq!(code(request(), &moved), "manifest-location-differs");
    }

    #[test]
    fn a_manifest_that_cannot_be_read_says_what_to_change() {
        let long = "x".repeat(301);
        let described = PURS_JSON.replace("\"ref\"", &format!("\"description\":\"{long}\",\"ref\""));
        for (text, words) in [
            ("{", "purs.json"),
            (&PURS_JSON.replace("MIT", "My own"), "license"),
            (&described, "300"),
        ] {
            let dir = package(&[("purs.json", text)]);
            let result = read(dir.path(), Origin::PursJson, &request(), &location());
            let Err(CheckError::Rejected(Rejection::ManifestInvalid(problem))) = result else {
                panic!("{text} was not refused: {result:?}");
            };
            assert!(problem.contains(words), "{problem}");
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("bower.json"), [0xff, 0xfe]).unwrap();
        let result = read(dir.path(), Origin::BowerJson, &request(), &location());
        assert!(
            matches!(result, Err(CheckError::Rejected(Rejection::ManifestInvalid(_)))),
            "{result:?}"
        );
    }
}
