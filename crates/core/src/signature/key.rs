//! Public keys.

use std::fmt;
use std::str::FromStr;

use ssh_key::public::KeyData;
use ssh_key::{EcdsaCurve, HashAlg};

use super::rsa;
use crate::owner::Owner;

/// The longest key line that is looked at, in bytes: the largest RSA key has under 1500, the rest is for the remark.
const MAX_BYTES: usize = 4096;

/// A public key of a kind that is accepted here, known to be sound.
///
/// Two keys are equal when their material is: the remark does not count.
#[derive(Clone)]
pub struct PublicKey {
    pub(super) data: KeyData,
    comment: String,
}

/// Why a text is not a key that may sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the line of a `.pub` file.
    #[error(
        "this is not an OpenSSH public key ({reason}): give the line of a `.pub` file, such as `ssh-ed25519 AAAA…`"
    )]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// A kind that nothing here can check, or that is too weak.
    #[error("keys of the kind `{kind}` are not accepted: use an ssh-ed25519, ecdsa or ssh-rsa key")]
    Kind {
        /// The kind of key.
        kind: String,
    },
    /// An RSA key that is too easy to break, or too expensive to check.
    #[error("the RSA key has {bits} bits and needs {} to {}: make a new key with `ssh-keygen -t ed25519`", rsa::BITS.start(), rsa::BITS.end())]
    RsaBits {
        /// The length of the modulus.
        bits: usize,
    },
    /// The numbers in it are not those of a key.
    #[error(
        "the {kind} key is broken: no signature could be told from a forged one; make a new key with `ssh-keygen -t ed25519`"
    )]
    Unsound {
        /// The kind of key.
        kind: &'static str,
    },
}

impl PublicKey {
    pub(super) fn new(data: KeyData, comment: &str) -> Result<Self, KeyError> {
        check(&data)?;
        Ok(Self {
            data,
            comment: comment.to_owned(),
        })
    }

    /// The remark behind the key, if there is one.
    pub fn comment(&self) -> Option<&str> {
        Some(self.comment.as_str()).filter(|comment| !comment.is_empty())
    }

    /// The kind of key, such as `ssh-ed25519`.
    pub fn kind(&self) -> String {
        self.data.algorithm().to_string()
    }

    /// Tells whether the private half is in a hardware key (`sk-…`).
    pub fn is_hardware(&self) -> bool {
        matches!(self.data, KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_))
    }

    /// What `ssh-keygen -l` prints: `SHA256:` and 43 characters.
    pub fn fingerprint(&self) -> String {
        self.data.fingerprint(HashAlg::Sha256).to_string()
    }
}

impl From<&PublicKey> for Owner {
    /// Returns the key as manifests name it.
    fn from(key: &PublicKey) -> Self {
        let line = ssh_key::PublicKey::new(key.data.clone(), "")
            .to_openssh()
            .expect("a key that was read can be written");
        let (keytype, public) = line
            .trim_end()
            .split_once(' ')
            .expect("a key has a kind in front of it");
        Self {
            id: key.comment().map(str::to_owned),
            keytype: keytype.to_owned(),
            public: public.to_owned(),
        }
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.kind(), self.fingerprint())
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// Reads the line of a `.pub` file.
    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let unreadable = |reason: &dyn fmt::Display| KeyError::Unreadable {
            reason: reason.to_string(),
        };
        if line.len() > MAX_BYTES {
            return Err(unreadable(&format_args!(
                "it has {} bytes and may have {MAX_BYTES}",
                line.len()
            )));
        }
        let key = ssh_key::PublicKey::from_openssh(line.trim()).map_err(|error| unreadable(&error))?;
        Self::new(key.key_data().clone(), key.comment())
    }
}

impl TryFrom<&Owner> for PublicKey {
    type Error = KeyError;

    fn try_from(owner: &Owner) -> Result<Self, Self::Error> {
        // A blank inside would move the border between kind, key and remark.
        if [&owner.keytype, &owner.public]
            .iter()
            .any(|field| field.is_empty() || field.contains(char::is_whitespace))
        {
            return Err(KeyError::Unreadable {
                reason: "`keytype` or `public` is empty or has a blank".to_owned(),
            });
        }
        let key: Self = format!("{} {}", owner.keytype, owner.public).parse()?;
        Self::new(key.data, owner.id.as_deref().unwrap_or_default())
    }
}

/// Checks that a key is of an accepted kind, and that its numbers are those of a key.
fn check(data: &KeyData) -> Result<(), KeyError> {
    let unsound = |kind| KeyError::Unsound { kind };
    match data {
        KeyData::Ed25519(key) => sound_ed25519(key).ok_or(unsound("ssh-ed25519")),
        KeyData::SkEd25519(key) => sound_ed25519(key.public_key()).ok_or(unsound("sk-ssh-ed25519")),
        KeyData::Rsa(key) => rsa::PublicKey::new(key).map(drop),
        KeyData::Ecdsa(key) => match key.curve() {
            EcdsaCurve::NistP256 => p256::ecdsa::VerifyingKey::try_from(key).map(drop),
            EcdsaCurve::NistP384 => p384::ecdsa::VerifyingKey::try_from(key).map(drop),
            EcdsaCurve::NistP521 => p521::ecdsa::VerifyingKey::try_from(key).map(drop),
        }
        .map_err(|_| unsound("ecdsa")),
        KeyData::SkEcdsaSha2NistP256(key) => p256::ecdsa::VerifyingKey::from_encoded_point(key.ec_point())
            .map(drop)
            .map_err(|_| unsound("sk-ecdsa")),
        _ => Err(KeyError::Kind {
            kind: data.algorithm().to_string(),
        }),
    }
}

/// A point of small order accepts signatures that anyone can make.
fn sound_ed25519(key: &ssh_key::public::Ed25519PublicKey) -> Option<()> {
    let key = ed25519_dalek::VerifyingKey::try_from(key).ok()?;
    (!key.is_weak()).then_some(())
}
