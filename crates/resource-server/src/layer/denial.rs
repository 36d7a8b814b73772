//! The one place that writes the status and the challenge of a refusal.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use portcullis_oauth::ScopeSet;
use portcullis_oauth::challenge::{BearerError, Challenge};
use portcullis_oauth::json::json;

use crate::events::Journal;
use crate::mcp::{InBandCall, StepUp};
use crate::{AccessToken, Incident};

/// Why a request did not pass. It is in the extensions of the answer, where layers outside find
/// it; the client sees only the answer.
#[derive(Debug, Clone)]
pub struct Denial {
    kind: DenialKind,
    reason: &'static str,
    description: &'static str,
    scopes: ScopeSet,
    resource_metadata: Option<Arc<str>>,
    retry_after: Option<Duration>,
    incident: Option<Incident>,
    caller: Option<Box<AccessToken>>,
    journal: Journal,
}

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenialKind {
    /// There was no token: 401.
    MissingToken,
    /// The request carries its credentials in a way that nobody should read: 400.
    InvalidRequest,
    /// The token is not valid here: 401.
    InvalidToken,
    /// The token is valid and does not reach this far: 403.
    InsufficientScope,
    /// Nobody can tell whether the token is valid: 503.
    Unavailable,
    /// Our own fault: 500.
    Internal,
}

impl DenialKind {
    /// The status of the answer.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MissingToken | Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// `error` in the challenge; none where there was no token (RFC 6750 section 3.1).
    const fn bearer_error(self) -> Option<BearerError> {
        match self {
            Self::InvalidRequest => Some(BearerError::InvalidRequest),
            Self::InvalidToken => Some(BearerError::InvalidToken),
            Self::InsufficientScope => Some(BearerError::InsufficientScope),
            Self::MissingToken | Self::Unavailable | Self::Internal => None,
        }
    }

    /// `error` in the body.
    const fn code(self) -> &'static str {
        match self {
            Self::MissingToken => "unauthorized",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::Unavailable => "temporarily_unavailable",
            Self::Internal => "server_error",
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::MissingToken => "an access token is required",
            Self::InvalidRequest => "send one access token, in the Authorization header",
            Self::InvalidToken => "the access token is not valid for this resource",
            Self::InsufficientScope => "the access token does not have the scopes this needs",
            Self::Unavailable => "the access token cannot be verified now, try again later",
            Self::Internal => "the server failed",
        }
    }

    /// What a model reads, to be passed on to its user.
    const fn request_to_user(self) -> &'static str {
        match self {
            Self::MissingToken => "Sign in to use this tool.",
            Self::InvalidToken => "The sign-in has ended. Sign in again to use this tool.",
            _ => "This tool needs more access than was granted. Sign in again to grant it.",
        }
    }
}

impl Denial {
    pub(super) fn new(
        kind: DenialKind,
        reason: &'static str,
        resource_metadata: Option<Arc<str>>,
        journal: Journal,
    ) -> Self {
        Self {
            kind,
            reason,
            description: kind.description(),
            scopes: ScopeSet::new(),
            resource_metadata,
            retry_after: None,
            incident: None,
            caller: None,
            journal,
        }
    }

    pub(super) fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = scopes;
        self
    }

    pub(super) fn description(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    pub(super) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    pub(super) fn named(mut self, incident: Incident) -> Self {
        self.incident = Some(incident);
        self
    }

    /// Whose token it was. It proves nothing: the grant may be gone.
    pub(super) fn of(mut self, caller: &AccessToken) -> Self {
        self.caller = Some(Box::new(caller.clone()));
        self
    }

    /// What kind of refusal it is.
    pub fn kind(&self) -> DenialKind {
        self.kind
    }

    /// A stable word for logs and metrics: `expired`, `wrong_audience`, `missing_token`.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// The scopes that the challenge asks for.
    pub fn challenged_scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The scopes that the challenge asks for and the token does not have.
    pub(crate) fn missing_scopes(&self) -> ScopeSet {
        match &self.caller {
            Some(caller) => self.scopes.difference(caller.effective_scopes()),
            None => self.scopes.clone(),
        }
    }

    pub(crate) fn incident(&self) -> Option<&Incident> {
        self.incident.as_ref()
    }

    pub(crate) fn caller(&self) -> Option<&AccessToken> {
        self.caller.as_deref()
    }

    /// The challenge (RFC 6750 section 3, RFC 9728 section 5.1); none where a token would not
    /// help.
    pub fn challenge(&self) -> Option<Challenge> {
        if matches!(self.kind, DenialKind::Unavailable | DenialKind::Internal) {
            return None;
        }
        let mut challenge = Challenge::bearer();
        if let Some(error) = self.kind.bearer_error() {
            challenge = challenge.error(error).error_description(self.description);
        }
        if let Some(url) = &self.resource_metadata {
            challenge = challenge.resource_metadata(url);
        }
        Some(challenge.scope(&self.scopes))
    }

    /// The challenge as clients look for it inside an answer. With no token it names an error too,
    /// as such clients offer to sign in only then: the one of a request that needs more than it has.
    fn challenge_in_band(&self) -> Option<Challenge> {
        let challenge = self.challenge()?;
        Some(match self.kind {
            DenialKind::MissingToken => challenge
                .error(BearerError::InsufficientScope)
                .error_description(self.description),
            _ => challenge,
        })
    }

    /// The answer in the form in which its client looks for it.
    pub(crate) fn answer_to(self, in_band: Option<&InBandCall>) -> Response<Body> {
        match in_band {
            Some(call) => self.into_result_of(call),
            None => self.into_response(),
        }
    }

    /// The answer to a call of a tool, with the challenge inside of it: status 200. Where there is no
    /// challenge it is [`into_response`](Self::into_response).
    fn into_result_of(self, call: &InBandCall) -> Response<Body> {
        let Some(challenge) = self.challenge_in_band() else {
            return self.into_response();
        };
        self.log();
        let mut result = json!({
            "content": [{"type": "text", "text": self.kind.request_to_user()}],
            "isError": true,
            "_meta": {StepUp::CHALLENGE_MEMBER: [challenge.to_header_value()]},
        });
        // Since revision 2026-07-28 every result says what it is.
        if let (true, Some(members)) = (call.names_revision, result.as_object_mut()) {
            members.insert("resultType".to_owned(), "complete".into());
        }
        let id = &call.id;
        self.answer(format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#
        ))
    }

    /// The answer to the client.
    pub fn into_response(self) -> Response<Body> {
        self.log();
        let mut body = json!({"error": self.kind.code(), "error_description": self.description});
        // SECURITY: of a failure on our side the client learns a name, and the log the cause
        // (CWE-209); sec_op_04_a_failure_shows_a_name_and_nothing_else
        if let (Some(incident), Some(members)) = (&self.incident, body.as_object_mut()) {
            members.insert("incident".to_owned(), incident.as_str().into());
        }
        let challenge = self
            .challenge()
            .map(|challenge| challenge.to_header_value());
        let (status, retry_after) = (self.kind.status(), self.retry_after);
        let mut response = self.answer(body.to_string());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Some(Ok(value)) = challenge.map(HeaderValue::try_from) {
            headers.insert(WWW_AUTHENTICATE, value);
        }
        if let Some(wait) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }

    fn log(&self) {
        // A failure of ours was logged with its cause and its incident.
        if self.incident.is_none() {
            let is_news = self.kind != DenialKind::MissingToken;
            self.journal.denied(self.reason, is_news);
        }
    }

    /// A body of JSON, with this for whoever watches.
    fn answer(self, body: String) -> Response<Body> {
        let mut response = Response::new(Body::from(body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(self);
        response
    }
}
