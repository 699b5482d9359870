//! `docket publish`: from the manifest in a directory to a published version.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use docket_client::Client;
use docket_core::manifest::{Manifest, spago_yaml};
use docket_core::operation::Publish;

use crate::args;
use crate::failure::Failure;
use crate::follow::{Submitted, see_through};
use crate::print::Printer;

/// Posts the operation, then follows its job.
///
/// # Errors
///
/// When the manifest cannot be used, the registry refuses, or the job fails.
pub(crate) async fn run(client: &Client, args: args::Publish, out: &Printer) -> Result<(), Failure> {
    let operation = operation(&args)?;
    let title = format!("{}@{}", operation.name, operation.version);
    let submitted = Submitted {
        job: client.publish(&operation).await?,
        doing: &format!("publishing {title}"),
        more: &format!(" from {}", operation.git_ref),
        done: &format!("published {title}"),
        advice: "Change what it names, push the tag again, and publish again: a failed version is not taken.",
    };
    see_through(client, submitted, args.no_wait, out).await
}

/// Reads what to ask for out of the manifest.
fn operation(args: &args::Publish) -> Result<Publish, Failure> {
    let manifest = read_manifest(&args.dir, args.git_ref.as_deref())?;
    Ok(Publish {
        name: manifest.name,
        version: manifest.version,
        git_ref: args.git_ref.clone().unwrap_or(manifest.git_ref),
        location: Some(manifest.location),
        compiler: args.compiler,
        resolutions: None,
    })
}

/// Reads the manifest that the registry would choose too (registry spec, 3.3).
fn read_manifest(dir: &Path, git_ref: Option<&str>) -> Result<Manifest, Failure> {
    if let Some((file, text)) = read(dir, "purs.json")? {
        return Manifest::from_purs_json(&text).map_err(|cause| Failure::Manifest {
            file,
            cause: cause.into(),
        });
    }
    if let Some((file, text)) = read(dir, "spago.yaml")? {
        // The file holds no ref. What people and spago tag a version with is known only once the version is.
        let mut manifest =
            spago_yaml::parse(&text, git_ref.unwrap_or_default()).map_err(|cause| Failure::Manifest {
                file,
                cause: cause.into(),
            })?;
        if git_ref.is_none() {
            manifest.git_ref = format!("v{}", manifest.version);
        }
        return Ok(manifest);
    }
    if let Some((file, _)) = read(dir, "bower.json")? {
        return Err(Failure::BowerOnly { file });
    }
    // The whole path: people lose track of where they are.
    Err(Failure::NoManifest {
        dir: fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned()),
    })
}

/// Returns the file's path and text, or `None` when there is no such file.
fn read(dir: &Path, name: &str) -> Result<Option<(PathBuf, String)>, Failure> {
    let file = dir.join(name);
    match fs::read_to_string(&file) {
        Ok(text) => Ok(Some((file, text))),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Failure::Unreadable { file, cause }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURS_JSON: &str = concat!(
        r#"{"name":"demo","version":"1.2.0","license":"MIT","location":{"githubOwner":"lab","#,
        r#""githubRepo":"purescript-demo"},"ref":"release-1.2","dependencies":{}}"#
    );
    const SPAGO_YAML: &str = "package:
  name: demo
  dependencies:
    - prelude: \">=6.0.0 <7.0.0\"
  publish:
    version: 1.3.0
    license: MIT
    location:
      githubOwner: lab
      githubRepo: purescript-demo
";

    fn ask(dir: &Path, git_ref: Option<&str>) -> Result<Publish, Failure> {
        operation(&args::Publish {
            git_ref: git_ref.map(str::to_owned),
            compiler: None,
            no_wait: false,
            dir: dir.to_owned(),
        })
    }

    #[test]
    fn the_ref_comes_from_purs_json() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("purs.json"), PURS_JSON).unwrap();
        fs::write(dir.path().join("spago.yaml"), SPAGO_YAML).unwrap();
        let operation = ask(dir.path(), None).unwrap();
        assert_eq!(
            serde_json::to_string(&operation).unwrap(),
            concat!(
                r#"{"location":{"githubOwner":"lab","githubRepo":"purescript-demo"},"name":"demo","#,
                r#""ref":"release-1.2","version":"1.2.0"}"#
            )
        );
    }

    #[test]
    fn the_ref_of_a_spago_package_is_v_and_its_version() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("spago.yaml"), SPAGO_YAML).unwrap();
        assert_eq!(ask(dir.path(), None).unwrap().git_ref, "v1.3.0");
        assert_eq!(ask(dir.path(), Some("main")).unwrap().git_ref, "main");
    }

    #[test]
    fn a_directory_without_a_manifest_is_told_what_is_needed() {
        let dir = tempfile::tempdir().unwrap();
        let failure = ask(dir.path(), None).unwrap_err();
        assert!(failure.to_string().contains("no purs.json and no spago.yaml"));
        assert!(failure.advice().unwrap().contains("docket publish DIR"));
        fs::write(dir.path().join("bower.json"), "{}").unwrap();
        assert!(matches!(ask(dir.path(), None), Err(Failure::BowerOnly { .. })));
    }

    #[test]
    fn a_broken_manifest_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("purs.json"), "{").unwrap();
        let failure = ask(dir.path(), None).unwrap_err();
        assert!(
            failure
                .to_string()
                .contains("purs.json cannot be published as it is"),
            "{failure}"
        );
    }
}
