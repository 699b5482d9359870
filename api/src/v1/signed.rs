//! `POST /api/v1/unpublish` and `POST /api/v1/transfer`: operations in a signed envelope (registry.md §1.5 and §4).

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use docket_core::{
    name::PackageName,
    operation::{PackageSetRequest, Signed, SignedOperation},
    signature::Form,
};
use docket_db::{Error, Tx};
use docket_http::Problem;
use docket_jobs::{Job, JobState, NewJob};

use super::{
    V1Error,
    body::Expected,
    submit::{Accepted, Earlier, submit},
};
use crate::{
    ApiState,
    authority::Here,
    error::database,
    openapi::{V1Refused, registry},
};

const EXPECTED: Expected = Expected {
    what: "a signed operation",
    fields: "payload, a string that holds the operation as JSON text, and signature",
};

/// Takes a version back, for good. Its owner signs, or a trustee sends a token.
#[utoipa::path(
    post,
    path = "/api/v1/unpublish",
    tag = "operations",
    request_body(content = registry::Signed),
    security((), ("trustee" = [])),
    responses(
        (status = 200, description = "The job that does it; the same one when the request was sent before.", body = Accepted),
        V1Refused<400>, V1Refused<401>, V1Refused<403>, V1Refused<413>,
    )
)]
pub(super) async fn unpublish(
    state: State<ApiState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Accepted>, V1Error> {
    accept(state, headers, body, "unpublish").await
}

/// Moves a package to another location. Its owner signs, or a trustee sends a token.
#[utoipa::path(
    post,
    path = "/api/v1/transfer",
    tag = "operations",
    request_body(content = registry::Signed),
    security((), ("trustee" = [])),
    responses(
        (status = 200, description = "The job that does it; the same one when the request was sent before.", body = Accepted),
        V1Refused<400>, V1Refused<401>, V1Refused<403>, V1Refused<413>,
    )
)]
pub(super) async fn transfer(
    state: State<ApiState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Accepted>, V1Error> {
    accept(state, headers, body, "transfer").await
}

/// Decodes the envelope and the operation of `kind` in it, finds out who asks, and stores the job.
async fn accept(
    State(state): State<ApiState>,
    headers: HeaderMap,
    body: Body,
    kind: &'static str,
) -> Result<Json<Accepted>, V1Error> {
    let refused = |problem| V1Error::new(&headers, problem);
    let signed = take_envelope(&headers, body).await?;
    let operation = operation_of(&signed, kind).map_err(refused)?;
    let name = match &operation {
        SignedOperation::Unpublish(unpublish) => &unpublish.name,
        SignedOperation::Transfer(transfer) => &transfer.name,
    };
    let owners = owners_of(&state, name).await.map_err(refused)?;
    let here = Here {
        public_url: &state.public_url,
        now: state.jobs.clock().now(),
    };
    let admitted = state.authority.admit_to_package(&headers, &signed, &owners, here);
    let admitted = admitted.await.map_err(refused)?;
    let new = NewJob {
        actor: Some(admitted.actor),
        ..NewJob::signed(&signed, &operation)
    };
    submit(&state.jobs, &state.limits, &headers, &new, async |tx, earlier| {
        settle(tx, earlier, &operation, admitted.form).await
    })
    .await
}

/// With a token, the signature may be missing, or be any text (registry.md §4.5); it is not kept then.
async fn take_envelope(headers: &HeaderMap, body: Body) -> Result<Signed, V1Error> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return EXPECTED.take(headers, body).await;
    }
    let PackageSetRequest { payload, .. } = EXPECTED.take(headers, body).await?;
    Ok(Signed {
        payload,
        signature: String::new(),
    })
}

fn operation_of(signed: &Signed, kind: &str) -> Result<SignedOperation, Problem> {
    let operation = signed
        .operation()
        .map_err(|error| EXPECTED.undecodable(&error.to_string()))?;
    let found = match operation {
        SignedOperation::Unpublish(_) => "unpublish",
        SignedOperation::Transfer(_) => "transfer",
    };
    if found == kind {
        return Ok(operation);
    }
    let problem = Problem::new(StatusCode::BAD_REQUEST, "wrong-operation", "Wrong operation");
    Err(problem.detail(format!("Expected {kind} operation.")))
}

async fn owners_of(state: &ApiState, name: &PackageName) -> Result<Vec<docket_core::owner::Owner>, Problem> {
    let find = async {
        let mut tx = state.jobs.db().read().await?;
        docket_index::find_metadata(&mut tx, name).await
    };
    match find.await {
        Ok(Some(metadata)) => Ok(metadata.owners.unwrap_or_default()),
        Ok(None) => Err(
            Problem::new(StatusCode::BAD_REQUEST, "no-such-package", "No such package")
                .detail(format!("There is no package {name} in this registry.")),
        ),
        Err(error) => Err(database(&error)),
    }
}

/// What an earlier job of the very same payload means for this request.
async fn settle(
    tx: &mut Tx,
    earlier: &Job,
    operation: &SignedOperation,
    form: Option<Form>,
) -> Result<Earlier, Error> {
    // The payload holds a nonce: the same request was sent twice, or somebody replays it. Neither does anything again.
    if form == Some(Form::Sshsig) {
        return Ok(Earlier::Answers);
    }
    if earlier.state != JobState::Succeeded {
        return Ok(Earlier::Ignored);
    }
    let in_place = match operation {
        // For good.
        SignedOperation::Unpublish(_) => true,
        SignedOperation::Transfer(transfer) => {
            let metadata = docket_index::find_metadata(tx, &transfer.name).await?;
            metadata.is_some_and(|metadata| metadata.location == transfer.new_location)
        }
    };
    Ok(match form {
        _ if in_place => Earlier::Answers,
        // Whoever saw the request could send it again, for ever.
        Some(_) => Earlier::Forbids(signature_used(earlier)),
        None => Earlier::Ignored,
    })
}

pub(super) fn signature_used(earlier: &Job) -> Problem {
    let problem = Problem::new(StatusCode::FORBIDDEN, "signature-used", "Signature used before");
    problem.detail(format!(
        "This signed request was carried out by job {} already, and things have changed since. Sign a new one with `docket`, \
         whose signatures can be told apart, or ask a trustee.",
        earlier.id
    ))
}
