//! `GET /packages/{name}` and `/packages/{name}/{version}`: a package, as one version of it says.

mod grid;
mod readme;

use askama::Template;
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Redirect, Response},
};
use docket_core::{
    manifest::Manifest,
    metadata::Metadata,
    name::PackageName,
    package_set::absence::{Standing, standing},
    version::Version,
};
use docket_index::Sets;
use docket_jobs::{JobFilter, JobId, Level, LineFilter, Order};
use serde::Deserialize;

use self::grid::Grid;
use super::{
    Card,
    format::{Day, count, host_page, size},
    jobs::JobView,
    not_found_page, page,
};
use crate::{
    ApiState,
    error::ApiError,
    extract::{Path, Query},
};

/// How many versions, dependants and jobs the page shows before it points to the rest.
const SHOWN_VERSIONS: usize = 12;
const SHOWN_DEPENDANTS: usize = 40;
const SHOWN_JOBS: i64 = 8;

/// How many dependants one page of them shows.
const PAGE_DEPENDANTS: usize = 200;

#[derive(Template)]
#[template(path = "package.html")]
struct PackageTemplate {
    card: Card,
    name: String,
    version: String,
    description: String,
    /// The highest version, when this is another one.
    newest: Option<String>,
    /// Why this version was taken back, and when.
    unpublished: Option<(String, Day)>,
    license: Option<String>,
    published: Day,
    size: Option<String>,
    hash: Option<String>,
    location: String,
    host: Option<String>,
    owners: Vec<String>,
    git_ref: Option<String>,
    dependencies: Vec<(String, String)>,
    dependants: Vec<DependantView>,
    dependants_number: i64,
    more_dependants: bool,
    in_set: Option<InSet>,
    sets: Option<(String, String, usize)>,
    versions: Vec<VersionView>,
    hidden_versions: usize,
    grid: Grid,
    jobs: Vec<JobView>,
    readme: readme::View,
}

struct DependantView {
    name: String,
    range: String,
}

struct VersionView {
    version: String,
    published: Day,
    size: String,
    unpublished: Option<String>,
    chosen: bool,
}

/// Where the package stands with the latest package set.
struct InSet {
    set: String,
    told: String,
    reasons: Vec<String>,
    good: bool,
}

#[derive(Deserialize)]
pub(super) struct PackageQuery {
    versions: Option<String>,
}

impl PackageQuery {
    fn all_versions(&self) -> bool {
        self.versions.as_deref() == Some("all")
    }
}

const NO_NAME: &str = "This is not the name of a package.";
const NO_PACKAGE: &str = "There is no package with this name in this registry.";

pub(super) async fn package(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Query(query): Query<PackageQuery>,
) -> Result<Response, ApiError> {
    show(&state, &name, None, query.all_versions()).await
}

pub(super) async fn version(
    State(state): State<ApiState>,
    Path((name, version)): Path<(String, String)>,
    Query(query): Query<PackageQuery>,
) -> Result<Response, ApiError> {
    let Ok(version) = version.parse::<Version>() else {
        return not_found_page("This is not a version: it has three numbers, as 4.0.0 has.");
    };
    show(&state, &name, Some(version), query.all_versions()).await
}

async fn show(
    state: &ApiState,
    name: &str,
    asked: Option<Version>,
    all_versions: bool,
) -> Result<Response, ApiError> {
    let Ok(name) = name.parse::<PackageName>() else {
        return not_found_page(NO_NAME);
    };
    let mut tx = state.jobs.db().read().await?;
    let Some(metadata) = docket_index::find_metadata(&mut tx, &name).await? else {
        return not_found_page(NO_PACKAGE);
    };
    let newest = metadata
        .latest()
        .or_else(|| metadata.unpublished.keys().max().copied());
    let Some(version) = asked.or(newest) else {
        return not_found_page("No version of this package was ever published.");
    };
    let published = metadata.published.get(&version);
    let unpublished = metadata.unpublished.get(&version);
    let Some(published_at) = published
        .map(|entry| entry.published_time)
        .or(unpublished.map(|entry| entry.published_time))
    else {
        return not_found_page("This version of the package was never published.");
    };
    let manifests = docket_index::list_manifests(&mut tx, &name).await?;
    let manifest = manifests.iter().find(|manifest| manifest.version == version);
    let builds = docket_index::list_builds(&mut tx, &name).await?;
    let known = state.sets.all(&mut tx).await?;
    let in_set = in_set(&known, &name, &metadata, &manifests);
    let sets: Vec<_> = known.holding(&name, version).collect();
    let mut dependants =
        docket_index::list_dependant_summaries(&mut tx, &name, "", SHOWN_DEPENDANTS as i64 + 1).await?;
    let all_dependants = if dependants.len() > SHOWN_DEPENDANTS {
        dependants.truncate(SHOWN_DEPENDANTS);
        docket_index::count_dependants(&mut tx, &name).await?
    } else {
        dependants.len() as i64
    };
    let filter = JobFilter {
        package: Some(name.clone()),
        include_finished: true,
        order: Order::Descending,
        limit: SHOWN_JOBS,
        ..JobFilter::default()
    };
    let jobs = state.jobs.list(&mut tx, &filter).await?;
    drop(tx);
    let readme = readme::read(state, &name, version, &metadata, manifest).await;
    let all: Vec<VersionView> = versions(&metadata, version);
    let hidden = if all_versions {
        0
    } else {
        all.len().saturating_sub(SHOWN_VERSIONS)
    };
    let shown = all.len() - hidden;
    let description = manifest
        .and_then(|manifest| manifest.description.as_ref())
        .map(|text| text.to_string())
        .unwrap_or_default();
    let card = Card {
        title: format!("{name} {version}"),
        about: if description.is_empty() {
            format!("The package {name} of this registry.")
        } else {
            description.clone()
        },
    };
    let template = PackageTemplate {
        card,
        version: version.to_string(),
        description,
        newest: newest
            .filter(|newest| *newest != version)
            .map(|newest| newest.to_string()),
        unpublished: unpublished.map(|entry| (entry.reason.to_string(), Day(entry.unpublished_time))),
        license: manifest.map(|manifest| manifest.license.to_string()),
        published: Day(published_at),
        size: published.map(|entry| size(entry.bytes)),
        hash: published.map(|entry| entry.hash.to_string()),
        location: metadata.location.to_string(),
        host: host_page(&metadata.location),
        owners: owners(&metadata),
        git_ref: manifest
            .map(|manifest| manifest.git_ref.clone())
            .filter(|text| !text.is_empty()),
        dependencies: manifest.map(dependencies).unwrap_or_default(),
        more_dependants: all_dependants > SHOWN_DEPENDANTS as i64,
        dependants_number: all_dependants,
        dependants: dependants
            .into_iter()
            .map(|one| DependantView {
                name: one.name.to_string(),
                range: one.range,
            })
            .collect(),
        in_set,
        sets: sets
            .first()
            .zip(sets.last())
            .map(|(first, last)| (first.version.to_string(), last.version.to_string(), sets.len())),
        grid: Grid::new(
            &metadata,
            &builds,
            if all_versions { usize::MAX } else { SHOWN_VERSIONS },
        ),
        versions: all.into_iter().take(shown).collect(),
        hidden_versions: hidden,
        jobs: jobs.into_iter().map(JobView::new).collect(),
        readme,
        name: name.to_string(),
    };
    Ok(page(&template))
}

/// Newest first.
fn versions(metadata: &Metadata, chosen: Version) -> Vec<VersionView> {
    let published = metadata.published.iter().map(|(version, entry)| {
        (
            *version,
            VersionView {
                version: version.to_string(),
                published: Day(entry.published_time),
                size: size(entry.bytes),
                unpublished: None,
                chosen: *version == chosen,
            },
        )
    });
    let unpublished = metadata.unpublished.iter().map(|(version, entry)| {
        (
            *version,
            VersionView {
                version: version.to_string(),
                published: Day(entry.published_time),
                size: String::new(),
                unpublished: Some(entry.reason.to_string()),
                chosen: *version == chosen,
            },
        )
    });
    let mut all: Vec<_> = published.chain(unpublished).collect();
    all.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    all.into_iter().map(|(_, view)| view).collect()
}

fn owners(metadata: &Metadata) -> Vec<String> {
    let owners = metadata.owners.iter().flatten();
    owners
        .map(|owner| match &owner.id {
            Some(id) => format!("{id} ({})", owner.keytype),
            None => owner.keytype.clone(),
        })
        .collect()
}

fn dependencies(manifest: &Manifest) -> Vec<(String, String)> {
    let dependencies = manifest.dependencies.iter();
    dependencies
        .map(|(name, range)| (name.to_string(), range.to_string()))
        .collect()
}

fn in_set(sets: &Sets, name: &PackageName, metadata: &Metadata, manifests: &[Manifest]) -> Option<InSet> {
    let set = sets.latest()?;
    let newest = manifests
        .iter()
        .rev()
        .find_map(|manifest| Some((manifest, metadata.published.get(&manifest.version)?)));
    let newest = newest.map(|(manifest, entry)| (manifest, entry.compilers.as_slice()));
    let standing = standing(set, name, newest);
    let (told, reasons) = super::package_sets::told(&standing);
    Some(InSet {
        set: set.version.to_string(),
        told,
        reasons,
        good: standing == Standing::Newest,
    })
}

#[derive(Template)]
#[template(path = "dependants.html")]
struct DependantsTemplate {
    card: Card,
    name: String,
    told: String,
    dependants: Vec<DependantView>,
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct DependantsQuery {
    after: Option<String>,
}

/// `GET /packages/{name}/dependants`
pub(super) async fn dependants(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Query(query): Query<DependantsQuery>,
) -> Result<Response, ApiError> {
    let Ok(name) = name.parse::<PackageName>() else {
        return not_found_page(NO_NAME);
    };
    let after = query.after.unwrap_or_default();
    let mut tx = state.jobs.db().read().await?;
    if docket_index::find_metadata(&mut tx, &name).await?.is_none() {
        return not_found_page(NO_PACKAGE);
    }
    let all = docket_index::count_dependants(&mut tx, &name).await?;
    let limit = PAGE_DEPENDANTS as i64 + 1;
    let mut found = docket_index::list_dependant_summaries(&mut tx, &name, &after, limit).await?;
    let is_more = found.len() > PAGE_DEPENDANTS;
    found.truncate(PAGE_DEPENDANTS);
    let template = DependantsTemplate {
        card: Card {
            title: format!("What depends on {name}"),
            about: format!("The packages whose newest version depends on {name}."),
        },
        told: count(usize::try_from(all).unwrap_or_default(), "package"),
        next: found
            .last()
            .filter(|_| is_more)
            .map(|last| format!("/packages/{name}/dependants?after={}", last.name)),
        dependants: found
            .into_iter()
            .map(|one| DependantView {
                name: one.name.to_string(),
                range: one.range,
            })
            .collect(),
        name: name.to_string(),
    };
    Ok(page(&template))
}

/// `GET /packages/{name}/{version}/compilers/{compiler}`: the log of that trial, at its first error.
///
/// A page with hundreds of cells looks none of them up; whoever follows one does.
pub(super) async fn trial(
    State(state): State<ApiState>,
    Path((name, version, compiler)): Path<(String, String, String)>,
) -> Result<Response, ApiError> {
    const NO_TRIAL: &str = "This version was not tried with this compiler here.";
    let (Ok(name), Ok(version), Ok(compiler)) = (
        name.parse::<PackageName>(),
        version.parse::<Version>(),
        compiler.parse::<Version>(),
    ) else {
        return not_found_page(NO_TRIAL);
    };
    let mut tx = state.jobs.db().read().await?;
    let builds = docket_index::list_builds(&mut tx, &name).await?;
    let build = builds
        .into_iter()
        .find(|build| build.version == version && build.compiler == compiler);
    let Some(job) = build.and_then(|build| build.job_id.parse::<JobId>().ok()) else {
        return not_found_page(NO_TRIAL);
    };
    if state.jobs.find(&mut tx, job).await?.is_none() {
        return not_found_page("The job that tried this is not here any more.");
    }
    drop(tx);
    let first = LineFilter::after(0, Level::Error, 1);
    let lines = state.jobs.read_log(job, &first).await?.lines;
    let place = lines
        .first()
        .map(|line| format!("#L{}", line.seq))
        .unwrap_or_default();
    let answer = Redirect::to(&format!("/logs/{job}{place}"));
    Ok(([(header::CACHE_CONTROL, "no-store")], answer).into_response())
}
