//! Owner keys.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::json::{self, json_object};

/// A public key whose holder may unpublish and transfer a package.
///
/// Two owners are equal when key type and key are: the id is a remark (registry spec, section 2.1).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Owner {
    /// The remark behind the key: a name or an e-mail address.
    #[serde(
        default,
        deserialize_with = "json::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub id: Option<String>,
    /// The kind of key, such as `ssh-ed25519`.
    pub keytype: String,
    /// The base64 text of the OpenSSH public key.
    pub public: String,
}

json_object!(Owner);

impl Owner {
    /// Returns the line OpenSSH would write in a `.pub` file. An owner without id gets the word `id`.
    pub fn public_key_line(&self) -> String {
        format!(
            "{} {} {}",
            self.keytype,
            self.public,
            self.id.as_deref().unwrap_or("id")
        )
    }
}

impl PartialEq for Owner {
    fn eq(&self, other: &Self) -> bool {
        self.keytype == other.keytype && self.public == other.public
    }
}

impl Eq for Owner {}

impl Hash for Owner {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.keytype.hash(state);
        self.public.hash(state);
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{id} ({})", self.keytype),
            None => write!(f, "{} …{}", self.keytype, tail(&self.public)),
        }
    }
}

/// The last characters of a key: enough to tell two apart.
fn tail(key: &str) -> &str {
    key.char_indices()
        .rev()
        .nth(7)
        .map_or(key, |(start, _)| &key[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"id":"me@example.org","keytype":"ssh-ed25519","public":"AAAAC3NzaC1lZDI1NTE5"}"#;

    #[test]
    fn an_owner_keeps_its_key_order() {
        let owner: Owner = json::decode(TEXT).unwrap();
        assert_eq!(json::to_compact(&owner), TEXT);
        let reordered = r#"{"public":"a","keytype":"b"}"#;
        assert_eq!(
            json::to_compact(&json::decode::<Owner>(reordered).unwrap()),
            r#"{"keytype":"b","public":"a"}"#
        );
    }

    #[test]
    fn owners_are_equal_when_their_keys_are() {
        let owner: Owner = json::decode(TEXT).unwrap();
        assert_eq!(
            owner,
            Owner {
                id: None,
                ..owner.clone()
            }
        );
        assert_ne!(
            owner,
            Owner {
                public: "AAAA".to_owned(),
                ..owner.clone()
            }
        );
        assert_ne!(
            owner,
            Owner {
                keytype: "ssh-rsa".to_owned(),
                ..owner.clone()
            }
        );
    }

    #[test]
    fn the_public_key_line_always_has_a_remark() {
        let owner: Owner = json::decode(TEXT).unwrap();
        assert_eq!(
            owner.public_key_line(),
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@example.org"
        );
        let nameless = Owner { id: None, ..owner };
        assert_eq!(nameless.public_key_line(), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 id");
    }

    #[test]
    fn a_null_id_is_refused() {
        assert!(json::decode::<Owner>(r#"{"id":null,"keytype":"a","public":"b"}"#).is_err());
    }
}
