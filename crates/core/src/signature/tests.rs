//! The raw form against the vectors of the registry specification, and everything that is nearly one of them.
//!
//! What needs a real `ssh-keygen` is in `tests/openssh.rs`.

use p256::ecdsa::signature::Signer as _;

use super::*;

/// A payload with its signature (registry spec, section 4.1).
struct Vector {
    payload: &'static str,
    key: &'static str,
    signature: &'static str,
}

const TRANSFER: Vector = Vector {
    payload: r#"{"name":"demo","newLocation":{"githubOwner":"lab","githubRepo":"purescript-demo"}}"#,
    key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHSHS7cso+UhBFkjlgnkCDiCvliCQiLoaSMB3G4zn4s",
    signature: "1d69c407219cda02591ee2d37cf4ed89768a457999258627dbb9c35c1ce46fba895a815294c8541e8f7ee2717e97c61a152aefa4d95f99f6a96235529ee18407",
};
const ED25519: Vector = Vector {
    payload: r#"hello"#,
    key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAB4jn4elJgagOaQz/2/ObYpM6PsVhAFaNw1msZDkuVL",
    signature: "0b4eb73f3a99b8c2dbd9080856b93d15513e90d604c8fc0f522749760c96616afe7dbe1a6cacfea023cbee1760c3a4986c5e6027447ff6ae96a12a4d454fda06",
};
const P256: Vector = Vector {
    payload: r#"hello"#,
    key: "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBJnUcNi0gyrkSF5Sfs+g9gNcTgsZP99uDHNCxbetqsjAvHVwMyn8IhJ5F1BDHTjc+HnY5lMJFwfLPSBVZIMepr8=",
    signature: "304402204ab428477ab0b42f2f43e093e5bcf7f8ecb30ccb1a3eafb1cea1bf0548187c1a02207969535ca6fe2ec811da47b72b80f952517c1cc5473760bc470f789884f5de60",
};
const P521: Vector = Vector {
    payload: r#"hello"#,
    key: "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAF9buecek7h1A8JMOqh2PHr48uA8GNCH+GPt4E8TUjhweWcmdXV7nBcri3nfQqQlQwSxhJgb8Ft5AyuvAtn6M4PAwFeJ9xGyGnZBpCT7H+kjorxN7NDU0GBuOjK8Q3HBNyhlEPPNA+kE4R6xNnaDL0B29w32IVNcwgDpAtUyqgAbfKgOw==",
    signature: "3081880242015a4156398319f4be00f2e9a7981fe950684483295eb31ebb7084894a1d3abf8bacf5252b4b37721611d64c6af6fbbff940d0e4679ebf5e3328a8e92e8bc848ccb10242009e13098f214fb71d119f054fec234005bd7d612a47e3129c91e1fef8fe11ed335af733f95533c10c6440fd9ec1d9c373d7c4b47e3dd80ffd5ed2b01a6d3361d64f",
};
const RSA_SHA1: Vector = Vector {
    payload: r#"hello"#,
    key: "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCWMgd0zHW9exSc65HJ2cugRnpbucgpSU7nOF3Sl81qGTlamcbPW/mmngSKYHUGcIqTUJy3XsPgakgnby+6cymGXNhVtJS6WAn37K48M5KVuawmQacd5gp47dCg1h3jIqE8xoupZ7pe5j/RK9hhhNbQoxsSqAa5ce1/pf+eY6sGywS9k0PTbQ8RkPJ2FqH2uNzrSKn9QoKAV2N0Nw6J327HDo3BSteD05ACZsA1eNH6NKlLgmWbY6vVuRBlzO6+gmo7M3BE3Q6J/N57kuLfeq6HZ68KRO1yp5wfODQd1G6S5/WtB27TVT/ytDvcxTh+jlsSBwl8zfqfFxOer0QJWSot",
    signature: "611d4a56caf4196d690469006ea48395c7420ca3a70bc35b5b5532049ef30489e9b05e6a00f5b35262e356f19bab08b4d0ffbaf1dc771acb2825d43c960a6d3a229e86ed765987ab9b0ae7ab48c223ac170b73577b574177a2bfb192235c9e6d285f15e61409fc6b9eed0cb68289e7f93fd63a80f737d79120ece09a2e09aa660675f2044a85c788de31fd7533d399ce0cc9291ff20e0f22e5d10cbd7b86d0d8bc1e71b8e89fd11c269cb7c10f1b79f7cac2c2e12b8bcf43604ca66fd99d6a95dbb86d13cdf7d5890c8847b237ff85f729cbbac5996f9f3ddc0e35e6b4ad46c73b12a6b92fdcb97f4334c51e9455f14bb47d98344b186be0677ddcc93909a34b",
};

const VECTORS: [&Vector; 5] = [&TRANSFER, &ED25519, &P256, &P521, &RSA_SHA1];

impl Vector {
    fn key(&self) -> PublicKey {
        self.key.parse().unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        hex::decode(self.signature).unwrap()
    }

    /// Whether the key accepts other bytes over the same payload.
    fn accepts(&self, signature: &[u8]) -> bool {
        raw::fits(&self.key(), self.payload.as_bytes(), signature)
    }
}

const POLICY: Policy<'_> = Policy {
    audience: "https://registry.example.org",
    now: Timestamp::MAX,
    raw_signatures: true,
};

fn signed(payload: &str, signature: &str) -> Signed {
    Signed {
        payload: payload.to_owned(),
        signature: signature.to_owned(),
    }
}

fn owner(line: &str, id: &str) -> Owner {
    let (keytype, public) = line.split_once(' ').unwrap();
    Owner {
        id: Some(id.to_owned()),
        keytype: keytype.to_owned(),
        public: public.to_owned(),
    }
}

fn owners(vectors: &[&Vector]) -> Candidates {
    let owners: Vec<Owner> = vectors.iter().map(|vector| owner(vector.key, "me")).collect();
    Candidates::of_package(None, &owners)
}

/// A P-256 key with the vector-like line of its public half.
fn p256_key() -> (p256::ecdsa::SigningKey, PublicKey) {
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let data = ssh_key::public::EcdsaPublicKey::from(key.verifying_key());
    (key, PublicKey::new(data.into(), "").unwrap())
}

/// An RSA public key of this length; nobody has its private half.
fn rsa_line(bits: usize) -> String {
    let mut n = vec![0xff; bits.div_ceil(8)];
    n[0] >>= (8 - bits % 8) % 8;
    let key = ssh_key::public::RsaPublicKey {
        e: ssh_key::Mpint::from_positive_bytes(&[1, 0, 1]).unwrap(),
        n: ssh_key::Mpint::from_positive_bytes(&n).unwrap(),
    };
    ssh_key::PublicKey::from(ssh_key::public::KeyData::from(key))
        .to_openssh()
        .unwrap()
}

#[test]
fn the_signatures_of_released_clients_are_accepted() {
    for vector in VECTORS {
        for hex in [vector.signature.to_owned(), vector.signature.to_uppercase()] {
            let candidates = owners(&[vector]);
            let signer = authorise(&signed(vector.payload, &hex), &candidates, &POLICY).unwrap();
            assert_eq!(signer.form, Form::Raw);
            assert_eq!(signer.candidate.role, Role::Owner);
            assert_eq!(signer.candidate.name.as_deref(), Some("me"));
        }
    }
}

#[test]
fn the_signer_is_found_among_many_candidates() {
    let candidates = owners(&VECTORS[1..]);
    for vector in &VECTORS[1..] {
        let signed = signed(vector.payload, vector.signature);
        let signer = authorise(&signed, &candidates, &POLICY).unwrap();
        assert_eq!(signer.candidate.key, vector.key());
    }
}

#[test]
fn another_payload_or_another_key_is_refused() {
    for vector in VECTORS {
        for payload in ["", "hell", "hello ", "hello\n", "Hello"] {
            let candidates = owners(&[vector]);
            let result = authorise(&signed(payload, vector.signature), &candidates, &POLICY);
            assert_eq!(result, Err(SignatureError::NoneMatches), "{payload}");
        }
        let others: Vec<&Vector> = VECTORS
            .into_iter()
            .filter(|other| other.key != vector.key)
            .collect();
        let candidates = owners(&others);
        let result = authorise(&signed(vector.payload, vector.signature), &candidates, &POLICY);
        assert_eq!(result, Err(SignatureError::NoneMatches));
    }
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    for vector in VECTORS {
        let bytes = vector.bytes();
        assert!(vector.accepts(&bytes));
        for index in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[index] ^= 1 << (index % 8);
            assert!(!vector.accepts(&flipped), "{} byte {index}", vector.key().kind());
        }
    }
}

#[test]
fn a_signature_has_exactly_its_bytes() {
    for vector in VECTORS {
        let bytes = vector.bytes();
        for length in 0..bytes.len() {
            assert!(!vector.accepts(&bytes[..length]), "{length}");
        }
        assert!(!vector.accepts(&bytes[1..]));
        for more in [&[0][..], &[1], &[0; 64]] {
            assert!(!vector.accepts(&[&bytes, more].concat()));
            assert!(!vector.accepts(&[more, &bytes].concat()));
        }
    }
}

#[test]
fn text_that_is_not_hexadecimal_is_refused_with_a_reason() {
    let candidates = owners(&[&ED25519]);
    for (signature, reason) in [
        ("", "empty"),
        ("0b4", "Odd number of digits"),
        ("0b4g", "Invalid character"),
        (" 0b4e", "Odd number of digits"),
        ("0b 4e0", "Invalid character"),
        ("0x0b4e", "Invalid character"),
        ("sha256-xyz=", "Odd number of digits"),
        ("-----BEGIN PGP SIGNATURE-----\n", "Invalid character"),
    ] {
        let error = authorise(&signed("hello", signature), &candidates, &POLICY).unwrap_err();
        assert!(matches!(error, SignatureError::Malformed { .. }), "{signature}");
        let error = error.to_string();
        assert!(
            error.contains(reason) && error.contains("ssh-keygen -Y sign"),
            "{error}"
        );
    }
}

#[test]
fn ecdsa_accepts_both_halves_of_the_range_and_no_zero() {
    let (signing, key) = p256_key();
    let signature: p256::ecdsa::Signature = signing.sign(b"hello");
    let (r, s) = signature.split_scalars();
    let twin = p256::ecdsa::Signature::from_scalars(*r, -*s).unwrap();
    assert_ne!(signature, twin);
    for signature in [signature, twin] {
        assert!(raw::fits(&key, b"hello", signature.to_der().as_bytes()));
    }
    for zero in ["3006020100020100", "3006020100020101", "3006020101020100"] {
        assert!(!raw::fits(&key, b"hello", &hex::decode(zero).unwrap()), "{zero}");
    }
}

#[test]
fn ecdsa_signatures_have_one_way_of_writing() {
    let (signing, key) = p256_key();
    // A signature whose numbers both have their highest bit clear, so that each has 32 bytes or fewer.
    let (message, der) = (0_u8..)
        .map(|seed| {
            let signature: p256::ecdsa::Signature = signing.sign(&[seed]);
            ([seed], signature.to_der().as_bytes().to_vec())
        })
        .find(|(_, der)| der.len() == 70 && der[4] != 0 && der[38] != 0)
        .unwrap();
    assert!(raw::fits(&key, &message, &der));
    let (r, s) = (&der[4..36], &der[38..70]);
    let short =
        |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()][..], content].concat();
    let padded = short(0x30, &[short(2, &[&[0], r].concat()), short(2, s)].concat());
    let inside = short(0x30, &[short(2, r), short(2, s), vec![5, 0]].concat());
    let long = [&[0x30, 0x81, 68][..], &der[2..]].concat();
    let indefinite = [&[0x30, 0x80][..], &der[2..], &[0, 0]].concat();
    let set = [&[0x31][..], &der[1..]].concat();
    let bare = [r, s].concat();
    for bytes in [padded, inside, long, indefinite, set, bare] {
        assert!(!raw::fits(&key, &message, &bytes), "{}", hex::encode(bytes));
    }
}

#[test]
fn p384_signs_with_sha_384() {
    let signing = p384::ecdsa::SigningKey::from_slice(&[7; 48]).unwrap();
    let data = ssh_key::public::EcdsaPublicKey::from(signing.verifying_key());
    let key = PublicKey::new(data.into(), "").unwrap();
    assert_eq!(key.kind(), "ecdsa-sha2-nistp384");
    let signature: p384::ecdsa::Signature = signing.sign(b"hello");
    assert!(raw::fits(&key, b"hello", signature.to_der().as_bytes()));
    assert!(!raw::fits(&key, b"hallo", signature.to_der().as_bytes()));
}

#[test]
fn rsa_keys_have_2048_to_8192_bits() {
    for (bits, accepted) in [
        (1024, false),
        (2047, false),
        (2048, true),
        (8192, true),
        (8193, false),
    ] {
        let key = rsa_line(bits).parse::<PublicKey>();
        assert_eq!(key.is_ok(), accepted, "{bits}");
        if !accepted {
            assert_eq!(key, Err(KeyError::RsaBits { bits }));
        }
    }
}

#[test]
fn a_broken_owner_is_skipped_and_hinders_nobody() {
    let point = "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    // The neutral element: one signature fits every message.
    let weak = "AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let (_, p256) = P256.key.split_once(' ').unwrap();
    let broken = [
        (
            "ssh-ed25519",
            "AAAAC3NzaC1lZDI1NTE5".to_owned(),
            "not an OpenSSH public key",
        ),
        ("ssh-ed25519", String::new(), "empty"),
        ("", p256.to_owned(), "empty"),
        ("ssh-ed25519", p256.to_owned(), "unknown algorithm"),
        ("ecdsa-sha2-nistp256", format!("{p256} more"), "has a blank"),
        (
            "ecdsa-sha2-nistp256",
            p256.replace('=', "*"),
            "not an OpenSSH public key",
        ),
        (
            "ecdsa-sha2-nistp256",
            format!("{p256}AAAA"),
            "not an OpenSSH public key",
        ),
        ("ecdsa-sha2-nistp256", point.to_owned(), "broken"),
        ("ssh-ed25519", weak.to_owned(), "broken"),
        ("ssh-ed25519", "A".repeat(5000), "may have 4096"),
        (
            "ssh-dss",
            "AAAAB3NzaC1kc3MAAAABAwAAAAEDAAAAAQMAAAABAw==".to_owned(),
            "`ssh-dss` are not accepted",
        ),
    ];
    let mut list: Vec<Owner> = broken
        .iter()
        .map(|(keytype, public, _)| Owner {
            id: Some("broken@example.org".to_owned()),
            keytype: (*keytype).to_owned(),
            public: public.clone(),
        })
        .collect();
    list.push(owner(P521.key, "sound@example.org"));
    let candidates = Candidates::of_package(None, &list);
    assert_eq!(candidates.usable().len(), 1);
    assert_eq!(candidates.skipped().len(), broken.len());
    for (skipped, (_, _, reason)) in candidates.skipped().iter().zip(&broken) {
        let text = skipped.to_string();
        assert!(
            text.starts_with("the key of the owner broken@example.org") && text.contains(reason),
            "{text}: {reason}"
        );
    }
    let signed = signed(P521.payload, P521.signature);
    let signer = authorise(&signed, &candidates, &POLICY).unwrap();
    assert_eq!(signer.candidate.name.as_deref(), Some("sound@example.org"));
}

#[test]
fn the_bot_acts_for_every_package_and_for_the_registry() {
    let bot: PublicKey = format!("{} bot", ED25519.key).parse().unwrap();
    let signed = signed(ED25519.payload, ED25519.signature);
    for candidates in [
        Candidates::of_package(Some(&bot), &[]),
        Candidates::of_package(Some(&bot), &[owner(ED25519.key, "the same key")]),
        Candidates::of_registry(Some(&bot)),
    ] {
        let signer = authorise(&signed, &candidates, &POLICY).unwrap();
        assert_eq!(signer.candidate.role, Role::Bot);
        assert_eq!(signer.candidate.name.as_deref(), Some("bot"));
    }
}

#[test]
fn the_refusal_says_whose_turn_it_is() {
    let bot = ED25519.key();
    let broken = Owner {
        id: None,
        keytype: "ssh-ed25519".to_owned(),
        public: "AAAA".to_owned(),
    };
    let unsigned = signed(P256.payload, P256.signature);
    for (candidates, expected) in [
        (Candidates::of_package(Some(&bot), &[]), SignatureError::NoOwners),
        (Candidates::of_package(None, &[]), SignatureError::NoOwners),
        (Candidates::of_package(None, &[broken]), SignatureError::NoOwners),
        (Candidates::of_registry(None), SignatureError::NoCandidates),
        (Candidates::of_registry(Some(&bot)), SignatureError::NoneMatches),
        (owners(&[&P521]), SignatureError::NoneMatches),
    ] {
        assert_eq!(
            authorise(&unsigned, &candidates, &POLICY),
            Err(expected),
            "{candidates:?}"
        );
    }
    assert!(
        SignatureError::NoOwners
            .to_string()
            .contains("publish a version with owners first")
    );
}

#[test]
fn a_registry_can_switch_raw_signatures_off() {
    let policy = Policy {
        raw_signatures: false,
        ..POLICY
    };
    let signed = signed(ED25519.payload, ED25519.signature);
    let candidates = owners(&[&ED25519]);
    assert!(authorise(&signed, &candidates, &POLICY).is_ok());
    assert_eq!(
        authorise(&signed, &candidates, &policy),
        Err(SignatureError::RawSwitchedOff)
    );
}

/// A client of its own making that writes claims means them.
#[test]
fn a_raw_payload_that_names_claims_is_held_to_them() {
    let (signing, key) = p256_key();
    let candidates = Candidates::of_registry(Some(&key));
    let now: Timestamp = "2026-08-01T12:00:00.000Z".parse().unwrap();
    let policy = Policy { now, ..POLICY };
    let check = |payload: &str| {
        let signature: p256::ecdsa::Signature = signing.sign(payload.as_bytes());
        let signed = signed(payload, &hex::encode(signature.to_der()));
        authorise(&signed, &candidates, &policy).map(|signer| signer.form)
    };
    let payload = Claims::new(policy.audience, [1; 16], now).payload(&serde_json::json!({"name": "a"}));
    assert_eq!(check(&payload), Ok(Form::Raw));
    let payload = Claims::new("https://other.example.org", [1; 16], now).payload(&serde_json::json!({}));
    assert!(matches!(
        check(&payload),
        Err(SignatureError::Claims(ClaimsError::Audience { .. }))
    ));
    assert!(matches!(
        check(r#"{"nonce":null}"#),
        Err(SignatureError::Claims(ClaimsError::Missing(_)))
    ));
    assert_eq!(check(r#"{"name":"a"}"#), Ok(Form::Raw));
}

#[test]
fn texts_that_are_too_long_are_refused_before_they_are_read() {
    let (signing, key) = p256_key();
    let candidates = Candidates::of_registry(Some(&key));
    let check = |payload: &str, signature: &str| {
        authorise(&signed(payload, signature), &candidates, &POLICY).map(|signer| signer.form)
    };
    let longest = "x".repeat(MAX_PAYLOAD_BYTES);
    let signature: p256::ecdsa::Signature = signing.sign(longest.as_bytes());
    let signature = hex::encode(signature.to_der());
    assert_eq!(check(&longest, &signature), Ok(Form::Raw));
    assert!(matches!(
        check(&(longest + "x"), &signature),
        Err(SignatureError::TooLong { part: "payload", .. })
    ));
    let longest = "0".repeat(MAX_SIGNATURE_BYTES);
    assert_eq!(check("hello", &longest), Err(SignatureError::NoneMatches));
    assert_eq!(
        check("hello", &(longest + "0")),
        Err(SignatureError::TooLong {
            part: "signature",
            bytes: MAX_SIGNATURE_BYTES + 1,
            limit: MAX_SIGNATURE_BYTES,
        })
    );
}
