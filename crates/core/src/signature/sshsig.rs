//! The form of `ssh-keygen -Y sign`: a block that says with which key and for what it was made (OpenSSH, PROTOCOL.sshsig).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Verifier;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, Signature, SshSig};

use super::rsa::{self, Hash};
use super::{Candidates, Form, PublicKey, SignatureError, Signer};
use crate::operation::Signed;

/// What a signature over an operation is made for. A block with another namespace was made for something else, and
/// cannot be passed off as one.
pub const NAMESPACE: &str = "docket-operation";

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// How a block starts: what it is, and version 1.
const PREAMBLE: &[u8] = b"SSHSIG\0\0\0\x01";

/// The bit of a hardware key's signature that says: somebody touched it.
const USER_PRESENT: u8 = 0x01;

/// The bytes behind a hardware key's signature: one of flags, four of a counter.
const HARDWARE_TRAILER: usize = 5;

/// Tells whether a signature is written in this form.
pub(super) fn is_block(signature: &str) -> bool {
    signature.trim_start().starts_with(BEGIN)
}

/// Finds the candidate who made the block, and checks that it did.
pub(super) fn verify<'a>(signed: &Signed, candidates: &'a Candidates) -> Result<Signer<'a>, SignatureError> {
    let malformed = |reason: String| SignatureError::Malformed { reason };
    let block = Block::read(&signed.signature).map_err(malformed)?;
    if block.namespace != NAMESPACE {
        return Err(SignatureError::Namespace {
            found: block.namespace,
        });
    }
    let key = block.key;
    let Some(candidate) = candidates.usable().iter().find(|candidate| candidate.key == key) else {
        return Err(candidates.none_matches(Some(&key)));
    };
    let message = SshSig::signed_data(NAMESPACE, block.hash, signed.payload.as_bytes())
        .map_err(|error| malformed(error.to_string()))?;
    if !fits(&key, &message, &block.signature) {
        return Err(SignatureError::DoesNotFit {
            fingerprint: key.fingerprint(),
        });
    }
    if !touched(&key, &block.signature) {
        return Err(SignatureError::NotTouched);
    }
    Ok(Signer {
        candidate,
        form: Form::Sshsig,
    })
}

fn fits(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    match (&key.data, signature.algorithm()) {
        (KeyData::Rsa(rsa), Algorithm::Rsa { hash: Some(hash) }) => {
            let hash = match hash {
                HashAlg::Sha256 => Hash::Sha256,
                HashAlg::Sha512 => Hash::Sha512,
                _ => return false,
            };
            rsa::PublicKey::new(rsa).is_ok_and(|rsa| rsa.fits(hash, message, signature.as_bytes()))
        }
        (data, algorithm) => algorithm == data.algorithm() && data.verify(message, signature).is_ok(),
    }
}

/// Tells whether somebody was there: a key on disk is unlocked by its holder, a hardware key is touched.
fn touched(key: &PublicKey, signature: &Signature) -> bool {
    let flags = signature.as_bytes().iter().rev().nth(HARDWARE_TRAILER - 1);
    !key.is_hardware() || flags.is_some_and(|flags| flags & USER_PRESENT != 0)
}

/// What a block says.
struct Block {
    key: PublicKey,
    namespace: String,
    hash: HashAlg,
    signature: Signature,
}

impl Block {
    /// Reads a block, or says what is wrong with it.
    ///
    /// Not with the reader of ssh-key 0.6: that takes only lines of OpenSSH's own length, where other tools break them
    /// elsewhere, and strings that claim to be longer than they are.
    fn read(text: &str) -> Result<Self, String> {
        let body = text
            .trim()
            .strip_prefix(BEGIN)
            .and_then(|rest| rest.strip_suffix(END))
            .ok_or_else(|| format!("it does not end with the line `{END}`"))?;
        let body: String = body.split_ascii_whitespace().collect();
        let bytes = STANDARD.decode(body).map_err(|error| error.to_string())?;
        let rest = bytes
            .strip_prefix(PREAMBLE)
            .ok_or("it is not an SSH signature of version 1")?;
        let ([key, namespace, _reserved, hash, signature], []) = strings(rest).ok_or("it is cut off")? else {
            return Err("something follows it".to_owned());
        };
        let read = ssh_key::PublicKey::from_bytes(key).map_err(|error| format!("its key: {error}"))?;
        if read.to_bytes().ok().as_deref() != Some(key) {
            return Err("its key is written in an unusual way".to_owned());
        }
        Ok(Self {
            key: PublicKey::new(read.key_data().clone(), "").map_err(|error| error.to_string())?,
            namespace: super::shown(&String::from_utf8_lossy(namespace)),
            hash: match hash {
                b"sha256" => HashAlg::Sha256,
                b"sha512" => HashAlg::Sha512,
                _ => return Err("its hash algorithm is neither sha256 nor sha512".to_owned()),
            },
            signature: read_signature(signature)?,
        })
    }
}

fn read_signature(bytes: &[u8]) -> Result<Signature, String> {
    let ([algorithm, data], trailer) = strings(bytes).ok_or("its signature is cut off")?;
    let algorithm = str::from_utf8(algorithm)
        .ok()
        .and_then(|name| Algorithm::new(name).ok())
        .ok_or("its signature is of an unknown kind")?;
    let hardware = matches!(algorithm, Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256);
    if trailer.len() != if hardware { HARDWARE_TRAILER } else { 0 } {
        return Err("its signature has another length".to_owned());
    }
    Signature::new(algorithm, [data, trailer].concat()).map_err(|error| format!("its signature: {error}"))
}

/// The next strings of the SSH wire format, each behind its length, and what follows them.
fn strings<const N: usize>(bytes: &[u8]) -> Option<([&[u8]; N], &[u8])> {
    let mut rest = bytes;
    let mut found = [&[][..]; N];
    for string in &mut found {
        let (length, more) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        (*string, rest) = more.split_at_checked(length)?;
    }
    Some((found, rest))
}

/// Writes a block as OpenSSH does.
pub(super) fn block(key: KeyData, signature: Signature) -> Result<String, ssh_key::Error> {
    SshSig::new(key, NAMESPACE, HashAlg::Sha512, signature)?.to_pem(LineEnding::LF)
}
