//! Plain pages for people. They work without scripts; there are none yet.

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use docket_core::name::PackageName;
use docket_jobs::{JobFilter, Order};

use crate::{ApiState, error::ApiError, extract::Path};

/// Nothing from elsewhere, no scripts, no frames.
pub(crate) const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// How many jobs the first page shows.
const RECENT_JOBS: i64 = 25;

pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/", get(home))
        .route("/packages/{name}", get(package))
        .route("/docs/problems", get(problems))
        .route("/styles/docket.css", get(styles))
        .route(
            "/robots.txt",
            get(|| async { "User-agent: *\nDisallow: /logs/\nDisallow: /api/\n" }),
        )
}

/// Where the `type` of a problem document points.
async fn problems() -> Response {
    (
        [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")],
        include_str!("../../docs/problems.md"),
    )
        .into_response()
}

async fn styles() -> Response {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("../../web/styles/docket.css"),
    )
        .into_response()
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomeTemplate {
    url: String,
    packages: usize,
    jobs: Vec<JobView>,
}

struct JobView {
    id: String,
    kind: String,
    subject: String,
    state: &'static str,
    created_at: String,
}

async fn home(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let mut tx = state.jobs.db().read().await?;
    let filter = JobFilter {
        include_finished: true,
        order: Order::Descending,
        limit: RECENT_JOBS,
        ..JobFilter::default()
    };
    let jobs = state.jobs.list(&mut tx, &filter).await?;
    let packages = docket_index::list_names(&mut tx).await?.len();
    let view = |job: docket_jobs::Job| JobView {
        id: job.id.to_string(),
        subject: [job.package_name, job.package_version]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("@"),
        kind: job.kind,
        state: job.state.as_str(),
        created_at: job.created_at.to_string(),
    };
    let jobs = jobs.into_iter().map(view).collect();
    Ok(page(
        StatusCode::OK,
        &HomeTemplate {
            url: state.public_url.to_string(),
            packages,
            jobs,
        },
    ))
}

#[derive(Template)]
#[template(path = "package.html")]
struct PackageTemplate {
    name: String,
    location: String,
    versions: Vec<VersionView>,
    unpublished: Vec<(String, String)>,
}

struct VersionView {
    version: String,
    bytes: u64,
    hash: String,
    published_at: String,
    compilers: String,
}

async fn package(State(state): State<ApiState>, Path(name): Path<String>) -> Result<Response, ApiError> {
    let Ok(name) = name.parse::<PackageName>() else {
        return not_found_page("This is not a package name.");
    };
    let mut tx = state.jobs.db().read().await?;
    let Some(metadata) = docket_index::find_metadata(&mut tx, &name).await? else {
        return not_found_page("There is no package with this name.");
    };
    let versions = metadata
        .published
        .iter()
        .rev()
        .map(|(version, entry)| VersionView {
            version: version.to_string(),
            bytes: entry.bytes,
            hash: entry.hash.to_string(),
            published_at: entry.published_time.to_string(),
            compilers: entry
                .compilers
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        });
    let template = PackageTemplate {
        name: name.to_string(),
        location: metadata.location.to_string(),
        versions: versions.collect(),
        unpublished: metadata
            .unpublished
            .iter()
            .map(|(version, entry)| (version.to_string(), entry.reason.to_string()))
            .collect(),
    };
    Ok(page(StatusCode::OK, &template))
}

#[derive(Template)]
#[template(path = "not_found.html")]
struct NotFoundTemplate<'a> {
    reason: &'a str,
}

/// A page that says that there is nothing here, and why.
pub(crate) fn not_found_page(reason: &str) -> Result<Response, ApiError> {
    Ok(page(StatusCode::NOT_FOUND, &NotFoundTemplate { reason }))
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ];
    (
        status,
        headers,
        template.render().expect("templates render from checked values"),
    )
        .into_response()
}
