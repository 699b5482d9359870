//! `GET /index/{path}`: the manifest index over plain HTTP, one file per package, as in the git repository.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use docket_core::{digest::Sha256, manifest_index, name::PackageName};
use docket_http::Problem;
use docket_jobs::Jobs;
use serde_json::json;

use crate::{ApiState, error::ApiError, extract::Path, tarballs::matches_etag};

pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/index/config.json", get(config))
        .route("/index/{*path}", get(index_file))
}

/// Where the rest of the registry is, for clients that start from the index.
async fn config(State(state): State<ApiState>) -> Json<serde_json::Value> {
    let url = &state.public_url;
    Json(json!({ "api": format!("{url}/api/v1"), "tarball": format!("{url}/{{name}}/{{version}}.tar.gz") }))
}

async fn index_file(
    State(jobs): State<Jobs>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let missing = || Problem::not_found(format!("The index has no file `{path}`."));
    let name = path.rsplit('/').next().unwrap_or_default().parse::<PackageName>();
    let Some(name) = name.ok().filter(|name| manifest_index::path(name) == path) else {
        return Err(missing().into());
    };
    let mut tx = jobs.db().read().await?;
    let text = docket_index::find_index_file(&mut tx, &name)
        .await?
        .ok_or_else(missing)?;
    let etag = format!("\"{}\"", Sha256::of(text.as_bytes()).hex());
    // Revalidated at each use: a new version must be seen at once.
    let caching = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    if matches_etag(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    Ok((
        caching,
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        text,
    )
        .into_response())
}
