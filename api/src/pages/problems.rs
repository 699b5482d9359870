//! `GET /docs/problems`: what each code means and what to do, where the `type` of a problem document points.

use std::sync::Arc;

use askama::Template;
use axum::{Router, http::HeaderMap, routing::get};

use super::{Card, FixedText, markdown};
use crate::ApiState;

/// The list, as it is written.
const PROBLEMS: &str = include_str!("../../../docs/problems.md");

#[derive(Template)]
#[template(path = "problems.html")]
struct ProblemsTemplate {
    card: Card,
    html: String,
}

/// The page for browsers has a place for each code.
pub(super) fn routes() -> Router<ApiState> {
    let fixed = Arc::new(FixedText::new(PROBLEMS, || ProblemsTemplate {
        card: Card {
            title: "Problems".to_owned(),
            about: "Every code with which a job or a request ends, what it means, and what to do.".to_owned(),
        },
        html: markdown::render_own(PROBLEMS),
    }));
    Router::new().route(
        "/docs/problems",
        get(async move |headers: HeaderMap| fixed.answer(&headers).await),
    )
}
