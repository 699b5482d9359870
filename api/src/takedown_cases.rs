//! What trustees do with notices of infringement: see them, and answer them.

use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use docket_core::time::Timestamp;
use docket_http::Problem;
use docket_index::takedown::{self, Answer, Case, CaseId, Decision, MAX_ANSWER_CHARS, Notice};
use docket_jobs::Jobs;
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiState,
    authority::Authority,
    error::ApiError,
    extract::{JsonBody, Path, Query, invalid_body, invalid_query},
    openapi::Refused,
    v1::{MAX_BODY_BYTES, exact},
};

/// How many cases are listed at once, at most, and unless told otherwise.
const MAX_LISTED: i64 = 100;
const DEFAULT_LISTED: i64 = 50;

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(exact(routes!(list)))
        .routes(exact(routes!(show)))
        .routes(exact(routes!(answer)))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

/// A notice, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CaseObject {
    id: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// `open` or `answered`.
    state: &'static str,
    notice: NoticeObject,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    answer: Option<AnswerObject>,
}

/// What somebody says is infringed, and by what.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NoticeObject {
    name: String,
    email: String,
    /// Empty when they act for themselves.
    organisation: String,
    work: String,
    material: String,
    signature: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AnswerObject {
    /// `removed`, `rejected` or `needs-more`.
    #[schema(value_type = String, example = "removed")]
    decision: Decision,
    text: String,
    #[schema(value_type = String, format = DateTime)]
    answered_at: Timestamp,
    answered_by: String,
}

impl CaseObject {
    fn new(case: Case) -> Self {
        let Notice {
            name,
            email,
            organisation,
            work,
            material,
            signature,
        } = case.notice;
        Self {
            id: case.id.to_string(),
            created_at: case.created_at,
            state: if case.answer.is_some() { "answered" } else { "open" },
            notice: NoticeObject {
                name,
                email,
                organisation,
                work,
                material,
                signature,
            },
            answer: case.answer.map(|answer| AnswerObject {
                decision: answer.decision,
                text: answer.text,
                answered_at: answer.at,
                answered_by: answer.by,
            }),
        }
    }
}

/// Cases, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct CasesObject {
    cases: Vec<CaseObject>,
}

/// A case holds what somebody told us in confidence: no cache keeps it.
fn private(body: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], body).into_response()
}

fn no_such_case() -> Problem {
    Problem::not_found("There is no case with this id.")
}

fn parse_id(text: &str) -> Result<CaseId, Problem> {
    text.parse().map_err(|_| no_such_case())
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// The last case of the page before.
    after: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// Lists the notices of infringement, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/takedown-cases",
    tag = "trustees",
    params(Listed),
    security(("trustee" = [])),
    responses((status = 200, description = "The cases.", body = CasesObject), Refused<400>, Refused<401>, Refused<403>, Refused<404>)
)]
async fn list(
    State(jobs): State<Jobs>,
    State(authority): State<Authority>,
    headers: HeaderMap,
    Query(listed): Query<Listed>,
) -> Result<Response, ApiError> {
    authority.trustee(&headers, "read takedown notices").await?;
    let limit = listed.limit.unwrap_or(DEFAULT_LISTED);
    if !(1..=MAX_LISTED).contains(&limit) {
        return Err(invalid_query(format!("The parameter `limit` is 1 to {MAX_LISTED}.")).into());
    }
    let after = listed.after.as_deref().map(parse_id).transpose()?;
    let cases = takedown::list(jobs.db(), after, limit)
        .await?
        .ok_or_else(no_such_case)?;
    let cases = cases.into_iter().map(CaseObject::new).collect();
    Ok(private(Json(CasesObject { cases })))
}

/// Shows one notice of infringement, and what was answered.
#[utoipa::path(
    get,
    path = "/api/v1/takedown-cases/{id}",
    tag = "trustees",
    params(("id" = String, Path)),
    security(("trustee" = [])),
    responses((status = 200, description = "The case.", body = CaseObject), Refused<400>, Refused<401>, Refused<403>, Refused<404>)
)]
async fn show(
    State(jobs): State<Jobs>,
    State(authority): State<Authority>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    authority.trustee(&headers, "read takedown notices").await?;
    let case = takedown::find(jobs.db(), parse_id(&id)?).await?;
    Ok(private(Json(CaseObject::new(case.ok_or_else(no_such_case)?))))
}

/// An answer to a notice.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Given {
    /// `removed`, `rejected` or `needs-more`.
    #[schema(value_type = String, example = "removed", pattern = "^(removed|rejected|needs-more)$")]
    decision: Decision,
    /// Why, for whoever sent the notice.
    #[schema(min_length = 1, max_length = 10_000)]
    text: String,
}

/// Answers a notice of infringement. A second answer replaces the first.
#[utoipa::path(
    post,
    path = "/api/v1/takedown-cases/{id}/answer",
    tag = "trustees",
    params(("id" = String, Path)),
    request_body = Given,
    security(("trustee" = [])),
    responses((status = 200, description = "The case as it is now.", body = CaseObject), Refused<400>, Refused<401>, Refused<403>, Refused<404>, Refused<413>)
)]
async fn answer(
    State(jobs): State<Jobs>,
    State(authority): State<Authority>,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(given): JsonBody<Given>,
) -> Result<Response, ApiError> {
    let trustee = authority.trustee(&headers, "answer takedown notices").await?;
    let text = given.text.trim();
    if text.is_empty() || text.chars().count() > MAX_ANSWER_CHARS || text.contains('\0') {
        let rule = format!("`text` has 1 to {MAX_ANSWER_CHARS} characters, none of them NUL");
        return Err(invalid_body(rule).into());
    }
    let decision = given.decision;
    let answer = Answer {
        decision,
        text: text.to_owned(),
        at: jobs.clock().now(),
        by: trustee.to_string(),
    };
    let id = parse_id(&id)?;
    let case = takedown::answer(jobs.db(), id, &answer).await?;
    info!(case.id = %id, "{trustee} answered the takedown notice {id}: {}", decision.as_str());
    Ok(private(Json(CaseObject::new(case.ok_or_else(no_such_case)?))))
}
