//! The demonstration's parts, from `examples/`: a registry of one package, and a git repository with another.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use docket_core::{
    digest::Sha256,
    manifest::Manifest,
    manifest_index,
    metadata::{Metadata, PublishedVersion},
    package_set::PackageSet,
    version::Version,
};
use docket_index::{
    git::git,
    import::{Sources, TarballSource},
};
use docket_jobs::Clock;
use docket_worker::package::{SizeRules, pack};

/// A file of an example: its path and its text.
type Example = &'static [(&'static str, &'static str)];

macro_rules! example {
    ($($name:literal / $file:literal),+ $(,)?) => {
        &[$(($file, include_str!(concat!("../../../../examples/", $name, "/", $file)))),+]
    };
}

/// The package that is there already.
const WORDS: Example = example![
    "words" / "purs.json",
    "words" / "src/Words.purs",
    "words" / "LICENSE"
];

/// The package that is published.
const HELLO: Example = example![
    "hello-docket" / "purs.json",
    "hello-docket" / "src/Hello/Docket.purs",
    "hello-docket" / "README.md",
    "hello-docket" / "LICENSE",
];

fn manifest(example: Example) -> anyhow::Result<Manifest> {
    let (_, text) = example
        .iter()
        .find(|(file, _)| *file == "purs.json")
        .context("an example has a manifest")?;
    Ok(Manifest::from_purs_json(text)?)
}

fn write(folder: &Path, files: &[(&str, &str)]) -> anyhow::Result<()> {
    for (file, text) in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().expect("a file lies in a folder"))?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// Writes a registry with the package `words`, published with `compiler`, and one package set, ready to be imported.
pub fn small_registry(folder: &Path, compiler: Version) -> anyhow::Result<Sources> {
    let manifest = manifest(WORDS)?;
    let (name, version) = (&manifest.name, manifest.version);
    let top = format!("{name}-{version}");
    write(&folder.join("sources").join(&top), WORDS)?;
    let tarball = pack(&folder.join("sources"), &top, &SizeRules::default())?;
    let now = Clock::system().now();
    let mut metadata = Metadata::new(manifest.location.clone());
    let entry = PublishedVersion {
        bytes: tarball.size_bytes(),
        compilers: vec![compiler],
        hash: Sha256::of(&tarball.bytes),
        published_time: now,
        git_ref: String::new(),
    };
    metadata.published.insert(version, entry);
    let set = PackageSet {
        version: Version {
            major: 1,
            minor: 0,
            patch: 0,
        },
        compiler,
        published: now.date(),
        packages: BTreeMap::from([(name.clone(), version)]),
    };
    let (registry, index) = (folder.join("registry"), folder.join("registry-index"));
    write(
        &registry,
        &[
            (&format!("metadata/{name}.json"), &metadata.to_text()),
            ("package-sets/1.0.0.json", &set.to_text()),
        ],
    )?;
    write(
        &index,
        &[(&manifest_index::path(name), &(manifest.to_line() + "\n"))],
    )?;
    let tarballs = folder.join("tarballs");
    fs::create_dir_all(tarballs.join(name.as_str()))?;
    fs::write(tarballs.join(format!("{name}/{version}.tar.gz")), &tarball.bytes)?;
    Ok(Sources {
        registry,
        index,
        tarballs: Some(TarballSource::Directory(tarballs)),
    })
}

/// Commits and tags the package `hello-docket` in a repository below `folder/git`, and returns its manifest.
pub async fn publish_source(folder: &Path) -> anyhow::Result<Manifest> {
    let manifest = manifest(HELLO)?;
    let repository = folder.join("git/docket/hello-docket");
    write(&repository, HELLO)?;
    let identity = ["-c", "user.name=Docket", "-c", "user.email=demo@docket.invalid"];
    git(&repository, &["init", "--quiet", "--initial-branch=main"]).await?;
    git(&repository, &["add", "."]).await?;
    git(
        &repository,
        &[&identity[..], &["commit", "--quiet", "-m", "The example package"]].concat(),
    )
    .await?;
    git(&repository, &["tag", &manifest.git_ref]).await?;
    Ok(manifest)
}
