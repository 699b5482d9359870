//! Pages for people, which work without scripts.
//!
//! Each file here is one page or a family of them; their templates lie in `web/templates`. [`assets`] holds what they need: styles and scripts.

mod assets;
mod home;
mod packages;
pub(crate) mod reference;

use askama::Template;
use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{ApiState, error::ApiError};

/// Nothing from elsewhere, nothing inline, no frames.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/", get(home::home))
        .route("/packages/{name}", get(packages::package))
        .route("/docs/problems", get(problems))
        .route(
            "/robots.txt",
            get(|| async { "User-agent: *\nDisallow: /logs/\nDisallow: /api/\n" }),
        )
        .merge(assets::routes())
}

/// Where the `type` of a problem document points.
async fn problems() -> Response {
    (
        [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")],
        include_str!("../../docs/problems.md"),
    )
        .into_response()
}

#[derive(Template)]
#[template(path = "not_found.html")]
struct NotFoundTemplate<'a> {
    reason: &'a str,
}

/// A page that says that there is nothing here, and why.
pub(crate) fn not_found_page(reason: &str) -> Result<Response, ApiError> {
    Ok((StatusCode::NOT_FOUND, page(&NotFoundTemplate { reason })).into_response())
}

/// Answers with a page.
pub(crate) fn page(template: &impl Template) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    (
        headers,
        template.render().expect("templates render from checked values"),
    )
        .into_response()
}
