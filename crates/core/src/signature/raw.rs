//! The form of released clients: the bare signature in hexadecimal digits.

use p256::ecdsa::signature::Verifier;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, EcdsaCurve, Signature};

use super::rsa::{self, Hash};
use super::{Candidates, Form, PublicKey, SignatureError, Signer};
use crate::operation::Signed;

/// Finds the candidate whose bare signature this is.
pub(super) fn verify<'a>(signed: &Signed, candidates: &'a Candidates) -> Result<Signer<'a>, SignatureError> {
    let malformed = |reason: String| SignatureError::Malformed { reason };
    if signed.signature.is_empty() {
        return Err(malformed("it is empty".to_owned()));
    }
    let signature = hex::decode(&signed.signature).map_err(|error| malformed(error.to_string()))?;
    let found = candidates
        .usable()
        .iter()
        .find(|candidate| fits(&candidate.key, signed.payload.as_bytes(), &signature));
    match found {
        Some(candidate) => Ok(Signer {
            candidate,
            form: Form::Raw,
        }),
        None => Err(candidates.none_matches(None)),
    }
}

/// Tells whether the bytes are a signature of this key over the message.
pub(super) fn fits(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let signature = match &key.data {
        KeyData::Rsa(rsa) => {
            return rsa::PublicKey::new(rsa).is_ok_and(|rsa| {
                [Hash::Sha1, Hash::Sha256, Hash::Sha512]
                    .into_iter()
                    .any(|hash| rsa.fits(hash, message, signature))
            });
        }
        KeyData::Ed25519(_) => Signature::new(Algorithm::Ed25519, signature).ok(),
        KeyData::Ecdsa(ecdsa) => from_der(ecdsa.curve(), signature),
        // A hardware key signs what it was touched for, never a bare message.
        _ => None,
    };
    signature.is_some_and(|signature| key.data.verify(message, &signature).is_ok())
}

/// Reads `SEQUENCE {r, s}`: exactly these bytes, both numbers in range.
fn from_der(curve: EcdsaCurve, der: &[u8]) -> Option<Signature> {
    match curve {
        EcdsaCurve::NistP256 => p256::ecdsa::Signature::from_der(der).ok()?.try_into().ok(),
        EcdsaCurve::NistP384 => p384::ecdsa::Signature::from_der(der).ok()?.try_into().ok(),
        EcdsaCurve::NistP521 => p521::ecdsa::Signature::from_der(der).ok()?.try_into().ok(),
    }
}
