//! Secrets that cannot be logged, compared or serialised by accident.
//!
//! A secret's `Debug` prints `[redacted]`; it has no `Display`, `Serialize`, `PartialEq` or
//! `Deref`. [`SecretString::expose`] is the one way to its text, [`SecretString::ct_eq`] the one
//! comparison. Memory is wiped when the last owner goes.

mod weakness;

use std::fmt;
use std::sync::OnceLock;

use zeroize::Zeroizing;

pub use self::weakness::{guessable, weakness};
use crate::crypto;

/// A text that must not be shown: a password, a client secret, a token.
///
/// ```
/// use portcullis_oauth::SecretString;
///
/// let secret = SecretString::from("hunter2");
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// assert!(secret.ct_eq(b"hunter2"));
/// ```
#[derive(Clone)]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// Takes a text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares without telling by time where the texts differ. Their lengths are no secret.
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        crypto::ct_eq(self.0.as_bytes(), other)
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for SecretString {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for SecretString {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SECURITY: derived `Debug` would print the text; sec_op_01_secrets_do_not_print
        f.write_str("[redacted]")
    }
}

/// Key material.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes key material into custody.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes themselves, for the one place that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Compares without telling by time where the bytes differ. Their lengths are no secret.
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        crypto::ct_eq(&self.0, other)
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SECURITY: derived `Debug` would print the key; sec_op_01_secrets_do_not_print
        f.write_str("[redacted]")
    }
}

macro_rules! secret_kind {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug)]
        pub struct $name(SecretString);

        impl $name {
            /// Takes the text into custody.
            pub fn new(text: impl Into<String>) -> Self {
                Self(SecretString::new(text))
            }

            /// The text itself, for the one place that needs it.
            pub fn expose(&self) -> &str {
                self.0.expose()
            }

            /// Compares without telling by time where the texts differ.
            pub fn ct_eq(&self, other: &[u8]) -> bool {
                self.0.ct_eq(other)
            }
        }

        impl From<SecretString> for $name {
            fn from(secret: SecretString) -> Self {
                Self(secret)
            }
        }
    )+};
}

/// An access token as a client sent it, not verified yet (RFC 6750). [`new`](Self::new) takes any
/// text, [`parse`](Self::parse) what can be a token.
#[derive(Clone)]
pub struct BearerToken {
    text: SecretString,
    digest: OnceLock<[u8; 32]>,
}

impl BearerToken {
    /// Takes the text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        SecretString::new(text).into()
    }

    /// Takes a text into custody that can be a token; see [`is_well_formed`](Self::is_well_formed).
    ///
    /// ```
    /// use portcullis_oauth::BearerToken;
    ///
    /// assert!(BearerToken::parse("a.b-c_d~e+f/==").is_ok());
    /// assert!(BearerToken::parse("two words").is_err());
    /// ```
    ///
    /// # Errors
    /// [`InvalidBearerToken`], which does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, InvalidBearerToken> {
        if !is_b64token(text) {
            return Err(InvalidBearerToken);
        }
        Ok(Self::new(text))
    }

    /// Whether the text is `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
    /// (RFC 6750 section 2.1). Its length is not judged.
    pub fn is_well_formed(&self) -> bool {
        is_b64token(self.expose())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// Compares without telling by time where the texts differ.
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        self.text.ct_eq(other)
    }

    /// SHA-256 of the text, under which a verdict on the token may be remembered. It is computed
    /// once, however many ask.
    pub fn digest(&self) -> &[u8; 32] {
        self.digest
            .get_or_init(|| crypto::sha256(self.expose().as_bytes()))
    }
}

impl From<SecretString> for BearerToken {
    fn from(text: SecretString) -> Self {
        let digest = OnceLock::new();
        Self { text, digest }
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BearerToken").field(&self.text).finish()
    }
}

secret_kind! {
    /// The secret of a confidential client (RFC 6749 section 2.3.1).
    ClientSecret;
    /// An authorization code (RFC 6749 section 1.3.1).
    AuthorizationCode;
    /// A refresh token (RFC 6749 section 1.5).
    RefreshToken;
}

/// A text that no header could bring as a bearer token (RFC 6750 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bearer token has letters, digits and `-._~+/`, then any number of `=`")]
#[non_exhaustive]
pub struct InvalidBearerToken;

fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    // Without a way out in the middle the compiler looks at many bytes at a time, and this reads
    // the token of every request.
    let good = body.bytes().fold(true, |good, b| {
        good & (b.is_ascii_alphanumeric() | matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/'))
    });
    good && !body.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_st_16_secrets_are_wiped_when_their_last_owner_goes() {
        // What they are kept in wipes itself; anything else would not compile here.
        let SecretString(text) = SecretString::from("text");
        let SecretBytes(bytes) = SecretBytes::new(*b"bytes");
        let (text, bytes): (Zeroizing<String>, Zeroizing<Vec<u8>>) = (text, bytes);
        assert_eq!((text.as_str(), bytes.as_slice()), ("text", &b"bytes"[..]));
    }

    #[test]
    fn sec_op_01_secrets_do_not_print() {
        let canary = "canary-4f1c";
        for printed in [
            format!("{:?}", SecretString::from(canary)),
            format!("{:#?}", SecretBytes::new(canary)),
            format!("{:?}", BearerToken::new(canary)),
            format!("{:?}", ClientSecret::new(canary)),
            format!("{:?}", AuthorizationCode::new(canary)),
            format!("{:#?}", RefreshToken::new(canary)),
        ] {
            assert!(!printed.contains(canary), "{printed}");
            assert!(printed.contains("[redacted]"), "{printed}");
        }
    }

    #[test]
    fn a_bearer_token_is_b64token() {
        for c in (0_u8..=255).map(char::from) {
            let allowed = c.is_ascii_alphanumeric() || "-._~+/".contains(c);
            for text in [format!("{c}"), format!("a{c}b"), format!("{c}==")] {
                assert_eq!(BearerToken::parse(&text).is_ok(), allowed, "{text:?}");
                assert_eq!(BearerToken::new(text).is_well_formed(), allowed, "{c:?}");
            }
        }
        for bad in ["", "=", "==", "a=b", "=a"] {
            assert!(BearerToken::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_digest_is_that_of_its_own_token() {
        let (one, other) = (BearerToken::new("one"), BearerToken::new("other"));
        for token in [&one, &other, &one.clone(), &one] {
            assert_eq!(
                token.digest(),
                &crypto::sha256(token.expose().as_bytes()),
                "{}",
                token.expose()
            );
        }
    }

    #[test]
    fn comparison_is_by_value() {
        let secret = SecretString::from("abc");
        assert!(secret.ct_eq(b"abc"));
        assert!(!secret.ct_eq(b"abd"));
        assert!(!secret.ct_eq(b"ab"));
        assert!(!secret.ct_eq(b""));
        assert!(SecretBytes::new([1, 2]).ct_eq(&[1, 2]));
    }
}
