//! Reading packages, versions and package sets as JSON, from the rows.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use docket_core::{
    digest::Sha256, json, manifest::Manifest, metadata::Metadata, name::PackageName, package_set::PackageSet,
    time::Timestamp, version::Version,
};
use docket_http::Problem;
use docket_jobs::Jobs;
use serde::Serialize;

use crate::{error::ApiError, extract::Path, tarballs::matches_etag};

#[derive(Debug, Serialize)]
struct PackageObject {
    name: PackageName,
    #[serde(flatten)]
    metadata: Metadata,
}

/// One version, and who would miss it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionObject {
    name: PackageName,
    version: Version,
    status: &'static str,
    published_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    unpublished_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<Sha256>,
    compilers: Vec<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<Manifest>,
    dependants: Vec<DependantObject>,
    package_sets: Vec<Version>,
}

#[derive(Debug, Serialize)]
struct DependantObject {
    name: PackageName,
    version: Version,
    range: String,
    /// True when no other version satisfies the range.
    breaks: bool,
}

/// `GET /api/v1/packages/{name}`: the metadata, with the name.
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

/// `GET /api/v1/packages/{name}/{version}`
pub(crate) async fn version(
    State(jobs): State<Jobs>,
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
        package_sets: docket_index::list_sets_holding(&mut tx, &name, version).await?,
        name,
        version,
    };
    Ok(revalidated(&headers, &object))
}

/// `GET /api/v1/packages/{name}/matrix`: with which compilers each version was tried, and what came of it.
pub(crate) async fn matrix(
    State(jobs): State<Jobs>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct CellObject {
        outcome: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        job_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    }
    #[derive(Serialize)]
    struct GridObject {
        name: PackageName,
        compilers: BTreeSet<Version>,
        versions: BTreeMap<Version, BTreeMap<Version, CellObject>>,
    }
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

/// `GET /api/v1/package-sets`: the versions, newest first, with compiler and date.
pub(crate) async fn package_sets(State(jobs): State<Jobs>, headers: HeaderMap) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct SetObject {
        version: Version,
        compiler: Version,
        published: String,
        packages: usize,
    }
    let mut tx = jobs.db().read().await?;
    let sets = docket_index::list_package_sets(&mut tx).await?;
    let objects: Vec<_> = sets
        .iter()
        .rev()
        .map(|set| SetObject {
            version: set.version,
            compiler: set.compiler,
            published: set.published.to_string(),
            packages: set.packages.len(),
        })
        .collect();
    Ok(revalidated(
        &headers,
        &serde_json::json!({ "packageSets": objects }),
    ))
}

/// `GET /api/v1/package-sets/{version}`, where the version may be `latest`: the set as in its file.
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
fn revalidated(headers: &HeaderMap, value: &impl Serialize) -> Response {
    let text = json::to_compact(value);
    let etag = format!("\"{}\"", Sha256::of(text.as_bytes()).hex());
    let caching = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    if matches_etag(headers, &etag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}
