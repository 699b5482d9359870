//! Tokens: text that must reach GitHub and nobody else.

use std::fmt;
use std::str::FromStr;

use docket_core::digest::Sha256;
use http::HeaderValue;

/// Longer than any token that GitHub gives out (a fine-grained one has 93 characters, an installation's up to about 520).
const MAX_BYTES: usize = 1024;

/// A token for GitHub's API. It shows itself to nobody but GitHub: `Debug` prints no part of it, and there is no `Display`.
#[derive(Clone)]
pub struct Token(HeaderValue);

/// Why a text cannot be a token. It does not say what the text was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is nothing.
    #[error("the token is empty")]
    Empty,
    /// More than GitHub ever gives out.
    #[error("the token is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// A line end, a space, a control character or a letter outside ASCII.
    #[error(
        "the token holds a character that no token has: a space, a line end, a control character or a letter outside ASCII"
    )]
    Character,
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(TokenError::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Character);
        }
        let mut value =
            HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| TokenError::Character)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl Token {
    /// Returns the value of the `Authorization` header.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Returns what stands for the token in memory: nobody finds the token from it.
    pub(crate) fn digest(&self) -> Sha256 {
        Sha256::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_could_change_the_request_is_refused() {
        for text in [
            "abc\ndef",
            "abc\r\nHost: x",
            "a b",
            "abc\0",
            "abc\u{7f}",
            "tökén",
            "\t",
        ] {
            assert_eq!(
                text.parse::<Token>().unwrap_err(),
                TokenError::Character,
                "{text:?}"
            );
        }
        assert_eq!("".parse::<Token>().unwrap_err(), TokenError::Empty);
        assert!("t".repeat(1024).parse::<Token>().is_ok());
        assert_eq!(
            "t".repeat(1025).parse::<Token>().unwrap_err(),
            TokenError::TooLong
        );
    }

    #[test]
    fn a_token_is_not_shown() {
        let token: Token = "very-secret".parse().unwrap();
        assert!(!format!("{token:?}").contains("secret"));
        let error = "very secret".parse::<Token>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("very"));
    }
}
