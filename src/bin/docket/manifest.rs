//! The manifest of a package in a directory: the one that the registry would choose, too (registry spec, 3.3).

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use docket_core::manifest::{Manifest, ManifestError, spago_yaml};

use crate::failure::Failure;

/// The registry's own format.
pub(crate) const PURS_JSON: &str = "purs.json";
/// The one of spago.
pub(crate) const SPAGO_YAML: &str = "spago.yaml";

/// A manifest, and where it was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// `DIR/purs.json` or `DIR/spago.yaml`.
    pub file: PathBuf,
    /// The text of the file.
    pub text: String,
    /// What it says.
    pub manifest: Manifest,
}

impl Found {
    /// Tells whether it is a `purs.json`.
    pub(crate) fn is_purs_json(&self) -> bool {
        self.file.ends_with(PURS_JSON)
    }
}

/// Reads the manifest in `dir`. A `spago.yaml` holds no ref: what people and spago tag a version with is `v` and the version.
///
/// # Errors
///
/// When there is none, or it cannot be published.
pub(crate) fn read(dir: &Path, git_ref: Option<&str>) -> Result<Found, Failure> {
    let found = |file: PathBuf, text: String, manifest: Result<Manifest, ManifestError>| match manifest {
        Ok(manifest) => Ok(Found { file, text, manifest }),
        Err(cause) => Err(Failure::Manifest {
            file,
            cause: cause.into(),
        }),
    };
    if let Some((file, text)) = read_file(dir, PURS_JSON)? {
        let manifest = Manifest::from_purs_json(&text);
        return found(file, text, manifest);
    }
    if let Some((file, text)) = read_file(dir, SPAGO_YAML)? {
        let mut manifest = spago_yaml::parse(&text, git_ref.unwrap_or_default());
        if let (Ok(manifest), None) = (&mut manifest, git_ref) {
            manifest.git_ref = format!("v{}", manifest.version);
        }
        return found(file, text, manifest);
    }
    if let Some((file, _)) = read_file(dir, "bower.json")? {
        return Err(Failure::BowerOnly { file });
    }
    // The whole path: people lose track of where they are.
    Err(Failure::NoManifest {
        dir: fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned()),
    })
}

/// Returns the file's path and text, or `None` when there is no such file.
///
/// # Errors
///
/// When it is there and cannot be read.
pub(crate) fn read_file(dir: &Path, name: &str) -> Result<Option<(PathBuf, String)>, Failure> {
    let file = dir.join(name);
    match fs::read_to_string(&file) {
        Ok(text) => Ok(Some((file, text))),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Failure::Unreadable { file, cause }),
    }
}

/// Puts `text` in the place of a file, or leaves that as it was.
///
/// # Errors
///
/// When the directory does not take it.
pub(crate) fn replace_file(file: &Path, text: &str) -> Result<(), Failure> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    let replace = || {
        let mut new = tempfile::NamedTempFile::new_in(dir.unwrap_or(Path::new(".")))?;
        new.write_all(text.as_bytes())?;
        new.as_file().set_permissions(fs::metadata(file)?.permissions())?;
        new.persist(file)?;
        Ok(())
    };
    replace().map_err(|cause| Failure::Unwritable {
        file: file.to_owned(),
        cause,
    })
}
