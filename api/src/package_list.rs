//! All packages as JSON, and those that have certain words, page by page.

use axum::{extract::State, http::HeaderMap, response::Response};
use docket_core::{name::PackageName, time::Timestamp, version::Version};
use docket_http::Problem;
use docket_index::{
    Summary,
    search::{self, Cursor, Words},
};
use docket_jobs::Jobs;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    error::ApiError,
    extract::{Query, invalid_query},
    openapi::Refused,
    packages::revalidated,
};

/// How many packages one page holds at most, and unless told otherwise.
const MAX_LIMIT: usize = 1_000;
const DEFAULT_LIMIT: usize = 100;

/// A package as lists show it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SummaryObject {
    #[schema(value_type = String, example = "prelude")]
    name: PackageName,
    /// Its highest version that can be installed.
    #[schema(value_type = String, example = "6.0.1")]
    version: Version,
    /// When that was published.
    #[schema(value_type = String, format = DateTime)]
    published_time: Timestamp,
    /// The licence of that version.
    #[schema(example = "BSD-3-Clause")]
    license: String,
    /// What it is for, if it says so.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    description: String,
}

impl From<Summary> for SummaryObject {
    fn from(summary: Summary) -> Self {
        Self {
            name: summary.name,
            version: summary.version,
            published_time: summary.published_at,
            license: summary.license,
            description: summary.description,
        }
    }
}

/// Some packages of a list.
#[derive(Debug, Serialize, ToSchema)]
struct PackagesObject {
    packages: Vec<SummaryObject>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many packages, up to 1000.
    #[param(minimum = 1)]
    limit: Option<usize>,
}

/// What to look for, and which part of what is found.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchQuery {
    /// Words that must be in the name or the description, up to 100 characters.
    #[param(example = "web html", max_length = 100)]
    q: String,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many packages, up to 1000.
    #[param(minimum = 1)]
    limit: Option<usize>,
}

/// Lists the packages that can be installed, by name.
#[utoipa::path(
    get,
    path = "/api/v1/packages",
    tag = "packages",
    params(ListQuery),
    responses(
        (status = 200, description = "Some of them.", body = PackagesObject),
        (status = 304, description = "They have the `ETag` of `If-None-Match` still."),
        Refused<400>
    )
)]
pub(crate) async fn list(
    State(jobs): State<Jobs>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let after: Option<PackageName> = cursor(query.cursor.as_deref())?;
    let limit = limit(query.limit);
    let mut tx = jobs.db().read().await?;
    let asked = i64::try_from(limit + 1).expect("the limit is small");
    let after = after.as_ref().map_or("", PackageName::as_str);
    let mut packages = docket_index::list_summaries(&mut tx, after, asked).await?;
    let has_more = packages.len() > limit;
    packages.truncate(limit);
    let last = packages.last().map(|summary| summary.name.to_string());
    let page = PackagesObject {
        packages: packages.into_iter().map(SummaryObject::from).collect(),
        next: last.filter(|_| has_more),
    };
    Ok(revalidated(&headers, &page))
}

/// Lists the packages that have all words of a text in their name or description, the best match first.
#[utoipa::path(
    get,
    path = "/api/v1/search",
    tag = "packages",
    params(SearchQuery),
    responses(
        (status = 200, description = "Some of them.", body = PackagesObject),
        (status = 304, description = "They have the `ETag` of `If-None-Match` still."),
        Refused<400>
    )
)]
pub(crate) async fn search(
    State(jobs): State<Jobs>,
    Query(query): Query<SearchQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let words: Words = query
        .q
        .parse()
        .map_err(|error| invalid_query(format!("The parameter `q` does not fit: {error}.")))?;
    let after: Option<Cursor> = cursor(query.cursor.as_deref())?;
    let mut tx = jobs.db().read().await?;
    let found = search::search(&mut tx, &words, after.as_ref(), limit(query.limit)).await?;
    let page = PackagesObject {
        packages: found.packages.into_iter().map(SummaryObject::from).collect(),
        next: found.next.map(|next| next.to_string()),
    };
    Ok(revalidated(&headers, &page))
}

fn limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
}

fn cursor<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, Problem> {
    let refused = |_| {
        invalid_query(
            "The parameter `cursor` does not fit: it is `next` of the page before, as it stands there.",
        )
    };
    text.map(|text| text.parse().map_err(refused)).transpose()
}
