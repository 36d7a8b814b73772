//! What can be wrong with a provider's data, and how this server proves who it is.

use std::time::Duration;

use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::jose::claims::Claims;
use portcullis_oauth::jose::compact::CompactJws;
use portcullis_oauth::json::json;
use portcullis_oauth::{SecretString, Timestamp, scopes};
use portcullis_resource_server::ConfigError;
use portcullis_testkit::CapturedLogs;

use super::super::{ClientKey, Upstream, UpstreamAuthentication, UpstreamClient, UpstreamParts};
use super::world::{Answer, CLIENT, NOW, SECRET, World, redeem};

fn faults(world: &World, upstream: Upstream) -> Vec<String> {
    let refused = UpstreamClient::new(world.parts(upstream)).unwrap_err();
    refused.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn all_mistakes_are_told_at_once() {
    let world = World::start().await;
    let upstream = Upstream::oauth2("idp.example/authorize", "http://idp.example/token")
        .jwks_uri("ftp://idp.example/jwks")
        .userinfo_endpoint("")
        .revocation_endpoint("https://idp.example/revoke#x")
        .scope_alias("a b", "c")
        .authorize_param("state", "x")
        .token_param("code", "x")
        .timeout(Duration::ZERO)
        .refuse(ConfigError::new("tenant", "is not a tenant"));
    let faults = faults(&world, upstream);
    for field in [
        "tenant",
        "upstream_timeout",
        "authorize_params",
        "token_params",
        "scope_alias",
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "revocation_endpoint",
        "jwks_uri",
    ] {
        let is_told = |fault: &&String| fault.starts_with(&format!("`{field}`"));
        assert_eq!(
            faults.iter().filter(is_told).count(),
            1,
            "{field}: {faults:#?}"
        );
    }
}

#[tokio::test]
async fn sec_px_09_no_account_is_known_by_an_address() {
    let world = World::start().await;
    for claim in ["email", "preferred_username", "name", "upn"] {
        let faults = faults(&world, world.oauth2().subject(claim));
        assert_eq!(faults.len(), 1, "{claim}");
        assert!(faults[0].starts_with("`subject`"), "{faults:?}");
    }
    world.client(world.oauth2().subject("uid"));
}

#[tokio::test]
async fn sec_px_14_words_that_repeat_a_secret_of_ours_are_cut() {
    let logs = CapturedLogs::start();
    let world = World::start().await;
    let client = world.client(world.oauth2());
    let words = format!("what is code-1 of {SECRET}?");
    let refusal = json!({"error": "invalid_grant", "error_description": words});
    world.on("/token", Answer::json(&refusal).status(400));
    redeem(&client).await.unwrap_err();
    assert!(logs.text().contains("what is [secret] of [secret]?"));
    logs.assert_free_of("code-1");
    logs.assert_free_of(SECRET);
}

#[tokio::test]
async fn sec_px_01_no_parameter_of_the_protocol_is_to_be_set() {
    let world = World::start().await;
    for name in [
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "nonce",
        "resource",
        "iss",
        "request",
        "request_uri",
        "response_mode",
        "",
    ] {
        let upstream = world.oauth2().authorize_param(name, "x");
        assert_eq!(faults(&world, upstream).len(), 1, "{name}");
    }
    for name in [
        "grant_type",
        "code",
        "code_verifier",
        "refresh_token",
        "redirect_uri",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
    ] {
        assert_eq!(
            faults(&world, world.oauth2().token_param(name, "x")).len(),
            1,
            "{name}"
        );
    }
}

#[tokio::test]
async fn sec_sf_06_a_provider_on_loopback_is_for_loopback_alone() {
    let world = World::start().await;
    for upstream in [world.oauth2(), world.oidc()] {
        let own_way = || UpstreamParts {
            fetcher: None,
            ..world.parts(upstream.clone())
        };
        assert!(UpstreamClient::new(own_way()).is_ok());
        let mut parts = own_way();
        parts.redirect_uri = "https://mcp.example.com/oauth/callback".to_owned();
        let faults = UpstreamClient::new(parts).unwrap_err();
        assert!(faults[0].fault().contains("is `http`"), "{faults:?}");
    }
}

#[tokio::test]
async fn keys_need_an_issuer() {
    let world = World::start().await;
    let upstream = world.oauth2().jwks_uri(world.url("/jwks"));
    assert_eq!(faults(&world, upstream.clone()).len(), 1);
    let named = upstream.issuer(world.origin.as_str());
    assert!(UpstreamClient::new(world.parts(named)).is_ok());
}

#[tokio::test]
async fn a_provider_is_called_by_its_host_where_it_has_no_name() {
    let world = World::start().await;
    let oauth2 = Upstream::oauth2("https://idp.example/a", "https://api.idp.example/t");
    for (upstream, name) in [
        (oauth2.clone(), "idp.example"),
        (
            Upstream::oidc("https://login.idp.example/tenant"),
            "login.idp.example",
        ),
        (oauth2.name("The Provider"), "The Provider"),
    ] {
        assert_eq!(world.client(upstream).name(), name);
    }
}

#[tokio::test]
async fn accounts_are_told_apart_by_provider_and_client() {
    let world = World::start().await;
    let oauth2 = |host: &str| Upstream::oauth2(format!("https://{host}/a"), "https://x.example/t");
    let print = |upstream| world.client(upstream).fingerprint();
    let one = print(oauth2("one.example"));
    assert_eq!(
        one,
        print(oauth2("one.example").scopes(scopes!["a"]).name("One"))
    );
    assert_ne!(one, print(oauth2("other.example")));
    assert_ne!(
        one,
        print(oauth2("one.example").issuer("https://other.example"))
    );
    let mut parts = world.parts(oauth2("one.example"));
    parts.client_id = portcullis_oauth::ClientId::parse("another").unwrap();
    assert_ne!(one, UpstreamClient::new(parts).unwrap().fingerprint());
}

fn authenticated(world: &World, by: UpstreamAuthentication, upstream: Upstream) -> UpstreamClient {
    let mut parts = world.parts(upstream);
    parts.authentication = by;
    UpstreamClient::new(parts).unwrap()
}

#[tokio::test]
async fn a_secret_goes_where_the_provider_wants_it() {
    let world = World::start().await;
    let secret = || SecretString::from(SECRET);
    for (by, in_body, expected) in [
        (UpstreamAuthentication::Secret(secret()), false, "header"),
        (UpstreamAuthentication::Secret(secret()), true, "body"),
        (UpstreamAuthentication::Basic(secret()), true, "header"),
        (UpstreamAuthentication::Post(secret()), false, "body"),
        (UpstreamAuthentication::None, false, "nowhere"),
    ] {
        let upstream = world.oauth2().secret_in_body(in_body);
        redeem(&authenticated(&world, by, upstream)).await.unwrap();
        let asked = world.last("/token");
        let in_header = asked.header("authorization").starts_with("Basic ");
        assert_eq!(in_header, expected == "header", "{expected}");
        let in_body = asked.value("client_secret");
        assert_eq!(in_body.as_deref(), (expected == "body").then_some(SECRET));
        let id = asked.value("client_id");
        assert_eq!(id.is_some(), expected != "header", "{expected}");
    }
    let mut parts = world.parts(world.oauth2());
    parts.authentication = UpstreamAuthentication::Secret(SecretString::from(""));
    assert!(UpstreamClient::new(parts).is_err());
}

#[tokio::test]
async fn an_assertion_proves_who_this_server_is() {
    let world = World::start().await;
    let key = SigningKey::ed25519_from_seed(&[9; 32]).unwrap();
    let der = key.to_pkcs8_der().unwrap();
    let text = portcullis_oauth::crypto::base64::encode(der.expose());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    let ours = || ClientKey::from_pem(&SecretString::new(pem.as_str())).unwrap();
    let issuer = world.origin.clone();
    for (key_of, upstream, audience, kid) in [
        (
            ours().kid("k1"),
            world.oauth2(),
            world.url("/token"),
            Some("k1"),
        ),
        (
            ours(),
            world.oidc(),
            issuer.clone(),
            Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        ),
        (
            ours().certificate_thumbprint("dGh1bWI"),
            world.oidc().assertion_for_token_endpoint(true),
            world.url("/token"),
            None,
        ),
    ] {
        let by = UpstreamAuthentication::PrivateKeyJwt(key_of);
        redeem(&authenticated(&world, by, upstream)).await.unwrap();
        let asked = world.last("/token");
        assert_eq!(asked.header("authorization"), "");
        assert_eq!(
            asked.value("client_assertion_type").as_deref(),
            Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        );
        let assertion = asked.value("client_assertion").unwrap();
        let jws = CompactJws::parse(&assertion).unwrap();
        let payload = jws
            .verify(&key.verifying_key().unwrap(), Algorithm::EdDsa)
            .unwrap();
        let claims = Claims::parse(payload).unwrap();
        assert_eq!(
            (claims.issuer(), claims.subject()),
            (Some(CLIENT), Some(CLIENT))
        );
        assert_eq!(claims.audience(), [audience]);
        assert_eq!(claims.expires_at(), Timestamp::from_secs(NOW + 60));
        assert!(claims.jwt_id().unwrap().len() >= 22);
        if kid != Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k") {
            assert_eq!(jws.header().kid(), kid);
        }
    }
    let ids: Vec<_> = world
        .asked("/token")
        .iter()
        .map(|asked| asked.value("client_assertion"))
        .collect();
    assert_ne!(ids[0], ids[1]);
    let error = ClientKey::from_pem(&SecretString::from("canary-5a")).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("canary-5a"));
}

#[tokio::test]
async fn sec_px_14_no_word_of_the_provider_is_repeated() {
    const WORD: &str = "canary-d41d8cd98f";
    let world = World::start().await;
    let logs = CapturedLogs::start();
    let upstream = world.oauth2();
    let client = world.client(upstream);
    for status in [200, 400, 401, 500] {
        let body = format!(
            r#"{{"error":"{WORD}","error_description":"{WORD}\nfake line","access_token":"{WORD}"}}"#
        );
        world.on(
            "/token",
            Answer::of("application/json", body).status(status),
        );
        let error = redeem(&client).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(WORD), "{shown}");
    }
    for line in logs.text().lines().filter(|line| line.contains(WORD)) {
        let is_below = line.contains("DEBUG") || line.contains("TRACE");
        assert!(is_below, "{line}");
        assert!(!line.starts_with("fake line"), "{line}");
    }
    assert!(
        !logs.security_events().is_empty(),
        "the operator learns of it"
    );
}

#[tokio::test]
async fn sec_px_05_no_token_and_no_secret_is_logged() {
    let world = World::start().await;
    let logs = CapturedLogs::start();
    let upstream = world.oidc().userinfo_endpoint(world.url("/userinfo"));
    world.on(
        "/userinfo",
        Answer::json(&portcullis_oauth::json::json!({"sub": "alice"})),
    );
    let id_token = world.sign(world.id_token());
    world.tokens(&portcullis_oauth::json::json!({
        "access_token": "canary-at", "refresh_token": "canary-rt", "id_token": id_token,
    }));
    let client = world.client(upstream);
    let login = redeem(&client).await.unwrap();
    let who = login.evidence.as_ref().unwrap().subject.clone();
    client.refresh(&login.tokens, &who).await.unwrap();
    client
        .recheck(&login.tokens, &crate::upstream::Evidence::of(who.clone()))
        .await
        .unwrap();
    client.revoke(&login.tokens).await;
    world.on("/token", Answer::of("text/plain", "canary-at").status(500));
    let _refused = client.refresh(&login.tokens, &who).await;
    for secret in [
        "canary-at",
        "canary-rt",
        id_token.as_str(),
        SECRET,
        "code-1",
    ] {
        logs.assert_free_of(secret);
        assert!(!format!("{login:?} {client:?}").contains(secret));
    }
}
