//! `GET` and `POST /oauth/authorize`: a client asks for a grant (RFC 6749 section 4.1.1, RFC 7636, RFC
//! 8707).
//!
//! First it is seen who asks and where the answer goes. While that is not proven, whatever is wrong is
//! shown on a page of ours (400). Then the rest is read, and what is wrong with it is the client's to
//! hear: 303 to its redirect URI with `error`, `state` and `iss`. A request without fault becomes an
//! [`Interaction`], and the browser goes on to log in, or to consent.

use std::time::Duration;

use axum::response::Response;
use http::{HeaderValue, StatusCode};
use portcullis_oauth::authorize::{AuthorizationRequest, AuthorizationTarget};
use portcullis_oauth::form::{Form, Writer};
use portcullis_oauth::{OAuthError, OAuthErrorCode, Scope, ScopeSet};

use super::fault::Fault;
use super::path::{ACCOUNT, AUTHORIZE, CONSENT, LOGIN};
use super::target::{ProvenTarget, see_other};
use super::visitor::{AGAIN, Visitor, depart, with_cookies};
use super::wire::Wire;
use crate::client::GrantType;
use crate::context::Context;
use crate::grant::scope::OFFLINE_ACCESS;
use crate::interaction::{Asked, Browser, Errand, Interaction, Login};
use crate::limits::Limit;

/// `GET /oauth/authorize`
pub(super) async fn get(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    let (context, request) = (visitor.context, visitor.request);
    if request.is_prefetch() {
        // Whoever looks at nothing yet comes again.
        return Ok(Wire::new(StatusCode::SERVICE_UNAVAILABLE, NOT_NOW).into_early_response());
    }
    context.limits.allow(Limit::Authorize, request.address())?;
    let form = request.query()?;
    if let Some(sealed) = form.one(AGAIN)? {
        return begin_again(visitor, sealed).await;
    }
    let target = read_target(&form)?;
    let target = ProvenTarget::prove(context, target, request.address()).await?;
    let (asked, prompt) = match asked(context, &target, &form) {
        Ok(asked) => asked,
        Err(error) => return Err(Fault::of_request(target, error)),
    };
    let begun = Begun::new(
        visitor,
        Errand::Authorization(Box::new(asked)),
        prompt.login,
    )
    .await?;
    // SECURITY: consent is asked every time, so there is none to fall back on (OpenID Connect Core
    // section 3.1.2.1); sec_az_11_prompt_none_grants_nothing_in_silence
    match (prompt.is_silent, begun.is_signed_in) {
        (true, true) => Err(Fault::of_request(target, CONSENT_REQUIRED)),
        (true, false) => Err(Fault::of_request(target, LOGIN_REQUIRED)),
        (false, _) => begun.go_on(visitor).await,
    }
}

/// `POST /oauth/authorize`, which clients may use too (RFC 6749 section 3.1).
///
/// It is sent from the client's page, and browsers leave our cookies out of it; so they come back with
/// the same parameters by `GET`.
pub(super) fn post(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    // SECURITY: of two places nobody knows which one was checked (RFC 6749 section 3.1);
    // sec_az_03_parameters_come_from_one_place
    if visitor.request.has_query() {
        return Err(TWO_PLACES.into());
    }
    let form = visitor.request.body()?;
    let query = form.iter().fold(Writer::new(), |query, (name, value)| {
        query.pair(name, value)
    });
    let query = query.finish();
    if query.len() > MOST_QUERY {
        return Err(TOO_LONG.into());
    }
    Ok(see_other(&format!("{}?{query}", visitor.path(AUTHORIZE))))
}

/// The same request once more, in this browser: with an id, a login and a consent of its own.
async fn begin_again(visitor: &Visitor<'_>, sealed: &str) -> Result<Response, Fault> {
    let context = visitor.context;
    let (now, lifetime) = (context.clock.now(), context.settings.lifetimes.interaction);
    let (errand, login) = Interaction::again(sealed, &context.records, now, lifetime)?;
    let begun = Begun::new(visitor, errand, login).await?;
    begun.go_on(visitor).await
}

/// An interaction that begins in this browser.
pub(super) struct Begun {
    interaction: Interaction,
    is_signed_in: bool,
    /// For a browser that was not here before.
    cookie: Option<HeaderValue>,
}

impl Begun {
    /// Begins it. All that a browser is in the middle of shares one cookie, so none ends another.
    ///
    /// # Errors
    /// [`Fault`] when that cannot be done now.
    pub(super) async fn new(
        visitor: &Visitor<'_>,
        errand: Errand,
        login: Login,
    ) -> Result<Self, Fault> {
        let context = visitor.context;
        let known = visitor.browser();
        let browser = known
            .clone()
            .map_or_else(|| Browser::generate(&*context.entropy), Ok)?;
        let name = &visitor.cookies().browser;
        let cookie = match known {
            Some(_) => None,
            None => name.set(browser.expose(), None).ok(),
        };
        let (now, entropy) = (context.clock.now(), &*context.entropy);
        let interaction = Interaction::begin(errand, login, &browser, now, entropy)?;
        let signed_in = visitor.signed_in().await?;
        Ok(Self {
            is_signed_in: signed_in.is_some_and(|who| who.is_enough_for(&interaction)),
            interaction,
            cookie,
        })
    }

    /// Sends the browser to where the user acts next.
    ///
    /// # Errors
    /// [`Fault`] when that cannot be done now.
    pub(super) async fn go_on(self, visitor: &Visitor<'_>) -> Result<Response, Fault> {
        let context = visitor.context;
        let (interaction, broker) = (&self.interaction, context.identity.broker());
        let response = match (interaction.asked(), broker) {
            (None, _) if self.is_signed_in => visitor.go(ACCOUNT),
            (None, Some(broker)) => {
                depart(visitor, broker, (interaction, &ScopeSet::new())).await?
            }
            (Some(asked), Some(broker)) if broker.skips_consent() => {
                let scope = unasked(visitor, asked).await?;
                depart(visitor, broker, (interaction, &scope)).await?
            }
            (Some(_), _) if self.is_signed_in || broker.is_some() => {
                visitor.go_on(CONSENT, &interaction.seal(&context.records)?)
            }
            _ => visitor.go_on(LOGIN, &interaction.seal(&context.records)?),
        };
        Ok(with_cookies(response, self.cookie))
    }
}

/// What is granted where nobody is asked: the same that a page would show.
async fn unasked(visitor: &Visitor<'_>, asked: &Asked) -> Result<ScopeSet, Fault> {
    let target = visitor.prove(asked).await?;
    let context = visitor.context;
    let default = context.resources.default_at(&asked.resource);
    let catalogue = context.catalogue();
    let granted = catalogue.grant(&asked.scope, default.as_ref(), (target.client(), None));
    granted.map_err(|error| Fault::of_request(target, error))
}

/// Any scheme will do that runs no code: a redirect URI is the client's own, or it is refused.
fn read_target(form: &Form) -> Result<AuthorizationTarget, OAuthError> {
    let uri = form.one("redirect_uri")?.unwrap_or_default();
    let scheme = uri
        .split(':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    AuthorizationTarget::from_form(form, &[&scheme])
}

/// What a client asks for, and how its user is to be met.
fn asked(
    context: &Context,
    target: &ProvenTarget,
    form: &Form,
) -> Result<(Asked, Prompt), OAuthError> {
    let client = target.client();
    let requested = AuthorizationRequest::from_form(
        AuthorizationTarget::new(
            client.id.clone(),
            target.redirect_uri().clone(),
            target.state().cloned(),
        ),
        form,
    )?;
    let state = requested.target.state;
    if state
        .as_ref()
        .is_some_and(|state| state.expose().len() > MOST_STATE)
    {
        return Err(STATE);
    }
    if !client.may_use(GrantType::AUTHORIZATION_CODE) {
        return Err(GRANT_TYPE);
    }
    // What the user may grant is seen when it is known who the user is.
    let catalogue = context.catalogue();
    let resource = context.resources.judge(&requested.resource)?;
    let default = context.resources.default_at(&resource);
    catalogue.grant(&requested.scope, default.as_ref(), (client, None))?;
    let asked = Asked {
        client_id: client.id.clone(),
        redirect_uri: target.redirect_uri().clone(),
        state,
        code_challenge: requested.code_challenge,
        scope: known(&requested.scope, &catalogue.all),
        resource,
        login_hint: hint(form, "login_hint")?,
        ui_locales: hint(form, "ui_locales")?,
    };
    let prompt = Prompt::read(requested.prompt.as_deref(), form.one("max_age")?)?;
    Ok((asked, prompt))
}

/// Words that are no scopes of ours would only make the address longer.
fn known(requested: &ScopeSet, all: &ScopeSet) -> ScopeSet {
    let is_known = |scope: &&Scope| all.contains(scope) || scope.as_str() == OFFLINE_ACCESS;
    requested.iter().filter(is_known).cloned().collect()
}

/// A parameter that may help the user, and otherwise does nothing.
fn hint(form: &Form, name: &str) -> Result<Option<String>, OAuthError> {
    let hint = form.one(name)?;
    let fits = |hint: &&str| hint.len() <= MOST_HINT && !hint.chars().any(char::is_control);
    Ok(hint.filter(fits).map(str::to_owned))
}

/// How the user is to be met (OpenID Connect Core section 3.1.2.1).
#[derive(Debug, PartialEq, Eq)]
struct Prompt {
    /// Without any page.
    is_silent: bool,
    login: Login,
}

impl Prompt {
    /// Reads `prompt` and `max_age`. `consent` is what happens anyway, and words that nobody knows
    /// are let be.
    fn read(prompt: Option<&str>, max_age: Option<&str>) -> Result<Self, OAuthError> {
        let words: Vec<&str> = prompt
            .unwrap_or_default()
            .split_ascii_whitespace()
            .collect();
        let is_silent = words.contains(&"none");
        if is_silent && words.len() > 1 {
            return Err(PROMPT);
        }
        let max_age = match max_age {
            None => None,
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
            }
            Some(_) => return Err(MAX_AGE),
        };
        let login = match max_age {
            _ if words.contains(&"login") => Login::Anew,
            // Nobody has logged in at this very moment, so it means the same.
            Some(Duration::ZERO) => Login::Anew,
            Some(age) => Login::Within(age),
            None => Login::Any,
        };
        Ok(Self { is_silent, login })
    }
}

/// The longest `state`, in bytes. It travels with the browser.
const MOST_STATE: usize = 4096;
/// The longest hint, in bytes.
const MOST_HINT: usize = 256;
/// The longest query that a posted form becomes, in bytes.
const MOST_QUERY: usize = 16 * 1024;

const fn invalid_request(description: &'static str) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidRequest, description)
}

const TWO_PLACES: OAuthError =
    invalid_request("parameters are in the query or in the body, not in both");
const TOO_LONG: OAuthError = invalid_request("the request is too long");
const STATE: OAuthError = invalid_request("state is longer than 4096 bytes");
const PROMPT: OAuthError = invalid_request("prompt=none goes with no other value");
const MAX_AGE: OAuthError = invalid_request("max_age is a number of seconds");
const GRANT_TYPE: OAuthError = OAuthError::new(
    OAuthErrorCode::UnauthorizedClient,
    "the client is not registered for the grant type authorization_code",
);
const NOT_NOW: OAuthError = OAuthError::new(
    OAuthErrorCode::TemporarilyUnavailable,
    "a request begins when its user asks for it",
);
const LOGIN_REQUIRED: OAuthError =
    OAuthError::new(OAuthErrorCode::LoginRequired, "the user has to log in");
const CONSENT_REQUIRED: OAuthError =
    OAuthError::new(OAuthErrorCode::ConsentRequired, "the user has to consent");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_az_11_prompt_and_max_age_say_how_the_user_is_met() {
        let read = |prompt, max_age| Prompt::read(prompt, max_age);
        let prompt = |is_silent, login| Ok(Prompt { is_silent, login });
        assert_eq!(read(None, None), prompt(false, Login::Any));
        for consent in ["consent", "select_account", "never_heard_of", " "] {
            assert_eq!(read(Some(consent), None), prompt(false, Login::Any));
        }
        assert_eq!(read(Some("none"), None), prompt(true, Login::Any));
        assert_eq!(read(Some("login"), None), prompt(false, Login::Anew));
        assert_eq!(
            read(Some("consent login"), Some("9")),
            prompt(false, Login::Anew)
        );
        assert_eq!(read(None, Some("0")), prompt(false, Login::Anew));
        let minute = Login::Within(Duration::from_secs(60));
        assert_eq!(read(Some("none"), Some("60")), prompt(true, minute));
        let ever = Login::Within(Duration::from_secs(u64::MAX));
        assert_eq!(
            read(None, Some("99999999999999999999999")),
            prompt(false, ever)
        );
        for bad in ["none login", "none consent", "consent none"] {
            assert_eq!(read(Some(bad), None), Err(PROMPT), "{bad}");
        }
        for bad in ["-1", "+1", "1.5", "x", " 1"] {
            assert_eq!(read(None, Some(bad)), Err(MAX_AGE), "{bad}");
        }
    }
}
