//! Who may ask for what. It is decided here, before a job exists: a request that nobody may make creates nothing and blocks nobody
//! (registry.md §4.1 and §4.4).
//!
//! Two ways lead in: a bearer token says that a trustee acts; a signature inside the body says that an owner does, or the registry's own key.

use axum::http::{HeaderMap, StatusCode, header};
use docket_core::{
    digest::Sha256,
    operation::{ON_BEHALF_OF, Signed},
    owner::Owner,
    signature::{self, Candidates, Form, Policy, PublicKey, SignatureError},
    time::Timestamp,
};
use docket_github::{Login, TrusteeError, Trustees};
use docket_http::Problem;
use docket_jobs::{Actor, Role};
use subtle::ConstantTimeEq;

/// The longest bearer token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 1024;

/// A bearer token that the operator chose. Only its digest is kept, so it cannot leak from here.
#[derive(Debug, Clone, Copy)]
pub struct TrustedToken(Sha256);

impl TrustedToken {
    /// Keeps the digest of `token`.
    pub fn new(token: &str) -> Self {
        Self(Sha256::of(token.as_bytes()))
    }

    /// Compares in constant time.
    fn is(&self, token: &str) -> bool {
        self.0
            .as_bytes()
            .ct_eq(Sha256::of(token.as_bytes()).as_bytes())
            .into()
    }
}

/// Whom this registry trusts.
#[derive(Debug, Clone)]
pub struct Authority {
    /// The registry's own key: an owner of every package, and the only one for restricted package-set updates.
    pub bot: Option<PublicKey>,
    /// The token of a trusted forwarder.
    pub token: Option<TrustedToken>,
    /// Who else bears a token: members of a GitHub team.
    pub trustees: Option<Trustees>,
    /// Whether signatures are taken that do not say for which registry and until when they are meant.
    pub raw_signatures: bool,
}

impl Default for Authority {
    /// Nobody but the owners of packages.
    fn default() -> Self {
        Self {
            bot: None,
            token: None,
            trustees: None,
            raw_signatures: true,
        }
    }
}

/// Somebody who may ask for what was asked.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    /// Who it is.
    pub(crate) actor: Actor,
    /// How the request was signed; `None` when a token stood for it.
    pub(crate) form: Option<Form>,
}

/// For which registry, and when, a signature must hold.
pub(crate) struct Here<'a> {
    pub(crate) public_url: &'a str,
    pub(crate) now: Timestamp,
}

impl Authority {
    /// Finds out who acts on a package of these owners: the bearer of a token when there is one, else whoever signed.
    pub(crate) async fn admit_to_package(
        &self,
        headers: &HeaderMap,
        signed: &Signed,
        owners: &[Owner],
        here: Here<'_>,
    ) -> Result<Admitted, Problem> {
        match self.bearer(headers).await? {
            Some(admitted) => Ok(admitted),
            None => self.check(signed, &Candidates::of_package(self.bot.as_ref(), owners), here),
        }
    }

    /// Finds out who signed what is asked of the registry itself, where no token stands for it.
    pub(crate) fn admit_to_registry(&self, signed: &Signed, here: Here<'_>) -> Result<Admitted, Problem> {
        self.check(signed, &Candidates::of_registry(self.bot.as_ref()), here)
    }

    /// Finds out whose the bearer token is; `None` when the request has none.
    ///
    /// # Errors
    /// A token that is not known is refused, whatever else the request holds: whoever sends one means it. So is the name of a trustee
    /// beside anything but the registry's own token, whose bearer has checked it.
    pub(crate) async fn bearer(&self, headers: &HeaderMap) -> Result<Option<Admitted>, Problem> {
        let behalf = on_behalf_of(headers)?;
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return match behalf {
                None => Ok(None),
                Some(_) => Err(behalf_refused(BEHALF_OF_NOBODY)),
            };
        };
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && is_token(token))
            .map(|(_, token)| token)
            .ok_or_else(malformed_token)?;
        if self.token.is_some_and(|trusted| trusted.is(token)) {
            let actor = Actor {
                role: Role::Trustee,
                name: match behalf {
                    Some(login) => format!("{login} (through the registry's token)"),
                    None => "by the registry's token".to_owned(),
                },
                key: None,
            };
            return Ok(Some(Admitted { actor, form: None }));
        }
        if behalf.is_some() {
            return Err(behalf_refused(BEHALF_OF_NOBODY));
        }
        let Some(trustees) = &self.trustees else {
            return Err(unknown_token());
        };
        let login = trustees
            .who(token)
            .await
            .map_err(|error| refused_bearer(&error))?;
        let actor = Actor {
            role: Role::Trustee,
            name: format!("{login} of GitHub"),
            key: None,
        };
        Ok(Some(Admitted { actor, form: None }))
    }

    /// Returns the trustee whose token comes with the request, for what nobody else may do: `what`, such as `cancel a job`.
    pub(crate) async fn trustee(&self, headers: &HeaderMap, what: &str) -> Result<Actor, Problem> {
        let admitted = self.bearer(headers).await?;
        admitted.map(|admitted| admitted.actor).ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "token-required", "Token required").detail(format!(
                "Only trustees can {what}: send `Authorization: Bearer TOKEN`."
            ))
        })
    }

    fn check(&self, signed: &Signed, candidates: &Candidates, here: Here<'_>) -> Result<Admitted, Problem> {
        for skipped in candidates.skipped() {
            tracing::warn!("{skipped}");
        }
        let policy = Policy {
            audience: here.public_url,
            now: here.now,
            raw_signatures: self.raw_signatures,
        };
        let signer = signature::authorise(signed, candidates, &policy).map_err(refused)?;
        let key = signer.candidate.key.fingerprint();
        let actor = Actor {
            role: match signer.candidate.role {
                signature::Role::Owner => Role::Owner,
                signature::Role::Bot => Role::Bot,
            },
            name: signer
                .candidate
                .name
                .clone()
                .unwrap_or_else(|| "without a name".to_owned()),
            key: Some(key),
        };
        Ok(Admitted {
            actor,
            form: Some(signer.form),
        })
    }
}

fn is_token(text: &str) -> bool {
    (1..=MAX_TOKEN_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

const BEHALF_OF_NOBODY: &str =
    "The header Docket-On-Behalf-Of counts only beside the registry's own token: leave it out.";
const BEHALF_MALFORMED: &str = "The header Docket-On-Behalf-Of is not the login of one GitHub account.";

/// For whom the bearer says to act.
fn on_behalf_of(headers: &HeaderMap) -> Result<Option<Login>, Problem> {
    let mut values = headers.get_all(ON_BEHALF_OF).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let login = value.to_str().ok().and_then(|text| text.parse().ok());
    match (login, values.next()) {
        (Some(login), None) => Ok(Some(login)),
        _ => Err(behalf_refused(BEHALF_MALFORMED)),
    }
}

fn behalf_refused(why: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "on-behalf-of-refused",
        "Not on anybody's behalf",
    )
    .detail(why)
}

/// The text never says what was sent.
fn malformed_token() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "token-malformed", "Malformed token").detail(format!(
        "The Authorization header is not `Bearer` and one token of at most {MAX_TOKEN_BYTES} visible ASCII characters."
    ))
}

fn unknown_token() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "token-unknown", "Unknown token").detail(
        "This registry does not know the bearer token. Send the registry's own token, or leave the Authorization header out and sign the request.",
    )
}

/// Why the bearer of a token is no trustee. None of the texts names a part of the token.
fn refused_bearer(error: &TrusteeError) -> Problem {
    match error {
        TrusteeError::Malformed(_) => malformed_token(),
        TrusteeError::UnknownToken => unknown_token(),
        TrusteeError::NoPerson | TrusteeError::NotTrustee(_) => {
            let detail = match error {
                TrusteeError::NotTrustee(login) => {
                    format!("The GitHub account {login} is not a trustee of this registry.")
                }
                other => capitalised(&other.to_string()),
            };
            Problem::new(StatusCode::FORBIDDEN, "not-a-trustee", "Not a trustee").detail(detail)
        }
        TrusteeError::Unavailable { retry_at, .. } => {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "GitHub was asked for a trustee in vain"
            );
            let when = retry_at.map_or_else(|| "in a while".to_owned(), |at| format!("after {at}"));
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "trustees-unavailable",
                "Trustees cannot be asked for",
            )
            .detail(format!(
                "GitHub cannot be asked who bears this token. Try again {when}, or use the registry's own token."
            ))
        }
    }
}

/// Why a signature does not carry a request. Always 403, with a code that says whose turn it is.
fn refused(error: SignatureError) -> Problem {
    let problem = match &error {
        SignatureError::TooLong { .. }
        | SignatureError::Malformed { .. }
        | SignatureError::Namespace { .. }
        | SignatureError::Payload(_) => Problem::new(
            StatusCode::FORBIDDEN,
            "signature-unreadable",
            "Unreadable signature",
        ),
        SignatureError::RawSwitchedOff => Problem::new(
            StatusCode::FORBIDDEN,
            "raw-signatures-off",
            "Raw signatures are switched off",
        ),
        SignatureError::Claims(_) => Problem::new(
            StatusCode::FORBIDDEN,
            "signature-out-of-place",
            "Signature for another place or time",
        ),
        SignatureError::NotTouched
        | SignatureError::NoOwners
        | SignatureError::NoCandidates
        | SignatureError::NoneMatches
        | SignatureError::UnknownKey { .. }
        | SignatureError::DoesNotFit { .. } => Problem::new(
            StatusCode::FORBIDDEN,
            "signature-not-accepted",
            "Signature not accepted",
        ),
    };
    problem.detail(capitalised(&error.to_string()))
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase());
    first.into_iter().flatten().chain(chars).chain(['.']).collect()
}
