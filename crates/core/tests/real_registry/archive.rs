//! The archive of the real registry, shared by the test and the benchmark.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use docket_core::manifest_index::IndexFile;
use docket_core::metadata::Metadata;
use docket_core::name::PackageName;
use docket_core::solver::SolverIndex;

/// Reads the archive into path and text.
pub(crate) fn read() -> BTreeMap<String, String> {
    let path = env::var_os("DOCKET_REAL_REGISTRY").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/purescript-registry.tar.zst"),
        PathBuf::from,
    );
    let file = File::open(&path).unwrap_or_else(|error| {
        panic!(
            "the real registry data is missing ({error}): put `purescript-registry.tar.zst` at {}, or name its place \
             in the environment variable DOCKET_REAL_REGISTRY",
            path.display()
        )
    });
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).expect("a zstd decoder"));
    let mut files = BTreeMap::new();
    for entry in archive.entries().expect("a tar archive") {
        let mut entry = entry.expect("a whole archive");
        if entry.header().entry_type().is_file() {
            let path = entry
                .path()
                .expect("a path")
                .to_str()
                .expect("a path in UTF-8")
                .to_owned();
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("a text in UTF-8");
            files.insert(path, text);
        }
    }
    files
}

/// The files below one folder, without the folder's name and without read-me files.
pub(crate) fn below<'a>(
    files: &'a BTreeMap<String, String>,
    folder: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    files
        .iter()
        .filter_map(move |(path, text)| Some((path.strip_prefix(folder)?, text.as_str())))
        .filter(|(path, _)| !matches!(path.rsplit('/').next(), Some("README.md" | "config.json")))
}

/// What the solver has to know; the known compilers are all that anything was compiled with.
pub(crate) fn solver_index(
    index_files: &[IndexFile],
    metadata: &BTreeMap<PackageName, Metadata>,
) -> SolverIndex {
    let published = || metadata.values().flat_map(|metadata| metadata.published.values());
    let mut builder =
        SolverIndex::builder().compilers(published().flat_map(|version| version.compilers.iter().copied()));
    for manifest in index_files.iter().flat_map(|file| file.manifests().values()) {
        let compilers = metadata
            .get(&manifest.name)
            .and_then(|metadata| metadata.published.get(&manifest.version))
            .map_or(&[][..], |version| &version.compilers);
        builder.add(
            &manifest.name,
            manifest.version,
            &manifest.dependencies,
            compilers,
        );
    }
    builder.build()
}
