//! The block form against the real `ssh-keygen`: what it signs is accepted here, what is signed here it accepts.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use docket_core::operation::Signed;
use docket_core::owner::Owner;
use docket_core::signature::{
    Candidates, Claims, ClaimsError, Form, NAMESPACE, Policy, PrivateKey, PrivateKeyError, PublicKey,
    SignatureError, authorise,
};
use docket_core::time::Timestamp;
use tempfile::TempDir;

#[path = "openssh/hardware.rs"]
mod hardware;

const AUDIENCE: &str = "https://registry.example.org";

/// Every kind of key that `ssh-keygen` can make without a device, with the option that says how long it is.
const KINDS: [(&str, &str); 6] = [
    ("ed25519", "256"),
    ("rsa", "2048"),
    ("rsa", "3072"),
    ("ecdsa", "256"),
    ("ecdsa", "384"),
    ("ecdsa", "521"),
];

fn now() -> Timestamp {
    "2026-08-01T12:00:00.000Z".parse().unwrap()
}

fn payload() -> String {
    let operation = serde_json::json!({"name": "effect", "reason": "ä \"quoted\"", "version": "4.0.0"});
    Claims::new(AUDIENCE, [7; 16], now()).payload(&operation)
}

fn check(payload: &str, signature: &str, candidates: &Candidates) -> Result<Form, SignatureError> {
    let signed = Signed {
        payload: payload.to_owned(),
        signature: signature.to_owned(),
    };
    let policy = Policy {
        audience: AUDIENCE,
        now: now(),
        raw_signatures: false,
    };
    authorise(&signed, candidates, &policy).map(|signer| signer.form)
}

/// A folder with a key that `ssh-keygen` made.
struct Keygen {
    folder: TempDir,
}

impl Keygen {
    /// Makes keys until ssh-key can read one: version 0.6 refuses ECDSA keys whose number is shorter than the longest (see
    /// `PrivateKey::from_openssh`).
    fn readable(kind: &str, bits: &str) -> Self {
        (0..100)
            .map(|_| Self::new(kind, bits))
            .find(|keygen| PrivateKey::from_openssh(&fs::read_to_string(keygen.file("key")).unwrap()).is_ok())
            .expect("three of four P-521 keys can be read, and nearly all others")
    }

    fn new(kind: &str, bits: &str) -> Self {
        Self::with_passphrase(kind, bits, "")
    }

    fn with_passphrase(kind: &str, bits: &str, passphrase: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("ssh-keygen")
            .args([
                "-q",
                "-t",
                kind,
                "-b",
                bits,
                "-N",
                passphrase,
                "-C",
                "me@example.org",
                "-f",
            ])
            .arg(folder.path().join("key"))
            .status()
            .expect("ssh-keygen is installed");
        assert!(made.success());
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn public(&self) -> PublicKey {
        fs::read_to_string(self.file("key.pub")).unwrap().parse().unwrap()
    }

    fn private(&self) -> PrivateKey {
        PrivateKey::from_openssh(&fs::read_to_string(self.file("key")).unwrap()).unwrap()
    }

    fn candidates(&self) -> Candidates {
        Candidates::of_registry(Some(&self.public()))
    }

    /// What `ssh-keygen -Y sign` makes of the payload.
    fn sign(&self, payload: &str, namespace: &str, options: &[&str]) -> String {
        fs::write(self.file("payload"), payload).unwrap();
        let _ = fs::remove_file(self.file("payload.sig"));
        let signed = Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", namespace])
            .args(options)
            .arg("-f")
            .arg(self.file("key"))
            .arg(self.file("payload"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(signed.unwrap().success());
        fs::read_to_string(self.file("payload.sig")).unwrap()
    }
}

/// Whether `ssh-keygen -Y verify` accepts the block as one of this key.
fn openssh_accepts(folder: &Path, public_key_line: &str, payload: &str, block: &str) -> bool {
    fs::write(
        folder.join("allowed"),
        format!("me@example.org {public_key_line}\n"),
    )
    .unwrap();
    fs::write(folder.join("block"), block).unwrap();
    let mut verify = Command::new("ssh-keygen")
        .args([
            "-q",
            "-Y",
            "verify",
            "-I",
            "me@example.org",
            "-n",
            NAMESPACE,
            "-f",
        ])
        .arg(folder.join("allowed"))
        .arg("-s")
        .arg(folder.join("block"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("ssh-keygen is installed");
    verify
        .stdin
        .take()
        .unwrap()
        .write_all(payload.as_bytes())
        .unwrap();
    verify.wait().unwrap().success()
}

/// The bytes of a block.
fn open(block: &str) -> Vec<u8> {
    let lines: String = block.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(lines).unwrap()
}

/// A block of these bytes, with lines of this length.
fn close(bytes: &[u8], width: usize, newline: &str) -> String {
    let body = STANDARD.encode(bytes);
    let mut lines = vec!["-----BEGIN SSH SIGNATURE-----"];
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(width.min(rest.len()));
        lines.push(line);
        rest = more;
    }
    lines.push("-----END SSH SIGNATURE-----");
    lines.join(newline) + newline
}

#[test]
fn what_ssh_keygen_signs_is_accepted() {
    for (kind, bits) in KINDS {
        let keygen = Keygen::new(kind, bits);
        for options in [&[][..], &["-O", "hashalg=sha256"]] {
            let block = keygen.sign(&payload(), NAMESPACE, options);
            assert_eq!(
                check(&payload(), &block, &keygen.candidates()),
                Ok(Form::Sshsig),
                "{kind} {bits} {options:?}"
            );
        }
    }
}

#[test]
fn what_we_sign_ssh_keygen_accepts() {
    for (kind, bits) in KINDS {
        let keygen = Keygen::readable(kind, bits);
        let block = keygen.private().sign(&payload()).unwrap();
        let line = fs::read_to_string(keygen.file("key.pub")).unwrap();
        let folder = keygen.folder.path();
        assert!(
            openssh_accepts(folder, line.trim(), &payload(), &block),
            "{kind} {bits}"
        );
        assert!(
            !openssh_accepts(folder, line.trim(), "other", &block),
            "{kind} {bits}"
        );
        assert_eq!(
            check(&payload(), &block, &keygen.candidates()),
            Ok(Form::Sshsig),
            "{kind} {bits}"
        );
    }
}

#[test]
fn a_fingerprint_is_the_one_that_ssh_keygen_prints() {
    let keygen = Keygen::new("ed25519", "256");
    let listed = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(keygen.file("key.pub"))
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(
        listed.split(' ').nth(1),
        Some(keygen.public().fingerprint().as_str())
    );
    assert_eq!(keygen.private().public_key(), Ok(keygen.public()));
    assert_eq!(keygen.public().comment(), Some("me@example.org"));
}

/// `ssh-keygen` reads the keys that we make, and asks for their passphrase.
#[test]
fn a_key_that_is_made_here_is_one_for_ssh_keygen_too() {
    let folder = tempfile::tempdir().unwrap();
    let key = PrivateKey::ed25519(&[7; 32], "me@example.org").unwrap();
    let encrypted = key.encrypt("sesame", [1; 16], [2; 4]).unwrap();
    assert!(encrypted.is_encrypted() && encrypted.encrypt("sesame", [1; 16], [2; 4]).is_err());
    assert_eq!(
        encrypted.decrypt("sesame").unwrap().public_key(),
        key.public_key()
    );
    for (name, key, passphrase) in [("plain", &key, ""), ("encrypted", &encrypted, "sesame")] {
        let file = folder.path().join(name);
        std::fs::write(&file, key.to_openssh().unwrap()).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let read = |passphrase: &str| {
            let mut keygen = Command::new("ssh-keygen");
            keygen
                .args(["-y", "-P", passphrase, "-f"])
                .arg(&file)
                .output()
                .unwrap()
        };
        let public = String::from_utf8(read(passphrase).stdout).unwrap();
        assert_eq!(
            public.parse::<PublicKey>().unwrap(),
            PrivateKey::ed25519(&[7; 32], "").unwrap().public_key().unwrap(),
            "{name}"
        );
        assert_eq!(read("barley").status.success(), name == "plain");
    }
    assert!(PrivateKey::ed25519(&[7; 32], "me\nssh-rsa AAAA").is_err());
}

#[test]
fn a_key_is_an_owner_as_manifests_name_it() {
    for (kind, bits) in KINDS {
        let key = Keygen::new(kind, bits).public();
        let owner = Owner::from(&key);
        assert_eq!(owner.id.as_deref(), Some("me@example.org"));
        assert_eq!(owner.keytype, key.kind());
        assert_eq!(PublicKey::try_from(&owner), Ok(key));
    }
}

#[test]
fn a_block_over_another_text_is_refused() {
    for (kind, bits) in KINDS {
        let keygen = Keygen::new(kind, bits);
        let block = keygen.sign(&payload(), NAMESPACE, &[]);
        for other in [
            payload() + " ",
            payload().replace("4.0.0", "4.0.1"),
            String::new(),
        ] {
            assert_eq!(
                check(&other, &block, &keygen.candidates()),
                Err(SignatureError::DoesNotFit {
                    fingerprint: keygen.public().fingerprint()
                }),
                "{kind} {bits}"
            );
        }
    }
}

#[test]
fn a_block_of_a_key_that_may_not_sign_is_refused_by_its_fingerprint() {
    let (keygen, stranger) = (Keygen::new("ed25519", "256"), Keygen::new("ed25519", "256"));
    let block = stranger.sign(&payload(), NAMESPACE, &[]);
    assert_eq!(
        check(&payload(), &block, &keygen.candidates()),
        Err(SignatureError::UnknownKey {
            fingerprint: stranger.public().fingerprint()
        })
    );
    // The stranger's signature with the owner's key in front of it.
    let (mut bytes, key_at) = (open(&block), b"SSHSIG".len() + 4);
    let owners = open(&keygen.sign(&payload(), NAMESPACE, &[]));
    let key_end = key_at + 4 + 51;
    bytes[key_at..key_end].copy_from_slice(&owners[key_at..key_end]);
    assert_eq!(
        check(&payload(), &close(&bytes, 70, "\n"), &keygen.candidates()),
        Err(SignatureError::DoesNotFit {
            fingerprint: keygen.public().fingerprint()
        })
    );
}

#[test]
fn a_block_made_for_something_else_is_refused() {
    let keygen = Keygen::new("ed25519", "256");
    for namespace in ["file", "git", "docket-operation2", "docket"] {
        let block = keygen.sign(&payload(), namespace, &[]);
        let error = check(&payload(), &block, &keygen.candidates()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("sign again with `-n docket-operation`")
        );
        let found = namespace.to_owned();
        assert_eq!(error, SignatureError::Namespace { found });
    }
    let block = keygen.sign(&payload(), &"x\n".repeat(500), &[]);
    let found = "x\u{fffd}".repeat(50);
    assert_eq!(
        check(&payload(), &block, &keygen.candidates()),
        Err(SignatureError::Namespace { found })
    );
}

#[test]
fn a_block_may_be_wrapped_and_indented_in_any_way() {
    let keygen = Keygen::new("rsa", "2048");
    let block = keygen.sign(&payload(), NAMESPACE, &[]);
    let bytes = open(&block);
    for text in [
        close(&bytes, 64, "\n"),
        close(&bytes, 76, "\r\n"),
        close(&bytes, 100_000, "\n"),
        close(&bytes, 70, "\n    "),
        format!("\n  {block}\n\n"),
        block.trim().to_owned(),
    ] {
        assert_eq!(
            check(&payload(), &text, &keygen.candidates()),
            Ok(Form::Sshsig),
            "{text}"
        );
    }
}

#[test]
fn a_damaged_block_is_refused() {
    let keygen = Keygen::new("ed25519", "256");
    let block = keygen.sign(&payload(), NAMESPACE, &[]);
    let bytes = open(&block);
    for index in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[index] ^= 1 << (index % 8);
        let text = close(&flipped, 70, "\n");
        assert!(
            check(&payload(), &text, &keygen.candidates()).is_err(),
            "byte {index}"
        );
    }
    let short = close(&bytes[..bytes.len() - 1], 70, "\n");
    let long = close(&[&bytes[..], &[0]].concat(), 70, "\n");
    let without_end = block.replace("-----END SSH SIGNATURE-----", "");
    let twice = format!("{block}{block}");
    let behind = format!("{block}x");
    let header = block.replacen('\n', "\nComment: x\n\n", 1);
    let empty = close(&[], 70, "\n");
    for text in [short, long, without_end, twice, behind, header, empty] {
        let result = check(&payload(), &text, &keygen.candidates());
        assert!(
            matches!(result, Err(SignatureError::Malformed { .. })),
            "{text}: {result:?}"
        );
    }
}

#[test]
fn a_block_never_holds_a_sha_1_signature() {
    let keygen = Keygen::new("rsa", "2048");
    let bytes = open(&keygen.sign(&payload(), NAMESPACE, &[]));
    let name = b"\0\0\0\x0crsa-sha2-512";
    let at = bytes
        .windows(name.len())
        .position(|window| window == name)
        .unwrap();
    let mut renamed = bytes.clone();
    renamed.splice(at..at + name.len(), *b"\0\0\0\x07ssh-rsa");
    // The signature stands in a string of its own, now five bytes shorter.
    renamed[at - 1] -= 5;
    let result = check(&payload(), &close(&renamed, 70, "\n"), &keygen.candidates());
    assert!(
        matches!(result, Err(SignatureError::Malformed { .. })),
        "{result:?}"
    );
    let mut other_hash = bytes;
    other_hash[at + 4..at + name.len()].copy_from_slice(b"rsa-sha2-256");
    let result = check(&payload(), &close(&other_hash, 70, "\n"), &keygen.candidates());
    assert!(
        matches!(result, Err(SignatureError::DoesNotFit { .. })),
        "{result:?}"
    );
}

#[test]
fn a_block_of_a_short_rsa_key_is_refused() {
    let (short, keygen) = (Keygen::new("rsa", "1024"), Keygen::new("ed25519", "256"));
    let block = short.sign(&payload(), NAMESPACE, &[]);
    let error = check(&payload(), &block, &keygen.candidates()).unwrap_err();
    assert!(error.to_string().contains("1024 bits"), "{error}");
    assert!(short.private().sign(&payload()).is_err());
}

#[test]
fn the_signed_text_is_strict_json_with_claims_that_hold() {
    let keygen = Keygen::new("ed25519", "256");
    let key = keygen.private();
    let signed = |payload: &str| check(payload, &key.sign(payload).unwrap(), &keygen.candidates());
    assert_eq!(signed(&payload()), Ok(Form::Sshsig));
    for ambiguous in [
        payload().replacen('{', r#"{"name":"prelude","#, 1),
        payload().replacen('{', r#"{"more":{"a":1,"a":2},"#, 1),
        payload() + "{}",
        payload() + "x",
        "hello".to_owned(),
        String::new(),
    ] {
        let result = signed(&ambiguous);
        assert!(
            matches!(result, Err(SignatureError::Payload(_))),
            "{ambiguous}: {result:?}"
        );
    }
    for missing in [r#"{"name":"effect"}"#, "[]", "null"] {
        let result = signed(missing);
        assert!(
            matches!(result, Err(SignatureError::Claims(ClaimsError::Missing(_)))),
            "{missing}: {result:?}"
        );
    }
    let elsewhere = Claims::new("https://other.example.org", [7; 16], now()).payload(&serde_json::json!({}));
    assert!(matches!(
        signed(&elsewhere),
        Err(SignatureError::Claims(ClaimsError::Audience { .. }))
    ));
    let late = Claims::new(AUDIENCE, [7; 16], now().plus_millis(-3_600_000)).payload(&serde_json::json!({}));
    assert!(matches!(
        signed(&late),
        Err(SignatureError::Claims(ClaimsError::Expired { .. }))
    ));
}

#[test]
fn an_encrypted_key_signs_once_its_passphrase_is_known() {
    let keygen = Keygen::with_passphrase("ed25519", "256", "open sesame");
    let key = keygen.private();
    assert!(key.is_encrypted());
    assert_eq!(key.public_key(), Ok(keygen.public()));
    assert_eq!(key.sign(&payload()), Err(PrivateKeyError::Encrypted));
    assert_eq!(
        key.decrypt("open barley").err(),
        Some(PrivateKeyError::Passphrase)
    );
    let block = key.decrypt("open sesame").unwrap().sign(&payload()).unwrap();
    assert_eq!(check(&payload(), &block, &keygen.candidates()), Ok(Form::Sshsig));
}

#[test]
fn a_private_key_shows_nothing_but_its_fingerprint() {
    let keygen = Keygen::new("ed25519", "256");
    assert_eq!(
        format!("{:?}", keygen.private()),
        format!("PrivateKey({})", keygen.public().fingerprint())
    );
    let public = PrivateKey::from_openssh(&fs::read_to_string(keygen.file("key.pub")).unwrap());
    assert!(matches!(public, Err(PrivateKeyError::Unreadable { .. })));
}
