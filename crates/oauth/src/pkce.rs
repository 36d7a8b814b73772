//! Proof Key for Code Exchange (RFC 7636), by the method S256 alone.
//!
//! `plain` is not offered: a challenge that equals its verifier protects nothing once the request
//! is seen, and a missing method would mean it (RFC 7636 section 4.3, RFC 9700 section 2.1.1).
//!
//! ```
//! use portcullis_oauth::pkce::{CodeChallenge, CodeVerifier};
//!
//! let verifier = CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")?;
//! let challenge = verifier.challenge();
//! assert_eq!(challenge.as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
//! assert!(challenge.verify(&verifier));
//! assert!(CodeChallenge::from_request(Some(challenge.as_str()), Some("plain")).is_err());
//! # Ok::<(), portcullis_oauth::pkce::PkceError>(())
//! ```

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::crypto::{self, base64url};
use crate::entropy::{Entropy, EntropyError};
use crate::error::{OAuthError, OAuthErrorCode};
use crate::secret::SecretString;

/// The client's secret for one authorization request: 43 to 128 unreserved characters
/// (RFC 7636 section 4.1).
#[derive(Clone, Debug)]
pub struct CodeVerifier(SecretString);

impl CodeVerifier {
    /// Draws a verifier of 256 bits.
    ///
    /// # Errors
    /// [`EntropyError`] when the source gives nothing.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut_slice())?;
        Ok(Self(SecretString::new(base64url::encode(*bytes))))
    }

    /// Reads a verifier.
    ///
    /// # Errors
    /// [`PkceError::Verifier`] when its length or a character is outside the grammar.
    pub fn parse(text: &str) -> Result<Self, PkceError> {
        let unreserved =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if (43..=128).contains(&text.len()) && text.bytes().all(unreserved) {
            Ok(Self(text.into()))
        } else {
            Err(PkceError::Verifier)
        }
    }

    /// `BASE64URL(SHA256(verifier))` (RFC 7636 section 4.2).
    pub fn challenge(&self) -> CodeChallenge {
        let digest = crypto::sha256(self.expose().as_bytes());
        CodeChallenge(base64url::encode(digest).into())
    }

    /// The text itself, for the token request.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// What the authorization request carries: the SHA-256 of the verifier, 43 base64url characters.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeChallenge(Box<str>);

impl CodeChallenge {
    /// The method's name on the wire.
    pub const METHOD: &'static str = "S256";

    /// Reads the two parameters of an authorization request.
    ///
    /// # Errors
    /// [`PkceError`] when the challenge is missing or malformed, or the method is not `S256`.
    pub fn from_request(challenge: Option<&str>, method: Option<&str>) -> Result<Self, PkceError> {
        let challenge = challenge.ok_or(PkceError::Missing)?;
        // SECURITY: a missing method means `plain` (RFC 7636 section 4.3), which hides nothing;
        // sec_pk_02_every_method_but_s256_is_refused
        if method != Some(Self::METHOD) {
            return Err(PkceError::Method);
        }
        Self::parse(challenge)
    }

    /// Reads an S256 challenge.
    ///
    /// # Errors
    /// [`PkceError::Challenge`] when it is no SHA-256 in base64url.
    pub fn parse(text: &str) -> Result<Self, PkceError> {
        match base64url::decode_strict(text) {
            Ok(digest) if digest.len() == 32 => Ok(Self(text.into())),
            _ => Err(PkceError::Challenge),
        }
    }

    /// Whether `verifier` is the one behind this challenge, compared in constant time.
    pub fn verify(&self, verifier: &CodeVerifier) -> bool {
        let expected = verifier.challenge();
        // SECURITY: this is what a stolen code lacks (RFC 7636 section 4.6);
        // sec_pk_05_another_verifier_is_refused
        crypto::ct_eq(self.0.as_bytes(), expected.0.as_bytes())
    }

    /// The challenge as the wire spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CodeChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for CodeChallenge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CodeChallenge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// What is wrong with a challenge or a verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PkceError {
    /// The request has no challenge.
    #[error("`code_challenge` is missing")]
    Missing,
    /// The method is missing or not `S256`.
    #[error("`code_challenge_method` must be `S256`")]
    Method,
    /// The challenge is no SHA-256 in base64url.
    #[error("`code_challenge` is not a SHA-256 in base64url")]
    Challenge,
    /// The verifier is outside the grammar.
    #[error("`code_verifier` is not 43 to 128 unreserved characters")]
    Verifier,
}

/// The answers of RFC 7636 sections 4.4.1 and 4.6.
impl From<PkceError> for OAuthError {
    fn from(error: PkceError) -> Self {
        let (code, description) = match error {
            PkceError::Missing => (OAuthErrorCode::InvalidRequest, "code_challenge is required"),
            PkceError::Method => (
                OAuthErrorCode::InvalidRequest,
                "code_challenge_method must be S256",
            ),
            PkceError::Challenge => (
                OAuthErrorCode::InvalidRequest,
                "code_challenge is malformed",
            ),
            PkceError::Verifier => (OAuthErrorCode::InvalidGrant, "code_verifier is malformed"),
        };
        Self::new(code, description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn s256_matches_rfc_7636_appendix_b() {
        let verifier = CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert_eq!(verifier.challenge().as_str(), CHALLENGE);
        assert!(CodeChallenge::parse(CHALLENGE).unwrap().verify(&verifier));
    }

    #[test]
    fn sec_pk_02_every_method_but_s256_is_refused() {
        for method in [
            None,
            Some("plain"),
            Some("s256"),
            Some("S512"),
            Some("none"),
            Some(""),
        ] {
            let read = CodeChallenge::from_request(Some(CHALLENGE), method);
            assert_eq!(read, Err(PkceError::Method), "{method:?}");
        }
        assert!(CodeChallenge::from_request(Some(CHALLENGE), Some("S256")).is_ok());
        assert_eq!(
            CodeChallenge::from_request(None, Some("S256")),
            Err(PkceError::Missing)
        );
    }

    #[test]
    fn sec_pk_03_lengths_and_characters_are_those_of_the_grammar() {
        let cut = CHALLENGE.strip_suffix('M').unwrap();
        for text in [
            "",
            cut,
            &format!("{CHALLENGE}="),
            &format!("{CHALLENGE}A"),
            &format!("{cut}+"),
            &format!("{cut}N"),
            &format!("{cut} "),
            &format!("{cut}é"),
        ] {
            assert_eq!(
                CodeChallenge::parse(text),
                Err(PkceError::Challenge),
                "{text}"
            );
        }
        for (length, fine) in [
            (0, false),
            (42, false),
            (43, true),
            (128, true),
            (129, false),
        ] {
            assert_eq!(
                CodeVerifier::parse(&"a".repeat(length)).is_ok(),
                fine,
                "{length}"
            );
        }
        assert!(CodeVerifier::parse(&"-._~".repeat(11)).is_ok());
        for bad in ["+", "/", "=", " ", "é", "\0"] {
            let text = format!("{}{bad}", "a".repeat(43));
            assert!(CodeVerifier::parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn sec_pk_05_another_verifier_is_refused() {
        let challenge = CodeChallenge::parse(CHALLENGE).unwrap();
        for text in ["dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK", CHALLENGE] {
            assert!(
                !challenge.verify(&CodeVerifier::parse(text).unwrap()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_drawn_verifier_fits_its_own_challenge_and_no_other() {
        let entropy = SeededEntropy::new(1);
        let one = CodeVerifier::generate(&entropy).unwrap();
        let other = CodeVerifier::generate(&entropy).unwrap();
        assert_eq!(one.expose().len(), 43);
        assert!(CodeVerifier::parse(one.expose()).is_ok());
        assert!(one.challenge().verify(&one));
        assert!(!one.challenge().verify(&other));
        assert_eq!(format!("{one:?}"), "CodeVerifier([redacted])");
    }
}
