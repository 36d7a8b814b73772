//! Where a user is sent.

use portcullis_oauth::form::{Form, Limits};
use portcullis_oauth::json::json;
use portcullis_oauth::{CodeChallenge, ScopeSet, scopes};

use super::super::{Ask, Upstream, UpstreamError};
use super::world::{CALLBACK, NONCE, World};

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

async fn sent(world: &World, upstream: Upstream, scope: &ScopeSet) -> String {
    let challenge = CodeChallenge::parse(CHALLENGE).unwrap();
    let ask = Ask {
        state: "upstream-state",
        nonce: NONCE,
        challenge: &challenge,
        scope,
        login_hint: None,
        login: false,
    };
    world
        .client(upstream)
        .authorization_url(&ask)
        .await
        .unwrap()
}

fn query(url: &str) -> Form {
    let query = url.split_once('?').unwrap().1;
    Form::parse(query.as_bytes(), Limits::ENDPOINT).unwrap()
}

#[tokio::test]
async fn sec_px_01_the_proxy_brings_its_own_pkce_state_and_nonce() {
    let world = World::start().await;
    let upstream = world.oidc();
    let url = sent(&world, upstream, &scopes!["openid", "email"]).await;
    assert!(url.starts_with(&world.url("/authorize?")), "{url}");
    let form = query(&url);
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "our-client"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid email"),
        ("state", "upstream-state"),
        ("nonce", NONCE),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(form.one(name).unwrap(), Some(value), "{name}");
    }
    assert_eq!(form.iter().count(), 8);
}

#[tokio::test]
async fn what_a_provider_does_not_know_is_not_sent() {
    let world = World::start().await;
    let url = sent(&world, world.oauth2().pkce(false), &scopes![]).await;
    let form = query(&url);
    for name in [
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "scope",
        "resource",
    ] {
        assert_eq!(form.one(name).unwrap(), None, "{name}");
    }
}

#[tokio::test]
async fn openid_is_asked_for_wherever_an_id_token_is_expected() {
    let world = World::start().await;
    let upstream = world.oauth2().scopes(scopes!["openid", "profile"]);
    let form = query(&sent(&world, upstream, &scopes!["profile"]).await);
    assert_eq!(form.one("scope").unwrap(), Some("profile openid"));
    assert_eq!(form.one("nonce").unwrap(), Some(NONCE));
}

#[tokio::test]
async fn r_36_a_provider_gets_the_parameters_that_it_needs() {
    let world = World::start().await;
    let upstream = world
        .oauth2()
        .authorize_param("access_type", "offline")
        .authorize_param("prompt", "consent")
        .resource("https://api.example/")
        .scope_separator(',');
    let url = sent(&world, upstream, &scopes!["a:b", "c"]).await;
    assert!(url.contains("access_type=offline&prompt=consent&"), "{url}");
    assert!(url.contains("&scope=a%3Ab%2Cc&"), "{url}");
    assert_eq!(
        query(&url).one("resource").unwrap(),
        Some("https://api.example/")
    );
}

#[tokio::test]
async fn a_space_is_written_so_that_everybody_reads_it() {
    let world = World::start().await;
    let upstream = world.oauth2().authorize_param("hint", "a+b c");
    let url = sent(&world, upstream, &scopes!["a", "b"]).await;
    assert!(
        url.contains("scope=a%20b&") && url.contains("hint=a%2Bb%20c&"),
        "{url}"
    );
}

#[tokio::test]
async fn the_endpoints_own_query_stays_but_for_what_is_ours() {
    let world = World::start().await;
    let endpoint = world.url("/authorize?p=signin&state=theirs&prompt=none");
    let upstream = Upstream::oauth2(endpoint, world.url("/token")).authorize_param("prompt", "x");
    let form = query(&sent(&world, upstream, &scopes![]).await);
    assert_eq!(form.one("p").unwrap(), Some("signin"));
    assert_eq!(form.one("state").unwrap(), Some("upstream-state"));
    assert_eq!(form.one("prompt").unwrap(), Some("x"));
}

#[tokio::test]
async fn a_user_may_have_to_say_again_who_they_are() {
    let world = World::start().await;
    let challenge = CodeChallenge::parse(CHALLENGE).unwrap();
    let ask = Ask {
        state: "s",
        nonce: NONCE,
        challenge: &challenge,
        scope: &scopes![],
        login_hint: Some("alice@example.com"),
        login: true,
    };
    for (upstream, expected) in [
        (world.oauth2(), "login"),
        (world.oauth2().authorize_param("prompt", "consent"), "login"),
        (
            world.oauth2().login_prompt("select_account consent"),
            "select_account consent",
        ),
    ] {
        let url = world
            .client(upstream)
            .authorization_url(&ask)
            .await
            .unwrap();
        assert_eq!(query(&url).one("prompt").unwrap(), Some(expected));
        assert_eq!(
            query(&url).one("login_hint").unwrap(),
            Some("alice@example.com")
        );
    }
}

#[tokio::test]
async fn sec_px_02_an_answer_of_another_issuer_is_refused() {
    let world = World::start().await;
    let upstream = world.oidc();
    let client = world.client(upstream);
    let origin = world.origin.as_str();
    let slash = format!("{origin}/");
    assert!(client.check_issuer(Some(origin)).await.is_ok());
    assert!(client.check_issuer(None).await.is_ok(), "not advertised");
    for other in [slash.as_str(), "https://evil.example", ""] {
        let refused = client.check_issuer(Some(other)).await;
        assert!(matches!(refused, Err(UpstreamError::Invalid(_))), "{other}");
    }
}

#[tokio::test]
async fn sec_px_02_a_provider_without_metadata_is_compared_with_what_was_configured() {
    let world = World::start().await;
    let client = world.client(world.oauth2());
    assert!(
        client
            .check_issuer(Some("https://any.example"))
            .await
            .is_ok(),
        "nobody said who it is"
    );
    let named = world.oauth2().issuer("https://idp.example");
    let client = world.client(named.clone());
    assert!(
        client
            .check_issuer(Some("https://idp.example"))
            .await
            .is_ok()
    );
    assert!(client.check_issuer(None).await.is_ok());
    for other in ["https://idp.example/", "https://evil.example", ""] {
        assert!(client.check_issuer(Some(other)).await.is_err(), "{other}");
    }
    let client = world.client(named.sends_issuer(true));
    assert!(
        client
            .check_issuer(Some("https://idp.example"))
            .await
            .is_ok()
    );
    assert!(client.check_issuer(None).await.is_err(), "it was left out");
    let client = world.client(world.oidc().sends_issuer(true));
    assert!(
        client.check_issuer(None).await.is_err(),
        "whatever its metadata says"
    );
    let nameless = world.parts(world.oauth2().sends_issuer(true));
    assert!(crate::upstream::UpstreamClient::new(nameless).is_err());
}

#[tokio::test]
async fn sec_px_02_an_answer_without_its_issuer_is_refused() {
    let world = World::start().await;
    let upstream = world.oidc();
    world.metadata(&json!({"authorization_response_iss_parameter_supported": true}));
    let client = world.client(upstream);
    assert!(client.check_issuer(Some(&world.origin)).await.is_ok());
    let refused = client.check_issuer(None).await;
    assert!(
        matches!(refused, Err(UpstreamError::Invalid(_))),
        "{refused:?}"
    );
}
