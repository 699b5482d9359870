//! Private keys, for our own client and for tests.

use std::fmt;

use p256::ecdsa::signature::Signer;
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{Algorithm, Cipher, HashAlg, Kdf, LineEnding, Signature, SshSig};

use super::rsa::{self, Hash};
use super::{KeyError, NAMESPACE, PublicKey, sshsig};

/// What ssh-key 0.6 says of an ECDSA key whose number has fewer bytes than the longest.
const TOO_SHORT: &str = "length invalid";

/// A private key as OpenSSH stores it. Shown only by its fingerprint.
#[derive(Clone)]
pub struct PrivateKey(ssh_key::PrivateKey);

/// Why a private key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyError {
    /// Not a private key of OpenSSH.
    #[error("this is not a private key as `ssh-keygen` makes it ({reason})")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// An ECDSA key whose secret number is shorter than the longest: ssh-key 0.6 cannot read it.
    #[error("the number in this ECDSA key is short, and only `ssh-keygen -Y sign` can sign with it")]
    Short,
    /// It needs its passphrase first.
    #[error("the private key is encrypted: its passphrase is needed")]
    Encrypted,
    /// Not the passphrase.
    #[error("the passphrase does not open the private key")]
    Passphrase,
    /// What can sign is in another device.
    #[error(
        "the private half of the key is in a hardware key, which signs only through `ssh-keygen -Y sign`"
    )]
    Hardware,
    /// Nobody would accept its signatures.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The remark would end the line of the public key.
    #[error("the remark behind a key must not have control characters")]
    Comment,
    /// The numbers in it do not make a signature.
    #[error("the private key is broken: make a new one with `ssh-keygen -t ed25519`")]
    Unsound,
}

/// How often the passphrase is hashed; what `ssh-keygen` does.
const ROUNDS: u32 = 16;

impl PrivateKey {
    /// Makes an ed25519 key of 32 random bytes.
    ///
    /// # Errors
    /// [`PrivateKeyError::Comment`] when the remark cannot stand behind a key.
    pub fn ed25519(seed: &[u8; 32], comment: &str) -> Result<Self, PrivateKeyError> {
        if comment.chars().any(char::is_control) {
            return Err(PrivateKeyError::Comment);
        }
        ssh_key::PrivateKey::new(Ed25519Keypair::from_seed(seed).into(), comment)
            .map(Self)
            .map_err(|_| PrivateKeyError::Unsound)
    }

    /// Encrypts the key, with 16 random bytes for the hash of the passphrase and 4 by which a wrong one is noticed.
    ///
    /// # Errors
    /// [`PrivateKeyError::Encrypted`] when it is encrypted already.
    pub fn encrypt(&self, passphrase: &str, salt: [u8; 16], check: [u8; 4]) -> Result<Self, PrivateKeyError> {
        let kdf = Kdf::Bcrypt {
            salt: salt.to_vec(),
            rounds: ROUNDS,
        };
        let check = u32::from_be_bytes(check);
        self.0
            .encrypt_with(Cipher::Aes256Ctr, kdf, check, passphrase)
            .map(Self)
            .map_err(|_| PrivateKeyError::Encrypted)
    }

    /// Returns the text of a private key file.
    ///
    /// # Errors
    /// [`PrivateKeyError::Unsound`] when the key cannot be written.
    pub fn to_openssh(&self) -> Result<String, PrivateKeyError> {
        let text = self.0.to_openssh(LineEnding::LF);
        Ok(text.map_err(|_| PrivateKeyError::Unsound)?.to_string())
    }

    /// Reads the text of a private key file (`-----BEGIN OPENSSH PRIVATE KEY-----`).
    ///
    /// ssh-key 0.6 refuses ECDSA keys whose secret number is shorter than the longest (a quarter of P-521 keys): callers that have
    /// `ssh-keygen` at hand let it sign for those.
    ///
    /// # Errors
    /// When it is something else.
    pub fn from_openssh(text: &str) -> Result<Self, PrivateKeyError> {
        ssh_key::PrivateKey::from_openssh(text.trim())
            .map(Self)
            .map_err(|error| {
                let reason = error.to_string();
                if reason == TOO_SHORT {
                    PrivateKeyError::Short
                } else {
                    PrivateKeyError::Unreadable { reason }
                }
            })
    }

    /// Tells whether a passphrase is needed before it can sign.
    pub fn is_encrypted(&self) -> bool {
        self.0.is_encrypted()
    }

    /// Opens an encrypted key.
    ///
    /// # Errors
    /// When this is not its passphrase.
    pub fn decrypt(&self, passphrase: &str) -> Result<Self, PrivateKeyError> {
        self.0
            .decrypt(passphrase)
            .map(Self)
            .map_err(|_| PrivateKeyError::Passphrase)
    }

    /// The public half. An encrypted key has it in the clear.
    ///
    /// # Errors
    /// When it is a key that nobody would accept.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        PublicKey::new(self.0.public_key().key_data().clone(), self.0.comment())
    }

    /// Signs a payload: the block that `ssh-keygen -Y sign -n docket-operation` makes.
    ///
    /// # Errors
    /// When the key is encrypted, in another device, or of a kind that nobody would accept.
    pub fn sign(&self, payload: &str) -> Result<String, PrivateKeyError> {
        if self.is_encrypted() {
            return Err(PrivateKeyError::Encrypted);
        }
        let public = self.public_key()?.data;
        let message = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, payload.as_bytes())
            .map_err(|_| PrivateKeyError::Unsound)?;
        let signature = match self.0.key_data() {
            KeypairData::SkEd25519(_) | KeypairData::SkEcdsaSha2NistP256(_) => {
                return Err(PrivateKeyError::Hardware);
            }
            KeypairData::Rsa(keypair) => rsa::sign(keypair, Hash::Sha512, &message).and_then(|signature| {
                let hash = Some(HashAlg::Sha512);
                Signature::new(Algorithm::Rsa { hash }, signature).ok()
            }),
            data => data.try_sign(&message).ok(),
        };
        signature
            .and_then(|signature| sshsig::block(public, signature).ok())
            .ok_or(PrivateKeyError::Unsound)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.0.fingerprint(HashAlg::Sha256))
    }
}
