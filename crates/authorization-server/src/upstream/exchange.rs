//! Tokens of other APIs for a user's token: on behalf of (Microsoft identity platform), and token exchange
//! (RFC 8693).

use portcullis_oauth::form::Writer;
use portcullis_oauth::json::{self, Map, Value};
use portcullis_oauth::{ScopeSet, SecretString};
use portcullis_resource_server::{
    DownstreamApi, InteractionRequired, Unavailable, UpstreamToken, UpstreamTokenError,
};

use super::answer::{self, LIMITS};
use super::client::Inner;
use super::request::LONGEST_LIFE;
use super::{Upstream, UpstreamError};

/// How a provider gives a token of another API for a user's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenExchange {
    /// The on-behalf-of flow of the Microsoft identity platform: the grant type of RFC 7523 with
    /// `requested_token_use=on_behalf_of`. Scopes alone name the API.
    OnBehalfOf,
    /// OAuth 2.0 Token Exchange (RFC 8693).
    Standard,
}

/// Tokens of other APIs.
impl Upstream {
    /// Lets handlers have tokens of other APIs in their caller's name, by
    /// [`UpstreamToken::on_behalf_of`](portcullis_resource_server::UpstreamToken::on_behalf_of).
    /// Default: there are none.
    pub fn token_exchange(mut self, way: TokenExchange) -> Self {
        self.token_exchange = Some(way);
        self
    }
}

impl Inner {
    /// A token of that API, for the user whose access token `subject` is.
    pub(super) async fn exchange(
        &self,
        subject: &str,
        api: &DownstreamApi,
    ) -> Result<UpstreamToken, UpstreamTokenError> {
        let way = self.settings.upstream.token_exchange;
        let way = way.ok_or(UpstreamTokenError::Unsupported)?;
        let form = form(way, subject, api).ok_or(UpstreamTokenError::Unsupported)?;
        let nothing = Map::new();
        let site = self.site().await;
        let site = site.map_err(|error| failure(error, &nothing))?;
        let answer = self.post(&site, form).await;
        let answer = answer.map_err(|error| failure(error, &nothing))?;
        let members = answer::members(&answer).ok().flatten().unwrap_or_default();
        let read = answer::read(&answer, self.settings.upstream.dialect.bearer_unless_said);
        let tokens = read.map_err(|refusal| {
            self.refused(answer.status, &refusal, &[subject]);
            failure(refusal.error, &members)
        })?;
        // SECURITY: an ID or refresh token sent to an API as a bearer token says what it must not (RFC
        // 8693 section 2.2.1); sec_px_11_an_exchange_gives_an_access_token_or_nothing
        let kind = members.get("issued_token_type");
        if kind.is_some_and(|kind| kind != ACCESS_TOKEN && kind != JWT) {
            let error = UpstreamError::Invalid("issued_token_type");
            self.log.failed("token", "issued_token_type", &error);
            return Err(failure(error, &nothing));
        }
        let end = tokens.expires_in.map(|lifetime| {
            let lifetime = lifetime.min(LONGEST_LIFE);
            self.now().saturating_add(lifetime)
        });
        // A refresh token of it is not kept: the user's own gives a new one.
        let token = SecretString::new(tokens.access_token.expose());
        let granted = tokens.scope.as_deref().map(ScopeSet::parse_lenient);
        Ok(UpstreamToken::new(token)
            .with_scopes(granted)
            .with_expiry(end))
    }
}

/// What is sent; nothing where the provider cannot be asked for such an API.
fn form(way: TokenExchange, subject: &str, api: &DownstreamApi) -> Option<Writer> {
    let scopes = Some(api.asked_scopes()).filter(|scopes| !scopes.is_empty());
    let scopes = scopes.map(ToString::to_string);
    match way {
        TokenExchange::OnBehalfOf => {
            let is_named = api.asked_audience().is_some() || api.asked_resource().is_some();
            let form = Writer::new()
                .pair("grant_type", JWT_BEARER)
                .pair("requested_token_use", "on_behalf_of")
                .pair("assertion", subject)
                .pair("scope", &scopes?);
            (!is_named).then_some(form)
        }
        TokenExchange::Standard => Some(
            Writer::new()
                .pair("grant_type", TOKEN_EXCHANGE)
                .pair("subject_token", subject)
                .pair("subject_token_type", ACCESS_TOKEN)
                .pair("requested_token_type", ACCESS_TOKEN)
                .optional("audience", api.asked_audience())
                .optional("resource", api.asked_resource())
                .optional("scope", scopes.as_deref()),
        ),
    }
}

/// What a refusal means to whoever asked. The grant does not end by it: that is for its own refresh to
/// find out.
fn failure(error: UpstreamError, said: &Map<String, Value>) -> UpstreamTokenError {
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    let is_one_of =
        |words: &[&str], name: &str| text(name).is_some_and(|word| words.contains(&word));
    match error {
        UpstreamError::Unavailable(unavailable) => unavailable.into(),
        UpstreamError::Invalid(_) | UpstreamError::Nobody(_) => {
            let unavailable = Unavailable::new("the provider's answer cannot be believed");
            unavailable.caused_by(error).into()
        }
        _ if is_one_of(INTERACTION, "error") || is_one_of(INTERACTION, "suberror") => {
            let claims = text("claims").filter(|text| is_challenge(text));
            let claims = claims.map(str::to_owned);
            UpstreamTokenError::InteractionRequired(InteractionRequired::new(claims))
        }
        UpstreamError::Ended if is_one_of(SIGN_IN, "suberror") => UpstreamTokenError::Ended,
        UpstreamError::Ended
        | UpstreamError::Denied
        | UpstreamError::OurFault
        | UpstreamError::Nothing(_) => UpstreamTokenError::Refused,
    }
}

/// Whether a claims challenge is one, and no longer than a request can carry.
fn is_challenge(text: &str) -> bool {
    text.len() <= LONGEST_CHALLENGE
        && json::from_slice::<Map<String, Value>>(text.as_bytes(), LIMITS).is_ok()
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// The longest claims challenge, in bytes.
const LONGEST_CHALLENGE: usize = 8 * 1024;

/// OpenID Connect Core section 3.1.2.6, then what Microsoft says more closely in `suberror`.
const INTERACTION: &[&str] = &[
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "login_required",
    "additional_action",
    "basic_action",
    "message_only",
    "user_password_expired",
];

/// What Microsoft says, in `suberror`, of a sign-in that is over.
const SIGN_IN: &[&str] = &["bad_token", "token_expired"];
