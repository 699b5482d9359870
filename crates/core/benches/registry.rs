//! How fast the real registry is read, written and solved.
//!
//! `cargo bench -p docket-core --bench registry`; the data as for the test `real_registry`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use docket_core::manifest_index::IndexFile;
use docket_core::metadata::Metadata;
use docket_core::name::PackageName;
use docket_core::solver;

#[path = "../tests/real_registry/archive.rs"]
mod archive;

const ROUNDS: u32 = 5;

fn main() {
    let files = archive::read();
    let texts: Vec<(PackageName, &str)> = archive::below(&files, "index/")
        .map(|(path, text)| {
            (
                path.rsplit('/')
                    .next()
                    .unwrap_or(path)
                    .parse()
                    .expect("a package name"),
                text,
            )
        })
        .collect();
    let decode = || -> Vec<IndexFile> {
        texts
            .iter()
            .map(|(name, text)| IndexFile::parse(name, text).expect("a readable index file"))
            .collect()
    };

    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let written: usize = decode()
            .iter()
            .filter_map(IndexFile::to_text)
            .map(|text| text.len())
            .sum();
        best = best.min(start.elapsed());
        assert_eq!(written, bytes);
    }
    let index_files = decode();
    let manifests: usize = index_files.iter().map(|file| file.manifests().len()).sum();
    println!(
        "decode and re-encode {manifests} manifests, {:.1} MB: {:.1} ms, {:.0} MB/s (best of {ROUNDS})",
        bytes as f64 / 1e6,
        best.as_secs_f64() * 1e3,
        bytes as f64 / 1e6 / best.as_secs_f64()
    );

    let metadata: BTreeMap<PackageName, Metadata> = archive::below(&files, "metadata/")
        .map(|(path, text)| {
            let name = path.trim_end_matches(".json").parse().expect("a package name");
            (name, Metadata::parse(text).expect("readable metadata"))
        })
        .collect();
    let start = Instant::now();
    let index = archive::solver_index(&index_files, &metadata);
    println!(
        "build the solver index: {:.1} ms",
        start.elapsed().as_secs_f64() * 1e3
    );

    let start = Instant::now();
    let (mut solved, mut failed, mut slowest) = (0, 0, (Duration::ZERO, String::new()));
    for manifest in index_files.iter().flat_map(|file| file.manifests().values()) {
        let published = &metadata[&manifest.name].published[&manifest.version];
        let compiler = published.compilers.last().copied();
        let start = Instant::now();
        match solver::plan(&index, &manifest.dependencies, compiler) {
            Ok(_) => solved += 1,
            Err(error) => {
                failed += 1;
                if std::env::var_os("DOCKET_BENCH_ERRORS").is_some() {
                    println!(
                        "{}@{} with {compiler:?}: {error}",
                        manifest.name, manifest.version
                    );
                }
            }
        }
        slowest = slowest.max((start.elapsed(), format!("{}@{}", manifest.name, manifest.version)));
    }
    println!(
        "solve each manifest with its newest known compiler: {:.2} s in all, slowest {:.1} ms ({}); {solved} solved, \
         {failed} without a solution",
        start.elapsed().as_secs_f64(),
        slowest.0.as_secs_f64() * 1e3,
        slowest.1
    );
}
