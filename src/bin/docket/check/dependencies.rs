//! Whether the registry has a version of each dependency, and of theirs, that go together: the same solver over the same index.

use std::collections::{BTreeMap, BTreeSet};

use docket_client::{Client, Error};
use docket_core::manifest::Manifest;
use docket_core::name::PackageName;
use docket_core::range::Range;
use docket_core::solver::{self, SolverIndex};
use docket_core::version::Version;
use docket_package::Rejection;
use futures_util::{StreamExt, stream};

use crate::failure::Failure;

/// How many packages are asked for at once.
const AT_ONCE: usize = 8;

/// The versions of a package that can be installed, with the compilers that each is known to compile with.
type Versions = Vec<(Manifest, Vec<Version>)>;

/// Looks for a build plan, with `compiler` or any other one.
///
/// # Errors
///
/// When the registry does not answer.
pub(super) async fn check(
    client: &Client,
    required: &BTreeMap<PackageName, Range>,
    compiler: Option<Version>,
) -> Result<Option<Rejection>, Failure> {
    if required.is_empty() {
        return Ok(None);
    }
    let known = fetch(client, required).await?;
    let mut builder = SolverIndex::builder();
    // What no package is known to compile with helps nobody, so the compilers of the registry that count are among these.
    let mut compilers: BTreeSet<Version> = compiler.into_iter().collect();
    for (manifest, with) in known.values().flatten() {
        builder.add(&manifest.name, manifest.version, &manifest.dependencies, with);
        compilers.extend(with);
    }
    let index = builder.compilers(compilers).build();
    let plan = solver::plan(&index, required, compiler);
    Ok(plan.err().map(|error| Rejection::NoBuildPlan(error.to_string())))
}

/// Fetches what could be part of a plan: of each package that somebody asks for, everything that is known of it.
async fn fetch(
    client: &Client,
    required: &BTreeMap<PackageName, Range>,
) -> Result<BTreeMap<PackageName, Versions>, Failure> {
    let mut known: BTreeMap<PackageName, Versions> = BTreeMap::new();
    // The range over all that is asked of each package.
    let mut asked: BTreeMap<PackageName, Range> = required.clone();
    loop {
        let missing: Vec<PackageName> = asked
            .keys()
            .filter(|name| !known.contains_key(*name))
            .cloned()
            .collect();
        let mut answers = stream::iter(missing.into_iter().map(|name| async move {
            let versions = versions(client, &name).await;
            versions.map(|versions| (name, versions))
        }))
        .buffer_unordered(AT_ONCE);
        while let Some(answer) = answers.next().await {
            let (name, versions) = answer?;
            known.insert(name, versions);
        }
        drop(answers);
        let before = asked.clone();
        for (name, range) in &before {
            let candidates = known[name]
                .iter()
                .filter(|(manifest, _)| range.contains(&manifest.version));
            for (dependency, range) in candidates.flat_map(|(manifest, _)| &manifest.dependencies) {
                let hull = asked.get(dependency).map_or(*range, |other| other.union(range));
                asked.insert(dependency.clone(), hull);
            }
        }
        if asked == before {
            return Ok(known);
        }
    }
}

async fn versions(client: &Client, name: &PackageName) -> Result<Versions, Failure> {
    let metadata = match client.get_metadata(name).await {
        Ok(metadata) => metadata,
        Err(Error::NotFound { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let index = client.find_index_file(name).await?.unwrap_or_default();
    let manifests = index.lines().filter_map(|line| Manifest::from_stored(line).ok());
    Ok(manifests
        .filter_map(|manifest| {
            let entry = metadata.published.get(&manifest.version)?;
            Some((manifest, entry.compilers.clone()))
        })
        .collect())
}
