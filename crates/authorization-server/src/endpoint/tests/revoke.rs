//! Revocation and introspection, under attack.

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use portcullis_oauth::crypto::base64;
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{ClientId, ResourceUrl};
use portcullis_resource_server::ClientAddress;

use super::server::{APP, Answer, DAEMON, OTHER, SECRET, Server, body};
use super::world::RESOURCE;
use crate::client::{ConfiguredClient, GrantType};
use crate::provider::Introspection;

const REVOKE: &str = "/oauth/revoke";
const INTROSPECT: &str = "/oauth/introspect";

pub(super) async fn revoke(server: &Server, client: &str, token: &str) -> Answer {
    let fields = [("client_id", client), ("token", token)];
    server.post(REVOKE, &fields).await
}

#[tokio::test]
async fn sec_rv_02_a_revoked_access_token_is_refused_on_the_next_request() {
    let server = Server::new().await;
    let (access, refresh) = server.tokens(APP).await;
    assert_eq!(server.call(&access).await, StatusCode::OK);
    let answer = revoke(&server, APP, &access).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.is_empty());
    assert_eq!(server.call(&access).await, StatusCode::UNAUTHORIZED);
    let answer = server.refresh(APP, &refresh, &[]).await;
    assert_eq!(answer.error(), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn sec_rv_03_with_a_refresh_token_its_access_tokens_die() {
    let server = Server::new().await;
    let (first, refresh) = server.tokens(APP).await;
    let answer = server.refresh(APP, &refresh, &[]).await;
    let (second, next) = (answer.text("access_token"), answer.text("refresh_token"));
    assert_eq!(revoke(&server, APP, &next).await.status, StatusCode::OK);
    for token in [first, second] {
        assert_eq!(server.call(&token).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn sec_rv_01_a_foreign_token_stays() {
    let server = Server::new().await;
    let (access, refresh) = server.tokens(APP).await;
    let before = server.stored().await;
    for token in [
        access.as_str(),
        &refresh,
        "junk",
        "a.b.c",
        &"x".repeat(9000),
    ] {
        let answer = revoke(&server, OTHER, token).await;
        assert_eq!(answer.status, StatusCode::OK, "{token}");
        assert!(answer.body.is_empty());
    }
    assert_eq!(server.stored().await, before);
    assert_eq!(server.call(&access).await, StatusCode::OK);
}

#[tokio::test]
async fn sec_rv_06_a_wrong_hint_finds_the_token() {
    let server = Server::new().await;
    for (is_access, hint) in [
        (true, "refresh_token"),
        (false, "access_token"),
        (true, "saml"),
    ] {
        let (access, refresh) = server.tokens(APP).await;
        let token = if is_access { &access } else { &refresh };
        let fields = [
            ("client_id", APP),
            ("token", token.as_str()),
            ("token_type_hint", hint),
        ];
        let answer = server.post(REVOKE, &fields).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(server.call(&access).await, StatusCode::UNAUTHORIZED);
    }
    let answer = server.post(REVOKE, &[("client_id", APP)]).await;
    assert_eq!(answer.error(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn sec_rv_05_a_client_without_a_secret_gives_back_what_it_has() {
    let server = Server::new().await;
    for is_access in [true, false] {
        let (access, refresh) = server.tokens(APP).await;
        let token = if is_access { &access } else { &refresh };
        assert_eq!(revoke(&server, APP, token).await.status, StatusCode::OK);
        assert_eq!(server.call(&access).await, StatusCode::UNAUTHORIZED);
        let answer = server.refresh(APP, &refresh, &[]).await;
        assert_eq!(answer.error(), (400, "invalid_grant".to_owned()));
    }
    // But it says who it is.
    let (access, _) = server.tokens(APP).await;
    let answer = server.post(REVOKE, &[("token", &access)]).await;
    assert_eq!(answer.error(), (401, "invalid_client".to_owned()));
    assert_eq!(server.call(&access).await, StatusCode::OK);
}

#[tokio::test]
async fn sec_rv_06_nothing_but_a_post_with_the_clients_proof_revokes() {
    let server = Server::new().await;
    let fields = [("grant_type", "client_credentials")];
    let granted = server.post_as((DAEMON, SECRET), "/oauth/token", &fields);
    let token = granted.await.text("access_token");
    let fields = [("token", token.as_str())];
    let bare = [("client_id", DAEMON), ("token", &token)];
    let bare = server.post(REVOKE, &bare).await;
    assert_eq!(bare.error(), (401, "invalid_client".to_owned()));
    let wrong = server.post_as((DAEMON, "wrong"), REVOKE, &fields);
    assert_eq!(wrong.await.error(), (401, "invalid_client".to_owned()));
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let query = format!("{REVOKE}?client_id={DAEMON}&client_secret={SECRET}&token={token}");
        let request = Request::builder().method(method).uri(query);
        let request = request.header(HOST, "mcp.example").body(Body::empty());
        let answer = server.send(request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(server.call(&token).await, StatusCode::OK);
    let proven = server.post_as((DAEMON, SECRET), REVOKE, &fields);
    assert_eq!(proven.await.status, StatusCode::OK);
    assert_eq!(server.call(&token).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn sec_rv_06_nobody_revokes_without_end() {
    let server = Server::new().await;
    let mut asked = 0;
    let refused = loop {
        let request = Request::post(REVOKE)
            .header(HOST, "mcp.example")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .extension(ClientAddress::new("192.0.2.1".parse().unwrap()));
        let request = request.body(body(&[("client_id", APP), ("token", "junk")]));
        let answer = server.send(request.unwrap()).await;
        if answer.status != StatusCode::OK || asked > 1000 {
            break answer;
        }
        asked += 1;
    };
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers.contains_key("retry-after"));
    assert!((100..=500).contains(&asked), "{asked}");
}

/// What a token says of itself chooses the resource, and opens nothing.
#[tokio::test]
async fn sec_rv_01_a_forged_token_ends_no_grant() {
    let server = Server::new().await;
    let (access, _) = server.tokens(APP).await;
    let (signed, signature) = access.rsplit_once('.').unwrap();
    let mut other: Vec<char> = signature.chars().collect();
    other[0] = if other[0] == 'A' { 'B' } else { 'A' };
    let other: String = other.into_iter().collect();
    let (head, payload) = signed.split_once('.').unwrap();
    for token in [
        format!("{signed}.{other}"),
        format!("{head}.{payload}."),
        format!("{head}.e30.{signature}"),
    ] {
        assert_eq!(revoke(&server, APP, &token).await.status, StatusCode::OK);
        assert_eq!(server.call(&access).await, StatusCode::OK, "{token}");
    }
    assert_eq!(revoke(&server, APP, &access).await.status, StatusCode::OK);
    assert_eq!(server.call(&access).await, StatusCode::UNAUTHORIZED);
}

fn introspecting() -> Introspection {
    let id = |id| ClientId::parse(id).unwrap();
    let ours = ResourceUrl::parse(RESOURCE).unwrap();
    let theirs = ResourceUrl::parse("https://other.example/mcp").unwrap();
    Introspection::nobody()
        .allow(id("ours"), [ours])
        .allow(id("theirs"), [theirs])
        .allow(id(APP), [])
}

async fn with_introspection() -> Server {
    Server::with(|builder| {
        let client = |id| {
            ConfiguredClient::new(id)
                .secret(ClientSecret::new(SECRET))
                .grant_types([GrantType::CLIENT_CREDENTIALS])
        };
        builder
            .client(client("ours"))
            .client(client("theirs"))
            .introspection(introspecting())
    })
    .await
}

async fn ask(server: &Server, client: &str, token: &str) -> Answer {
    server
        .post_as((client, SECRET), INTROSPECT, &[("token", token)])
        .await
}

#[tokio::test]
async fn a_resource_server_learns_what_a_token_is_worth() {
    let server = with_introspection().await;
    let (access, _) = server.tokens(APP).await;
    let answer = ask(&server, "ours", &access).await;
    let token = answer.json();
    assert_eq!(token["active"], true);
    assert_eq!(token["sub"], "alice");
    assert_eq!(token["client_id"], APP);
    assert_eq!(token["scope"], "read write");
    assert_eq!(token["aud"], RESOURCE);
    assert_eq!(token["token_type"], "Bearer");
}

#[tokio::test]
async fn sec_rv_08_everything_else_has_the_same_answer() {
    let server = with_introspection().await;
    let (access, refresh) = server.tokens(APP).await;
    let (revoked, _) = server.tokens(APP).await;
    revoke(&server, APP, &revoked).await;
    let mut answers = Vec::new();
    for token in [refresh.as_str(), &revoked, "junk", "a.b.c", "é"] {
        answers.push(ask(&server, "ours", token).await);
    }
    // For another resource server it is none of its business.
    answers.push(ask(&server, "theirs", &access).await);
    server.clock.advance(std::time::Duration::from_secs(3700));
    answers.push(ask(&server, "ours", &access).await);
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(&answer.body[..], br#"{"active":false}"#);
        assert_eq!(answer.headers, answers[0].headers);
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn sec_rv_09_strangers_learn_of_no_token() {
    let server = with_introspection().await;
    let (access, _) = server.tokens(APP).await;
    // A public client, though it is named; and one that is not.
    let fields = [("client_id", APP), ("token", access.as_str())];
    let answer = server.post(INTROSPECT, &fields).await;
    assert_eq!(answer.error(), (400, "unauthorized_client".to_owned()));
    let answer = ask(&server, DAEMON, &access).await;
    assert_eq!(answer.error(), (400, "unauthorized_client".to_owned()));
    let answer = server
        .post_as(("ours", "wrong"), INTROSPECT, &[("token", &access)])
        .await;
    assert_eq!(answer.error(), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn sec_rv_09_nobody_tries_tokens_without_end() {
    let server = with_introspection().await;
    let mut last = StatusCode::OK;
    for tried in 0..2000 {
        let request = Request::post(INTROSPECT)
            .header(HOST, "mcp.example")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(AUTHORIZATION, basic("ours"))
            .extension(ClientAddress::new("192.0.2.1".parse().unwrap()));
        let request = request.body(body(&[("token", "junk")])).unwrap();
        let answer = server.send(request).await;
        last = answer.status;
        if last != StatusCode::OK {
            assert!(tried >= 100, "a busy resource server is not stopped");
            assert!(answer.headers.contains_key("retry-after"));
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

fn basic(client: &str) -> String {
    format!("Basic {}", base64::encode(format!("{client}:{SECRET}")))
}

#[tokio::test]
async fn without_anybody_who_may_there_is_no_introspection() {
    let server = Server::new().await;
    let answer = server.post(INTROSPECT, &[("token", "x")]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}
