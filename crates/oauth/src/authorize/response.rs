//! What comes back by way of the browser (RFC 6749 section 4.1.2, RFC 9207).

use crate::error::{OAuthError, OAuthErrorCode};
use crate::form::{Form, FormError, Limits};
use crate::id::Issuer;
use crate::redirect::RedirectUri;
use crate::secret::{AuthorizationCode, SecretString};

/// A response to an authorization request.
///
/// Its issuer is not optional: a response without `iss` can be mistaken for another server's
/// (RFC 9207 section 1).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthorizationResponse {
    /// The request's `state`.
    pub state: Option<SecretString>,
    /// Who answers.
    pub issuer: Issuer,
    /// The answer.
    pub outcome: Outcome,
}

/// A code, or why there is none.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// A code to redeem.
    Code(AuthorizationCode),
    /// A refusal.
    Error {
        /// The code, if it is a registered one.
        code: Option<OAuthErrorCode>,
        /// The other side's words. Escape them before they are shown.
        description: Option<String>,
    },
}

/// What a client expects of the response to its request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Expected<'a> {
    /// The `state` that was sent.
    pub state: &'a SecretString,
    /// The server that was asked.
    pub issuer: &'a Issuer,
    /// Whether its metadata says `authorization_response_iss_parameter_supported`.
    pub issuer_is_sent: bool,
}

impl<'a> Expected<'a> {
    /// What a request with this state to this server is answered with.
    pub fn new(state: &'a SecretString, issuer: &'a Issuer, issuer_is_sent: bool) -> Self {
        Self {
            state,
            issuer,
            issuer_is_sent,
        }
    }
}

impl AuthorizationResponse {
    /// A code for the client.
    pub fn code(issuer: &Issuer, state: Option<SecretString>, code: AuthorizationCode) -> Self {
        Self {
            state,
            issuer: issuer.clone(),
            outcome: Outcome::Code(code),
        }
    }

    /// A refusal for the client.
    pub fn error(issuer: &Issuer, state: Option<SecretString>, error: OAuthError) -> Self {
        let description = Some(error.description.to_owned()).filter(|text| !text.is_empty());
        let outcome = Outcome::Error {
            code: Some(error.code),
            description,
        };
        Self {
            state,
            issuer: issuer.clone(),
            outcome,
        }
    }

    /// The value of `Location`, whose redirect URI the caller has checked. It may hold a code: send
    /// it with `Cache-Control: no-store`.
    pub fn to_location(&self, redirect_uri: &RedirectUri) -> String {
        let mut parameters = Vec::with_capacity(4);
        match &self.outcome {
            Outcome::Code(code) => parameters.push(("code", code.expose())),
            Outcome::Error { code, description } => {
                let code = code.unwrap_or(OAuthErrorCode::ServerError);
                parameters.push(("error", code.as_str()));
                parameters.extend(
                    description
                        .iter()
                        .map(|text| ("error_description", text.as_str())),
                );
            }
        }
        parameters.extend(self.state.iter().map(|state| ("state", state.expose())));
        // SECURITY: on errors too, or a client cannot tell whose they are (RFC 9207 section 2);
        // sec_az_10_every_response_names_its_issuer_once
        parameters.push(("iss", self.issuer.as_str()));
        redirect_uri.with_response(&parameters)
    }

    /// Reads the query of a redirect, and nothing of it before `state` and `iss` are as expected.
    ///
    /// # Errors
    /// [`ResponseError`]. A [`WrongState`](ResponseError::WrongState) is somebody else's response:
    /// ignore it and keep waiting.
    pub fn parse(query: &[u8], expected: Expected<'_>) -> Result<Self, ResponseError> {
        let form = Form::parse(query, Limits::ENDPOINT)?;
        // SECURITY: a response that nobody asked for carries an attacker's code (RFC 9700 section
        // 4.7); sec_cl_07_a_response_without_our_state_is_none
        let state = form.one("state")?.ok_or(ResponseError::WrongState)?;
        if !expected.state.ct_eq(state.as_bytes()) {
            return Err(ResponseError::WrongState);
        }
        // SECURITY: another server's response would make us hand its code to ours, or ours to it
        // (RFC 9207 section 2.4); sec_cl_06_iss_is_compared_byte_for_byte
        match form.one("iss")? {
            Some(issuer) if issuer == expected.issuer.as_str() => {}
            None if !expected.issuer_is_sent => {}
            _ => return Err(ResponseError::WrongIssuer),
        }
        form.refuse_repeats_except(&[])?;
        let outcome = match (form.one("code")?, form.one("error")?) {
            (Some(code), None) => Outcome::Code(AuthorizationCode::new(code)),
            (None, Some(error)) => Outcome::Error {
                code: OAuthErrorCode::parse(error),
                description: form.one("error_description")?.map(str::to_owned),
            },
            _ => return Err(ResponseError::Malformed),
        };
        Ok(Self {
            state: Some(state.into()),
            issuer: expected.issuer.clone(),
            outcome,
        })
    }
}

/// Why a response was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// The query is no form, or a parameter is repeated.
    #[error("the authorization response cannot be read")]
    Form(#[from] FormError),
    /// `state` is missing or not the one that was sent.
    #[error("`state` in the authorization response is not the one that was sent")]
    WrongState,
    /// `iss` is another server's, or missing though the server promises it.
    #[error("`iss` in the authorization response is not the server that was asked")]
    WrongIssuer,
    /// There is neither a code nor an error, or both.
    #[error("the authorization response has neither a code nor an error, or both")]
    Malformed,
}
