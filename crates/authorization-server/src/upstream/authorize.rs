//! The authorization request that is sent to a provider (RFC 6749 section 4.1.1).

use portcullis_oauth::form::{Form, Limits, Writer};
use portcullis_oauth::{CodeChallenge, ScopeSet};

use super::UpstreamError;
use super::check::Settings;
use super::site::Site;

/// What a user is sent away with. All of it is ours, and none a client's.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) state: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) challenge: &'a CodeChallenge,
    pub(crate) scope: &'a ScopeSet,
    pub(crate) login_hint: Option<&'a str>,
    /// Whether the user is to say again who they are.
    pub(crate) login: bool,
}

/// The parameters of requests and answers that are nobody's to set.
pub(super) const RESERVED: [&str; 13] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "iss",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// Where the user's browser goes.
pub(super) fn url(
    settings: &Settings,
    site: &Site,
    ask: &Ask<'_>,
) -> Result<String, UpstreamError> {
    let mut pairs = parameters(settings, ask);
    let endpoint = site.authorization.url();
    let query = endpoint.query().unwrap_or_default();
    let own = Form::parse(query.as_bytes(), Limits::ENDPOINT)
        .map_err(|_| UpstreamError::Invalid("the authorization endpoint's query is malformed"))?;
    // What stands in the endpoint stays (RFC 6749 section 3.1), but for what is said here.
    let kept = own
        .iter()
        .filter(|(name, _)| !pairs.iter().any(|(ours, _)| ours == name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect::<Vec<_>>();
    pairs.splice(0..0, kept);
    let query = pairs
        .iter()
        .fold(Writer::new(), |form, (name, value)| form.pair(name, value))
        .finish();
    let text = site.authorization.as_str();
    let base = text.split_once('?').map_or(text, |(base, _)| base);
    // A `+` is a space in a form, and to some providers a plus in a URL; a real one is `%2B` by now.
    Ok(format!("{base}?{}", query.replace('+', "%20")))
}

fn parameters(settings: &Settings, ask: &Ask<'_>) -> Vec<(String, String)> {
    let upstream = &settings.upstream;
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name.to_owned(), value.to_owned()));
    };
    for (name, value) in &upstream.authorize_params {
        set(name, value);
    }
    if ask.login {
        set("prompt", &upstream.login_prompt);
    }
    if let Some(hint) = ask.login_hint {
        set("login_hint", hint);
    }
    set("response_type", "code");
    set("client_id", settings.client_id.as_str());
    set("redirect_uri", &settings.redirect_uri);
    if let Some(scope) = settings.scopes.sent(ask.scope) {
        set("scope", &scope);
    }
    set("state", ask.state);
    if settings.speaks_oidc {
        // SECURITY: an ID token that was made for another login does not carry it (OpenID Connect Core
        // section 3.1.2.1); sec_px_01_the_proxy_brings_its_own_pkce_state_and_nonce
        set("nonce", ask.nonce);
    }
    if upstream.pkce {
        // SECURITY: a code that is stolen on its way back cannot be redeemed elsewhere (RFC 9700
        // section 2.1.1); sec_px_01_the_proxy_brings_its_own_pkce_state_and_nonce
        set("code_challenge", ask.challenge.as_str());
        set("code_challenge_method", CodeChallenge::METHOD);
    }
    if let Some(resource) = &upstream.resource {
        set("resource", resource);
    }
    pairs
}
