//! `POST /api/v1/github/webhook`: GitHub tells that somebody opened an issue or wrote a comment (registry.md §4.5).
//!
//! GitHub waits ten seconds for an answer, and people wait for GitHub. So here it is only proved that GitHub sent it and looked whether
//! it asks for something; asking GitHub, the registry and the author for more is a job.

use std::sync::Arc;

use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use docket_db::Error;
use docket_github::{
    Event, IssueEvent, Login,
    issue::{self, Reading},
    webhook::{self, MAX_BODY_BYTES, Secret, SignatureError},
};
use docket_http::Problem;
use docket_jobs::{Enqueued, Jobs, NewJob};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiState,
    error::{ApiError, database},
    openapi::Refused,
};

/// The kind of jobs that answer issues.
const KIND: &str = "github-issue";

/// What the route must know of GitHub.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// What GitHub signs with.
    pub secret: Secret,
    /// The account that answers in our name; nothing it writes is read.
    pub bot: Option<Login>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Ignored {
    /// Why.
    ignored: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Answering {
    job_id: String,
}

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(deliver))
        // A limit of its own, which is GitHub's.
        .layer(DefaultBodyLimit::disable())
}

/// Takes a delivery of GitHub, which is signed with the secret that both know.
#[utoipa::path(
    post,
    path = "/api/v1/github/webhook",
    tag = "operations",
    params(("x-hub-signature-256" = Option<String>, Header), ("x-github-event" = Option<String>, Header)),
    request_body(content = Object),
    responses(
        (status = 200, description = "Nothing is asked for.", body = Ignored),
        (status = 202, description = "The job that answers.", body = Answering),
        Refused<400>, Refused<401>, Refused<404>, Refused<413>,
    )
)]
async fn deliver(
    State(webhook): State<Option<Arc<Webhook>>>,
    State(jobs): State<Jobs>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let webhook =
        webhook.ok_or_else(|| ApiError(Problem::not_found("This registry takes no webhooks of GitHub.")))?;
    let header = |name| headers.get(name).map(axum::http::HeaderValue::as_bytes);
    let signature = header("x-hub-signature-256");
    // Whoever has no signature is not listened to for 25 MB.
    if signature.is_none() {
        return Err(ApiError(unproved(SignatureError::Missing)));
    }
    let body = read(body).await.map_err(ApiError)?;
    webhook
        .secret
        .verify(signature, &body)
        .map_err(|error| ApiError(unproved(error)))?;
    let kind = header("x-github-event").unwrap_or_default();
    let event =
        webhook::read(&String::from_utf8_lossy(kind), &body, webhook.bot.as_ref()).map_err(|error| {
            let problem = Problem::new(
                StatusCode::BAD_REQUEST,
                "webhook-undecodable",
                "Undecodable delivery",
            );
            ApiError(problem.detail(format!("{error}: {}", source(&error))))
        })?;
    let event = match event {
        Event::Text(event) => event,
        Event::Ignored(why) => {
            return Ok(Json(Ignored {
                ignored: why.to_string(),
            })
            .into_response());
        }
    };
    if issue::read(&event.text, webhook.bot.as_ref()) == Reading::Nothing {
        return Ok(Json(Ignored {
            ignored: "the text asks for nothing".to_owned(),
        })
        .into_response());
    }
    let enqueued = enqueue(&jobs, &event)
        .await
        .map_err(|error| ApiError(database(&error)))?;
    jobs.wake_workers();
    let job_id = enqueued.job.to_string();
    Ok((StatusCode::ACCEPTED, Json(Answering { job_id })).into_response())
}

/// A delivery that comes again while its job is active names that job; one that comes later finds what was said and says nothing.
async fn enqueue(jobs: &Jobs, event: &IssueEvent) -> Result<Enqueued, Error> {
    let payload = serde_json::to_string(event).expect("names, numbers and text are JSON");
    let new = NewJob {
        // One conversation at a time.
        locks: vec![format!("{KIND}/{}/{}", event.repository, event.issue)],
        ..NewJob::new(
            KIND,
            payload,
            format!("{KIND}/{}/{}", event.repository, event.key()),
        )
    };
    let mut tx = jobs.db().write().await?;
    let enqueued = jobs.enqueue(&mut tx, &new).await?;
    tx.commit().await?;
    Ok(enqueued)
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    to_bytes(body, MAX_BODY_BYTES).await.map_err(|error| {
        if source(&error).contains("length limit exceeded") {
            let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "Body too large");
            problem.detail(format!("GitHub sends no more than {MAX_BODY_BYTES} bytes."))
        } else {
            let problem = Problem::new(StatusCode::BAD_REQUEST, "bad-request", "Bad request");
            problem.detail("The body could not be read to its end.")
        }
    })
}

fn unproved(error: SignatureError) -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "webhook-not-proved",
        "Not proved to come from GitHub",
    )
    .detail(error)
}

fn source(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}
