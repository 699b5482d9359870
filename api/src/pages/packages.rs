//! `GET /packages/{name}`: one package.

use askama::Template;
use axum::{extract::State, response::Response};
use docket_core::name::PackageName;

use super::{not_found_page, page};
use crate::{ApiState, error::ApiError, extract::Path};

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

pub(super) async fn package(
    State(state): State<ApiState>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
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
    Ok(page(&template))
}
