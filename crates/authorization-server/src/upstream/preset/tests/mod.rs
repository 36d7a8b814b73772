//! What presets send, and what they make of answers as the providers document them.

mod apis;
mod arguments;
mod discovered;
mod entra;
mod github;
mod google;
mod metadata;
mod requests;
mod web;

use std::sync::Arc;

use portcullis_fetch::Fetcher;
use portcullis_fetch::system::{SystemClock, SystemEntropy};
use portcullis_oauth::json::{Value, json};
use portcullis_oauth::secret::AuthorizationCode;
use portcullis_oauth::{ClientId, CodeVerifier, ScopeSet, SecretString, Subject, Timestamp};
use portcullis_resource_server::ConfigError;

use self::web::Web;
use super::*;
use crate::upstream::{
    Ask, Evidence, Login, Proof, TokenSet, Upstream, UpstreamAuthentication, UpstreamClient,
    UpstreamError, UpstreamParts, Wants,
};

const CLIENT: &str = "our-client";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const NONCE: &str = "the-nonce";

fn parts(upstream: Upstream) -> UpstreamParts {
    UpstreamParts {
        upstream,
        client_id: ClientId::parse(CLIENT).unwrap(),
        authentication: UpstreamAuthentication::Secret(SecretString::new("our-secret")),
        redirect_uri: "http://localhost:8000/oauth/callback".to_owned(),
        scopes: None,
        wants: Wants {
            email: true,
            profile: true,
            organisations: true,
        },
        fetcher: None::<Fetcher>,
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(SystemEntropy::new()),
    }
}

/// The provider on this machine, asked about all that there is.
fn client(web: &Web, upstream: Upstream) -> UpstreamClient {
    UpstreamClient::new(parts(web.moved(upstream))).unwrap()
}

/// What is wrong with a provider.
fn faults(upstream: Upstream) -> Vec<ConfigError> {
    UpstreamClient::new(parts(upstream)).map_or_else(|faults| faults, |_| Vec::new())
}

fn ask(scope: &ScopeSet) -> Ask<'_> {
    static CHALLENGE: std::sync::LazyLock<portcullis_oauth::CodeChallenge> =
        std::sync::LazyLock::new(|| CodeVerifier::parse(VERIFIER).unwrap().challenge());
    Ask {
        state: "the-state",
        nonce: NONCE,
        challenge: &CHALLENGE,
        scope,
        login_hint: None,
        login: false,
    }
}

fn proof() -> Proof {
    Proof {
        verifier: CodeVerifier::parse(VERIFIER).unwrap(),
        nonce: NONCE.to_owned(),
    }
}

fn code() -> AuthorizationCode {
    AuthorizationCode::new("the-code")
}

fn subject(text: &str) -> Subject {
    Subject::parse(text).unwrap()
}

/// Of whom nothing is known but that.
fn known(text: &str) -> Evidence {
    Evidence::of(subject(text))
}

fn old_tokens() -> TokenSet {
    TokenSet {
        access_token: SecretString::new("old-access"),
        refresh_token: Some(SecretString::new("old-refresh")),
        id_token: None,
        scope: None,
        expires_at: None,
        refresh_expires_at: None,
        obtained_at: Timestamp::from_secs(0),
    }
}

/// An ID token for us, with these claims.
fn id_token(web: &Web, issuer: &str, claims: &Value) -> String {
    let token = web
        .idp
        .token()
        .typ("JWT")
        .without("client_id")
        .without("jti")
        .issuer(&web.here(issuer))
        .audience(CLIENT)
        .claim("nonce", NONCE);
    let claims = claims.as_object().unwrap();
    let token = claims.iter().fold(token, |token, (name, value)| {
        token.claim(name, value.clone())
    });
    token.sign()
}

const DIRECTORY: &str = "11111111-1111-1111-1111-111111111111";

async fn redeem(client: &UpstreamClient) -> Result<Login, UpstreamError> {
    let tokens = client.redeem(&code(), &proof()).await?;
    let evidence = Some(client.identify(&tokens, &proof()).await?);
    Ok(Login {
        tokens,
        evidence,
        doubt: None,
    })
}

fn evidence(login: &Login) -> &Evidence {
    login.evidence.as_ref().unwrap()
}

fn with_keys(web: &Web, url: &str) {
    web.json(url, &web.idp.jwks());
}

/// A token answer as most have it.
fn answer_with(id_token: &str, scope: &str) -> Value {
    json!({
        "access_token": "upstream-access", "token_type": "Bearer", "expires_in": 3600,
        "refresh_token": "upstream-refresh", "scope": scope, "id_token": id_token,
    })
}
