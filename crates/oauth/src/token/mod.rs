//! The token endpoint's messages (RFC 6749 sections 4.1.3, 4.4, 5 and 6).

use crate::authorize::{requested_resource, requested_scope};
use crate::error::{OAuthError, OAuthErrorCode};
use crate::form::{Form, Writer};
use crate::pkce::CodeVerifier;
use crate::scope::ScopeSet;
use crate::secret::{AuthorizationCode, RefreshToken};

mod response;
#[cfg(test)]
mod tests;

pub use response::{ErrorResponse, TokenResponse, TokenResponseError};

/// A request for tokens. Client authentication is read elsewhere.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenRequest {
    /// What the client offers for them.
    pub grant: Grant,
    /// The scopes asked for. Nothing asked for is not the same as nothing wanted.
    pub scope: Option<ScopeSet>,
    /// The resources that the token is for, not compared with anything yet (RFC 8707).
    pub resource: Vec<String>,
}

/// What a client offers for tokens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Grant {
    /// A code, with the proof that the same client asked for it (RFC 6749 section 4.1.3).
    AuthorizationCode {
        /// The code.
        code: AuthorizationCode,
        /// The `redirect_uri` of the authorization request, as text. OAuth 2.1 clients leave it
        /// out.
        redirect_uri: Option<String>,
        /// The verifier behind that request's challenge.
        code_verifier: CodeVerifier,
    },
    /// A refresh token (RFC 6749 section 6).
    RefreshToken {
        /// The token.
        refresh_token: RefreshToken,
    },
    /// The client's own credentials (RFC 6749 section 4.4).
    ClientCredentials,
}

impl Grant {
    /// The grant's name on the wire.
    pub const fn grant_type(&self) -> &'static str {
        match self {
            Self::AuthorizationCode { .. } => "authorization_code",
            Self::RefreshToken { .. } => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }
}

impl TokenRequest {
    /// A request that offers `grant`.
    pub fn new(grant: Grant) -> Self {
        Self {
            grant,
            scope: None,
            resource: Vec::new(),
        }
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    /// `invalid_request`, `unsupported_grant_type`, `invalid_scope`, `invalid_target`, or
    /// `invalid_grant` for a missing or malformed `code_verifier`.
    pub fn from_form(form: &Form) -> Result<Self, OAuthError> {
        // SECURITY: a proxy in front may have decided on the other value (RFC 6749 section 3.2);
        // sec_tk_02_a_repeated_parameter_gets_no_token
        form.refuse_repeats_except(&["resource"])?;
        let grant = match form.required("grant_type")? {
            "authorization_code" => Grant::AuthorizationCode {
                code: AuthorizationCode::new(form.required("code")?),
                redirect_uri: form.one("redirect_uri")?.map(str::to_owned),
                // SECURITY: without it, whoever finds a code may redeem it (RFC 9700 section
                // 2.1.1); sec_pk_04_a_code_without_its_verifier_is_worth_nothing
                code_verifier: CodeVerifier::parse(form.one("code_verifier")?.ok_or(NO_VERIFIER)?)?,
            },
            "refresh_token" => Grant::RefreshToken {
                refresh_token: RefreshToken::new(form.required("refresh_token")?),
            },
            "client_credentials" => Grant::ClientCredentials,
            _ => return Err(GRANT_TYPE),
        };
        Ok(Self {
            grant,
            scope: requested_scope(form)?,
            resource: requested_resource(form)?,
        })
    }

    /// The parameters of the request's body; the caller adds client authentication. The text holds
    /// secrets.
    pub fn to_form(&self) -> Writer {
        let mut form = Writer::new().pair("grant_type", self.grant.grant_type());
        form = match &self.grant {
            Grant::AuthorizationCode {
                code,
                redirect_uri,
                code_verifier,
            } => form
                .pair("code", code.expose())
                .optional("redirect_uri", redirect_uri.as_deref())
                .pair("code_verifier", code_verifier.expose()),
            Grant::RefreshToken { refresh_token } => {
                form.pair("refresh_token", refresh_token.expose())
            }
            Grant::ClientCredentials => form,
        };
        if let Some(scope) = self.scope.as_ref().filter(|scope| !scope.is_empty()) {
            form = form.pair("scope", &scope.to_string());
        }
        self.resource
            .iter()
            .fold(form, |form, resource| form.pair("resource", resource))
    }
}

const GRANT_TYPE: OAuthError = OAuthError::new(
    OAuthErrorCode::UnsupportedGrantType,
    "this grant type is not supported",
);
const NO_VERIFIER: OAuthError =
    OAuthError::new(OAuthErrorCode::InvalidGrant, "code_verifier is required");
