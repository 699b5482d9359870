//! The routes of released clients, `/api/v1`: bodies, statuses and header rules are fixed by registry.md §1 and appendix C.
//!
//! Paths match exactly; a wrong method is a 404 without a body, as is an unknown path. POST answers 200, never 201, because spago 1.0 treats
//! everything else as fatal. Errors are plain text, which clients print, or problem+json for those who ask for JSON.

mod body;
mod job_filter;
mod job_object;
mod jobs;
mod package_sets;
mod publish;
mod query;
mod signed;
mod submit;

use axum::{
    extract::{DefaultBodyLimit, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use docket_http::Problem;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt},
    routes,
};

use crate::{ApiState, changes, extract::accepts, package_list, packages};

/// The largest body of an operation, in bytes. The largest real one is a few kilobytes.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(exact(routes!(publish::publish)))
        // Not in registry.md.
        .routes(exact(routes!(publish::check)))
        .routes(exact(routes!(signed::unpublish)))
        .routes(exact(routes!(signed::transfer)))
        .routes(exact(routes!(package_sets::package_sets, packages::package_sets)))
        // Not in registry.md: reads that released clients do through git.
        .routes(exact(routes!(packages::package_set)))
        .routes(exact(routes!(package_list::list)))
        .routes(exact(routes!(package_list::search)))
        .routes(exact(routes!(changes::list)))
        .routes(exact(routes!(packages::package)))
        .routes(exact(routes!(packages::matrix)))
        .routes(exact(routes!(packages::version)))
        .routes(exact(routes!(jobs::list)))
        .routes(exact(routes!(jobs::show)))
        .routes(exact(routes!(status)))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(cors))
}

/// The server takes requests.
#[utoipa::path(get, path = "/api/v1/status", tag = "server", responses((status = 200, description = "It does.")))]
async fn status() {}

/// The same route, where a wrong method is a 404 without a body.
pub(crate) fn exact(route: UtoipaMethodRouter<ApiState>) -> UtoipaMethodRouter<ApiState> {
    route.map(|route| route.fallback(no_such_method))
}

pub(crate) async fn no_such_method(method: Method) -> Response {
    if method != Method::OPTIONS {
        return StatusCode::NOT_FOUND.into_response();
    }
    let preflight = [
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, preflight).into_response()
}

/// Browsers of other sites may read everything here: it is public, and no cookie gives any right.
pub(crate) async fn cors(request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 3] = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, OPTIONS"),
        (header::VARY, "Origin"),
    ];
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response
            .headers_mut()
            // Beside what the answer varies by already.
            .append(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether released clients ask at this path, and print the text of an error.
pub(crate) fn is_of_released_clients(path: &str) -> bool {
    let rest = path.strip_prefix("/api/v1/").unwrap_or_default();
    match rest.split_once('/') {
        None => [
            "publish",
            "unpublish",
            "transfer",
            "package-sets",
            "jobs",
            "status",
        ]
        .contains(&rest),
        Some((first, id)) => first == "jobs" && !id.contains('/'),
    }
}

/// An error of these routes: plain text, unless the client asks for JSON.
#[derive(Debug)]
pub(crate) struct V1Error {
    problem: Problem,
    as_json: bool,
}

impl V1Error {
    pub(crate) fn new(headers: &HeaderMap, problem: Problem) -> Self {
        Self {
            problem,
            as_json: accepts(headers, "json"),
        }
    }
}

impl IntoResponse for V1Error {
    fn into_response(self) -> Response {
        if self.as_json {
            return self.problem.into_response();
        }
        self.problem.into_text()
    }
}
