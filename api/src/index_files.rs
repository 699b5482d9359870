//! `GET /index/{path}`: the manifest index over plain HTTP, one file per package, as in the git repository.

use axum::{Json, extract::State, http::HeaderMap, response::Response, routing::get};
use docket_core::{manifest_index, name::PackageName};
use docket_http::Problem;
use docket_jobs::Jobs;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{ApiState, conditional::revalidated, error::ApiError, extract::Path};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(config))
        // utoipa has no word for the rest of a path.
        .route("/index/{*path}", get(index_file))
}

/// Where the rest of the registry is, for clients that start from the index.
#[derive(Debug, Serialize, ToSchema)]
struct IndexConfig {
    api: String,
    /// With `{name}` and `{version}` to be filled in.
    tarball: String,
}

/// Says where the rest of the registry is, for clients that start from the index. Beside it, as `/index/{path}`, lies one file per package, with the layout
/// and the bytes of the repository `registry-index`.
#[utoipa::path(get, path = "/index/config.json", tag = "packages", responses((status = 200, description = "Addresses.", body = IndexConfig)))]
async fn config(State(state): State<ApiState>) -> Json<IndexConfig> {
    let url = &state.public_url;
    Json(IndexConfig {
        api: format!("{url}/api/v1"),
        tarball: format!("{url}/{{name}}/{{version}}.tar.gz"),
    })
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
    Ok(revalidated(&headers, "text/plain; charset=utf-8", text))
}
