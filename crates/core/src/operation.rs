//! What clients ask the registry to do: the bodies of the HTTP API (registry spec, sections 1.2 and 1.4 to 1.6).
//!
//! Unknown fields are ignored, an optional field may be absent but not `null`, and keys come out in alphabetical
//! order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::json::{self, DecodeError, json_object};
use crate::location::Location;
use crate::name::PackageName;
use crate::text::Reason;
use crate::version::Version;

/// The header with which the bearer of the registry's own token names the trustee that it asks for: a login of GitHub.
pub const ON_BEHALF_OF: &str = "docket-on-behalf-of";

/// `POST publish`: publish a version of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", expecting = "a publish object")]
pub struct Publish {
    /// The compiler to verify with; the server picks one when absent.
    #[serde(
        default,
        deserialize_with = "json::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub compiler: Option<Version>,
    /// Where the code comes from; needed only for the first version of a package.
    #[serde(
        default,
        deserialize_with = "json::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub location: Option<Location>,
    /// The package.
    pub name: PackageName,
    /// The snapshot to publish: a tag, usually.
    #[serde(rename = "ref")]
    pub git_ref: String,
    /// A complete build plan, transitive dependencies included; the server solves one when absent.
    #[serde(
        default,
        deserialize_with = "present_versions",
        skip_serializing_if = "Option::is_none"
    )]
    pub resolutions: Option<BTreeMap<PackageName, Version>>,
    /// The version.
    pub version: Version,
}

json_object!(Publish);

/// The payload of `POST unpublish`: withdraw a version for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", expecting = "an unpublish object")]
pub struct Unpublish {
    /// The package.
    pub name: PackageName,
    /// Why, in at most 300 characters.
    pub reason: Reason,
    /// The version.
    pub version: Version,
}

json_object!(Unpublish);

/// The payload of `POST transfer`: from now on the code comes from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", expecting = "a transfer object")]
pub struct Transfer {
    /// The package.
    pub name: PackageName,
    /// Where its code comes from in future.
    pub new_location: Location,
}

json_object!(Transfer);

/// The payload of `POST package-sets`: make the next package set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", expecting = "a package set update")]
pub struct PackageSetUpdate {
    /// The compiler to raise the set to.
    #[serde(
        default,
        deserialize_with = "json::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub compiler: Option<Version>,
    /// The version each package is to have; `None` (`null`) removes it.
    #[serde(deserialize_with = "json::unique_map")]
    pub packages: BTreeMap<PackageName, Option<Version>>,
}

json_object!(PackageSetUpdate);

impl PackageSetUpdate {
    /// Tells whether only a trustee may ask for this: it names a compiler or removes a package.
    pub fn is_restricted(&self) -> bool {
        self.compiler.is_some() || self.packages.values().any(Option::is_none)
    }
}

/// The body of `POST unpublish` and `POST transfer`: a payload, and a signature over its exact text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", expecting = "an object with `payload` and `signature`")]
pub struct Signed {
    /// The JSON text of the operation, byte for byte as signed.
    pub payload: String,
    /// The signature over the payload, in one of the forms of [`crate::signature`].
    pub signature: String,
}

json_object!(Signed);

/// The body of `POST package-sets`: like [`Signed`], but only restricted updates need the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", expecting = "an object with `payload`")]
pub struct PackageSetRequest {
    /// The JSON text of the [`PackageSetUpdate`], byte for byte as signed.
    pub payload: String,
    /// The signature over the payload, in one of the forms of [`crate::signature`].
    #[serde(
        default,
        deserialize_with = "json::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub signature: Option<String>,
}

json_object!(PackageSetRequest);

/// The operation inside a [`Signed`] body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SignedOperation {
    /// Withdraw a version.
    Unpublish(Unpublish),
    /// Move a package.
    Transfer(Transfer),
}

/// The payload of a signed body is neither operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the payload is neither an unpublish operation ({unpublish}) nor a transfer operation ({transfer})")]
pub struct SignedOperationError {
    /// Why it is not an [`Unpublish`].
    pub unpublish: DecodeError,
    /// Why it is not a [`Transfer`].
    pub transfer: DecodeError,
}

impl Signed {
    /// Reads the operation inside, first as unpublish, then as transfer.
    ///
    /// # Errors
    /// When it is neither.
    pub fn operation(&self) -> Result<SignedOperation, SignedOperationError> {
        let unpublish = match json::decode(&self.payload) {
            Ok(unpublish) => return Ok(SignedOperation::Unpublish(unpublish)),
            Err(error) => error,
        };
        match json::decode(&self.payload) {
            Ok(transfer) => Ok(SignedOperation::Transfer(transfer)),
            Err(transfer) => Err(SignedOperationError { unpublish, transfer }),
        }
    }
}

impl PackageSetRequest {
    /// Reads the update inside.
    ///
    /// # Errors
    /// When the payload is not one.
    pub fn update(&self) -> Result<PackageSetUpdate, DecodeError> {
        json::decode(&self.payload)
    }
}

fn present_versions<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<PackageName, Version>>, D::Error> {
    json::unique_map(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISH: &str = r#"{"compiler":"0.15.15","location":{"githubOwner":"purescript","githubRepo":"purescript-effect"},"name":"effect","ref":"v4.0.0","resolutions":{"prelude":"6.0.1"},"version":"4.0.0"}"#;
    const UNPUBLISH: &str =
        r#"{"name":"baskerville-core","version":"0.1.2","reason":"Description too long"}"#;
    const TRANSFER: &str =
        r#"{"name":"demo","newLocation":{"githubOwner":"lab","githubRepo":"purescript-demo"}}"#;

    fn signed(payload: &str) -> Signed {
        Signed {
            payload: payload.to_owned(),
            signature: "0b4e".to_owned(),
        }
    }

    #[test]
    fn a_publish_comes_out_with_its_keys_in_alphabetical_order() {
        assert_eq!(
            json::to_compact(&json::decode::<Publish>(PUBLISH).unwrap()),
            PUBLISH
        );
        let small = r#"{"version":"4.0.0","ref":"v4.0.0","name":"effect","unknown":null}"#;
        assert_eq!(
            json::to_compact(&json::decode::<Publish>(small).unwrap()),
            r#"{"name":"effect","ref":"v4.0.0","version":"4.0.0"}"#
        );
    }

    #[test]
    fn an_explicit_null_is_refused_where_a_field_may_be_absent() {
        for field in ["compiler", "location", "resolutions"] {
            let text = format!(r#"{{"name":"effect","ref":"v4.0.0","version":"4.0.0","{field}":null}}"#);
            let error = json::decode::<Publish>(&text).unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
        assert!(json::decode::<PackageSetUpdate>(r#"{"compiler":null,"packages":{}}"#).is_err());
        assert!(json::decode::<PackageSetRequest>(r#"{"payload":"{}","signature":null}"#).is_err());
    }

    #[test]
    fn values_are_checked_while_decoding() {
        for (text, place) in [
            (r#"{"name":"Effect","ref":"v","version":"4.0.0"}"#, "name: "),
            (r#"{"name":"effect","ref":"v","version":"v4.0.0"}"#, "version: "),
            (r#"{"name":"effect","ref":3,"version":"4.0.0"}"#, "ref: "),
            (
                r#"{"name":"effect","ref":"v","version":"4.0.0","location":{}}"#,
                "location: ",
            ),
            (
                r#"{"name":"effect","ref":"v","version":"4.0.0","resolutions":{"a":null}}"#,
                "resolutions.a: ",
            ),
            (
                r#"{"name":"effect","ref":"v","version":"4.0.0","resolutions":{"A":"1.0.0"}}"#,
                "resolutions",
            ),
            (r#"{"name":"effect","version":"4.0.0"}"#, "missing field `ref`"),
            (r#"["effect"]"#, "invalid "),
            ("", "not valid JSON"),
        ] {
            let error = json::decode::<Publish>(text).unwrap_err().to_string();
            assert!(error.starts_with(place), "{text}: {error}");
        }
    }

    #[test]
    fn a_signed_payload_is_read_as_unpublish_first_then_as_transfer() {
        assert!(matches!(
            signed(UNPUBLISH).operation(),
            Ok(SignedOperation::Unpublish(_))
        ));
        let transfer = signed(TRANSFER).operation().unwrap();
        assert!(matches!(transfer, SignedOperation::Transfer(_)));
        assert_eq!(json::to_compact(&transfer), TRANSFER);
        let error = signed(r#"{"name":"demo"}"#).operation().unwrap_err().to_string();
        assert!(
            error.contains("missing field `reason`") && error.contains("missing field `newLocation`"),
            "{error}"
        );
    }

    #[test]
    fn a_reason_has_at_most_300_characters() {
        let payload = |length| {
            format!(
                r#"{{"name":"a","version":"1.0.0","reason":"{}"}}"#,
                "ä".repeat(length)
            )
        };
        assert!(signed(&payload(300)).operation().is_ok());
        assert!(signed(&payload(301)).operation().is_err());
    }

    #[test]
    fn null_removes_a_package_from_a_set() {
        let text = r#"{"compiler":"0.15.16","packages":{"argonaut":null,"ha":"1.0.0"}}"#;
        let update: PackageSetUpdate = json::decode(text).unwrap();
        assert_eq!(update.packages["argonaut"], None);
        assert_eq!(json::to_compact(&update), text);
    }

    #[test]
    fn naming_a_compiler_or_removing_a_package_is_restricted() {
        for (text, restricted) in [
            (r#"{"packages":{}}"#, false),
            (r#"{"packages":{"aff":"8.0.0"}}"#, false),
            (r#"{"packages":{"aff":"8.0.0","argonaut":null}}"#, true),
            (r#"{"compiler":"0.15.16","packages":{}}"#, true),
        ] {
            let request = PackageSetRequest {
                payload: text.to_owned(),
                signature: None,
            };
            assert_eq!(request.update().unwrap().is_restricted(), restricted, "{text}");
        }
        assert!(
            json::decode::<PackageSetUpdate>("{}").is_err(),
            "packages are required"
        );
    }
}
