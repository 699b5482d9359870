//! Who signed an operation, and whether that key may (registry spec, sections 4.1 to 4.4).
//!
//! A [`Signed`] body carries the text of an operation and a signature over exactly these bytes. There are two forms:
//!
//! | form | `signature` | the payload also holds | made by |
//! | --- | --- | --- | --- |
//! | [`Form::Raw`] | hexadecimal digits of the bare signature | nothing | released clients |
//! | [`Form::Sshsig`] | an `SSH SIGNATURE` block, namespace [`NAMESPACE`] | [`Claims`] | `ssh-keygen -Y sign`, our client |
//!
//! A raw signature says neither for which registry it was made nor until when it holds, so whoever has seen it can
//! send it again, anywhere; a registry can refuse the form ([`Policy::raw_signatures`]). A raw payload that names
//! claims nevertheless is held to them.
//!
//! | key | raw form | block |
//! | --- | --- | --- |
//! | `ssh-ed25519` | 64 bytes | yes |
//! | `ssh-rsa` of 2048 to 8192 bits | PKCS#1 v1.5 with SHA-1 (released clients), SHA-256 or SHA-512 | SHA-256, SHA-512 |
//! | `ecdsa-sha2-nistp256`, `…384`, `…521` | DER `SEQUENCE {r, s}` with SHA-256, SHA-384, SHA-512 | yes |
//! | `sk-ssh-ed25519@openssh.com`, `sk-ecdsa-sha2-nistp256@openssh.com` | none | yes, with the key touched |
//!
//! RSA keys under 2048 bits are refused because they are within reach of an attacker, those above 8192 because
//! checking a signature must stay cheap. Both halves of an ECDSA signature's range are accepted: OpenSSL makes either,
//! and nothing here takes a signature's bytes for its identity.

mod claims;
mod key;
mod private_key;
mod raw;
mod rsa;
mod sshsig;

use std::fmt;

use crate::json::{self, DecodeError};
use crate::operation::Signed;
use crate::owner::Owner;
use crate::time::Timestamp;

pub use self::claims::{Claims, ClaimsError};
pub use self::key::{KeyError, PublicKey};
pub use self::private_key::{PrivateKey, PrivateKeyError};
pub use self::sshsig::NAMESPACE;

/// The longest payload that is looked at, in bytes: an update that names every package of the registry has 25 kB.
pub const MAX_PAYLOAD_BYTES: usize = 256 * 1024;

/// The longest signature that is looked at, in bytes of text: a block of the largest RSA key has under 4 kB.
pub const MAX_SIGNATURE_BYTES: usize = 8 * 1024;

/// As what a key is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The package's metadata names the key.
    Owner,
    /// The registry's own key, which may act for every package.
    Bot,
}

/// A key that may sign, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// As what the key is trusted.
    pub role: Role,
    /// What people call the holder: the remark behind the key, if there is one.
    pub name: Option<String>,
    /// The key.
    pub key: PublicKey,
}

/// An owner whose key cannot be used. Others are not hindered by it; it is worth a line in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedOwner {
    /// The owner.
    pub owner: Owner,
    /// What is wrong with the key.
    pub error: KeyError,
}

impl fmt::Display for SkippedOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the key of the owner {} is skipped: {}",
            self.owner, self.error
        )
    }
}

/// The keys that may sign a request, in the order they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    usable: Vec<Candidate>,
    skipped: Vec<SkippedOwner>,
    of_package: bool,
}

impl Candidates {
    /// Who may act on a package: the bot, if the registry has one, and the owners its metadata names.
    pub fn of_package(bot: Option<&PublicKey>, owners: &[Owner]) -> Self {
        let mut candidates = Self {
            of_package: true,
            ..Self::of_registry(bot)
        };
        for owner in owners {
            match PublicKey::try_from(owner) {
                Ok(key) => candidates.usable.push(Candidate {
                    role: Role::Owner,
                    name: owner.id.clone(),
                    key,
                }),
                Err(error) => candidates.skipped.push(SkippedOwner {
                    owner: owner.clone(),
                    error,
                }),
            }
        }
        candidates
    }

    /// Who may act on the registry itself, as for a restricted package set update: the bot alone.
    pub fn of_registry(bot: Option<&PublicKey>) -> Self {
        let bot = bot.map(|key| Candidate {
            role: Role::Bot,
            name: key.comment().map(ToOwned::to_owned),
            key: key.clone(),
        });
        Self {
            usable: bot.into_iter().collect(),
            skipped: Vec::new(),
            of_package: false,
        }
    }

    /// The keys that are tried.
    pub fn usable(&self) -> &[Candidate] {
        &self.usable
    }

    /// The owners that are not tried, because their keys cannot be used.
    pub fn skipped(&self) -> &[SkippedOwner] {
        &self.skipped
    }

    /// Why a signature is refused that no candidate made.
    fn none_matches(&self, signed_with: Option<&PublicKey>) -> SignatureError {
        let owned = self.usable.iter().any(|candidate| candidate.role == Role::Owner);
        if self.of_package && !owned {
            return SignatureError::NoOwners;
        }
        if self.usable.is_empty() {
            return SignatureError::NoCandidates;
        }
        match signed_with {
            Some(key) => SignatureError::UnknownKey {
                fingerprint: key.fingerprint(),
            },
            None => SignatureError::NoneMatches,
        }
    }
}

/// What a registry demands of a signature.
#[derive(Debug, Clone)]
pub struct Policy<'a> {
    /// The registry's public URL: what [`Claims::audience`] must be.
    pub audience: &'a str,
    /// The time of the request.
    pub now: Timestamp,
    /// Whether [`Form::Raw`] is accepted.
    pub raw_signatures: bool,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Hexadecimal digits of the bare signature; no claims needed.
    Raw,
    /// An `SSH SIGNATURE` block over a payload with [`Claims`].
    Sshsig,
}

/// Who signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signer<'a> {
    /// The candidate whose key made the signature.
    pub candidate: &'a Candidate,
    /// How the signature was written.
    pub form: Form,
}

/// Why a signature does not carry a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Payload or signature are longer than anything that makes sense.
    #[error("the {part} has {bytes} bytes and may have {limit}")]
    TooLong {
        /// Which of the two.
        part: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The text is neither hexadecimal digits nor a block that can be read.
    #[error(
        "the signature cannot be read: {reason}; send the block that `ssh-keygen -Y sign -n {NAMESPACE}` makes, or the raw signature in hexadecimal digits"
    )]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The block was made for something else.
    #[error("the signature was made for `{found}`: sign again with `-n {NAMESPACE}`")]
    Namespace {
        /// The namespace in the block.
        found: String,
    },
    /// The registry does not take the old form.
    #[error(
        "this registry does not accept raw signatures: sign with a client that makes SSH signatures, such as `docket`, or with `ssh-keygen -Y sign -n {NAMESPACE}`"
    )]
    RawSwitchedOff,
    /// The hardware key signed without being touched.
    #[error("the hardware key was not touched while signing: use a key made without `no-touch-required`")]
    NotTouched,
    /// The payload is ambiguous, or not JSON.
    #[error("the signed payload cannot be read: {0}")]
    Payload(DecodeError),
    /// The payload does not say, or not acceptably, for which registry and until when it is.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// The package has no owners, and the registry's own key did not sign.
    #[error(
        "the package has no owner whose key could be checked: publish a version with owners first, then sign with the key of one of them"
    )]
    NoOwners,
    /// No key is trusted for this request.
    #[error(
        "nobody can sign for this here: the registry's operator has not set `[trustees] public_key_file`"
    )]
    NoCandidates,
    /// The raw signature was made by none of the keys, or over another text.
    #[error(
        "the signature fits none of the keys that may sign for this: sign exactly the payload that is sent, with one of these keys"
    )]
    NoneMatches,
    /// The block names a key that may not sign for this.
    #[error(
        "the signature was made with the key {fingerprint}, which may not sign for this: sign with a key that may"
    )]
    UnknownKey {
        /// The fingerprint of the key.
        fingerprint: String,
    },
    /// The key may sign, but it did not sign this text.
    #[error("the key {fingerprint} did not sign this payload: sign again exactly the payload that is sent")]
    DoesNotFit {
        /// The fingerprint of the key.
        fingerprint: String,
    },
}

/// Finds out which candidate signed the payload, and whether the signature holds here and now.
///
/// What was signed is the payload's text, byte for byte, and that very text is what [`Signed::operation`] decodes.
///
/// # Errors
/// [`SignatureError`] when no candidate did, or not in a form or with claims that the policy accepts.
pub fn authorise<'a>(
    signed: &Signed,
    candidates: &'a Candidates,
    policy: &Policy<'_>,
) -> Result<Signer<'a>, SignatureError> {
    limit("payload", &signed.payload, MAX_PAYLOAD_BYTES)?;
    limit("signature", &signed.signature, MAX_SIGNATURE_BYTES)?;
    let signer = if sshsig::is_block(&signed.signature) {
        sshsig::verify(signed, candidates)?
    } else if policy.raw_signatures {
        raw::verify(signed, candidates)?
    } else {
        return Err(SignatureError::RawSwitchedOff);
    };
    // Released clients know no claims; whoever writes some means them.
    if signer.form == Form::Sshsig || Claims::named_in(&signed.payload) {
        json::check_unique_keys(&signed.payload).map_err(SignatureError::Payload)?;
        Claims::decode(&signed.payload)?.check(policy.audience, policy.now)?;
    }
    Ok(signer)
}

fn limit(part: &'static str, text: &str, limit: usize) -> Result<(), SignatureError> {
    let bytes = text.len();
    if bytes > limit {
        return Err(SignatureError::TooLong { part, bytes, limit });
    }
    Ok(())
}

/// What a stranger wrote, fit for a message: one short line.
fn shown(text: &str) -> String {
    text.chars()
        .take(100)
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
