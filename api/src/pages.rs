//! Pages for people, which work without scripts.
//!
//! Each file here is one page or a family of them; their templates lie in `web/templates`. [`assets`] holds what they need: styles and scripts.

mod assets;
mod book;
mod chart;
mod coded;
mod feeds;
pub(crate) mod fixed;
pub(crate) mod format;
mod home;
mod jobs;
mod markdown;
mod package;
mod package_sets;
mod packages;
mod problems;
pub(crate) mod reference;
mod takedown;
mod together;

use askama::Template;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{ApiState, error::ApiError, extract::accepts};

use fixed::{Content, Fixed};
pub use takedown::Legal;
use together::Together;

/// Nothing from elsewhere, nothing inline, no frames.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<ApiState> {
    let (home, overview) = (Together::default(), Together::default());
    Router::new()
        .route(
            "/",
            get(async move |State(state): State<ApiState>, headers: HeaderMap| {
                home.page(&headers, home::home(&state)).await
            }),
        )
        .route("/packages", get(packages::packages))
        .route("/packages/{name}", get(package::package))
        .route("/packages/{name}/dependants", get(package::dependants))
        .route("/packages/{name}/versions.atom", get(feeds::package_versions))
        .route("/packages/{name}/{version}", get(package::version))
        .route(
            "/packages/{name}/{version}/compilers/{compiler}",
            get(package::trial),
        )
        .route("/package-sets", get(package_sets::package_sets))
        .route("/package-sets/{version}", get(package_sets::package_set))
        .route(
            "/jobs",
            get(async move |state, query, headers| jobs::jobs(overview, state, query, headers).await),
        )
        .route("/feeds/versions.atom", get(feeds::versions))
        .route("/feeds/package-sets.atom", get(feeds::package_sets))
        .route(
            "/legal/takedown",
            get(takedown::show)
                .post(takedown::send)
                .layer(DefaultBodyLimit::max(takedown::MAX_FORM_BYTES)),
        )
        .route("/legal/takedown/{id}", get(takedown::case))
        .route(
            "/robots.txt",
            get(|| async {
                "User-agent: *\nDisallow: /logs/\nDisallow: /api/\nDisallow: /legal/takedown/\n"
            }),
        )
        .merge(assets::routes())
        .merge(book::routes())
        .merge(problems::routes())
        .fallback(nowhere)
}

#[derive(Template)]
#[template(path = "not_found.html")]
struct NotFoundTemplate<'a> {
    reason: &'a str,
}

/// What a page is, for those who link to it and for search engines.
struct Card {
    title: String,
    about: String,
}

#[derive(Template)]
#[template(path = "bad_request.html")]
struct BadRequestTemplate<'a> {
    reason: &'a str,
}

/// A page that says what does not fit in the address or the form.
fn bad_request_page(reason: &str) -> Response {
    (StatusCode::BAD_REQUEST, page(&BadRequestTemplate { reason })).into_response()
}

/// A page that says that there is nothing here, and why.
pub(crate) fn not_found_page(reason: &str) -> Result<Response, ApiError> {
    Ok((StatusCode::NOT_FOUND, page(&NotFoundTemplate { reason })).into_response())
}

/// What is at no address: a page for people, and no body for programs (registry.md, appendix C).
async fn nowhere(headers: HeaderMap) -> Result<Response, ApiError> {
    if accepts(&headers, "text/html") {
        return not_found_page("There is nothing at this address.");
    }
    Ok(StatusCode::NOT_FOUND.into_response())
}

/// What is said with every page.
const PAGE_HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
];

fn rendered(template: &impl Template) -> String {
    template.render().expect("templates render from checked values")
}

/// Answers with a page.
pub(crate) fn page(template: &impl Template) -> Response {
    page_of(rendered(template).into())
}

fn page_of(html: Bytes) -> Response {
    (PAGE_HEADERS, html).into_response()
}

/// A page that stays the same.
fn fixed_page(template: &impl Template) -> Content {
    Content {
        headers: PAGE_HEADERS.into(),
        bytes: rendered(template).into(),
    }
}

/// Both forms of a text that stays the same: a page for browsers, Markdown for everybody else.
struct FixedText {
    page: Fixed,
    markdown: Fixed,
}

impl FixedText {
    fn new<T: Template>(markdown: &'static str, template: impl FnOnce() -> T + Send + 'static) -> Self {
        // Which of them is sent depends on this too.
        const CHOSEN: (HeaderName, &str) = (header::VARY, "accept, accept-encoding");
        Self {
            page: Fixed::new(move || {
                let mut content = fixed_page(&template());
                content.headers.push(CHOSEN);
                content
            }),
            markdown: Fixed::new(|| Content {
                headers: vec![(header::CONTENT_TYPE, "text/markdown; charset=utf-8"), CHOSEN],
                bytes: Bytes::from_static(markdown.as_bytes()),
            }),
        }
    }

    async fn answer(&self, headers: &HeaderMap) -> Response {
        let chosen = if accepts(headers, "text/html") {
            &self.page
        } else {
            &self.markdown
        };
        chosen.answer(headers).await
    }
}
