//! `docket publish`: from the manifest in a directory to a published version.

use docket_client::{Client, Error};
use docket_core::manifest::Manifest;
use docket_core::operation::Publish;

use crate::annotate::annotate;
use crate::args;
use crate::check::check;
use crate::failure::Failure;
use crate::follow::{Submitted, see_through};
use crate::manifest;
use crate::print::Printer;

/// Looks for what the registry would refuse, posts the operation, then follows its job.
///
/// # Errors
///
/// When the manifest cannot be used, the registry refuses, or the job fails.
pub(crate) async fn run(client: &Client, args: args::Publish, out: &Printer) -> Result<(), Failure> {
    let found = manifest::read(&args.dir, args.git_ref.as_deref()).map(|found| found.manifest);
    let known = found.as_ref().ok().cloned();
    let result = match found {
        Ok(manifest) => publish(client, manifest, &args, out).await,
        Err(failure) => Err(failure),
    };
    if let (Err(failure), Some(args::Annotations::Github)) = (&result, args.annotations) {
        annotate(failure, &args.dir, known.as_ref(), out)?;
    }
    result
}

async fn publish(
    client: &Client,
    manifest: Manifest,
    args: &args::Publish,
    out: &Printer,
) -> Result<(), Failure> {
    let operation = operation(manifest, args);
    if !args.no_check {
        out.note(&format!("checking {}@{}", operation.name, operation.version));
        check(client, &operation, &args.dir, out).await?;
    }
    let title = format!("{}@{}", operation.name, operation.version);
    let more = format!(" from {}", operation.git_ref);
    if args.dry_run {
        let job = match client.check_publish(&operation).await {
            Err(Error::Refused { status, .. }) if status.as_u16() == 404 => return Err(Failure::NoDryRuns),
            job => job?,
        };
        let submitted = Submitted {
            job,
            doing: &format!("checking {title}"),
            more: &more,
            done: &format!("{title} can be published; this was a dry run: nothing was published"),
            advice: "Change what it names, push the tag again, and check again. Nothing was published.",
        };
        return see_through(client, submitted, args.no_wait, out).await;
    }
    let submitted = Submitted {
        job: client.publish(&operation).await?,
        doing: &format!("publishing {title}"),
        more: &more,
        done: &format!("published {title}"),
        advice: "Change what it names, push the tag again, and publish again: a failed version is not taken.",
    };
    see_through(client, submitted, args.no_wait, out).await
}

/// Makes what to ask for out of the manifest.
fn operation(manifest: Manifest, args: &args::Publish) -> Publish {
    Publish {
        name: manifest.name,
        version: manifest.version,
        git_ref: args.git_ref.clone().unwrap_or(manifest.git_ref),
        location: Some(manifest.location),
        compiler: args.compiler,
        resolutions: None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

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
        let manifest = manifest::read(dir, git_ref)?.manifest;
        let args = args::Publish {
            git_ref: git_ref.map(str::to_owned),
            compiler: None,
            dry_run: false,
            no_wait: false,
            annotations: None,
            no_check: false,
            dir: dir.to_owned(),
        };
        Ok(operation(manifest, &args))
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
