//! `GET /{name}/{version}.tar.gz`: the path that clients build.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use docket_core::{name::PackageName, version::Version};
use docket_http::Problem;
use docket_index::tarballs::Tarballs;
use docket_jobs::Jobs;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use crate::{ApiState, conditional::matches_etag, error::ApiError, extract::Path, openapi::Refused};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(tarball).map(|route| route.fallback(async || StatusCode::NOT_FOUND)))
}

/// Sends a tarball. The file is the version with `.tar.gz`.
#[utoipa::path(
    get,
    path = "/{name}/{file}",
    tag = "packages",
    params(("name" = String, Path, example = "prelude"), ("file" = String, Path, example = "6.0.1.tar.gz")),
    responses(
        (status = 200, description = "The tarball.", content_type = "application/gzip", body = Vec<u8>),
        (status = 302, description = "The tarball is there."),
        (status = 304, description = "It has the `ETag` of `If-None-Match` still."),
        Refused<404>, Refused<502>,
    )
)]
async fn tarball(
    State(jobs): State<Jobs>,
    State(tarballs): State<Tarballs>,
    Path((name, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let missing = || Problem::not_found("There is nothing here. Tarballs are at /NAME/VERSION.tar.gz.");
    let Some(version) = file.strip_suffix(".tar.gz") else {
        // Every path of two segments comes here, and most are simply unknown. Those that begin like the API have no body (registry.md §1.2).
        return match name.as_str() {
            "api" => Ok(StatusCode::NOT_FOUND.into_response()),
            _ => Err(missing().into()),
        };
    };
    let (Ok(name), Ok(version)) = (name.parse::<PackageName>(), version.parse::<Version>()) else {
        return Err(missing().into());
    };
    let mut tx = jobs.db().read().await?;
    let metadata = docket_index::find_metadata(&mut tx, &name).await?;
    drop(tx);
    let Some(entry) = metadata
        .as_ref()
        .and_then(|metadata| metadata.published.get(&version))
    else {
        return Err(Problem::not_found(format!("{name}@{version} is not published.")).into());
    };
    let etag = format!("\"{}\"", entry.hash.hex());
    let caching = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, "public, max-age=31536000".to_owned()),
    ];
    if matches_etag(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    if let Some(url) = tarballs.find_public_url(entry).await? {
        // Where it is may change, what it is may not.
        let answer = [
            (header::LOCATION, url),
            (header::ETAG, etag),
            (header::CACHE_CONTROL, "public, max-age=300".to_owned()),
        ];
        return Ok((StatusCode::FOUND, answer).into_response());
    }
    let Some(bytes) = tarballs.find(&name, version, entry).await? else {
        let detail =
            format!("{name}@{version} is published, but its tarball was not imported to this server.");
        return Err(
            Problem::new(StatusCode::NOT_FOUND, "tarball-missing", "Tarball missing")
                .detail(detail)
                .into(),
        );
    };
    Ok((caching, [(header::CONTENT_TYPE, "application/gzip")], bytes).into_response())
}
