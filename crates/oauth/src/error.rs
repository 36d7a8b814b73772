//! Errors as the wire knows them: a registered code and a constant sentence.
//!
//! ```
//! use portcullis_oauth::error::{OAuthError, OAuthErrorCode};
//!
//! const EXPIRED: OAuthError = OAuthError::new(OAuthErrorCode::InvalidGrant, "the code has expired");
//! assert_eq!(EXPIRED.code.status_hint(), 400);
//! assert_eq!(
//!     portcullis_oauth::json::to_string(&EXPIRED)?,
//!     r#"{"error":"invalid_grant","error_description":"the code has expired"}"#,
//! );
//! # Ok::<(), portcullis_oauth::json::JsonError>(())
//! ```

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct as _};

use crate::form::FormError;

macro_rules! codes {
    ($($(#[$doc:meta])+ $variant:ident = $text:literal, $status:literal;)+) => {
        /// An error code of the IANA registry "OAuth Extensions Errors" and of OpenID Connect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum OAuthErrorCode {
            $($(#[$doc])+ $variant,)+
        }

        impl OAuthErrorCode {
            /// Every code, in the order of the specifications.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code that is spelled `text`; case matters.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The code as the wire spells it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The HTTP status that goes with this code where the endpoint answers directly, not
            /// by a redirect: 400 unless the code's specification says otherwise.
            pub const fn status_hint(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)+
                }
            }
        }
    };
}

codes! {
    /// A parameter is missing, repeated or malformed (RFC 6749 sections 4.1.2.1 and 5.2).
    InvalidRequest = "invalid_request", 400;
    /// Client authentication failed (RFC 6749 section 5.2).
    InvalidClient = "invalid_client", 401;
    /// The code or the refresh token is unknown, spent, expired or another client's
    /// (RFC 6749 section 5.2).
    InvalidGrant = "invalid_grant", 400;
    /// The client may not use this grant (RFC 6749 sections 4.1.2.1 and 5.2).
    UnauthorizedClient = "unauthorized_client", 400;
    /// The grant type is not offered (RFC 6749 section 5.2).
    UnsupportedGrantType = "unsupported_grant_type", 400;
    /// The scope is unknown, malformed or more than was granted (RFC 6749 section 5.2).
    InvalidScope = "invalid_scope", 400;
    /// The user or the server denied the request (RFC 6749 section 4.1.2.1).
    AccessDenied = "access_denied", 400;
    /// The response type is not offered (RFC 6749 section 4.1.2.1).
    UnsupportedResponseType = "unsupported_response_type", 400;
    /// Something unexpected happened on the server (RFC 6749 section 4.1.2.1).
    ServerError = "server_error", 500;
    /// The server cannot answer now (RFC 6749 section 4.1.2.1).
    TemporarilyUnavailable = "temporarily_unavailable", 503;
    /// The access token is expired, revoked, malformed or meant for another resource
    /// (RFC 6750 section 3.1).
    InvalidToken = "invalid_token", 401;
    /// The access token is valid and grants too little (RFC 6750 section 3.1).
    InsufficientScope = "insufficient_scope", 403;
    /// Tokens of this type cannot be revoked (RFC 7009 section 2.2.1).
    UnsupportedTokenType = "unsupported_token_type", 400;
    /// A redirect URI is not acceptable (RFC 7591 section 3.2.2).
    InvalidRedirectUri = "invalid_redirect_uri", 400;
    /// A member of the client metadata is not acceptable (RFC 7591 section 3.2.2).
    InvalidClientMetadata = "invalid_client_metadata", 400;
    /// The software statement is not valid (RFC 7591 section 3.2.2).
    InvalidSoftwareStatement = "invalid_software_statement", 400;
    /// The software statement is not approved here (RFC 7591 section 3.2.2).
    UnapprovedSoftwareStatement = "unapproved_software_statement", 400;
    /// The requested resource is unknown or malformed (RFC 8707 section 2).
    InvalidTarget = "invalid_target", 400;
    /// The user has not decided yet (RFC 8628 section 3.5).
    AuthorizationPending = "authorization_pending", 400;
    /// The client polls too often (RFC 8628 section 3.5).
    SlowDown = "slow_down", 400;
    /// The device code has expired (RFC 8628 section 3.5).
    ExpiredToken = "expired_token", 400;
    /// The request needs the user, and `prompt=none` forbids that
    /// (OpenID Connect Core section 3.1.2.6).
    InteractionRequired = "interaction_required", 400;
    /// The user is not logged in, and `prompt=none` forbids to ask
    /// (OpenID Connect Core section 3.1.2.6).
    LoginRequired = "login_required", 400;
    /// The user must choose an account (OpenID Connect Core section 3.1.2.6).
    AccountSelectionRequired = "account_selection_required", 400;
    /// The user has not consented, and `prompt=none` forbids to ask
    /// (OpenID Connect Core section 3.1.2.6).
    ConsentRequired = "consent_required", 400;
    /// `request_uri` leads to an error (OpenID Connect Core section 3.1.2.6, RFC 9101).
    InvalidRequestUri = "invalid_request_uri", 400;
    /// The request object is not valid (OpenID Connect Core section 3.1.2.6, RFC 9101).
    InvalidRequestObject = "invalid_request_object", 400;
    /// Request objects are not offered (OpenID Connect Core section 3.1.2.6, RFC 9101).
    RequestNotSupported = "request_not_supported", 400;
    /// `request_uri` is not offered (OpenID Connect Core section 3.1.2.6, RFC 9101).
    RequestUriNotSupported = "request_uri_not_supported", 400;
    /// Registration within a request is not offered (OpenID Connect Core section 3.1.2.6).
    RegistrationNotSupported = "registration_not_supported", 400;
    /// The authorization details are not valid (RFC 9396 section 5).
    InvalidAuthorizationDetails = "invalid_authorization_details", 400;
    /// The proof of possession is not valid (RFC 9449 section 5).
    InvalidDpopProof = "invalid_dpop_proof", 400;
    /// The proof of possession needs a nonce of the server's (RFC 9449 section 8).
    UseDpopNonce = "use_dpop_nonce", 400;
    /// The user's authentication is too weak or too old (RFC 9470 section 3).
    InsufficientUserAuthentication = "insufficient_user_authentication", 401;
}

impl fmt::Display for OAuthErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for OAuthErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for OAuthErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("an unknown error code"))
    }
}

/// What a peer may know about a failure: `{"error": .., "error_description": ..}`
/// (RFC 6749 section 5.2).
///
/// The description is a constant, so it cannot repeat what the peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OAuthError {
    /// The code on which the peer branches.
    pub code: OAuthErrorCode,
    /// The sentence that its developer reads; omitted from the wire when empty.
    pub description: &'static str,
}

impl OAuthError {
    /// A code with a sentence.
    ///
    /// # Panics
    /// When the description has a character outside `%x20-21 / %x23-5B / %x5D-7E`; in a `const`
    /// that is a compile error.
    #[expect(clippy::indexing_slicing, reason = "the loop's bound is the length")]
    pub const fn new(code: OAuthErrorCode, description: &'static str) -> Self {
        let bytes = description.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            assert!(
                is_description_byte(bytes[i]),
                "a description is printable ASCII without quotes and backslashes (RFC 6749 section 5.2)"
            );
            i += 1;
        }
        Self { code, description }
    }
}

/// What RFC 6749 section 5.2 and RFC 6750 section 3 allow in `error_description`.
pub(crate) const fn is_description_byte(byte: u8) -> bool {
    matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.description {
            "" => write!(f, "{}", self.code),
            description => write!(f, "{}: {description}", self.code),
        }
    }
}

impl std::error::Error for OAuthError {}

impl Serialize for OAuthError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let described = !self.description.is_empty();
        let mut members = serializer.serialize_struct("OAuthError", 1 + usize::from(described))?;
        members.serialize_field("error", &self.code)?;
        if described {
            members.serialize_field("error_description", self.description)?;
        }
        members.end()
    }
}

impl From<OAuthErrorCode> for OAuthError {
    fn from(code: OAuthErrorCode) -> Self {
        Self::new(code, "")
    }
}

/// What an endpoint answers to a form that it cannot read (RFC 6749 sections 4.1.2.1 and 5.2).
impl From<FormError> for OAuthError {
    fn from(error: FormError) -> Self {
        let description = match error {
            FormError::Missing { .. } => "a required parameter is missing",
            FormError::Repeated { .. } | FormError::RepeatedUnnamed => {
                "a parameter appears more than once"
            }
            _ => "the form cannot be read",
        };
        Self::new(OAuthErrorCode::InvalidRequest, description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn every_code_is_read_as_it_is_written() {
        for &code in OAuthErrorCode::ALL {
            assert_eq!(OAuthErrorCode::parse(code.as_str()), Some(code));
            assert!(
                code.as_str()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            );
            assert!((400..600).contains(&code.status_hint()));
        }
        assert_eq!(OAuthErrorCode::parse("Invalid_Request"), None);
    }

    #[test]
    fn sec_tk_06_statuses_are_those_of_the_specifications() {
        for (code, status) in [
            (OAuthErrorCode::InvalidGrant, 400),
            (OAuthErrorCode::InvalidClient, 401),
            (OAuthErrorCode::InvalidToken, 401),
            (OAuthErrorCode::InsufficientScope, 403),
            (OAuthErrorCode::TemporarilyUnavailable, 503),
        ] {
            assert_eq!(code.status_hint(), status);
        }
    }

    #[test]
    fn an_empty_description_is_omitted() {
        let error = OAuthError::from(OAuthErrorCode::AccessDenied);
        assert_eq!(
            json::to_string(&error).unwrap(),
            r#"{"error":"access_denied"}"#
        );
        assert_eq!(error.to_string(), "access_denied");
    }

    #[test]
    #[should_panic(expected = "printable ASCII")]
    fn sec_rs_25_a_description_has_no_quotes() {
        let _ = OAuthError::new(OAuthErrorCode::InvalidRequest, "a \"quoted\" word");
    }
}
