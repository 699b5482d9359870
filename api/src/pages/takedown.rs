//! `/legal/takedown`: how to tell the registry that something in it infringes a copyright, and what was answered.
//!
//! A notice becomes a case (see [`docket_index::takedown`]). Trustees read and answer cases over `/api/v1/takedown-cases`; whoever sent one
//! reads the answer at the address that the form led to.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use docket_core::location::Location;
use docket_index::takedown::{self, CaseId, Decision, FIELDS, MAX_PER_HOUR, Notice, Sent};

use super::{
    Card, bad_request_page,
    format::Moment,
    markdown::{Files, render},
    not_found_page, page,
};
use crate::{ApiState, error::ApiError, extract::Path};

/// The largest form, in bytes: every field in letters of four bytes, encoded.
pub(super) const MAX_FORM_BYTES: usize = 192 * 1024;

/// A field that people do not see. Programs that fill in everything give themselves away.
const TRAP: &str = "website";

/// What the page says unless the operator has a text of their own.
const DEFAULT_TEXT: &str = include_str!("../../../web/takedown.md");

/// The `[legal]` part of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Legal {
    /// What the page says: Markdown. Unless given, a text that fits most registries.
    pub takedown_text: Option<String>,
    /// Where notices can be sent by mail as well.
    pub contact: Option<String>,
}

#[derive(Template)]
#[template(path = "takedown.html")]
struct TakedownTemplate {
    card: Card,
    text: String,
    contact: Option<String>,
    fields: Vec<FieldView>,
    trap: &'static str,
    /// Why nothing was stored.
    refused: Option<String>,
}

struct FieldView {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    is_needed: bool,
    is_long: bool,
    kind: &'static str,
    autocomplete: &'static str,
    max: usize,
    value: String,
    wrong: Option<String>,
}

fn labels(name: &str) -> (&'static str, &'static str) {
    match name {
        "name" => ("Your name", ""),
        "email" => ("Your mail address", "Only trustees of this registry see it."),
        "organisation" => (
            "On whose behalf you act",
            "Leave this empty when you hold the rights yourself.",
        ),
        "work" => (
            "The work that is infringed",
            "What it is, and where the original can be seen.",
        ),
        "material" => (
            "What infringes it",
            "The package, its versions and the files, with their addresses.",
        ),
        _ => (
            "Signature",
            "Type your full name. By it you state in good faith that the use is not authorised, that what you say is accurate and, under penalty of perjury, that you may act for the holder of the rights.",
        ),
    }
}

fn form(
    state: &ApiState,
    given: &BTreeMap<String, String>,
    wrong: &BTreeMap<&'static str, String>,
    refused: Option<String>,
) -> TakedownTemplate {
    let fields = FIELDS.map(|(name, is_needed, max)| {
        let (label, hint) = labels(name);
        FieldView {
            name,
            label,
            hint,
            is_needed,
            is_long: max > 1_000,
            kind: if name == "email" { "email" } else { "text" },
            autocomplete: match name {
                "name" => "name",
                "email" => "email",
                "organisation" => "organization",
                _ => "off",
            },
            max,
            value: given.get(name).cloned().unwrap_or_default(),
            wrong: wrong.get(name).cloned(),
        }
    });
    let nowhere = Location::git("https://example.org/x.git", None);
    let text = state.legal.takedown_text.as_deref().unwrap_or(DEFAULT_TEXT);
    TakedownTemplate {
        card: Card {
            title: "Copyright notices".to_owned(),
            about: "How to tell this registry that something in it infringes a copyright.".to_owned(),
        },
        // Its relative links lead nowhere: it comes from no package.
        text: nowhere
            .map(|nowhere| render(text, &Files::new(&nowhere, "")))
            .unwrap_or_default(),
        contact: state.legal.contact.clone(),
        fields: fields.into(),
        trap: TRAP,
        refused,
    }
}

/// `GET /legal/takedown`
pub(super) async fn show(State(state): State<ApiState>) -> Response {
    page(&form(&state, &BTreeMap::new(), &BTreeMap::new(), None))
}

/// `POST /legal/takedown`
pub(super) async fn send(
    State(state): State<ApiState>,
    given: Result<Form<BTreeMap<String, String>>, FormRejection>,
) -> Result<Response, ApiError> {
    let given = match given {
        Ok(Form(given)) => given,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let again = form(
                &state,
                &BTreeMap::new(),
                &BTreeMap::new(),
                Some("The notice is too long, so nothing of it was stored. Shorten it, and point to long texts elsewhere.".to_owned()),
            );
            return Ok((StatusCode::PAYLOAD_TOO_LARGE, page(&again)).into_response());
        }
        Err(_) => return Ok(bad_request_page("This is not what the form sends.")),
    };
    let trapped = given.get(TRAP).is_some_and(|text| !text.is_empty());
    let notice = match Notice::from_fields(&given) {
        Ok(notice) if !trapped => notice,
        Ok(_) => {
            let told = "A field that people do not see was filled in, so nothing was stored. Leave the field \u{201c}Website\u{201d} empty.";
            let again = form(&state, &given, &BTreeMap::new(), Some(told.to_owned()));
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&again)).into_response());
        }
        Err(wrong) => {
            let told = "Nothing was stored yet: please look at the fields that are marked.".to_owned();
            let again = form(&state, &given, &wrong, Some(told));
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&again)).into_response());
        }
    };
    let now = state.jobs.clock().now();
    match takedown::send(state.jobs.db(), &notice, now).await? {
        Sent::Case(id) => {
            tracing::info!(case.id = %id, "a takedown notice arrived: case {id}");
            Ok(Redirect::to(&format!("/legal/takedown/{id}")).into_response())
        }
        Sent::TooMany => {
            let told = format!(
                "More than {MAX_PER_HOUR} notices arrived in the last hour, so this one was not stored. Please send it again in an hour{}.",
                match &state.legal.contact {
                    Some(contact) => format!(", or by mail to {contact}"),
                    None => String::new(),
                }
            );
            let again = form(&state, &given, &BTreeMap::new(), Some(told));
            let wait = [(header::RETRY_AFTER, "3600")];
            Ok((StatusCode::TOO_MANY_REQUESTS, wait, page(&again)).into_response())
        }
    }
}

#[derive(Template)]
#[template(path = "takedown_case.html")]
struct CaseTemplate {
    id: String,
    created: Moment,
    answer: Option<AnswerView>,
}

struct AnswerView {
    decision: &'static str,
    text: String,
    at: Moment,
}

/// `GET /legal/takedown/{id}`: what became of a notice. It does not show the notice: a link may get around.
pub(super) async fn case(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    const NO_CASE: &str = "There is no case with this id.";
    let Ok(id) = id.parse::<CaseId>() else {
        return not_found_page(NO_CASE);
    };
    let Some(case) = takedown::find(state.jobs.db(), id).await? else {
        return not_found_page(NO_CASE);
    };
    let template = CaseTemplate {
        id: id.to_string(),
        created: Moment(case.created_at),
        answer: case.answer.map(|answer| AnswerView {
            decision: match answer.decision {
                Decision::Removed => "What you named is removed.",
                Decision::Rejected => "What you named stays.",
                Decision::NeedsMore => "More is needed to decide.",
            },
            text: answer.text,
            at: Moment(answer.at),
        }),
    };
    let headers = [
        (HeaderName::from_static("x-robots-tag"), "noindex"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, page(&template)).into_response())
}
