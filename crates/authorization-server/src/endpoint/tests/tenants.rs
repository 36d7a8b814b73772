//! Several resources behind one server, and several servers.

use std::sync::Arc;

use axum::body::Body;
use axum::routing::any;
use axum::{Router, response::IntoResponse as _};
use http::header::{HOST, WWW_AUTHENTICATE};
use http::{Request, StatusCode};
use portcullis_oauth::{BearerToken, SeededEntropy, scopes};
use portcullis_store::{MemoryStore, SealingKeys, StoreHandle};

use super::server::{APP, DAEMON, SECRET, Server};
use super::world::RESOURCE;

/// MT-01: whatever one server made, the other has never heard of.
#[tokio::test]
async fn sec_mt_01_nothing_of_one_server_is_anything_at_another() {
    // The same address, clients, users and seed: everything but the store.
    let (one, other) = (Server::new().await, Server::new().await);
    let code = one.code(APP).await;
    let (access, refresh) = one.tokens(APP).await;
    let before = other.stored().await;
    let redeemed = other.redeem(APP, &code, &[]).await;
    assert_eq!(redeemed.error(), (400, "invalid_grant".to_owned()));
    let refreshed = other.refresh(APP, &refresh, &[]).await;
    assert_eq!(refreshed.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(other.call(&access).await, StatusCode::UNAUTHORIZED);
    for token in [&access, &refresh] {
        let fields = [("client_id", APP), ("token", token.as_str())];
        let answer = other.post("/oauth/revoke", &fields).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(other.stored().await, before);
    assert_eq!(one.call(&access).await, StatusCode::OK);
}

fn mcp() -> Router {
    Router::new().fallback(any(async || "the tool's answer".into_response()))
}

/// RFC 8707: as after a reload that takes a server away.
#[tokio::test]
async fn sec_mt_05_a_grant_for_a_resource_that_is_gone_gives_no_token() {
    let keys = SealingKeys::generate(&SeededEntropy::new(2)).unwrap();
    let store = StoreHandle::new(Arc::new(MemoryStore::new()), keys);
    let with = store.clone();
    let both = Server::mounted(
        |builder| builder.store(with),
        |auth| {
            let other = auth.clone().one_of_several();
            let _ = other.protect("/old/mcp", mcp()).unwrap();
            auth
        },
    )
    .await;
    let old = "https://mcp.example/old/mcp";
    let code = async || both.code_at(old, APP, scopes!["read"]).await;
    let answer = both.redeem(APP, &code().await, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let refresh = answer.text("refresh_token");
    let late = code().await;
    let one = Server::with(|builder| builder.store(store)).await;
    let before = one.stored().await;
    for other in [&[][..], &[("resource", old)], &[("resource", RESOURCE)]] {
        let refused = one.refresh(APP, &refresh, other).await;
        assert_eq!(refused.error(), (400, "invalid_target".to_owned()));
        let refused = one.redeem(APP, &late, other).await;
        assert_eq!(refused.error(), (400, "invalid_target".to_owned()));
    }
    assert_eq!(one.stored().await, before, "nothing is spent");
    // It is there again, and so is what was granted.
    let answer = both.refresh(APP, &refresh, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    // Meanwhile it can be given back (RFC 7009).
    let (access, refresh) = (answer.text("access_token"), answer.text("refresh_token"));
    let fields = [("client_id", APP), ("token", access.as_str())];
    let answer = one.post("/oauth/revoke", &fields).await;
    assert_eq!(answer.status, StatusCode::OK);
    let gone = both.refresh(APP, &refresh, &[]).await;
    assert_eq!(gone.error(), (400, "invalid_grant".to_owned()));
}

/// MT-05: two servers behind one authorization server.
#[tokio::test]
async fn sec_mt_05_a_token_for_one_resource_opens_no_other() {
    let server = Server::mounted(
        |builder| builder,
        |auth| {
            let _ = auth
                .clone()
                .one_of_several()
                .protect("/a/mcp", mcp())
                .unwrap();
            auth
        },
    )
    .await;
    let (access, _) = server.tokens(APP).await;
    let resources = server.context.resources.list();
    assert_eq!(resources.len(), 2);
    let token = BearerToken::new(access);
    for resource in resources {
        let verified = server.context.verified(&token, &resource).await.unwrap();
        let is_own = resource.as_str() == RESOURCE;
        assert_eq!(verified.is_some(), is_own, "{}", resource.as_str());
    }
    // And with several, none is meant by saying nothing.
    let fields = [("grant_type", "client_credentials")];
    let answer = server
        .post_as((DAEMON, SECRET), "/oauth/token", &fields)
        .await;
    assert_eq!(answer.error(), (400, "invalid_target".to_owned()));
}

/// MCP Authorization, Scope Selection Strategy: who is told what to ask for begins with that, and comes
/// back for more.
#[tokio::test]
async fn a_challenge_asks_for_the_defaults_and_what_is_required() {
    for (default, required, asked) in [
        (None, None, None),
        (None, Some(scopes!["write"]), Some(r#"scope="write""#)),
        (Some(scopes!["read"]), None, Some(r#"scope="read""#)),
        (
            Some(scopes!["read"]),
            Some(scopes!["write"]),
            Some(r#"scope="read write""#),
        ),
    ] {
        let server = Server::mounted(
            |builder| match default {
                Some(scopes) => builder.default_scopes(scopes),
                None => builder,
            },
            |auth| match required {
                Some(scopes) => auth.required_scopes(scopes),
                None => auth,
            },
        )
        .await;
        let request = Request::post("/mcp").header(HOST, "mcp.example");
        let answer = server.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let challenge = answer.headers[WWW_AUTHENTICATE].to_str().unwrap();
        match asked {
            Some(asked) => assert!(challenge.contains(asked), "{challenge}"),
            None => assert!(!challenge.contains("scope="), "{challenge}"),
        }
    }
}
