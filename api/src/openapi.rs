//! `GET /openapi.json`: the API's description (OpenAPI 3.1), made of what each handler says of itself, and of what holds for all of them.
//!
//! A route that is not described cannot be added by mistake: handlers come into the router by `routes!`, which takes both from one place. Pages are not in
//! it; they are for people.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    middleware::from_fn,
    routing::get,
};
use docket_http::Problem;
use utoipa::{
    IntoResponses, OpenApi, PartialSchema, ToSchema,
    openapi::{
        Content, RefOr, Response, ResponseBuilder,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    ApiState,
    pages::fixed::{self, Fixed},
    v1::cors,
};

pub(crate) mod registry;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Docket",
        description = "A package registry that shows its work: operations become jobs, and jobs write logs that anybody can follow.\n\n\
            Routes for released clients of the PureScript registry answer errors as plain text, which these clients print, and as problem documents \
            (RFC 9457) to those who accept JSON; all others always answer problem documents. Their types are explained at `/docs/problems`.",
        license(name = "MIT")
    ),
    tags(
        (name = "operations", description = "What is asked of the registry. Each request becomes a job, and the answer is its id."),
        (name = "jobs", description = "What became of it, and why it waits."),
        (name = "logs", description = "What a job says, as it says it or years later."),
        (name = "packages", description = "What the registry holds."),
        (name = "trustees", description = "What those do whom the registry trusts."),
        (name = "server", description = "Whether the server is well."),
    ),
    components(schemas(Problem))
)]
struct Document;

/// An empty router that collects descriptions.
pub(crate) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Document::openapi())
}

/// `GET /openapi.json`
pub(crate) fn routes(description: String) -> Router<ApiState> {
    let fixed = Arc::new(Fixed::new(move || fixed::Content {
        headers: vec![(header::CONTENT_TYPE, "application/json")],
        bytes: description.into(),
    }));
    let answer = async move |headers: HeaderMap| fixed.answer(&headers).await;
    Router::new().route("/openapi.json", get(answer).layer(from_fn(cors)))
}

/// The description as text, with what holds for every route.
pub(crate) fn text(mut description: utoipa::openapi::OpenApi) -> String {
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "The registry's own token, or one of GitHub whose owner is a trustee.",
        ))
        .build();
    let components = description.components.get_or_insert_default();
    components.add_security_scheme("trustee", SecurityScheme::Http(token));
    for operation in description.paths.paths.values_mut().flat_map(operations) {
        let responses = &mut operation.responses.responses;
        for (status, response) in [429, 500, 503]
            .map(|status| refusal(status, false))
            .into_iter()
            .flatten()
        {
            responses.entry(status).or_insert(response);
        }
    }
    description.to_pretty_json().expect("a description is JSON")
}

fn operations(item: &mut utoipa::openapi::PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.head]
        .into_iter()
        .filter_map(Option::as_mut)
}

/// A refusal with this status, as a problem document.
pub(crate) struct Refused<const STATUS: u16>;

impl<const STATUS: u16> IntoResponses for Refused<STATUS> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusal(STATUS, false)
    }
}

/// A refusal to released clients: text that they print, unless they accept JSON.
pub(crate) struct V1Refused<const STATUS: u16>;

impl<const STATUS: u16> IntoResponses for V1Refused<STATUS> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusal(STATUS, true)
    }
}

fn refusal(status: u16, also_as_text: bool) -> BTreeMap<String, RefOr<Response>> {
    let code = StatusCode::from_u16(status).expect("handlers name statuses that exist");
    let reason = match status {
        400 => "The request does not fit; the text says what to change.",
        401 => "A trustee's token is missing, or it is not known.",
        403 => "Whoever asks may not do this.",
        404 => "There is nothing of this name.",
        409 => "It is too late for this, or somebody else was faster.",
        413 => "The body is too large.",
        429 => "This client asked for too much; `Retry-After` says when to try again.",
        502 => "A server behind this one gave something else than it should.",
        503 => {
            "A part of the server is away for a while; nothing was stored, and the same request may be sent again."
        }
        _ => code.canonical_reason().unwrap_or("Refused."),
    };
    let problem = Content::new(Some(RefOr::Ref(utoipa::openapi::Ref::from_schema_name(
        Problem::name(),
    ))));
    let mut response = ResponseBuilder::new()
        .description(reason)
        .content("application/problem+json", problem);
    if also_as_text {
        response = response.content("text/plain", Content::new(Some(String::schema())));
    }
    BTreeMap::from([(status.to_string(), RefOr::T(response.build()))])
}
