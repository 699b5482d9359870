//! For which registry and until when a signature holds.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::json::{self, DecodeError, json_object};
use crate::time::Timestamp;

const MINUTE: i64 = 60 * 1000;

/// How far apart the clocks of client and server may be.
const CLOCK_DIFFERENCE: i64 = MINUTE;

/// How long a signature may hold.
const LONGEST: i64 = 60 * MINUTE;

/// How long our own signatures hold: time to read the log of a failed try, too short to be worth keeping.
const OURS: i64 = 10 * MINUTE;

/// How long a nonce may be, in characters.
const NONCE: std::ops::RangeInclusive<usize> = 16..=128;

/// The fields that stand in a signed payload beside those of the operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    remote = "Self",
    expecting = "an object with `audience`, `expires` and `nonce`"
)]
pub struct Claims {
    /// The public URL of the registry that the operation is for, such as `https://registry.example.org`.
    pub audience: String,
    /// When the signature ceases to hold.
    pub expires: Timestamp,
    /// Random text, 16 to 128 characters: two requests with it are one request sent twice.
    pub nonce: String,
}

json_object!(Claims);

/// Why a payload does not hold here and now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// Some of the fields are not there, or have another type.
    #[error(
        "the signed payload does not say for which registry and until when it is: add `audience`, `expires` and `nonce` and sign again ({0})"
    )]
    Missing(DecodeError),
    /// Signed for another registry.
    #[error(
        "the payload was signed for `{found}` and this registry is `{expected}`: sign again with that audience"
    )]
    Audience {
        /// Whom it is for.
        found: String,
        /// Who we are.
        expected: String,
    },
    /// Too late.
    #[error(
        "the signature expired at {expires} and it is {now}: sign again, and check the clock of your machine"
    )]
    Expired {
        /// When it ceased to hold.
        expires: Timestamp,
        /// The time here.
        now: Timestamp,
    },
    /// It holds for too long.
    #[error(
        "the signature would hold until {expires}, more than an hour from now ({now}): sign again with an earlier `expires`, and check the clock of your machine"
    )]
    TooFarAhead {
        /// When it ceases to hold.
        expires: Timestamp,
        /// The time here.
        now: Timestamp,
    },
    /// A nonce that is easily guessed, or a novel.
    #[error(
        "`nonce` has {length} characters and needs 16 to 128: sign again with 16 random bytes in hexadecimal digits"
    )]
    Nonce {
        /// How long it is.
        length: usize,
    },
}

impl Claims {
    /// Makes the claims of a new signature for the registry at `audience`: it holds for ten minutes.
    pub fn new(audience: &str, random: [u8; 16], now: Timestamp) -> Self {
        Self {
            audience: without_slash(audience).to_owned(),
            expires: now.plus_millis(OURS),
            nonce: hex::encode(random),
        }
    }

    /// Returns the text to sign: the operation's fields, then these.
    pub fn payload<T: Serialize>(&self, operation: &T) -> String {
        #[derive(Serialize)]
        struct Payload<'a, T> {
            #[serde(flatten)]
            operation: &'a T,
            #[serde(flatten)]
            claims: &'a Claims,
        }

        json::to_compact(&Payload {
            operation,
            claims: self,
        })
    }

    /// Reads the claims in a payload.
    ///
    /// # Errors
    /// [`ClaimsError::Missing`] when one of them is not there.
    pub fn decode(payload: &str) -> Result<Self, ClaimsError> {
        json::decode(payload).map_err(ClaimsError::Missing)
    }

    /// Tells whether a payload has at least one of the fields.
    pub(super) fn named_in(payload: &str) -> bool {
        let fields: BTreeMap<String, IgnoredAny> = serde_json::from_str(payload).unwrap_or_default();
        ["audience", "expires", "nonce"]
            .iter()
            .any(|name| fields.contains_key(*name))
    }

    /// Checks that the signature is for the registry at `audience` and holds at the time `now`. Clocks may differ by a
    /// minute.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self, audience: &str, now: Timestamp) -> Result<(), ClaimsError> {
        let expires = self.expires;
        let length = self.nonce.chars().count();
        if without_slash(&self.audience) != without_slash(audience) {
            Err(ClaimsError::Audience {
                found: super::shown(&self.audience),
                expected: without_slash(audience).to_owned(),
            })
        } else if expires.plus_millis(CLOCK_DIFFERENCE) <= now {
            Err(ClaimsError::Expired { expires, now })
        } else if expires > now.plus_millis(LONGEST + CLOCK_DIFFERENCE) {
            Err(ClaimsError::TooFarAhead { expires, now })
        } else if !NONCE.contains(&length) {
            Err(ClaimsError::Nonce { length })
        } else {
            Ok(())
        }
    }
}

/// A registry's URL is the same with and without a slash at its end.
fn without_slash(url: &str) -> &str {
    url.strip_suffix('/').unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Unpublish;

    const AUDIENCE: &str = "https://registry.example.org";

    fn now() -> Timestamp {
        "2026-08-01T12:00:00.000Z".parse().unwrap()
    }

    fn claims() -> Claims {
        Claims::new(AUDIENCE, [0xab; 16], now())
    }

    fn expiring_in(millis: i64) -> Claims {
        Claims {
            expires: now().plus_millis(millis),
            ..claims()
        }
    }

    #[test]
    fn a_payload_carries_the_operation_and_the_claims() {
        let operation: Unpublish =
            json::decode(r#"{"name":"effect","reason":"broken","version":"4.0.0"}"#).unwrap();
        let payload = claims().payload(&operation);
        assert_eq!(
            payload,
            r#"{"name":"effect","reason":"broken","version":"4.0.0","audience":"https://registry.example.org","expires":"2026-08-01T12:10:00.000Z","nonce":"abababababababababababababababab"}"#
        );
        assert_eq!(json::decode::<Unpublish>(&payload).unwrap(), operation);
        assert_eq!(Claims::decode(&payload).unwrap(), claims());
    }

    #[test]
    fn fresh_claims_hold_at_their_registry_with_or_without_a_slash() {
        assert_eq!(claims().check(AUDIENCE, now()), Ok(()));
        assert_eq!(claims().check("https://registry.example.org/", now()), Ok(()));
        let with_slash = Claims {
            audience: format!("{AUDIENCE}/"),
            ..claims()
        };
        assert_eq!(with_slash.check(AUDIENCE, now()), Ok(()));
    }

    #[test]
    fn claims_for_another_registry_do_not_hold() {
        for audience in [
            "",
            "https://registry.example.com",
            "http://registry.example.org",
            "https://registry.example.org/api",
            "https://registry.example.org//",
        ] {
            let error = claims().check(audience, now()).unwrap_err();
            assert!(matches!(error, ClaimsError::Audience { .. }), "{audience}");
            assert!(error.to_string().contains("sign again with that audience"));
        }
    }

    #[test]
    fn clocks_may_differ_by_a_minute() {
        assert_eq!(expiring_in(-MINUTE + 1).check(AUDIENCE, now()), Ok(()));
        assert!(matches!(
            expiring_in(-MINUTE).check(AUDIENCE, now()),
            Err(ClaimsError::Expired { .. })
        ));
        assert_eq!(expiring_in(61 * MINUTE).check(AUDIENCE, now()), Ok(()));
        assert!(matches!(
            expiring_in(61 * MINUTE + 1).check(AUDIENCE, now()),
            Err(ClaimsError::TooFarAhead { .. })
        ));
    }

    #[test]
    fn times_at_the_ends_of_the_calendar_are_only_late_or_early() {
        let ever = Claims {
            expires: Timestamp::MAX,
            ..claims()
        };
        assert!(matches!(
            ever.check(AUDIENCE, now()),
            Err(ClaimsError::TooFarAhead { .. })
        ));
        let never = Claims {
            expires: Timestamp::from_millis(i64::MIN),
            ..claims()
        };
        assert!(matches!(
            never.check(AUDIENCE, now()),
            Err(ClaimsError::Expired { .. })
        ));
    }

    #[test]
    fn a_nonce_has_16_to_128_characters() {
        for (length, holds) in [(0, false), (15, false), (16, true), (128, true), (129, false)] {
            let claims = Claims {
                nonce: "ä".repeat(length),
                ..claims()
            };
            let result = claims.check(AUDIENCE, now());
            assert_eq!(result.is_ok(), holds, "{length}");
            assert_eq!(
                result,
                if holds {
                    Ok(())
                } else {
                    Err(ClaimsError::Nonce { length })
                }
            );
        }
    }

    #[test]
    fn a_missing_claim_is_named() {
        for name in ["audience", "expires", "nonce"] {
            let mut value: serde_json::Value = serde_json::from_str(&json::to_compact(&claims())).unwrap();
            value.as_object_mut().unwrap().remove(name);
            let error = Claims::decode(&value.to_string()).unwrap_err().to_string();
            assert!(error.contains(&format!("missing field `{name}`")), "{error}");
            value[name] = serde_json::Value::Null;
            assert!(Claims::decode(&value.to_string()).is_err(), "{name} is null");
        }
    }

    #[test]
    fn named_claims_are_found_however_they_are_written() {
        assert!(!Claims::named_in("hello"));
        assert!(!Claims::named_in(r#"{"name":"nonce"}"#));
        for payload in [
            r#"{"nonce":1}"#,
            r#"{"\u006eonce":"x"}"#,
            r#"{"expires":"x","expires":"y"}"#,
            r#"{"audience":{}} "#,
            r#"{"nonce":null}"#,
        ] {
            assert!(Claims::named_in(payload), "{payload}");
        }
    }
}
