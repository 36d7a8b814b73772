//! Dynamic client registration (RFC 7591).

use serde::{Deserialize, Serialize};

use crate::error::{OAuthError, OAuthErrorCode};
use crate::id::ClientId;
use crate::json::{self, JsonError, Limits};
use crate::metadata::{ClientMetadata, MetadataError};
use crate::redirect::{RedirectError, RedirectUri, SchemeKind};
use crate::secret::{ClientSecret, SecretString};
use crate::time::Timestamp;

/// A request to register (RFC 7591 section 2), its redirect URIs read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegistrationRequest {
    /// What the client says, as it said it.
    pub metadata: ClientMetadata,
    /// `redirect_uris`, 1 to 10 of them, without those of an app's scheme that nobody allows.
    pub redirect_uris: Vec<RedirectUri>,
    /// `application_type`, if it says so.
    pub application_type: Option<ApplicationType>,
}

impl RegistrationRequest {
    /// The most redirect URIs that a client may register.
    pub const MOST_REDIRECT_URIS: usize = 10;

    /// Reads the body of a request: at most 64 KiB and 8 levels.
    ///
    /// # Errors
    /// `invalid_client_metadata` when it is no client metadata, and `invalid_redirect_uri` when it
    /// has no redirect URI, too many, or one that is malformed or contradicts `application_type`.
    pub fn parse(body: &[u8]) -> Result<Self, OAuthError> {
        Self::parse_allowing(body, &[])
    }

    /// Reads the body of a request, where further `schemes` (lower case) may be an app's own
    /// without a dot.
    ///
    /// # Errors
    /// As [`RegistrationRequest::parse`].
    pub fn parse_allowing(body: &[u8], schemes: &[&str]) -> Result<Self, OAuthError> {
        let limits = Limits::new(64 * 1024, 8, 2000);
        let metadata = ClientMetadata::parse(body, limits).map_err(|error| match error {
            MetadataError::Document(JsonError::Shape(_)) => MALFORMED_METADATA,
            _ => NOT_JSON,
        })?;
        let application_type = metadata
            .application_type
            .as_deref()
            .map(|text| ApplicationType::parse(text).ok_or(UNKNOWN_APPLICATION_TYPE))
            .transpose()?;
        if metadata.redirect_uris.is_empty() {
            return Err(NO_REDIRECT_URI);
        }
        if metadata.redirect_uris.len() > Self::MOST_REDIRECT_URIS {
            return Err(TOO_MANY_REDIRECT_URIS);
        }
        let redirect_uris = metadata
            .redirect_uris
            .iter()
            .map(|text| RedirectUri::parse_allowing(text, schemes))
            // One for an app that is unknown here spoils nothing for the others.
            .filter(|uri| !matches!(uri, Err(RedirectError::UnknownScheme)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| MALFORMED_REDIRECT_URI)?;
        if redirect_uris.is_empty() {
            return Err(MALFORMED_REDIRECT_URI);
        }
        // SECURITY: a server's client cannot listen on the user's machine (OpenID Connect
        // Registration section 2); sec_ru_21_an_application_type_binds_its_redirect_uris
        if !redirect_uris
            .iter()
            .all(|uri| application_type.is_none_or(|kind| kind.allows(uri)))
        {
            return Err(CONTRADICTION);
        }
        Ok(Self {
            metadata,
            redirect_uris,
            application_type,
        })
    }
}

/// Where a client runs (OpenID Connect Registration section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplicationType {
    /// On the user's machine.
    Native,
    /// On a server.
    Web,
}

impl ApplicationType {
    /// Reads the member's value.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "native" => Some(Self::Native),
            "web" => Some(Self::Web),
            _ => None,
        }
    }

    /// Whether such a client may be reached there: a web client by `https` beyond loopback, a
    /// native one by anything that is a redirect URI at all.
    pub fn allows(self, uri: &RedirectUri) -> bool {
        match self {
            Self::Native => true,
            Self::Web => uri.scheme_kind() == SchemeKind::Https && !uri.is_loopback(),
        }
    }
}

/// The answer to a registration (RFC 7591 section 3.2.1).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegistrationResponse {
    /// The client's id.
    pub client_id: ClientId,
    /// When the id was issued.
    pub issued_at: Option<Timestamp>,
    /// The secret of a confidential client.
    pub secret: Option<IssuedSecret>,
    /// The metadata as it was accepted.
    pub metadata: ClientMetadata,
}

/// A client secret and its end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuedSecret {
    /// The secret.
    pub secret: ClientSecret,
    /// When it expires; nothing if it does not, which the wire writes as 0.
    pub expires_at: Option<Timestamp>,
}

impl IssuedSecret {
    /// A secret that expires then, or never.
    pub fn new(secret: ClientSecret, expires_at: Option<Timestamp>) -> Self {
        Self { secret, expires_at }
    }
}

/// The answer as the wire writes it.
#[derive(Serialize, Deserialize)]
struct Wire {
    client_id: ClientId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id_issued_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<i64>,
    #[serde(flatten)]
    metadata: ClientMetadata,
}

impl RegistrationResponse {
    /// An answer without a secret.
    pub fn new(client_id: ClientId, metadata: ClientMetadata) -> Self {
        Self {
            client_id,
            issued_at: None,
            secret: None,
            metadata,
        }
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`JsonError`] when it is not the JSON object that RFC 7591 describes.
    pub fn parse(document: &[u8]) -> Result<Self, JsonError> {
        let wire: Wire = json::from_slice(document, Limits::METADATA)?;
        let expires_at = wire
            .client_secret_expires_at
            .filter(|seconds| *seconds != 0);
        let secret = wire.client_secret.filter(|secret| !secret.is_empty());
        Ok(Self {
            client_id: wire.client_id,
            issued_at: wire.client_id_issued_at.map(Timestamp::from_secs),
            secret: secret.map(|secret| {
                let secret = SecretString::from(secret);
                IssuedSecret::new(secret.into(), expires_at.map(Timestamp::from_secs))
            }),
            metadata: wire.metadata,
        })
    }

    /// The body of the answer, which holds the secret: send it with `Cache-Control: no-store`.
    ///
    /// # Errors
    /// [`JsonError::Unserializable`], which no metadata that was parsed here can cause.
    pub fn to_json(&self) -> Result<String, JsonError> {
        let secret = self.secret.as_ref();
        json::to_string(&Wire {
            client_id: self.client_id.clone(),
            client_secret: secret.map(|issued| issued.secret.expose().to_owned()),
            client_id_issued_at: self.issued_at.map(Timestamp::as_secs),
            client_secret_expires_at: secret
                .map(|issued| issued.expires_at.map_or(0, Timestamp::as_secs)),
            metadata: self.metadata.clone(),
        })
    }
}

const fn metadata_error(description: &'static str) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidClientMetadata, description)
}

const fn redirect_error(description: &'static str) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidRedirectUri, description)
}

const NOT_JSON: OAuthError = metadata_error("the body is not a JSON object that can be read");
const MALFORMED_METADATA: OAuthError = metadata_error("a member has another type than expected");
const UNKNOWN_APPLICATION_TYPE: OAuthError = metadata_error("application_type is native or web");
const NO_REDIRECT_URI: OAuthError = redirect_error("redirect_uris is missing");
const TOO_MANY_REDIRECT_URIS: OAuthError = redirect_error("redirect_uris has more than 10 members");
const MALFORMED_REDIRECT_URI: OAuthError = redirect_error("a redirect URI cannot be accepted");
const CONTRADICTION: OAuthError = redirect_error("a redirect URI contradicts application_type");

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> OAuthErrorCode {
        RegistrationRequest::parse(body.as_bytes())
            .unwrap_err()
            .code
    }

    #[test]
    fn the_body_of_cursor_is_read() {
        let request = RegistrationRequest::parse(
            br#"{"redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback",
                "https://www.cursor.com/agents/mcp/oauth/callback","http://localhost:8787/callback"],
                "token_endpoint_auth_method":"none","client_name":"Cursor",
                "grant_types":["authorization_code","refresh_token"]}"#,
        )
        .unwrap();
        assert_eq!(request.redirect_uris.len(), 3);
        assert_eq!(request.metadata.client_name.as_deref(), Some("Cursor"));
    }

    #[test]
    fn an_unknown_app_does_not_spoil_the_other_redirect_uris() {
        let body = br#"{"redirect_uris":["zed:/cb","http://localhost/cb"]}"#;
        let uris = |schemes: &[&str]| {
            let request = RegistrationRequest::parse_allowing(body, schemes).unwrap();
            request.redirect_uris.len()
        };
        assert_eq!((uris(&[]), uris(&["zed"])), (1, 2));
        assert_eq!(
            code(r#"{"redirect_uris":["zed:/cb"]}"#),
            OAuthErrorCode::InvalidRedirectUri
        );
    }

    #[test]
    fn sec_dr_02_sec_dr_05_refusals_have_the_codes_of_rfc_7591() {
        for body in [
            "",
            "[]",
            "{",
            r#"{"redirect_uris":"https://h/"}"#,
            r#"{"redirect_uris":[1]}"#,
            r#"{"redirect_uris":["https://h/"],"application_type":"desktop"}"#,
            r#"{"redirect_uris":["https://h/"],"redirect_uris":["https://evil/"]}"#,
        ] {
            assert_eq!(code(body), OAuthErrorCode::InvalidClientMetadata, "{body}");
        }
        for body in [
            "{}",
            r#"{"redirect_uris":[]}"#,
            r#"{"redirect_uris":["https://h/#"]}"#,
            r#"{"redirect_uris":["https://h/","http://h.example/"]}"#,
        ] {
            assert_eq!(code(body), OAuthErrorCode::InvalidRedirectUri, "{body}");
        }
        let deep = format!(
            r#"{{"redirect_uris":["https://h/"],"x":{}{}}}"#,
            "[".repeat(8),
            "]".repeat(8)
        );
        assert_eq!(code(&deep), OAuthErrorCode::InvalidClientMetadata);
        let large = format!("{{\"x\":\"{}\"}}", "a".repeat(64 * 1024));
        assert_eq!(code(&large), OAuthErrorCode::InvalidClientMetadata);
    }

    #[test]
    fn sec_ru_16_a_client_has_at_most_ten_redirect_uris() {
        let body = |count: usize| {
            let uris = vec!["https://h.example/cb"; count];
            json::to_vec(&json::json!({"redirect_uris": uris})).unwrap()
        };
        assert!(RegistrationRequest::parse(&body(10)).is_ok());
        assert_eq!(
            RegistrationRequest::parse(&body(11)).unwrap_err(),
            TOO_MANY_REDIRECT_URIS
        );
    }

    #[test]
    fn sec_ru_21_an_application_type_binds_its_redirect_uris() {
        let read = |kind: &str, uri: &str| {
            let body = json::json!({"application_type": kind, "redirect_uris": [uri]});
            RegistrationRequest::parse(&json::to_vec(&body).unwrap()).map(|_| ())
        };
        assert_eq!(read("web", "https://h.example/cb"), Ok(()));
        for uri in [
            "http://localhost:1/cb",
            "https://localhost/cb",
            "cursor://app/cb",
        ] {
            assert_eq!(read("web", uri), Err(CONTRADICTION), "{uri}");
            assert_eq!(read("native", uri), Ok(()), "{uri}");
        }
        assert_eq!(
            read("native", "http://h.example/cb"),
            Err(MALFORMED_REDIRECT_URI)
        );
    }

    #[test]
    fn an_answer_is_read_as_it_is_written_and_has_no_nulls() {
        let mut answer =
            RegistrationResponse::new(ClientId::parse("abc").unwrap(), ClientMetadata::new());
        assert_eq!(answer.to_json().unwrap(), r#"{"client_id":"abc"}"#);
        answer.issued_at = Some(Timestamp::from_secs(1));
        answer.secret = Some(IssuedSecret::new(ClientSecret::new("canary"), None));
        answer.metadata.client_name = Some("A".to_owned());
        let text = answer.to_json().unwrap();
        assert_eq!(
            text,
            r#"{"client_id":"abc","client_secret":"canary","client_id_issued_at":1,"client_secret_expires_at":0,"client_name":"A"}"#
        );
        let read = RegistrationResponse::parse(text.as_bytes()).unwrap();
        assert_eq!(read.metadata, answer.metadata);
        assert!(read.secret.as_ref().unwrap().secret.ct_eq(b"canary"));
        assert_eq!(read.secret.as_ref().unwrap().expires_at, None);
        assert!(!format!("{read:?}").contains("canary"));
    }
}
