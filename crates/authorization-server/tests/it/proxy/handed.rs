//! The provider's tokens in the hands of clients, where somebody wants it so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use http::StatusCode;
use portcullis_authorization_server::{Introspection, OAuthProxy, OAuthProxyBuilder, Upstream};
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_oauth::{BearerToken, ClientId, SharedClock};
use portcullis_resource_server::{
    AccessToken, IntoAuth as _, Rejection, TokenParts, TokenVerifier, VerifyContext, VerifyError,
};
use portcullis_store::MemoryStore;
use portcullis_testkit::{CapturedLogs, Fault, MockClock, Visit};

use super::stage::{
    BASE, DESK, SHOP, START, World, browser, call, oidc, plain, provider, redeem, serve, token,
};
use crate::client::back_channel;

/// Takes every token, until it is told not to.
#[derive(Clone)]
struct Yes(Arc<AtomicBool>);

impl Yes {
    fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl TokenVerifier for Yes {
    async fn verify(
        &self,
        _token: &BearerToken,
        _cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        if !self.0.load(Ordering::SeqCst) {
            return Err(Rejection::Expired.into());
        }
        let parts = TokenParts::new("https://somebody.example", "whoever");
        Ok(AccessToken::assert_verified(parts))
    }
}

fn by_verifier(builder: OAuthProxyBuilder) -> OAuthProxyBuilder {
    builder.dangerous().pass_upstream_tokens_through(Yes::new())
}

fn by_asking(builder: OAuthProxyBuilder) -> OAuthProxyBuilder {
    builder.dangerous().pass_upstream_tokens_through_and_ask()
}

async fn revoke(site: &Router, token: &str) {
    let fields = [("token", token), ("client_id", DESK.id)];
    let page = back_channel(&browser(site), Visit::post("/oauth/revoke", &fields)).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
}

#[tokio::test]
async fn a_client_gets_the_providers_token_and_a_refresh_token_of_ours() {
    for pass in [by_verifier, by_asking] {
        for describe in [oidc, plain] {
            let world = World::before(describe, pass).await;
            world.upstream.rotates(true);
            let tokens = world.tokens(DESK).await;
            let secrets = world.upstream.secrets();
            assert!(secrets.contains(&tokens.access), "{tokens:?}");
            assert!(!secrets.iter().any(|secret| secret == tokens.refresh()));
            assert_eq!(world.call(&tokens.access).await, StatusCode::OK);
            assert_eq!(world.load(&tokens.access).await, tokens.access);
            assert_eq!(tokens.scope, ["files:read", "openid"]);

            world.advance(2 * 3600);
            assert_eq!(world.call(&tokens.access).await, StatusCode::UNAUTHORIZED);
            let next = world.refresh(DESK, tokens.refresh()).await.tokens();
            assert_ne!(next.access, tokens.access);
            assert!(world.upstream.secrets().contains(&next.access));
            assert_eq!(world.upstream_refreshes(), 1);
            assert_eq!(world.call(&next.access).await, StatusCode::OK);
            // Another use of the old refresh token ends all, as it always does.
            world.advance(120);
            let reused = world.refresh(DESK, tokens.refresh()).await;
            assert_eq!(reused.refusal(), (400, "invalid_grant"));
            assert_eq!(world.call(&next.access).await, StatusCode::UNAUTHORIZED);
        }
    }
}

#[tokio::test]
async fn a_token_lasts_until_the_first_of_two_ends() {
    for (provider, ours) in [(600, 600), (8 * 3600, 3600)] {
        let world = World::with(by_asking).await;
        let lifetime = std::time::Duration::from_secs(provider);
        world.upstream.access_lifetime(lifetime);
        let tokens = world.tokens(DESK).await;
        assert_eq!(tokens.expires_in, ours);
        world.advance(ours);
        assert_eq!(world.call(&tokens.access).await, StatusCode::UNAUTHORIZED);
        let next = world.refresh(DESK, tokens.refresh()).await.tokens();
        assert_eq!(world.call(&next.access).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn sec_px_05_a_token_that_was_not_handed_out_opens_nothing() {
    for pass in [by_verifier, by_asking] {
        let world = World::with(pass).await;
        // Somebody else's application at the same provider, and anything at all.
        let other = World::new().await;
        let swapped = other.tokens(DESK).await;
        let theirs = other.load(&swapped.access).await;
        let mine = world.tokens(DESK).await;
        for token in [&*theirs, &swapped.access, mine.refresh(), "anything"] {
            assert_eq!(world.call(token).await, StatusCode::UNAUTHORIZED, "{token}");
        }
        assert_eq!(world.call(&mine.access).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn sec_px_05_the_verifier_has_the_last_word() {
    let yes = Yes::new();
    let verifier = yes.clone();
    let world =
        World::with(|builder| builder.dangerous().pass_upstream_tokens_through(verifier)).await;
    let tokens = world.tokens(DESK).await;
    assert_eq!(world.call(&tokens.access).await, StatusCode::OK);
    yes.0.store(false, Ordering::SeqCst);
    assert_eq!(world.call(&tokens.access).await, StatusCode::UNAUTHORIZED);

    let world = World::with(by_asking).await;
    let tokens = world.tokens(DESK).await;
    let asked = world.upstream.hits("/userinfo");
    for _ in 0..3 {
        assert_eq!(world.call(&tokens.access).await, StatusCode::OK);
    }
    assert_eq!(
        world.upstream.hits("/userinfo"),
        asked + 1,
        "asked once a minute"
    );
    let gone = Fault::status(StatusCode::UNAUTHORIZED);
    world.upstream.always("/userinfo", gone);
    assert_eq!(world.call(&tokens.access).await, StatusCode::OK);
    world.advance(60);
    assert_eq!(world.call(&tokens.access).await, StatusCode::UNAUTHORIZED);
    world.upstream.mend("/userinfo");
    world.upstream.always("/userinfo", Fault::busy(5));
    let busy = world.call(&tokens.access).await;
    assert_eq!(busy, StatusCode::SERVICE_UNAVAILABLE);
    world.upstream.mend("/userinfo");
    assert_eq!(world.call(&tokens.access).await, StatusCode::OK);
}

#[tokio::test]
async fn sec_px_05_what_was_handed_out_is_given_back_at_once() {
    let world = World::with(by_verifier).await;
    let (first, second) = (world.tokens(DESK).await, world.tokens(DESK).await);
    revoke(&world.site, first.refresh()).await;
    assert_eq!(world.call(&first.access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.call(&second.access).await, StatusCode::OK);
    // Though the user has another grant.
    world.upstream.wait_for_hits("/revoke", 2).await;
    let given_back: Vec<_> = world.upstream.requests("/revoke");
    let tokens: Vec<_> = given_back
        .iter()
        .filter_map(|seen| seen.field("token"))
        .collect();
    assert!(tokens.contains(&&*first.access), "{tokens:?}");
    assert!(!tokens.contains(&&*second.access));
    // By the access token too, which is all that some clients give back.
    revoke(&world.site, &second.access).await;
    assert_eq!(world.call(&second.access).await, StatusCode::UNAUTHORIZED);
    world.upstream.wait_for_hits("/revoke", 4).await;
}

#[tokio::test]
async fn sec_rv_01_a_token_that_is_passed_through_is_revoked_by_its_client_alone() {
    let world = World::with(by_verifier).await;
    let tokens = world.tokens(SHOP).await;
    revoke(&world.site, &tokens.access).await;
    assert_eq!(world.call(&tokens.access).await, StatusCode::OK);
}

#[tokio::test]
async fn sec_px_05_a_token_that_is_passed_through_is_for_its_resource() {
    let clock = Arc::new(MockClock::at(START));
    let upstream = provider(&clock).await;
    let proxy = OAuthProxy::builder(oidc(&upstream))
        .base_url(BASE)
        .client("proxy", "the upstream secret".into())
        .clock(Arc::clone(&clock) as SharedClock)
        .server(|server| {
            let desk = portcullis_authorization_server::ConfiguredClient::new(DESK.id);
            server.client(desk.redirect_uri(DESK.redirect_uri))
        });
    let auth = by_verifier(proxy).build().unwrap().into_auth().unwrap();
    let auth = auth.one_of_several();
    let handler = || Router::new().fallback(async || "{}");
    let shared = auth.shared_routes().unwrap().into_router();
    let site = auth
        .clone()
        .protect("/mcp", handler())
        .unwrap()
        .merge(auth.protect("/other", handler()).unwrap())
        .merge(shared);
    let browser = browser(&site);
    let app = DESK.asking("openid");
    let away = super::stage::leave(&browser, app).await;
    let callback = upstream.sign_in(&away, "alice");
    let back = super::stage::come_back(&browser, &callback).await;
    let code = super::stage::code_in(&back, app);
    let tokens = redeem(&site, app, &code).await.tokens();
    assert_eq!(call(&site, &tokens.access).await.status, StatusCode::OK);
    let authorization = format!("Bearer {}", tokens.access);
    let visit = Visit::get("/other").header("authorization", &authorization);
    let elsewhere = back_channel(&browser, visit).await;
    assert_eq!(elsewhere.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_would_be_a_token_of_ours_is_not_offered() {
    let world = World::with(by_verifier).await;
    let metadata = Visit::get("/.well-known/oauth-authorization-server");
    let page = back_channel(&browser(&world.site), metadata).await;
    let document: Value = json::value(page.text.as_bytes(), Limits::METADATA).unwrap();
    let offered = document["grant_types_supported"].to_string();
    assert!(offered.contains("refresh_token"));
    assert!(!offered.contains("client_credentials"), "{offered}");
    let grant = [("grant_type", "client_credentials")];
    let refused = token(&world.site, SHOP, &grant).await;
    assert_eq!(refused.refusal(), (400, "unauthorized_client"));
}

#[tokio::test]
async fn it_is_said_at_every_start() {
    let logs = CapturedLogs::start();
    let clock = Arc::new(MockClock::at(START));
    let upstream = provider(&clock).await;
    let store = MemoryStore::new().dangerous().without_encryption();
    let _site = serve((oidc(&upstream), &clock), store, by_verifier).await;
    for setting in ["pass_upstream_tokens_through", "without_encryption"] {
        assert!(logs.text().contains(setting), "{}", logs.text());
    }
}

#[test]
fn what_cannot_be_is_told() {
    let builder = || {
        OAuthProxy::builder(Upstream::oauth2(
            "https://idp.example/authorize",
            "https://idp.example/token",
        ))
        .base_url(BASE)
        .client("proxy", "the upstream secret".into())
    };
    let fields = |builder: OAuthProxyBuilder| {
        let errors = builder.build().err().into_iter().flatten();
        errors
            .map(|error| error.field().to_owned())
            .collect::<Vec<_>>()
    };
    let fields_of = fields(by_asking(builder()));
    assert!(
        fields_of.contains(&"userinfo_endpoint".to_owned()),
        "{fields_of:?}"
    );
    let who = ClientId::parse("files").unwrap();
    let asked = by_verifier(builder())
        .server(|server| server.introspection(Introspection::nobody().allow_all(who)));
    let fields_of = fields(asked);
    assert!(
        fields_of.contains(&"introspection".to_owned()),
        "{fields_of:?}"
    );
}
