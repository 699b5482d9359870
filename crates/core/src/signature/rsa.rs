//! RSA, PKCS#1 v1.5.
//!
//! By way of the `rsa` crate itself: ssh-key 0.6 sticks to an older release of it, refuses keys above 4096 bits, knows
//! no SHA-1, and takes the first prime of a private key twice.

use std::ops::RangeInclusive;

use rsa::{BoxedUint, Pkcs1v15Sign};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use ssh_key::Mpint;

use super::KeyError;

/// The lengths of modulus that are accepted.
pub(super) const BITS: RangeInclusive<usize> = 2048..=8192;

/// The digests that clients sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    /// What `ssh-rsa` means to released clients.
    Sha1,
    /// `rsa-sha2-256`.
    Sha256,
    /// `rsa-sha2-512`.
    Sha512,
}

impl Hash {
    fn digest(self, message: &[u8]) -> (Pkcs1v15Sign, Vec<u8>) {
        match self {
            Self::Sha1 => (Pkcs1v15Sign::new::<Sha1>(), Sha1::digest(message).to_vec()),
            Self::Sha256 => (Pkcs1v15Sign::new::<Sha256>(), Sha256::digest(message).to_vec()),
            Self::Sha512 => (Pkcs1v15Sign::new::<Sha512>(), Sha512::digest(message).to_vec()),
        }
    }
}

/// A public key of an accepted length.
pub(super) struct PublicKey(rsa::PublicKey);

impl PublicKey {
    pub(super) fn new(key: &ssh_key::public::RsaPublicKey) -> Result<Self, KeyError> {
        let unsound = KeyError::Unsound { kind: "ssh-rsa" };
        let (Some(n), Some(e)) = (number(&key.n), number(&key.e)) else {
            return Err(unsound);
        };
        let bits = usize::try_from(n.bit_width_vartime()).unwrap_or(usize::MAX);
        if !BITS.contains(&bits) {
            return Err(KeyError::RsaBits { bits });
        }
        rsa::PublicKey::new_with_size_limits(n, e, BITS)
            .map(Self)
            .map_err(|_| unsound)
    }

    /// Tells whether the signature is of this key over the message.
    pub(super) fn fits(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        let (scheme, digest) = hash.digest(message);
        self.0.verify(scheme, &digest, signature).is_ok()
    }
}

/// Signs a message; `None` when the numbers are not those of a key.
///
/// Without blinding: the key is in the hands of whoever waits for the answer.
pub(super) fn sign(keypair: &ssh_key::private::RsaKeypair, hash: Hash, message: &[u8]) -> Option<Vec<u8>> {
    let (public, private) = (&keypair.public, &keypair.private);
    let key = rsa::PrivateKey::from_components(
        number(&public.n)?,
        number(&public.e)?,
        number(&private.d)?,
        vec![number(&private.p)?, number(&private.q)?],
    )
    .ok()?;
    let (scheme, digest) = hash.digest(message);
    key.sign(scheme, &digest).ok()
}

fn number(number: &Mpint) -> Option<BoxedUint> {
    number.as_positive_bytes().map(BoxedUint::from_be_slice_vartime)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::raw;
    use super::*;

    #[test]
    fn a_raw_signature_may_use_sha_1_sha_256_or_sha_512() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"])
            .arg(&file)
            .status();
        assert!(made.unwrap().success());
        let private = ssh_key::PrivateKey::from_openssh(std::fs::read(&file).unwrap()).unwrap();
        let public = super::super::PublicKey::new(private.public_key().key_data().clone(), "").unwrap();
        for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512] {
            let signature = sign(private.key_data().rsa().unwrap(), hash, b"hello").unwrap();
            assert!(raw::fits(&public, b"hello", &signature), "{hash:?}");
            assert!(!raw::fits(&public, b"hallo", &signature), "{hash:?}");
        }
    }
}
