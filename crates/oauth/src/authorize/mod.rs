//! The authorization request and its response (RFC 6749 section 4.1, with RFC 7636, RFC 8707 and
//! RFC 9207).
//!
//! A request is read in two steps, because they fail in different places. [`AuthorizationTarget`] is
//! who asks and where the answer goes: while that is unknown or unchecked, an error is shown to the
//! user and nothing is redirected (RFC 6749 section 4.1.2.1). [`AuthorizationRequest`] is the rest,
//! whose errors the client gets.

use crate::error::{OAuthError, OAuthErrorCode};
use crate::form::{Form, Writer};
use crate::id::{ClientId, EndpointUrl};
use crate::pkce::CodeChallenge;
use crate::redirect::RedirectUri;
use crate::scope::{Scope, ScopeSet};
use crate::secret::SecretString;

mod response;
#[cfg(test)]
mod tests;

pub use response::{AuthorizationResponse, Expected, Outcome, ResponseError};

/// Who asks, and where the answer goes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthorizationTarget {
    /// The client, not looked up yet.
    pub client_id: ClientId,
    /// Where it wants the answer, not compared with its registration yet.
    pub redirect_uri: RedirectUri,
    /// What it wants to find again in the answer, unchanged. A repeated `state` counts as none here
    /// and fails the second step.
    pub state: Option<SecretString>,
}

impl AuthorizationTarget {
    /// A target for a client's own request.
    pub fn new(
        client_id: ClientId,
        redirect_uri: RedirectUri,
        state: Option<SecretString>,
    ) -> Self {
        Self {
            client_id,
            redirect_uri,
            state,
        }
    }

    /// Reads the target; `schemes` are further private-use schemes, as for
    /// [`RedirectUri::parse_allowing`].
    ///
    /// # Errors
    /// `invalid_request` when `client_id` or `redirect_uri` is missing, repeated or malformed. It
    /// must be answered on the spot, never by a redirect.
    pub fn from_form(form: &Form, schemes: &[&str]) -> Result<Self, OAuthError> {
        // SECURITY: of two values nobody knows which one the user will see and which one gets the
        // code (RFC 6749 section 3.1); sec_az_02_a_repeated_target_is_no_target
        let client_id = form.required("client_id")?;
        let redirect_uri = form.required("redirect_uri")?;
        Ok(Self {
            client_id: ClientId::parse(client_id).map_err(|_| CLIENT_ID)?,
            redirect_uri: RedirectUri::parse_allowing(redirect_uri, schemes)
                .map_err(|_| REDIRECT_URI)?,
            state: form.one("state").ok().flatten().map(SecretString::from),
        })
    }
}

/// A request for an authorization code, by `response_type=code` and with PKCE.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthorizationRequest {
    /// Who asks, and where the answer goes.
    pub target: AuthorizationTarget,
    /// The challenge that the token request must answer.
    pub code_challenge: CodeChallenge,
    /// The scopes asked for.
    pub scope: ScopeSet,
    /// The resources that the token is for, not compared with anything yet (RFC 8707).
    pub resource: Vec<String>,
    /// `prompt` of OpenID Connect, unread.
    pub prompt: Option<String>,
}

impl AuthorizationRequest {
    /// The most values of `resource`.
    pub const MOST_RESOURCES: usize = 8;

    /// A request without scopes and resources.
    pub fn new(target: AuthorizationTarget, code_challenge: CodeChallenge) -> Self {
        Self {
            target,
            code_challenge,
            scope: ScopeSet::new(),
            resource: Vec::new(),
            prompt: None,
        }
    }

    /// Reads the rest of a request whose target is known.
    ///
    /// # Errors
    /// What the client is to be told by a redirect: `invalid_request`,
    /// `unsupported_response_type`, `invalid_scope`, `invalid_target`, `request_not_supported` or
    /// `request_uri_not_supported`.
    pub fn from_form(target: AuthorizationTarget, form: &Form) -> Result<Self, OAuthError> {
        form.refuse_repeats_except(&["resource"])?;
        // SECURITY: a request object would override what was checked, and a URI be fetched
        // (RFC 9101 section 10); sec_az_06_request_objects_are_refused
        for (name, refusal) in [("request", REQUEST), ("request_uri", REQUEST_URI)] {
            if form.one(name)?.is_some() {
                return Err(refusal);
            }
        }
        // SECURITY: any other type puts a token into a URL (RFC 9700 section 2.1.2);
        // sec_az_04_code_is_the_one_response_type
        if form.required("response_type")? != "code" {
            return Err(RESPONSE_TYPE);
        }
        if form
            .one("response_mode")?
            .is_some_and(|mode| mode != "query")
        {
            return Err(RESPONSE_MODE);
        }
        let challenge = form.one("code_challenge")?;
        let method = form.one("code_challenge_method")?;
        Ok(Self {
            target,
            code_challenge: CodeChallenge::from_request(challenge, method)?,
            scope: requested_scope(form)?.unwrap_or_default(),
            resource: requested_resource(form)?,
            prompt: form.one("prompt")?.map(str::to_owned),
        })
    }

    /// The URL to send the browser to. Parameters that the endpoint's URL has already are kept.
    pub fn to_url(&self, endpoint: &EndpointUrl) -> String {
        let mut query = Writer::new()
            .pair("response_type", "code")
            .pair("client_id", self.target.client_id.as_str())
            .pair("redirect_uri", self.target.redirect_uri.as_str())
            .pair("code_challenge", self.code_challenge.as_str())
            .pair("code_challenge_method", CodeChallenge::METHOD)
            .optional(
                "state",
                self.target.state.as_ref().map(SecretString::expose),
            );
        if !self.scope.is_empty() {
            query = query.pair("scope", &self.scope.to_string());
        }
        for resource in &self.resource {
            query = query.pair("resource", resource);
        }
        let query = query.optional("prompt", self.prompt.as_deref()).finish();
        let endpoint = endpoint.as_str();
        let separator = if endpoint.contains('?') { '&' } else { '?' };
        format!("{endpoint}{separator}{query}")
    }
}

/// Reads `scope` with a bound on what it may cost: 4 KiB and 100 scopes. Runs of spaces are
/// tolerated, because some clients send them; a word outside the grammar is not.
pub(crate) fn requested_scope(form: &Form) -> Result<Option<ScopeSet>, OAuthError> {
    let Some(text) = form.one("scope")? else {
        return Ok(None);
    };
    let words = || text.split(' ').filter(|word| !word.is_empty());
    // SECURITY: comparing scopes costs more than reading them; sec_az_07_scope_is_bounded
    if text.len() > 4096 || words().count() > 100 {
        return Err(SCOPE);
    }
    // SECURITY: with a word dropped that nobody can read, less is asked for than its client meant,
    // and nothing at all means the default (RFC 6749 section 3.3);
    // sec_az_07_a_word_outside_the_grammar_is_no_scope
    let scopes = words().map(Scope::parse).collect::<Result<_, _>>();
    scopes.map(Some).map_err(|_| NO_SCOPE)
}

/// Reads `resource`, which alone may be repeated (RFC 8707 section 2).
pub(crate) fn requested_resource(form: &Form) -> Result<Vec<String>, OAuthError> {
    let resource: Vec<String> = form.all("resource").map(str::to_owned).collect();
    if resource.len() > AuthorizationRequest::MOST_RESOURCES {
        return Err(RESOURCE);
    }
    Ok(resource)
}

const CLIENT_ID: OAuthError =
    OAuthError::new(OAuthErrorCode::InvalidRequest, "client_id is malformed");
const REDIRECT_URI: OAuthError =
    OAuthError::new(OAuthErrorCode::InvalidRequest, "redirect_uri is malformed");
const REQUEST: OAuthError = OAuthError::new(
    OAuthErrorCode::RequestNotSupported,
    "request objects are not supported",
);
const REQUEST_URI: OAuthError = OAuthError::new(
    OAuthErrorCode::RequestUriNotSupported,
    "request_uri is not supported",
);
const RESPONSE_TYPE: OAuthError = OAuthError::new(
    OAuthErrorCode::UnsupportedResponseType,
    "response_type must be code",
);
const RESPONSE_MODE: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidRequest,
    "response_mode must be query",
);
const SCOPE: OAuthError = OAuthError::new(OAuthErrorCode::InvalidScope, "scope is too long");
const NO_SCOPE: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidScope,
    "scope has a character that no scope has",
);
const RESOURCE: OAuthError =
    OAuthError::new(OAuthErrorCode::InvalidTarget, "resource appears too often");
