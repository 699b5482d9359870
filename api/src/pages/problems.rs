//! `GET /docs/problems`: what each code means and what to do, where the `type` of a problem document points.

use askama::Template;
use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{Card, markdown, page};
use crate::extract::accepts;

/// The list, as it is written.
const PROBLEMS: &str = include_str!("../../../docs/problems.md");

#[derive(Template)]
#[template(path = "problems.html")]
struct ProblemsTemplate {
    card: Card,
    html: String,
}

/// A page for browsers, in which each code has its place; Markdown for everybody else.
pub(super) async fn problems(headers: HeaderMap) -> Response {
    if !accepts(&headers, "text/html") {
        let typed = [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")];
        return (typed, PROBLEMS).into_response();
    }
    let template = ProblemsTemplate {
        card: Card {
            title: "Problems".to_owned(),
            about: "Every code with which a job or a request ends, what it means, and what to do.".to_owned(),
        },
        html: markdown::render_own(PROBLEMS),
    };
    page(&template)
}
