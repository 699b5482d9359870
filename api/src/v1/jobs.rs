//! `GET /api/v1/jobs` and `GET /api/v1/jobs/{id}`.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use docket_jobs::{JobFilter, JobId, Jobs, Level, LineFilter, LogError, Order};

use super::{
    V1Error,
    job_filter::{self, Cursor},
    job_object::JobObject,
    query::Parameters,
};
use crate::{
    error::{ApiError, database},
    job_kinds::Kinds,
    openapi::V1Refused,
};

/// How many jobs or lines one answer holds at most.
const PAGE: usize = 100;

/// The kinds of jobs that released clients know; they decode no others (registry.md §1.10).
const KINDS: [&str; 5] = ["publish", "unpublish", "transfer", "matrix", "packageset"];

/// A client that polls gives up at the first 5xx (registry.md §7.4), so a read is tried again over a short outage.
const TRIES: u32 = 10;
const RETRY: Duration = Duration::from_millis(150);

/// Lists jobs, those that have not ended unless asked otherwise, 100 at most. The `Link` header leads to the next page.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    tag = "jobs",
    params(
        ("since" = Option<String>, Query, description = "Created at this time or later.", format = DateTime),
        ("until" = Option<String>, Query, description = "Created before this time; now unless told otherwise.", format = DateTime),
        ("order" = Option<String>, Query, description = "`ASC`, or `DESC` for the newest first."),
        ("include_completed" = Option<bool>, Query, description = "Also those that have ended."),
        ("kind" = Option<String>, Query, description = "Of this kind, or `all`; unless told otherwise the kinds that released clients know."),
        ("state" = Option<String>, Query, description = "In this state: `queued`, `running`, `succeeded`, `failed` or `cancelled`."),
        ("package" = Option<String>, Query, description = "About this package."),
        ("parent" = Option<String>, Query, description = "That this job asked for."),
        ("who" = Option<String>, Query, description = "That somebody of this name asked for."),
        ("code" = Option<String>, Query, description = "That failed with this code."),
        ("cursor" = Option<String>, Query, description = "Where the list goes on, from the `Link` header."),
    ),
    responses((status = 200, description = "The jobs, without their logs.", body = [JobObject]), V1Refused<400>)
)]
pub(super) async fn list(
    State(jobs): State<Jobs>,
    State(kinds): State<Kinds>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, V1Error> {
    let parameters = Parameters::new(query.as_deref());
    let old = JobFilter {
        since: parameters.since(),
        until: parameters
            .until()
            .unwrap_or_else(|| jobs.clock().now().next_millisecond()),
        include_finished: parameters.parse("include_completed").unwrap_or(false),
        kinds: KINDS.to_vec(),
        order: parameters.order(),
        // One more than is shown tells whether there are more.
        limit: PAGE as i64 + 1,
        ..JobFilter::default()
    };
    let filter =
        job_filter::extend(old, &parameters, &kinds).map_err(|problem| V1Error::new(&headers, problem))?;
    let found = patiently(|| async {
        let mut tx = jobs.db().read().await?;
        jobs.list(&mut tx, &filter).await
    });
    let mut found = found
        .await
        .map_err(|error| V1Error::new(&headers, database(&error)))?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let next = found.last().filter(|_| more).map(|last| {
        let cursor = Cursor {
            order: filter.order,
            last: last.id,
        };
        parameters.link(&cursor.to_string())
    });
    let objects: Vec<_> = found
        .into_iter()
        .map(|job| JobObject::new(&jobs, job, Vec::new(), true))
        .collect();
    let link = next.map(|next| {
        [
            (header::LINK, format!("<{next}>; rel=\"next\"")),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Link".to_owned()),
        ]
    });
    Ok(match link {
        Some(link) => (link, Json(objects)).into_response(),
        None => Json(objects).into_response(),
    })
}

/// Shows a job with up to 100 lines of its log. It has `finishedAt` only with the last of them.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}",
    tag = "jobs",
    params(
        ("id" = String, Path),
        ("since" = Option<String>, Query, description = "Lines written at this time or later.", format = DateTime),
        ("until" = Option<String>, Query, description = "Lines written before this time.", format = DateTime),
        ("order" = Option<String>, Query, description = "`ASC`, or `DESC` for the newest lines first."),
        ("level" = Option<String>, Query, description = "`DEBUG`, `INFO`, `NOTICE`, `WARN` or `ERROR`: lines of this level and above."),
    ),
    responses(
        (status = 200, description = "The job.", body = JobObject),
        (status = 404, description = "There is no such job."),
    )
)]
pub(super) async fn show(
    State(jobs): State<Jobs>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, V1Error> {
    // An id that is not even text is an id that no job has.
    let Some(Ok(id)) = id.ok().map(|Path(id)| id.parse::<JobId>()) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let parameters = Parameters::new(query.as_deref());
    let until = parameters.until();
    let filter = LineFilter {
        since: parameters.since(),
        // Line times run ahead of the clock when many are written in one millisecond; "now" must not hide them.
        until: until.unwrap_or(docket_core::time::Timestamp::MAX),
        order: parameters.order(),
        ..LineFilter::after(0, parameters.parse("level").unwrap_or(Level::Info), PAGE + 1)
    };
    let found = patiently(|| async {
        let mut tx = jobs.db().read().await?;
        // The job first: who sees its end sees its last lines.
        let job = jobs.find(&mut tx, id).await?;
        drop(tx);
        let lines = jobs.lines(id, &filter).await?;
        Ok::<_, LogError>((job, lines))
    });
    let (job, mut lines) = found
        .await
        .map_err(|error| V1Error::new(&headers, ApiError::from(error).0))?;
    let Some(job) = job else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let more = lines.len() > PAGE;
    lines.truncate(PAGE);
    let last_page = filter.order == Order::Descending || !more;
    Ok(Json(JobObject::new(&jobs, job, lines, last_page)).into_response())
}

/// Reads, and reads again over a short outage of the database.
async fn patiently<T, E, R>(read: impl Fn() -> R) -> Result<T, E>
where
    E: std::error::Error + 'static,
    R: Future<Output = Result<T, E>>,
{
    let mut tried = 1;
    loop {
        match read().await {
            Err(error) if tried < TRIES => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a read failed; trying again"
                );
                tried += 1;
                tokio::time::sleep(RETRY).await;
            }
            result => return result,
        }
    }
}
