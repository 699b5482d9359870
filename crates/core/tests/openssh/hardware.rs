//! Hardware keys, by a stand-in that signs in software what a device would sign (OpenSSH, PROTOCOL.u2f). `ssh-keygen
//! -Y verify` vouches for the stand-in.

use docket_core::signature::{Candidates, Form, NAMESPACE, PublicKey, SignatureError};
use p256::ecdsa::signature::Signer;
use sha2::{Digest, Sha256, Sha512};

use super::*;

const APPLICATION: &[u8] = b"ssh:";
const TOUCHED: u8 = 0x01;

/// A stand-in for a device with one key.
enum Device {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

/// A string of the SSH wire format.
fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// A positive number of the SSH wire format.
fn number(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let digits = &bytes[start..];
    let sign: &[u8] = if digits.first().is_some_and(|byte| byte & 0x80 != 0) {
        &[0]
    } else {
        &[]
    };
    string(&[sign, digits].concat())
}

impl Device {
    fn both() -> [Self; 2] {
        [
            Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&[7; 32])),
            Self::P256(p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap()),
        ]
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "sk-ssh-ed25519@openssh.com",
            Self::P256(_) => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    fn public(&self) -> Vec<u8> {
        let key = match self {
            Self::Ed25519(key) => string(key.verifying_key().as_bytes()),
            Self::P256(key) => {
                let point = key.verifying_key().to_encoded_point(false);
                [string(b"nistp256"), string(point.as_bytes())].concat()
            }
        };
        [string(self.kind().as_bytes()), key, string(APPLICATION)].concat()
    }

    fn line(&self) -> String {
        format!("{} {}", self.kind(), STANDARD.encode(self.public()))
    }

    fn candidates(&self) -> Candidates {
        Candidates::of_registry(Some(&self.line().parse::<PublicKey>().unwrap()))
    }

    /// Signs as the device does: not the message, but who asked, what happened, and the message's digest.
    fn sign(&self, payload: &str, flags: u8) -> String {
        let message = [
            &b"SSHSIG"[..],
            &string(NAMESPACE.as_bytes()),
            &string(b""),
            &string(b"sha512"),
            &string(&Sha512::digest(payload)),
        ]
        .concat();
        let trailer = [&[flags][..], &7_u32.to_be_bytes()].concat();
        let data = [
            &Sha256::digest(APPLICATION)[..],
            &trailer,
            &Sha256::digest(&message),
        ]
        .concat();
        let signature = match self {
            Self::Ed25519(key) => string(&key.sign(&data).to_bytes()),
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(&data);
                let (r, s) = signature.split_bytes();
                string(&[number(&r), number(&s)].concat())
            }
        };
        let block = [
            &b"SSHSIG\0\0\0\x01"[..],
            &string(&self.public()),
            &string(NAMESPACE.as_bytes()),
            &string(b""),
            &string(b"sha512"),
            &string(&[string(self.kind().as_bytes()), signature, trailer].concat()),
        ]
        .concat();
        close(&block, 70, "\n")
    }
}

#[test]
fn a_touched_hardware_key_signs() {
    let folder = tempfile::tempdir().unwrap();
    for device in Device::both() {
        let block = device.sign(&payload(), TOUCHED);
        assert!(
            openssh_accepts(folder.path(), &device.line(), &payload(), &block),
            "the stand-in speaks the protocol: {}",
            device.kind()
        );
        assert_eq!(
            check(&payload(), &block, &device.candidates()),
            Ok(Form::Sshsig),
            "{}",
            device.kind()
        );
    }
}

#[test]
fn a_hardware_key_that_nobody_touched_does_not_sign() {
    for device in Device::both() {
        for flags in [0x00, 0x04] {
            assert_eq!(
                check(&payload(), &device.sign(&payload(), flags), &device.candidates()),
                Err(SignatureError::NotTouched),
                "{}",
                device.kind()
            );
        }
    }
}

#[test]
fn a_hardware_signature_over_another_text_or_with_other_flags_is_refused() {
    for device in Device::both() {
        let block = device.sign(&payload(), TOUCHED);
        let doubtful = Err(SignatureError::DoesNotFit {
            fingerprint: device.candidates().usable()[0].key.fingerprint(),
        });
        assert_eq!(check(&(payload() + " "), &block, &device.candidates()), doubtful);
        // An untouched signature whose flags are changed afterwards.
        let mut bytes = open(&device.sign(&payload(), 0));
        let flags = bytes.len() - 5;
        bytes[flags] = TOUCHED;
        assert_eq!(
            check(&payload(), &close(&bytes, 70, "\n"), &device.candidates()),
            doubtful,
            "{}",
            device.kind()
        );
    }
}

#[test]
fn a_hardware_key_has_no_raw_form() {
    for device in Device::both() {
        let signature = match &device {
            Device::Ed25519(key) => key.sign(b"hello").to_bytes().to_vec(),
            Device::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(b"hello");
                signature.to_der().as_bytes().to_vec()
            }
        };
        let signed = Signed {
            payload: "hello".to_owned(),
            signature: signature.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let policy = Policy {
            audience: AUDIENCE,
            now: now(),
            raw_signatures: true,
        };
        assert_eq!(
            authorise(&signed, &device.candidates(), &policy),
            Err(SignatureError::NoneMatches),
            "{}",
            device.kind()
        );
    }
}
