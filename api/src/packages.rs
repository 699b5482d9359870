//! Reading packages, versions and package sets as JSON, from the rows.

use std::collections::{BTreeMap, BTreeSet};

use axum::{extract::State, http::HeaderMap, response::Response};
use docket_core::{
    digest::Sha256, json, manifest::Manifest, metadata::Metadata, name::PackageName, package_set::PackageSet,
    time::Timestamp, version::Version,
};
use docket_http::Problem;
use docket_index::KnownSets;
use docket_jobs::Jobs;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    conditional,
    error::ApiError,
    extract::Path,
    openapi::{Refused, registry},
};

/// A package.
#[derive(Debug, Serialize, ToSchema)]
struct PackageObject {
    #[schema(value_type = String)]
    name: PackageName,
    #[serde(flatten)]
    #[schema(value_type = registry::Metadata)]
    metadata: Metadata,
}

/// One version, and who would miss it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct VersionObject {
    #[schema(value_type = String)]
    name: PackageName,
    #[schema(value_type = String)]
    version: Version,
    /// `published` or `unpublished`.
    #[schema(example = "published")]
    status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    published_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    unpublished_time: Option<Timestamp>,
    /// Why it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// The size of the tarball.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bytes: Option<u64>,
    /// The SHA-256 of the tarball.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, nullable = false)]
    hash: Option<Sha256>,
    #[schema(value_type = Vec<String>)]
    compilers: Vec<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = registry::Manifest, nullable = false)]
    manifest: Option<Manifest>,
    dependants: Vec<DependantObject>,
    /// The package sets that have it.
    #[schema(value_type = Vec<String>)]
    package_sets: Vec<Version>,
}

/// A version that depends on it.
#[derive(Debug, Serialize, ToSchema)]
struct DependantObject {
    #[schema(value_type = String)]
    name: PackageName,
    #[schema(value_type = String)]
    version: Version,
    range: String,
    /// True when no other version satisfies the range.
    breaks: bool,
}

/// What came of compiling one version with one compiler.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CellObject {
    #[schema(example = "compiles")]
    outcome: &'static str,
    /// The first error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    job_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    at: Option<Timestamp>,
}

/// A cell for each version, and in it for each compiler.
#[derive(Debug, Serialize, ToSchema)]
struct GridObject {
    #[schema(value_type = String)]
    name: PackageName,
    #[schema(value_type = Vec<String>)]
    compilers: BTreeSet<Version>,
    #[schema(value_type = BTreeMap<String, BTreeMap<String, CellObject>>)]
    versions: BTreeMap<Version, BTreeMap<Version, CellObject>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SetsObject {
    package_sets: Vec<SetObject>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SetObject {
    #[schema(value_type = String)]
    version: Version,
    #[schema(value_type = String)]
    compiler: Version,
    #[schema(format = Date)]
    published: String,
    /// How many packages it has.
    packages: usize,
}

/// Shows a package: its metadata, with the name.
#[utoipa::path(
    get,
    path = "/api/v1/packages/{name}",
    tag = "packages",
    params(("name" = String, Path, example = "prelude")),
    responses(
        (status = 200, description = "The package.", body = PackageObject),
        (status = 304, description = "It has the `ETag` of `If-None-Match` still."),
        Refused<404>
    )
)]
pub(crate) async fn package(
    State(jobs): State<Jobs>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let name = parse_name(&name)?;
    let mut tx = jobs.db().read().await?;
    let metadata = docket_index::find_metadata(&mut tx, &name)
        .await?
        .ok_or_else(|| no_such_package(&name))?;
    Ok(revalidated(&headers, &PackageObject { name, metadata }))
}

/// Shows one version, and who would miss it.
#[utoipa::path(
    get,
    path = "/api/v1/packages/{name}/{version}",
    tag = "packages",
    params(("name" = String, Path, example = "prelude"), ("version" = String, Path, example = "6.0.1")),
    responses(
        (status = 200, description = "The version.", body = VersionObject),
        (status = 304, description = "It has the `ETag` of `If-None-Match` still."),
        Refused<404>
    )
)]
pub(crate) async fn version(
    State(jobs): State<Jobs>,
    State(sets): State<KnownSets>,
    Path((name, version)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let name = parse_name(&name)?;
    let version: Version = version
        .parse()
        .map_err(|error| Problem::not_found(format!("This is not a version: {error}.")))?;
    let mut tx = jobs.db().read().await?;
    let metadata = docket_index::find_metadata(&mut tx, &name)
        .await?
        .ok_or_else(|| no_such_package(&name))?;
    let published = metadata.published.get(&version);
    let unpublished = metadata.unpublished.get(&version);
    let Some(published_time) = published
        .map(|entry| entry.published_time)
        .or(unpublished.map(|entry| entry.published_time))
    else {
        return Err(Problem::not_found(format!("{name}@{version} was never published.")).into());
    };
    let manifests = docket_index::list_manifests(&mut tx, &name).await?;
    let dependants = docket_index::list_dependants(&mut tx, &name, version)
        .await?
        .into_iter()
        .map(|dependant| DependantObject {
            name: dependant.name,
            version: dependant.version,
            range: dependant.range.to_string(),
            breaks: dependant.breaks,
        });
    let object = VersionObject {
        status: if published.is_some() {
            "published"
        } else {
            "unpublished"
        },
        published_time,
        unpublished_time: unpublished.map(|entry| entry.unpublished_time),
        reason: unpublished.map(|entry| entry.reason.to_string()),
        bytes: published.map(|entry| entry.bytes),
        hash: published.map(|entry| entry.hash),
        compilers: published.map(|entry| entry.compilers.clone()).unwrap_or_default(),
        manifest: manifests.into_iter().find(|manifest| manifest.version == version),
        dependants: dependants.collect(),
        package_sets: sets
            .all(&mut tx)
            .await?
            .holding(&name, version)
            .map(|set| set.version)
            .collect(),
        name,
        version,
    };
    Ok(revalidated(&headers, &object))
}

/// Shows with which compilers each version was tried, and what came of it.
#[utoipa::path(
    get,
    path = "/api/v1/packages/{name}/matrix",
    tag = "packages",
    params(("name" = String, Path, example = "prelude")),
    responses(
        (status = 200, description = "The grid.", body = GridObject),
        (status = 304, description = "It has the `ETag` of `If-None-Match` still."),
        Refused<404>
    )
)]
pub(crate) async fn matrix(
    State(jobs): State<Jobs>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let name = parse_name(&name)?;
    let mut tx = jobs.db().read().await?;
    let metadata = docket_index::find_metadata(&mut tx, &name)
        .await?
        .ok_or_else(|| no_such_package(&name))?;
    let mut grid = GridObject {
        name: name.clone(),
        compilers: BTreeSet::new(),
        versions: BTreeMap::new(),
    };
    // What metadata lists was found out by somebody, perhaps by the registry this one was imported from: a cell without a job.
    for (version, entry) in &metadata.published {
        let compiles = |compiler: &Version| {
            let cell = CellObject {
                outcome: docket_index::Outcome::Compiles.as_str(),
                error: None,
                job_id: None,
                at: None,
            };
            (*compiler, cell)
        };
        grid.versions
            .insert(*version, entry.compilers.iter().map(compiles).collect());
    }
    for build in docket_index::list_builds(&mut tx, &name).await? {
        let cell = CellObject {
            outcome: build.outcome.as_str(),
            error: build.error,
            job_id: Some(build.job_id),
            at: Some(build.at),
        };
        if let Some(cells) = grid.versions.get_mut(&build.version) {
            cells.insert(build.compiler, cell);
        }
    }
    grid.compilers = grid.versions.values().flat_map(BTreeMap::keys).copied().collect();
    Ok(revalidated(&headers, &grid))
}

/// Lists the package sets, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/package-sets",
    tag = "packages",
    responses(
        (status = 200, description = "The sets.", body = SetsObject),
        (status = 304, description = "It has the `ETag` of `If-None-Match` still."),
    )
)]
pub(crate) async fn package_sets(State(jobs): State<Jobs>, headers: HeaderMap) -> Result<Response, ApiError> {
    let mut tx = jobs.db().read().await?;
    let sets = docket_index::list_package_sets(&mut tx).await?;
    let package_sets = sets
        .iter()
        .rev()
        .map(|set| SetObject {
            version: set.version,
            compiler: set.compiler,
            published: set.published.to_string(),
            packages: set.packages.len(),
        })
        .collect();
    Ok(revalidated(&headers, &SetsObject { package_sets }))
}

/// Shows one package set as in its file. The version may be `latest`.
#[utoipa::path(
    get,
    path = "/api/v1/package-sets/{version}",
    tag = "packages",
    params(("version" = String, Path, example = "latest")),
    responses(
        (status = 200, description = "The set.", body = registry::PackageSet),
        (status = 304, description = "It has the `ETag` of `If-None-Match` still."),
        Refused<404>
    )
)]
pub(crate) async fn package_set(
    State(jobs): State<Jobs>,
    Path(version): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut tx = jobs.db().read().await?;
    let set: Option<PackageSet> = match version.as_str() {
        "latest" => docket_index::latest_package_set(&mut tx).await?,
        text => match text.parse() {
            Ok(version) => docket_index::find_package_set(&mut tx, version).await?,
            Err(_) => None,
        },
    };
    let set = set
        .ok_or_else(|| Problem::not_found(format!("There is no package set {version} in this registry.")))?;
    Ok(revalidated(&headers, &set))
}

fn parse_name(text: &str) -> Result<PackageName, Problem> {
    text.parse()
        .map_err(|error| Problem::not_found(format!("This is not a package name: {error}.")))
}

fn no_such_package(name: &PackageName) -> Problem {
    Problem::not_found(format!("There is no package {name} in this registry."))
}

/// The value as JSON, under a tag of its content: asked again with the tag, what has not changed is not sent again.
pub(crate) fn revalidated(headers: &HeaderMap, value: &impl Serialize) -> Response {
    let text = json::to_compact(value);
    conditional::revalidated(headers, "application/json", text)
}
