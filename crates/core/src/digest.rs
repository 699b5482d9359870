//! SHA-256 digests.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest as _;

use crate::json::json_string;

const PREFIX: &str = "sha256-";

/// A SHA-256 digest; printed as `sha256-BASE64`, the form of Subresource Integrity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

/// Why a text is not a SHA-256 digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Sha256Error {
    /// Not `sha256-` and the base64 text of 32 bytes.
    #[error("`{text}` is not a SHA-256 digest: expected `sha256-` and 44 characters of base64")]
    Sri {
        /// The refused text.
        text: String,
    },
    /// Not 64 hexadecimal digits.
    #[error("`{text}` is not a SHA-256 digest: expected 64 hexadecimal digits")]
    Hex {
        /// The refused text.
        text: String,
    },
}

impl Sha256 {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Makes a digest from the result of a hasher.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the digest as 64 lower-case hexadecimal digits, which is safe in file names.
    pub fn hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            for nibble in [byte >> 4, byte & 0xf] {
                text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
            }
            text
        })
    }

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// When there are not exactly 64 of them.
    pub fn from_hex(text: &str) -> Result<Self, Sha256Error> {
        let error = || Sha256Error::Hex {
            text: text.chars().take(80).collect(),
        };
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        if text.len() != 64 {
            return Err(error());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
                return Err(error());
            };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

impl FromStr for Sha256 {
    type Err = Sha256Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix(PREFIX)
            .filter(|base64| base64.len() == 44)
            .and_then(|base64| STANDARD.decode(base64).ok())
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| Sha256Error::Sri {
                text: text.chars().take(80).collect(),
            })
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut base64 = [0; 44];
        let length = STANDARD
            .encode_slice(self.0, &mut base64)
            .expect("32 bytes are 44 characters of base64");
        f.write_str(PREFIX)?;
        f.write_str(std::str::from_utf8(&base64[..length]).expect("base64 is ASCII"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

json_string!(Sha256, "a SHA-256 digest such as \"sha256-…=\"");

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    const EMPTY_HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_prints_as_subresource_integrity_and_as_hex() {
        assert_eq!(Sha256::of(b"").to_string(), EMPTY);
        assert_eq!(Sha256::of(b"").hex(), EMPTY_HEX);
        assert_eq!(EMPTY.parse::<Sha256>().unwrap(), Sha256::of(b""));
        assert_eq!(Sha256::from_hex(EMPTY_HEX).unwrap(), Sha256::of(b""));
        assert_eq!(
            Sha256::from_hex(&EMPTY_HEX.to_uppercase()).unwrap(),
            Sha256::of(b"")
        );
    }

    #[test]
    fn anything_but_32_bytes_of_standard_base64_is_refused() {
        for text in [
            "",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "sha512-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
            "sha256-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=",
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=",
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= ",
            "sha256-AAAA",
        ] {
            assert!(text.parse::<Sha256>().is_err(), "{text}");
        }
        for text in ["", "e3b0", &EMPTY_HEX[1..], &format!("{}g", &EMPTY_HEX[1..])] {
            assert!(Sha256::from_hex(text).is_err(), "{text}");
        }
    }
}
