//! The token that a server may ask for: whoever sends it is let in.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use subtle::ConstantTimeEq;
use thiserror::Error;

/// The fewest characters of a token: in base64, as many as 128 random bits need. Shorter ones could be guessed by
/// somebody who has years and tries without a pause.
pub const MIN_TOKEN_CHARS: usize = 22;

/// The most characters of a token: with the rest of a request's head it has to fit into what the servers of the field
/// read, of which the smallest take 8 kB.
pub const MAX_TOKEN_CHARS: usize = 1024;

/// The scheme in the headers `Authorization` and `WWW-Authenticate` (RFC 6750).
pub const BEARER: &str = "Bearer";

/// A token, as it stands behind [`BEARER`]. It never shows itself.
#[derive(Clone)]
pub struct ApiToken(String);

/// A text that is no token. The text is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadToken {
    /// One that could be guessed.
    #[error("it has {0} characters; expected at least {MIN_TOKEN_CHARS}, such as `openssl rand -hex 32` prints")]
    TooShort(usize),
    /// One that servers might not read.
    #[error("it has {0} characters; expected at most {MAX_TOKEN_CHARS}")]
    TooLong(usize),
    /// One that cannot stand in a header.
    #[error(
        "it holds other characters than a header takes; expected letters, digits and - . _ ~ + / only, then any number of ="
    )]
    BadCharacter,
}

impl ApiToken {
    /// Takes a text for a token.
    ///
    /// # Errors
    /// If it is too short or too long, or does not fit into the header.
    pub fn new(text: &str) -> Result<Self, BadToken> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        let chars = text.chars().count();
        if chars > MAX_TOKEN_CHARS {
            Err(BadToken::TooLong(chars))
        } else if chars < MIN_TOKEN_CHARS {
            Err(BadToken::TooShort(chars))
        } else if text.trim_end_matches('=').is_empty() || !text.trim_end_matches('=').chars().all(fits) {
            Err(BadToken::BadCharacter)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// Whether the value of a header `Authorization` presents this token. How long that takes says how long the token
    /// is, and nothing about its characters.
    pub fn is_presented_by(&self, header: &[u8]) -> bool {
        let Some((scheme, rest)) = header.split_at_checked(BEARER.len()) else { return false };
        let Some((b' ', presented)) = rest.split_first() else { return false };
        scheme.eq_ignore_ascii_case(BEARER.as_bytes()) && self.0.as_bytes().ct_eq(presented.trim_ascii()).into()
    }

    /// The value of the header `Authorization` that presents it.
    pub fn authorization(&self) -> String {
        format!("{BEARER} {}", self.0)
    }
}

/// The token that a server wants now: it may be replaced while the server runs. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct CurrentToken(Arc<RwLock<Option<ApiToken>>>);

impl CurrentToken {
    /// This one, or none.
    pub fn new(token: Option<ApiToken>) -> Self {
        Self(Arc::new(RwLock::new(token)))
    }

    /// What is wanted now.
    pub fn get(&self) -> Option<ApiToken> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on, this one is wanted.
    pub fn replace(&self, token: ApiToken) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }
}

impl PartialEq for ApiToken {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for ApiToken {}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken(***)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "0123456789abcdefghijkl";

    fn token() -> ApiToken {
        ApiToken::new(TOKEN).unwrap()
    }

    #[test]
    fn a_token_is_long_enough_and_fit_for_a_header() {
        for text in [TOKEN, "AbC-._~+/0123456789zyx==", &"x".repeat(MAX_TOKEN_CHARS)] {
            assert!(ApiToken::new(text).is_ok(), "{text}");
        }
        assert_eq!(ApiToken::new(""), Err(BadToken::TooShort(0)));
        assert_eq!(ApiToken::new(&TOKEN[1..]), Err(BadToken::TooShort(21)));
        assert_eq!(ApiToken::new(&"x".repeat(MAX_TOKEN_CHARS + 1)), Err(BadToken::TooLong(MAX_TOKEN_CHARS + 1)));
        for odd in [" ", "\n", "=", "\"", "ü", "\0", ","] {
            assert_eq!(ApiToken::new(&format!("{TOKEN}{odd}{TOKEN}")), Err(BadToken::BadCharacter), "{odd:?}");
        }
        assert_eq!(ApiToken::new(&"=".repeat(30)), Err(BadToken::BadCharacter));
    }

    #[test]
    fn what_is_wrong_with_a_token_does_not_repeat_it() {
        for text in ["geheim", "geheim geheim geheim geheim", &"geheim".repeat(200)] {
            let message = ApiToken::new(text).unwrap_err().to_string();
            assert!(!message.contains("geheim"), "{message}");
        }
    }

    #[test]
    fn a_header_presents_it_in_the_words_of_rfc_6750() {
        assert_eq!(token().authorization(), format!("Bearer {TOKEN}"));
        for header in [format!("Bearer {TOKEN}"), format!("bearer {TOKEN}"), format!("BEARER   {TOKEN} ")] {
            assert!(token().is_presented_by(header.as_bytes()), "{header}");
        }
        for header in ["", "Bearer", "Bearer ", TOKEN, &format!("Bearer{TOKEN}"), &format!("Basic {TOKEN}")] {
            assert!(!token().is_presented_by(header.as_bytes()), "{header}");
        }
        for presented in [&TOKEN[..21], &format!("{TOKEN}x"), &TOKEN.to_uppercase(), "0123456789abcdefghijkm"] {
            assert!(!token().is_presented_by(format!("Bearer {presented}").as_bytes()), "{presented}");
        }
    }

    #[test]
    fn a_token_that_is_replaced_is_wanted_by_everybody_who_asks() {
        let current = CurrentToken::new(None);
        let other = current.clone();
        assert_eq!(other.get(), None);
        current.replace(token());
        assert_eq!(other.get(), Some(token()));
        assert!(!format!("{current:?}").contains(TOKEN), "{current:?}");
    }

    #[test]
    fn a_token_does_not_show_itself() {
        assert_eq!(format!("{:?}", token()), "ApiToken(***)");
    }

    proptest! {
        #[test]
        fn only_the_token_itself_is_let_in(token in "[a-zA-Z0-9._~+/-]{22,64}", header: Vec<u8>, other in "[ -~]{0,64}") {
            let token = ApiToken::new(&token).unwrap();
            prop_assert!(token.is_presented_by(token.authorization().as_bytes()));
            prop_assert!(!token.is_presented_by(&header));
            prop_assert_eq!(token.is_presented_by(format!("Bearer {other}").as_bytes()), other.trim() == token.0);
        }
    }
}
