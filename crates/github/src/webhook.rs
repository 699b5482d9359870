//! Webhooks: what GitHub sends, and the proof that GitHub sent it.
//!
//! <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::Login;
use crate::event::{Event, EventError, Ignored};

/// GitHub sends nothing larger.
pub const MAX_BODY_BYTES: usize = 25 * 1024 * 1024;
/// Secrets that are shorter can be found by trying.
const MIN_SECRET_BYTES: usize = 16;

/// What GitHub and we know, and nobody else. It shows itself to nobody.
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

/// The secret is too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook's secret has at least {MIN_SECRET_BYTES} characters")]
pub struct SecretError;

/// Why a delivery is not taken for GitHub's. None of them says what would have been right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error("the delivery has no X-Hub-Signature-256; set the webhook's secret at GitHub")]
    Missing,
    /// The signature cannot be one.
    #[error("X-Hub-Signature-256 is not `sha256=` and 64 hexadecimal digits")]
    Malformed,
    /// The signature is not one over this body with our secret.
    #[error(
        "X-Hub-Signature-256 does not fit the body; is the webhook's secret at GitHub the one of this server?"
    )]
    Wrong,
}

impl Secret {
    /// Takes a secret.
    ///
    /// # Errors
    /// When it is too short.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        if text.len() < MIN_SECRET_BYTES {
            return Err(SecretError);
        }
        Hmac::new_from_slice(text.as_bytes())
            .map(Self)
            .map_err(|_| SecretError)
    }

    /// Checks that whoever sent `body` knows the secret. `header` is the value of `X-Hub-Signature-256`; it is compared in
    /// constant time.
    ///
    /// # Errors
    /// When the header is missing or does not fit.
    pub fn verify(&self, header: Option<&[u8]>, body: &[u8]) -> Result<(), SignatureError> {
        let digits = header
            .ok_or(SignatureError::Missing)?
            .strip_prefix(b"sha256=")
            .ok_or(SignatureError::Malformed)?;
        let mut given = [0; 32];
        hex::decode_to_slice(digits, &mut given).map_err(|_| SignatureError::Malformed)?;
        self.0
            .clone()
            .chain_update(body)
            .verify_slice(&given)
            .map_err(|_| SignatureError::Wrong)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Reads a delivery that was verified. `kind` is the value of `X-GitHub-Event`.
///
/// # Errors
/// When the body is not one of GitHub's.
pub fn read(kind: &str, body: &[u8], bot: Option<&Login>) -> Result<Event, EventError> {
    match kind {
        "issues" | "issue_comment" => Event::read(body, bot),
        // `ping`, and whatever else somebody switched on.
        _ => Ok(Event::Ignored(Ignored::NoIssue)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's documentation.
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn verify(header: Option<&str>, body: &[u8]) -> Result<(), SignatureError> {
        Secret::new(SECRET)
            .unwrap()
            .verify(header.map(str::as_bytes), body)
    }

    #[test]
    fn github_s_own_example_verifies() {
        assert_eq!(verify(Some(SIGNATURE), BODY), Ok(()));
        let capitals = SIGNATURE.to_ascii_uppercase().replacen("SHA256", "sha256", 1);
        assert_eq!(verify(Some(&capitals), BODY), Ok(()));
    }

    #[test]
    fn whatever_is_not_signed_with_our_secret_is_refused() {
        use SignatureError::{Malformed, Missing, Wrong};
        let (sha1, short) = (SIGNATURE.replace("sha256", "sha1"), &SIGNATURE[..70]);
        let long = format!("{SIGNATURE}00");
        let zeros = format!("sha256={}", "0".repeat(64));
        for (header, why) in [
            (None, Missing),
            (Some(""), Malformed),
            (Some("sha256="), Malformed),
            (Some(sha1.as_str()), Malformed),
            (Some(short), Malformed),
            (Some(long.as_str()), Malformed),
            (Some("sha256=zz"), Malformed),
            (Some(zeros.as_str()), Wrong),
        ] {
            assert_eq!(verify(header, BODY), Err(why), "{header:?}");
        }
        assert_eq!(
            verify(Some(SIGNATURE), b"Hello, World?"),
            Err(Wrong),
            "another body"
        );
        assert_eq!(verify(Some(SIGNATURE), b""), Err(Wrong));
        let other = Secret::new("another secret of ours").unwrap();
        assert_eq!(other.verify(Some(SIGNATURE.as_bytes()), BODY), Err(Wrong));
        assert_eq!(
            Secret::new(SECRET)
                .unwrap()
                .verify(Some(b"sha256=\xff\xfe"), BODY),
            Err(Malformed)
        );
    }

    #[test]
    fn a_secret_is_long_and_not_shown() {
        assert_eq!(Secret::new("").unwrap_err(), SecretError);
        assert_eq!(Secret::new("fifteen chars..").unwrap_err(), SecretError);
        assert!(!format!("{:?}", Secret::new(SECRET).unwrap()).contains("Everybody"));
    }

    #[test]
    fn other_events_are_ignored_whatever_their_body() {
        for kind in ["ping", "push", "pull_request", ""] {
            assert_eq!(
                read(kind, b"not even JSON", None).unwrap(),
                Event::Ignored(Ignored::NoIssue)
            );
        }
        assert!(read("issues", b"not even JSON", None).is_err());
    }
}
