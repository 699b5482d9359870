//! `POST /api/v1/package-sets` (registry.md §1.6): anybody may add and raise versions; the rest is for those the registry trusts.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use docket_core::{
    digest::Sha256,
    operation::{PackageSetRequest, PackageSetUpdate, Signed},
    signature::Form,
};
use docket_http::Problem;
use docket_jobs::{JobState, NewJob};

use super::{
    V1Error,
    body::Expected,
    signed::signature_used,
    submit::{Accepted, Earlier, submit},
};
use crate::{
    ApiState,
    authority::{Admitted, Here},
    openapi::{V1Refused, registry},
};

const EXPECTED: Expected = Expected {
    what: "a package set update",
    fields: "payload, a string that holds packages and optionally compiler as JSON text, and optionally signature",
};

/// Asks for the next package set. Anybody may add packages and raise versions; a trustee may do the rest.
#[utoipa::path(
    post,
    path = "/api/v1/package-sets",
    tag = "operations",
    request_body(content = registry::Signed),
    security((), ("trustee" = [])),
    responses(
        (status = 200, description = "The job that does it; the same one when the request was sent before.", body = Accepted),
        V1Refused<400>, V1Refused<401>, V1Refused<403>, V1Refused<413>,
    )
)]
pub(super) async fn package_sets(
    State(state): State<ApiState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Accepted>, V1Error> {
    let refused = |problem| V1Error::new(&headers, problem);
    let request: PackageSetRequest = EXPECTED.take(&headers, body).await?;
    let update = request
        .update()
        .map_err(|error| refused(EXPECTED.undecodable(&error.to_string())))?;
    let admitted = admit(&state, &headers, &request, &update)
        .await
        .map_err(refused)?;
    let form = admitted.as_ref().and_then(|admitted| admitted.form);
    let mut new = NewJob {
        actor: admitted.map(|admitted| admitted.actor),
        ..NewJob::package_set(&update)
    };
    // The same update is one job while it is active; with a nonce in it, for ever.
    if form == Some(Form::Sshsig) {
        new.dedup_key = format!("packageset/{}", Sha256::of(request.payload.as_bytes()).hex());
    }
    submit(
        &state.jobs,
        &state.limits,
        &headers,
        &new,
        async |_tx, earlier| {
            Ok(match form {
                Some(Form::Sshsig) => Earlier::Answers,
                Some(Form::Raw) if earlier.state == JobState::Succeeded => {
                    Earlier::Forbids(signature_used(earlier))
                }
                _ => Earlier::Ignored,
            })
        },
    )
    .await
}

/// Finds out who asks, where that matters: a restricted update, or a token that was sent along.
async fn admit(
    state: &ApiState,
    headers: &HeaderMap,
    request: &PackageSetRequest,
    update: &PackageSetUpdate,
) -> Result<Option<Admitted>, Problem> {
    if let Some(admitted) = state.authority.bearer(headers).await? {
        return Ok(Some(admitted));
    }
    if !update.is_restricted() {
        return Ok(None);
    }
    let Some(signature) = &request.signature else {
        return Err(
            Problem::new(StatusCode::BAD_REQUEST, "signature-required", "Signature required").detail(
                "A signature is required: only trustees may change the compiler of the package set or remove packages from it.",
            ),
        );
    };
    let signed = Signed {
        payload: request.payload.clone(),
        signature: signature.clone(),
    };
    let here = Here {
        public_url: &state.public_url,
        now: state.jobs.clock().now(),
    };
    let admitted = state.authority.admit_to_registry(&signed, here);
    // 400, unlike the other signed operations: released clients know this route so (registry.md §1.6).
    admitted
        .map(Some)
        .map_err(|problem| problem.with_status(StatusCode::BAD_REQUEST))
}
