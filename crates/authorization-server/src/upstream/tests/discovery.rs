//! Metadata: whose it is, how long it is good, and what happens without it.

use std::time::Duration;

use portcullis_oauth::json::json;
use portcullis_oauth::{EndpointUrl, Issuer};

use super::super::site::Ways;
use super::super::{Upstream, UpstreamError};
use super::world::{Answer, METADATA, World, redeem};

fn outage() -> Answer {
    Answer::of("text/plain", "").status(503)
}

#[tokio::test]
async fn r_47_metadata_of_another_issuer_is_refused() {
    let world = World::start().await;
    let upstream = world.oidc();
    for other in ["https://evil.example", &format!("{}/", world.origin), ""] {
        world.metadata(&json!({"issuer": other}));
        let error = world.redeem(upstream.clone()).await.unwrap_err();
        assert_eq!(error.reason(), "upstream_invalid", "{other}");
    }
    assert!(world.asked("/token").is_empty(), "no code goes anywhere");
}

#[tokio::test]
async fn a_configurations_url_leaves_the_slash_open() {
    let world = World::start().await;
    let _by_its_issuer = world.oidc();
    let upstream = || Upstream::oidc(world.url(METADATA));
    world.redeem(upstream()).await.unwrap();

    let slash = format!("{}/", world.origin);
    world.metadata(&json!({"issuer": slash}));
    let error = world.redeem(upstream()).await.unwrap_err();
    assert_eq!(
        error.reason(),
        "upstream_invalid",
        "the ID token has no slash"
    );
    let token = world.sign(world.id_token().claim("iss", slash.as_str()));
    world.tokens(&json!({"id_token": token}));
    world.redeem(upstream()).await.unwrap();
    let prints = [METADATA, "", "/"].map(|path| {
        let client = world.client(Upstream::oidc(world.url(path)));
        client.fingerprint()
    });
    assert_eq!(prints, [prints[0]; 3], "the accounts are the same");
}

#[tokio::test]
async fn an_issuer_that_is_named_is_the_one() {
    let world = World::start().await;
    let _by_its_issuer = world.oidc();
    let slash = format!("{}/", world.origin);
    let client = world.client(Upstream::oidc(world.url(METADATA)).issuer(slash.as_str()));
    let error = client.check_issuer(None).await.unwrap_err();
    assert_eq!(error.reason(), "upstream_invalid");
    world.metadata(&json!({"issuer": slash}));
    world.clock.advance(Duration::from_secs(5));
    client.check_issuer(Some(&slash)).await.unwrap();
}

#[tokio::test]
async fn sec_sf_06_metadata_leads_to_no_loopback() {
    let world = World::start().await;
    let _by_its_issuer = world.oidc();
    world.metadata(&json!({"issuer": "https://idp.example"}));
    let upstream = Upstream::oidc(world.url(METADATA)).issuer("https://idp.example");
    let error = world.client(upstream).check_issuer(None).await.unwrap_err();
    assert_eq!(error.reason(), "upstream_invalid");
}

#[tokio::test]
async fn an_issuer_with_a_path_is_found_in_every_form() {
    for at in [
        "/tenant/.well-known/openid-configuration",
        "/.well-known/openid-configuration/tenant",
        "/.well-known/oauth-authorization-server/tenant",
    ] {
        let world = World::start().await;
        let issuer = world.url("/tenant");
        let body = json!({
            "issuer": issuer,
            "authorization_endpoint": world.url("/authorize"),
            "token_endpoint": world.url("/token"),
            "jwks_uri": world.url("/jwks"),
        });
        world.on(at, Answer::json(&body));
        // A page for everything, as some sites have.
        world.on(
            "/tenant/.well-known/oauth-authorization-server",
            Answer::of("text/html", ""),
        );
        let token = world.sign(world.id_token().claim("iss", issuer.as_str()));
        world.tokens(&json!({"id_token": token}));
        world.redeem(Upstream::oidc(issuer)).await.expect(at);
    }
}

#[tokio::test]
async fn one_request_serves_everybody_for_as_long_as_it_is_good() {
    let world = World::start().await;
    let upstream = world.oidc();
    let client = world.client(upstream);
    let all = (0..16).map(|_| client.check_issuer(None));
    for checked in futures_util::future::join_all(all).await {
        checked.unwrap();
    }
    assert_eq!(world.asked(METADATA).len(), 1);
    world.clock.advance(Duration::from_secs(599));
    client.check_issuer(None).await.unwrap();
    assert_eq!(world.asked(METADATA).len(), 1);
    world.clock.advance(Duration::from_secs(1));
    client.check_issuer(None).await.unwrap();
    assert_eq!(world.asked(METADATA).len(), 2);
}

#[tokio::test]
async fn r_47_an_outage_is_told_and_tried_again() {
    let world = World::start().await;
    let upstream = world.oidc();
    world.on(METADATA, outage());
    let client = world.client(upstream);
    for _ in 0..3 {
        let error = client.check_issuer(None).await.unwrap_err();
        assert_eq!(error.reason(), "upstream_unavailable");
    }
    assert_eq!(world.asked(METADATA).len(), 1, "not at once");
    world.metadata(&json!({}));
    world.clock.advance(Duration::from_secs(5));
    redeem(&client).await.unwrap();
}

#[tokio::test]
async fn what_is_known_serves_while_the_provider_is_away_for_a_day() {
    let world = World::start().await;
    let upstream = world.oidc();
    let client = world.client(upstream);
    client.check_issuer(None).await.unwrap();
    world.on(METADATA, outage());
    world.clock.advance(Duration::from_secs(24 * 3600 - 1));
    client.check_issuer(None).await.unwrap();
    client.check_issuer(None).await.unwrap();
    assert_eq!(world.asked(METADATA).len(), 2);
    world.clock.advance(Duration::from_secs(6));
    let error = client.check_issuer(None).await.unwrap_err();
    assert_eq!(error.reason(), "upstream_unavailable");
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let world = World::start().await;
    let upstream = world.oidc().timeout(Duration::from_millis(50));
    world.stall(METADATA);
    let client = world.client_of_its_own(upstream);
    let both = futures_util::future::join(client.check_issuer(None), client.check_issuer(None));
    let (one, other) = both.await;
    assert!(matches!(one, Err(UpstreamError::Unavailable(_))), "{one:?}");
    assert!(
        matches!(other, Err(UpstreamError::Unavailable(_))),
        "{other:?}"
    );
}

#[tokio::test]
async fn metadata_without_an_endpoint_is_of_no_use() {
    let world = World::start().await;
    let upstream = world.oidc();
    for member in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        for value in [
            json!(null),
            json!("javascript:alert(1)"),
            json!("http://idp.example/x"),
        ] {
            world.metadata(&json!({member: value}));
            let error = world.redeem(upstream.clone()).await.unwrap_err();
            assert_eq!(error.reason(), "upstream_invalid", "{member} {value}");
        }
    }
}

#[test]
fn sec_sf_01_discovered_endpoints_are_reached_through_the_guard() {
    let ways = Ways::new(None, Duration::from_secs(1), false).unwrap();
    let issuer = Issuer::parse("https://idp.internal").unwrap();
    let foreign = EndpointUrl::parse("https://10.0.0.1/token").unwrap();
    let guarded = ways.to_discovered(foreign.clone(), &issuer);
    assert!(guarded.fetcher.check(&guarded.url).is_err());
    let trusted = ways.to_configured(foreign.clone());
    assert!(trusted.fetcher.check(&trusted.url).is_ok());
    let own = EndpointUrl::parse("https://idp.internal/token").unwrap();
    let own = ways.to_discovered(own, &issuer);
    assert!(
        own.fetcher.check(&foreign).is_ok(),
        "its own origin is trusted"
    );
}
