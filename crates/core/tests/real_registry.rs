//! Every file of the real registry decodes, and comes out again byte for byte (registry spec, section 2.7).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use docket_core::json;
use docket_core::manifest::Manifest;
use docket_core::manifest_index::{self, IndexFile};
use docket_core::metadata::Metadata;
use docket_core::name::PackageName;
use docket_core::package_set::PackageSet;
use docket_core::solver;

#[path = "real_registry/archive.rs"]
mod archive;

use archive::below;

#[test]
fn every_real_file_comes_out_byte_for_byte() {
    let files = archive::read();

    let mut metadata = 0;
    for (path, text) in below(&files, "metadata/") {
        let name = path.strip_suffix(".json").unwrap();
        name.parse::<PackageName>().unwrap();
        let decoded = Metadata::parse(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(
            decoded.to_text() == text,
            "{path} came out differently:\n{}",
            decoded.to_text()
        );
        metadata += 1;
    }
    assert_eq!(metadata, 1215, "metadata files");

    let mut sets = 0;
    for (path, text) in below(&files, "package-sets/") {
        let decoded = PackageSet::parse(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(format!("{}.json", decoded.version), path);
        assert!(
            decoded.to_text() == text,
            "{path} came out differently:\n{}",
            decoded.to_text()
        );
        sets += 1;
    }
    assert_eq!(sets, 501, "package sets");

    let (mut index_files, mut manifests) = (0, 0);
    for (path, text) in below(&files, "index/") {
        let base = path.rsplit('/').next().unwrap();
        let name: PackageName = base.parse().unwrap();
        assert_eq!(manifest_index::path(&name), path);
        let decoded = IndexFile::parse(&name, text).unwrap_or_else(|error| panic!("{path}: {error:?}"));
        assert!(
            decoded.to_text().as_deref() == Some(text),
            "{path} came out differently:\n{:?}",
            decoded.to_text()
        );
        index_files += 1;
        manifests += decoded.manifests().len();
    }
    assert_eq!(index_files, 1158, "index files");
    assert_eq!(manifests, 5494, "manifests");
}

#[test]
fn every_real_manifest_can_be_published_again_by_its_purs_json() {
    // `purs.json` in the tarball is the pretty form: both forms must mean the same.
    let files = archive::read();
    for (path, text) in below(&files, "index/") {
        let name: PackageName = path.rsplit('/').next().unwrap().parse().unwrap();
        for manifest in IndexFile::parse(&name, text)
            .unwrap()
            .into_manifests()
            .into_values()
        {
            let pretty = manifest.to_pretty();
            assert_eq!(json::decode::<Manifest>(&pretty).unwrap(), manifest);
        }
    }
}

#[test]
fn every_real_manifest_has_a_build_plan_with_its_newest_compiler() {
    let files = archive::read();
    let index_files: Vec<IndexFile> = below(&files, "index/")
        .map(|(path, text)| {
            IndexFile::parse(&path.rsplit('/').next().unwrap().parse().unwrap(), text).unwrap()
        })
        .collect();
    let metadata: BTreeMap<PackageName, Metadata> = below(&files, "metadata/")
        .map(|(path, text)| {
            (
                path.strip_suffix(".json").unwrap().parse().unwrap(),
                Metadata::parse(text).unwrap(),
            )
        })
        .collect();
    let manifests: BTreeMap<_, _> = index_files
        .iter()
        .map(|file| (file.name(), file.manifests()))
        .collect();
    let index = archive::solver_index(&index_files, &metadata);

    for manifest in manifests.values().flat_map(|manifests| manifests.values()) {
        let compiler = *metadata[&manifest.name].published[&manifest.version]
            .compilers
            .last()
            .unwrap();
        let plan = solver::plan(&index, &manifest.dependencies, Some(compiler))
            .unwrap_or_else(|error| panic!("{}@{}: {error}", manifest.name, manifest.version));
        assert_eq!(plan.compiler, compiler);
        let mut reached = BTreeMap::new();
        let mut open: Vec<_> = manifest.dependencies.iter().collect();
        while let Some((name, range)) = open.pop() {
            let version = plan.versions[name];
            assert!(
                range.contains(&version),
                "{}@{}: {name}@{version}",
                manifest.name,
                manifest.version
            );
            if reached.insert(name.clone(), version).is_none() {
                open.extend(&manifests[name][&version].dependencies);
                let compilers = &metadata[name].published[&version].compilers;
                assert!(compilers[0] <= compiler && compiler <= *compilers.last().unwrap());
            }
        }
        assert_eq!(
            reached, plan.versions,
            "the plan holds what is needed and nothing else"
        );
    }
}
