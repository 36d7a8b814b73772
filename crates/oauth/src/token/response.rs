//! What the token endpoint answers (RFC 6749 sections 5.1 and 5.2).

use std::time::Duration;

use crate::error::OAuthErrorCode;
use crate::json::{self, JsonError, Limits, Map, Value};
use crate::scope::ScopeSet;
use crate::secret::{BearerToken, RefreshToken, SecretString};

/// Tokens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenResponse {
    /// The access token; its type is `Bearer`.
    pub access_token: BearerToken,
    /// How long it lives from now on. An answer may leave it out.
    pub expires_in: Option<Duration>,
    /// A token for the next one.
    pub refresh_token: Option<RefreshToken>,
    /// How long that one lives from now on, where a server says so in a member of its own
    /// (`refresh_expires_in`, `refresh_token_expires_in`). Zero stands for no end there.
    pub refresh_expires_in: Option<Duration>,
    /// The granted scopes as text. An answer without it says nothing about them; some servers
    /// separate them by commas.
    pub scope: Option<String>,
    /// An ID token, not verified.
    pub id_token: Option<SecretString>,
}

impl TokenResponse {
    /// An answer with nothing but an access token.
    pub fn new(access_token: BearerToken) -> Self {
        Self {
            access_token,
            expires_in: None,
            refresh_token: None,
            refresh_expires_in: None,
            scope: None,
            id_token: None,
        }
    }

    /// The granted scopes, separated by spaces; words that are no scopes are dropped.
    pub fn scopes(&self) -> Option<ScopeSet> {
        self.scope.as_deref().map(ScopeSet::parse_lenient)
    }

    /// Reads an answer, whatever its status was. `expires_in` may be a text; a fraction is cut off
    /// and less than zero counts as zero.
    ///
    /// # Errors
    /// [`TokenResponseError`]; [`TokenResponseError::Refused`] when the body has an `error`.
    pub fn parse(document: &[u8]) -> Result<Self, TokenResponseError> {
        Self::from_members(&json::from_slice(document, Limits::METADATA)?)
    }

    /// Reads an answer whose members were found by other means: some servers encode theirs as a form.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_members(members: &Map<String, Value>) -> Result<Self, TokenResponseError> {
        if let Some(error) = ErrorResponse::from_members(members) {
            return Err(TokenResponseError::Refused(error));
        }
        let text = |name: &'static str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(_) => Err(TokenResponseError::Member(name)),
        };
        let access_token =
            text("access_token")?.ok_or(TokenResponseError::Member("access_token"))?;
        // SECURITY: a token of another type must not be sent as a bearer token (RFC 6749 section
        // 7.1); sec_cl_10_another_token_type_is_not_used
        if !text("token_type")?.is_some_and(|kind| kind.eq_ignore_ascii_case("Bearer")) {
            return Err(TokenResponseError::Member("token_type"));
        }
        Ok(Self {
            access_token: BearerToken::new(access_token),
            expires_in: expires_in(members.get("expires_in"))?,
            refresh_token: text("refresh_token")?.map(RefreshToken::new),
            refresh_expires_in: refresh_expires_in(members),
            scope: text("scope")?,
            id_token: text("id_token")?.map(SecretString::from),
        })
    }

    /// The body of the answer, which holds secrets: send it with `Cache-Control: no-store`.
    pub fn to_json(&self) -> String {
        let mut members = Map::new();
        let mut insert = |name: &str, value: Value| members.insert(name.to_owned(), value);
        insert("access_token", self.access_token.expose().into());
        insert("token_type", "Bearer".into());
        if let Some(expires_in) = self.expires_in {
            insert("expires_in", expires_in.as_secs().into());
        }
        if let Some(token) = &self.refresh_token {
            insert("refresh_token", token.expose().into());
        }
        if let Some(scope) = self.scope.as_ref().filter(|scope| !scope.is_empty()) {
            insert("scope", scope.as_str().into());
        }
        if let Some(token) = &self.id_token {
            insert("id_token", token.expose().into());
        }
        Value::Object(members).to_string()
    }
}

/// A refusal, in another server's words: escape them before they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorResponse {
    /// The code, if it is a registered one.
    pub code: Option<OAuthErrorCode>,
    /// The code as it was written.
    pub error: String,
    /// A sentence for developers.
    pub description: Option<String>,
}

impl ErrorResponse {
    /// Reads a refusal, if the body is one.
    pub fn parse(document: &[u8]) -> Option<Self> {
        let members = json::from_slice(document, Limits::METADATA).ok()?;
        Self::from_members(&members)
    }

    fn from_members(members: &Map<String, Value>) -> Option<Self> {
        let error = members.get("error")?.as_str()?;
        let description = members.get("error_description").and_then(Value::as_str);
        Some(Self {
            code: OAuthErrorCode::parse(error),
            error: error.to_owned(),
            description: description.map(str::to_owned),
        })
    }
}

/// Why there are no tokens in an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenResponseError {
    /// It is not a JSON object.
    #[error("the token response cannot be read")]
    Document(#[from] JsonError),
    /// A member is missing or not what it should be.
    #[error("`{0}` in the token response cannot be used")]
    Member(&'static str),
    /// The server refused.
    #[error("the token endpoint refused the request")]
    Refused(ErrorResponse),
}

/// Outside the standard, so nothing hangs on it: what cannot be read was not said.
fn refresh_expires_in(members: &Map<String, Value>) -> Option<Duration> {
    ["refresh_expires_in", "refresh_token_expires_in"]
        .into_iter()
        .find_map(|name| expires_in(members.get(name)).ok().flatten())
        .filter(|lifetime| !lifetime.is_zero())
}

fn expires_in(value: Option<&Value>) -> Result<Option<Duration>, TokenResponseError> {
    let seconds = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse::<f64>().ok(),
        Some(_) => None,
    };
    let seconds = seconds.filter(|seconds| seconds.is_finite());
    let seconds = seconds.ok_or(TokenResponseError::Member("expires_in"))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and less than zero is zero"
    )]
    let seconds = seconds as u64;
    Ok(Some(Duration::from_secs(seconds)))
}
