//! Authorization server metadata (RFC 8414, and OpenID Connect Discovery, which shares its names).

use super::{MetadataError, wire};
use crate::id::{EndpointUrl, Issuer};
use crate::json;

wire::document! {
    /// What an authorization server says about itself (RFC 8414 section 2).
    pub struct AuthorizationServerMetadata {
        others {
            /// The issuer, byte for byte.
            issuer: String,
        }
        texts {
            /// Where a browser is sent.
            authorization_endpoint,
            /// Where codes become tokens.
            token_endpoint,
            /// The keys that sign tokens.
            jwks_uri,
            /// Where clients register (RFC 7591).
            registration_endpoint,
            /// Where tokens are revoked (RFC 7009).
            revocation_endpoint,
            /// Where tokens are looked up (RFC 7662).
            introspection_endpoint,
            /// Claims about the user (OpenID Connect Core section 5.3).
            userinfo_endpoint,
            /// Where devices start (RFC 8628).
            device_authorization_endpoint,
            /// Where requests are left in advance (RFC 9126).
            pushed_authorization_request_endpoint,
            /// Where a session ends (OpenID Connect RP-Initiated Logout).
            end_session_endpoint,
            /// A page for developers.
            service_documentation,
            /// A page on how data may be used.
            op_policy_uri,
            /// The terms of service.
            op_tos_uri,
        }
        lists {
            /// Scopes that may be asked for.
            scopes_supported,
            /// Response types; required by RFC 8414.
            response_types_supported,
            /// Response modes.
            response_modes_supported,
            /// Grant types.
            grant_types_supported,
            /// Methods of PKCE; a client of MCP must find `S256` here.
            code_challenge_methods_supported,
            /// How clients authenticate at the token endpoint.
            token_endpoint_auth_methods_supported,
            /// Algorithms of assertions at the token endpoint.
            token_endpoint_auth_signing_alg_values_supported,
            /// How clients authenticate at the revocation endpoint.
            revocation_endpoint_auth_methods_supported,
            /// Algorithms of assertions at the revocation endpoint.
            revocation_endpoint_auth_signing_alg_values_supported,
            /// How clients authenticate at the introspection endpoint.
            introspection_endpoint_auth_methods_supported,
            /// Algorithms of assertions at the introspection endpoint.
            introspection_endpoint_auth_signing_alg_values_supported,
            /// Whether `sub` depends on the client; required by OpenID Connect.
            subject_types_supported,
            /// Algorithms that sign ID tokens; required by OpenID Connect.
            id_token_signing_alg_values_supported,
            /// Profiles of assertion grants.
            authorization_grant_profiles_supported,
            /// Languages of the pages.
            ui_locales_supported,
        }
        flags {
            /// Whether responses carry `iss` (RFC 9207).
            authorization_response_iss_parameter_supported,
            /// Whether a client's id may be the URL of its metadata.
            client_id_metadata_document_supported,
            /// Whether requests must be left in advance (RFC 9126).
            require_pushed_authorization_requests,
        }
    }
}

impl AuthorizationServerMetadata {
    /// A document that names its issuer and nothing else.
    pub fn new(issuer: &Issuer) -> Self {
        Self::bare(issuer.as_str().to_owned())
    }

    /// Reads a document that was fetched for `issuer`, which it must name byte for byte.
    ///
    /// ```
    /// use portcullis_oauth::{Issuer, metadata::{AuthorizationServerMetadata, MetadataError}};
    ///
    /// let issuer = Issuer::parse("https://auth.example.com")?;
    /// let other = br#"{"issuer":"https://auth.example.com/"}"#;
    /// assert_eq!(
    ///     AuthorizationServerMetadata::parse_for(&issuer, other),
    ///     Err(MetadataError::IssuerSlash),
    /// );
    /// # Ok::<(), portcullis_oauth::InvalidUrl>(())
    /// ```
    ///
    /// # Errors
    /// [`MetadataError::Document`], and [`MetadataError::WrongIssuer`] or
    /// [`MetadataError::IssuerSlash`] when it names another issuer (RFC 8414 section 3.3).
    pub fn parse_for(issuer: &Issuer, document: &[u8]) -> Result<Self, MetadataError> {
        let document: Self = json::from_slice(document, json::Limits::METADATA)?;
        // SECURITY: keys and endpoints of another issuer must not pass for this one's
        // (RFC 8414 section 3.3); sec_key_09_a_document_of_another_issuer_is_refused
        if document.issuer != issuer.as_str() {
            let bare = |text: &str| text.strip_suffix('/').unwrap_or(text).to_owned();
            let same = bare(&document.issuer) == bare(issuer.as_str());
            return Err(if same {
                MetadataError::IssuerSlash
            } else {
                MetadataError::WrongIssuer
            });
        }
        Ok(document)
    }

    /// The URL of an endpoint, fit to be called.
    ///
    /// # Errors
    /// [`MetadataError::Missing`] when the server has none, [`MetadataError::Endpoint`] when its
    /// URL is not `https` or otherwise unusable.
    pub fn endpoint(&self, endpoint: Endpoint) -> Result<EndpointUrl, MetadataError> {
        let member = endpoint.member();
        let text = match endpoint {
            Endpoint::Authorization => &self.authorization_endpoint,
            Endpoint::Token => &self.token_endpoint,
            Endpoint::Jwks => &self.jwks_uri,
            Endpoint::Registration => &self.registration_endpoint,
            Endpoint::Revocation => &self.revocation_endpoint,
            Endpoint::Introspection => &self.introspection_endpoint,
            Endpoint::UserInfo => &self.userinfo_endpoint,
        };
        let text = text.as_deref().ok_or(MetadataError::Missing { member })?;
        // SECURITY: `javascript:` or plain http must not be opened or called;
        // sec_cl_01_only_https_endpoints_are_usable
        EndpointUrl::parse(text).map_err(|source| MetadataError::Endpoint { member, source })
    }
}

/// A URL of the document that somebody calls or opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// `authorization_endpoint`
    Authorization,
    /// `token_endpoint`
    Token,
    /// `jwks_uri`
    Jwks,
    /// `registration_endpoint`
    Registration,
    /// `revocation_endpoint`
    Revocation,
    /// `introspection_endpoint`
    Introspection,
    /// `userinfo_endpoint`
    UserInfo,
}

impl Endpoint {
    /// The name of the member that holds it.
    pub const fn member(self) -> &'static str {
        match self {
            Self::Authorization => "authorization_endpoint",
            Self::Token => "token_endpoint",
            Self::Jwks => "jwks_uri",
            Self::Registration => "registration_endpoint",
            Self::Revocation => "revocation_endpoint",
            Self::Introspection => "introspection_endpoint",
            Self::UserInfo => "userinfo_endpoint",
        }
    }
}

/// Where the document of `issuer` may be, in the order in which MCP clients look: as OAuth metadata
/// and as OpenID configuration with the path behind the well-known part (RFC 8414 section 3.1), then
/// with the path before it (OpenID Connect Discovery section 4).
///
/// ```
/// use portcullis_oauth::{Issuer, metadata::server::well_known_urls};
///
/// let issuer = Issuer::parse("https://auth.example.com/tenant/")?;
/// assert_eq!(well_known_urls(&issuer), [
///     "https://auth.example.com/.well-known/oauth-authorization-server/tenant",
///     "https://auth.example.com/.well-known/openid-configuration/tenant",
///     "https://auth.example.com/tenant/.well-known/openid-configuration",
/// ]);
/// # Ok::<(), portcullis_oauth::InvalidUrl>(())
/// ```
pub fn well_known_urls(issuer: &Issuer) -> Vec<String> {
    let origin = issuer.origin();
    let path = issuer.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut urls = vec![
        format!("{origin}{WELL_KNOWN_OAUTH}{path}"),
        format!("{origin}{WELL_KNOWN_OPENID}{path}"),
    ];
    if !path.is_empty() {
        urls.push(format!("{origin}{path}{WELL_KNOWN_OPENID}"));
    }
    urls
}

/// Where the metadata of an issuer without a path is (RFC 8414 section 3).
pub const WELL_KNOWN_OAUTH: &str = "/.well-known/oauth-authorization-server";
/// Where the configuration of an OpenID provider without a path is.
pub const WELL_KNOWN_OPENID: &str = "/.well-known/openid-configuration";
