//! From the stored tarball to what `purs publish` prints of it.
//!
//! `purs publish` looks at the working tree and the tags of a git repository, so the package is laid out as one: a single commit with the time of
//! the publish and the tag of the version. Only the modules and the manifest are in it: a `.gitconfig`, a `.git` or a hook that somebody
//! packed would otherwise be found by the git that the compiler starts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use docket_core::manifest::Manifest;
use docket_core::metadata::PublishedVersion;
use docket_core::name::PackageName;
use docket_core::version::Version;
use docket_jobs::Run;
use serde_json::json;
use walkdir::WalkDir;

use super::refusal::DocumentationRefusal;
use crate::compiler::Compiler;
use crate::outcome::JobError;
use crate::package::unpack;
use crate::publish::{Installed, REGISTRY, blocking, find_tarball, install};
use crate::purs::{Documented, Purs};
use crate::source::git::{self, Snapshot};
use crate::state::WorkerState;

const MANIFEST: &str = "purs.json";
const RESOLUTIONS: &str = "resolutions.json";

/// What purs writes, and what we put beside the package for it.
const IGNORED: [&str; 3] = ["/output", "/.registry", "/resolutions.json"];

/// A published version.
pub(super) struct Published<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) entry: &'a PublishedVersion,
}

/// Returns the documentation as JSON.
pub(super) async fn build(
    state: &WorkerState,
    run: &Run,
    compiler: &Compiler,
    Published { manifest, entry }: &Published<'_>,
    resolutions: &BTreeMap<PackageName, Version>,
    work: &Path,
) -> Result<Vec<u8>, JobError> {
    let Manifest { name, version, .. } = manifest;
    let tarball = find_tarball(state, name, *version, entry).await?;
    let Installed { dir, .. } = install(state, run, resolutions, work).await?;
    let (stored, top, sizes) = (work.join("stored"), format!("{name}-{version}"), state.sizes);
    let (into, manifest_text) = (dir.clone(), manifest.to_pretty());
    let resolutions = describe_resolutions(resolutions);
    blocking(move || {
        unpack(&tarball, &stored, &top, &sizes).map_err(JobError::local("unpack the stored tarball"))?;
        lay_out(&stored.join(&top), &into).map_err(JobError::local("lay out the package"))?;
        for (file, text) in [(MANIFEST, manifest_text), (RESOLUTIONS, resolutions)] {
            fs::write(into.join(file), text).map_err(JobError::local("lay out the package"))?;
        }
        Ok(())
    })
    .await?;
    let snapshot = Snapshot {
        message: &format!("{name}@{version}"),
        tag: &tag(manifest),
        at: entry.published_time,
        ignored: &IGNORED,
    };
    git::make_repository(&state.sources, &dir, work, &snapshot).await?;

    let purs = Purs {
        compiler,
        sandbox: &state.sandbox,
        limits: &state.limits,
    };
    let read_only = ["src".into(), REGISTRY.into(), MANIFEST.into(), RESOLUTIONS.into()];
    match purs.publish(&dir, MANIFEST, RESOLUTIONS, &read_only).await? {
        Documented::Done(json) => Ok(json),
        Documented::Failed(said) => Err(DocumentationRefusal::Failed {
            compiler: compiler.version,
            said,
        }
        .into()),
    }
}

/// Takes the modules and their foreign halves from an unpacked tarball.
fn lay_out(stored: &Path, into: &Path) -> std::io::Result<()> {
    let src = stored.join("src");
    for entry in WalkDir::new(&src).sort_by_file_name() {
        let entry = entry?;
        let is_code = entry
            .path()
            .extension()
            .is_some_and(|ext| ext == "purs" || ext == "js");
        if !entry.file_type().is_file() || !is_code {
            continue;
        }
        let below = entry.path().strip_prefix(stored).map_err(std::io::Error::other)?;
        let target = into.join(below);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(entry.path(), target)?;
    }
    Ok(())
}

/// Names the packages as `purs publish` wants them: as Bower did.
fn describe_resolutions(resolutions: &BTreeMap<PackageName, Version>) -> String {
    let described: BTreeMap<String, _> = resolutions
        .iter()
        .map(|(name, version)| {
            let path = format!("{REGISTRY}/{name}-{version}");
            (
                format!("purescript-{name}"),
                json!({ "version": version, "path": path }),
            )
        })
        .collect();
    serde_json::to_string(&described).expect("names and versions are JSON")
}

/// The tag of the commit: links to the source lead to it, so the one that was published where `purs publish` can read a version from it.
fn tag(manifest: &Manifest) -> String {
    let version = manifest.version.to_string();
    let named = manifest.git_ref.strip_prefix('v').unwrap_or(&manifest.git_ref);
    if named == version {
        manifest.git_ref.clone()
    } else {
        format!("v{version}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_the_published_one_where_it_tells_the_version() {
        for (git_ref, expected) in [
            ("v1.0.0", "v1.0.0"),
            ("1.0.0", "1.0.0"),
            ("release-1.0.0", "v1.0.0"),
            ("main", "v1.0.0"),
            ("v1.0.1", "v1.0.0"),
        ] {
            let line = format!(
                r#"{{"name":"a","version":"1.0.0","license":"MIT","location":{{"githubOwner":"lab","githubRepo":"a"}},"ref":"{git_ref}","dependencies":{{}}}}"#
            );
            assert_eq!(tag(&Manifest::from_stored(&line).unwrap()), expected);
        }
    }

    /// git looks for its settings in the home directory, which is where the compiler runs.
    #[test]
    fn nothing_that_git_would_heed_is_laid_out() {
        let (stored, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for file in [
            ".gitconfig",
            ".config/git/config",
            "src/A.purs",
            "src/A/B.js",
            "src/.gitattributes",
            "src/.git/config",
            "src/.git",
            "src/A.md",
        ] {
            let path = stored.path().join(file);
            let _ = fs::create_dir_all(path.parent().unwrap());
            let _ = fs::write(path, "x");
        }
        lay_out(stored.path(), into.path()).unwrap();
        let mut files: Vec<_> = WalkDir::new(into.path())
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| entry.path().strip_prefix(into.path()).unwrap().to_owned())
            .collect();
        files.sort();
        assert_eq!(files, [Path::new("src/A/B.js"), Path::new("src/A.purs")]);
    }
}
