//! `GET /packages`: all packages, and those that one looks for.

use askama::Template;
use axum::{extract::State, response::Response};
use docket_index::search::{self, Cursor, MAX_CHARS, Words};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{Card, bad_request_page, format::Day, format::count, page};
use crate::{ApiState, error::ApiError, extract::Query};

/// How many packages one page shows.
const PAGE_PACKAGES: usize = 50;

#[derive(Template)]
#[template(path = "packages.html")]
struct PackagesTemplate {
    card: Card,
    results: ResultsTemplate,
    max_chars: usize,
}

/// What changes as one types.
#[derive(Template)]
#[template(path = "package_results.html")]
struct ResultsTemplate {
    query: String,
    /// How many were found, in words.
    told: String,
    packages: Vec<PackageView>,
    /// The list behind these.
    next: Option<String>,
    /// Where it begins.
    start: String,
    /// Whether these are not the first.
    goes_on: bool,
}

struct PackageView {
    name: String,
    version: String,
    description: String,
    license: String,
    published: Day,
}

#[derive(Deserialize)]
pub(super) struct PackagesQuery {
    #[serde(default)]
    q: String,
    cursor: Option<String>,
    part: Option<String>,
}

/// With `part=results` only what changes as one types is answered.
pub(super) async fn packages(
    State(state): State<ApiState>,
    Query(asked): Query<PackagesQuery>,
) -> Result<Response, ApiError> {
    let words: Words = match asked.q.parse() {
        Ok(words) => words,
        Err(refused) => {
            return Ok(bad_request_page(&format!(
                "This cannot be searched for: {refused}."
            )));
        }
    };
    let cursor = match asked.cursor.as_deref().map(str::parse::<Cursor>).transpose() {
        Ok(cursor) => cursor,
        Err(refused) => return Ok(bad_request_page(&format!("The cursor does not fit: {refused}."))),
    };
    let query = asked.q;
    let mut tx = state.jobs.db().read().await?;
    let found = search::search(&mut tx, &words, cursor.as_ref(), PAGE_PACKAGES).await?;
    let is_all = query.trim().is_empty();
    let told = if is_all {
        let all = docket_index::count_packages(&mut tx).await?;
        count(usize::try_from(all).unwrap_or_default(), "package")
    } else {
        match (found.packages.len(), &found.next, &cursor) {
            (0, ..) => "No package has these words.".to_owned(),
            (here, None, None) => format!("{} found", count(here, "package")),
            (_, None, Some(_)) => "The last packages found".to_owned(),
            (here, Some(_), None) => format!("More than {here} packages found, the best matches first"),
            (_, Some(_), Some(_)) => "More packages found".to_owned(),
        }
    };
    let start = format!(
        "/packages?q={}",
        utf8_percent_encode(query.trim(), NON_ALPHANUMERIC)
    );
    let results = ResultsTemplate {
        next: found.next.map(|next| format!("{start}&cursor={next}")),
        start,
        goes_on: cursor.is_some(),
        told,
        query,
        packages: found
            .packages
            .into_iter()
            .map(|found| PackageView {
                name: found.name.to_string(),
                version: found.version.to_string(),
                description: found.description,
                license: found.license,
                published: Day(found.published_at),
            })
            .collect(),
    };
    if asked.part.as_deref() == Some("results") {
        return Ok(page(&results));
    }
    let card = Card {
        title: "Packages".to_owned(),
        about: "All packages of this registry, by name, description and licence.".to_owned(),
    };
    Ok(page(&PackagesTemplate {
        card,
        results,
        max_chars: MAX_CHARS,
    }))
}
